"""New site: a site file for a solution, written so that only what nobody else can know is left.

Whatever the solution's settings and tables say stands in it as a comment or a value. What only the
person can know is `FILL-IN`; `unfilled` names what is left of it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING

from foundation.documents import dump_yaml
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from installer.catalogue.settings import Value, applies, left_open, load_settings, typed_value
from installer.catalogue.solution import load_solution
from installer.sites.site import FILL_IN, unfilled
from preflight.needs import MachineKind, RoleNeed, SolutionNeeds
from preflight.sizing import count_words, shape_words

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.catalogue.stages import Setting
    from installer.sites.site import Site

_WIDTH = 98
_SHORT = {"load-balancer": "lb", "master": "m", "worker": "w", "storage": "s"}
"""How machines of a role are called, where the role's own name would be long."""


def new_site_text(solution: Solution, needs: SolutionNeeds, hosts: Sequence[Host] = ()) -> str:
    """A whole site file; `hosts` are the machines where they are known already."""
    rows = (row.role for row in needs.sizing.roles if not _optional(row))
    # Machines without roles are given those that they fit, so that nothing can be told of these.
    named = {role for host in hosts for role in host.roles}
    roles = named or set(rows)
    lines = [*_head(solution, needs), *_hosts(needs, hosts), *_settings(solution, roles)]
    lines += _supplies()
    return "\n".join(lines) + "\n"


def _head(solution: Solution, needs: SolutionNeeds) -> Iterator[str]:
    yield from _comment(
        f"{solution.title}, {needs.environment}: the answers of one installation. What only you "
        f"can know is {FILL_IN}; `sitewright plan` names what is left of it. A line that begins "
        "with # says what holds where nothing is said."
    )
    if needs.not_installed:
        yield from _comment(f"Sitewright judges machines for it. {needs.not_installed}")
    yield "# Secrets do not belong here; Sitewright asks for them."
    yield "# Every key there is:    sitewright schema site"
    yield f"solution: {_value(solution.id)}"
    yield f"environment: {_value(needs.environment)}"
    yield f"# sizing: {_value(needs.sizing.id)}"
    yield ""
    yield "# How to log in. Without it: your own name, your own keys and your own known_hosts."
    yield "# ssh: {user: ubuntu, identity_files: [~/.ssh/id_ed25519], known_hosts: ./known_hosts}"
    yield ""


def _hosts(needs: SolutionNeeds, hosts: Sequence[Host]) -> Iterator[str]:
    yield from _comment(
        f"The machines. {needs.sizing.title} ({needs.sizing.source}). Roles may be left out: then "
        "machines are given those that they fit. `local` is the address of this machine."
    )
    for row in needs.sizing.roles:
        shapes = " or ".join(shape_words(shape) for shape in row.shapes)
        yield from _comment(f"{row.role}: {count_words(row.count)}, each {shapes}")
    yield "hosts:"
    if hosts:
        yield from (_host(host) for host in hosts)
        yield ""
        return
    for row in needs.sizing.roles:
        yield from _row(row)
    yield ""


def _row(row: RoleNeed) -> Iterator[str]:
    if all(shape.machine is MachineKind.EXTERNAL for shape in row.shapes):
        # In the list it would be tried and logged in to like every machine.
        yield f"  # The {row.role} lies outside the site: there is no machine to log in to."
        return
    prefix = _SHORT.get(row.role, row.role)
    mark = "  # - " if _optional(row) else "  - "
    count = max(row.count.min, 1)
    for number in range(1, count + 1):
        name = prefix if count == 1 and prefix == row.role else f"{prefix}{number}"
        yield f"{mark}{{name: {name}, address: {FILL_IN}, roles: [{row.role}]}}"


def _optional(row: RoleNeed) -> bool:
    """A role that a site may do without stands there to be uncommented."""
    return row.optional or row.of_cluster or row.count.min == 0


def left_to_fill(site: Site) -> tuple[str, ...]:
    """What is still to be filled in; what hangs on a setting that does not hold is none of it."""
    left = unfilled(site)
    if site.solution is None or not any(place.startswith("settings.") for place in left):
        return left
    try:
        settings = load_settings(load_solution(site.solution))
    except InputProblem:
        return left  # a solution that nobody knows is told where it is looked for
    places = [place for place in left if not place.startswith("settings.")]
    return (*places, *(f"settings.{name}" for name in left_open(settings, site.settings)))


def _host(host: Host) -> str:
    known: dict[str, object] = {"name": host.name, "address": host.address}
    if host.own_port:
        known["port"] = host.own_port
    if host.user:
        known["user"] = host.user
    if host.roles:
        known["roles"] = list(host.roles)
    if host.identity_files:
        known["identity_files"] = [str(path) for path in host.identity_files]
    if host.bastion:
        known["bastion"] = host.bastion
    if host.proxy_command:
        known["proxy_command"] = host.proxy_command
    if host.ssh_options:
        known["ssh_options"] = list(host.ssh_options)
    return f"  - {_flow(known)}"


def _settings(solution: Solution, roles: Set[str]) -> Iterator[str]:
    settings = load_settings(solution)
    if not settings.settings:
        return
    values: dict[str, Value] = {}
    lines: list[str] = []
    secrets: list[str] = []
    titles = {section.first: section.title for section in settings.sections}
    for setting in settings.settings:
        if setting.name in titles:
            lines += ["", f"  # -- {titles[setting.name]}"]
        if setting.type == "secret":
            secrets.append(setting.name)
            continue
        wanted = applies(setting, values)
        given = typed_value(setting, setting.default or "")
        without = bool(setting.role) and setting.role not in roles and given is True
        values[setting.name] = False if without else given
        lines += _comment(_words(setting), indent=2)
        if without:
            lines.append(f"  # No machine of this table has the role {setting.role}.")
            lines.append(f"  {setting.name}: no")
        elif setting.default is None:
            lines.append(f"  {'' if wanted else '# '}{setting.name}: {FILL_IN}")
        else:
            lines.append(f"  # {setting.name}: {_value(given)}")
    if secrets:
        lines += ["", *_comment(f"Asked for when they are needed: {', '.join(secrets)}.", indent=2)]
    if any(line and not line.lstrip().startswith("#") for line in lines):
        yield from ("# What the installation asks.", "settings:")
    else:
        yield "# What the installation can be told; then take the # away before settings: too."
        yield "# settings:"
    yield from (*lines, "")


def _words(setting: Setting) -> str:
    words = [setting.title if setting.title[-1] in ".?!" else f"{setting.title}."]
    if setting.help:
        words.append(setting.help)
    if setting.choices:
        words.append(f"One of: {', '.join(setting.choices)}.")
    if setting.example and setting.example != setting.default:
        words.append(f"Such as {setting.example}")
    if setting.when:
        negated = setting.when.startswith("not ")
        name = setting.when.removeprefix("not ")
        words.append(f"({'unless' if negated else 'where'} {name} holds)")
    return " ".join(words)


def _supplies() -> Iterator[str]:
    yield "# For a site without the internet: what `sitewright bundle create` made."
    yield "# supplies: {bundle: ./BUNDLE, keys: ./allowed_signers}"


def _comment(text: str, *, indent: int = 0) -> Iterator[str]:
    space = " " * indent
    for line in textwrap.wrap(
        " ".join(text.split()), _WIDTH - indent, break_long_words=False, break_on_hyphens=False
    ):
        yield f"{space}# {line}"


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _flow(value)


def _flow(value: object) -> str:
    text = dump_yaml(value, default_flow_style=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")
