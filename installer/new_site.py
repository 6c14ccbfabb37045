"""New site: a site file for a solution, written so that only what nobody else can know is left.

Whatever the solution's settings and tables say stands in it as a comment or a value. What only the
person can know is `FILL-IN`; `unfilled` names what is left of it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence, Set
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from foundation.documents import dump_yaml
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from installer.settings import Value, applies, load_settings, typed_value
from installer.site import FILL_IN
from preflight.needs import RoleNeed, SolutionNeeds
from preflight.sizing import count_words, shape_words

if TYPE_CHECKING:
    from installer.solution import Solution
    from installer.steps.model import Setting

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
    if not solution.installable:
        yield from _comment(f"Sitewright judges machines for it. {solution.why_not}")
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
    prefix = _SHORT.get(row.role, row.role)
    mark = "  # - " if _optional(row) else "  - "
    count = max(row.count.min, 1)
    for number in range(1, count + 1):
        name = prefix if count == 1 and prefix == row.role else f"{prefix}{number}"
        yield f"{mark}{{name: {name}, address: {FILL_IN}, roles: [{row.role}]}}"


def _optional(row: RoleNeed) -> bool:
    """A role that a site may do without stands there to be uncommented."""
    return row.optional or row.count.min == 0


def refuse_words_for_ssh(hosts: Iterable[Host], path: Path) -> None:
    """Raise InputProblem where an inventory's way to a machine is one that no site file holds."""
    for host in hosts:
        if host.ssh_options or host.proxy_command:
            words = host.proxy_command or ", ".join(host.ssh_options)
            raise InputProblem(
                f"{host.name} is reached with words for ssh that a site file does not hold: "
                f"{words[:120]}",
                where=str(path),
                remedy="Write them into your ~/.ssh/config and take them out here, or look at the "
                f"machines with: sitewright preflight --inventory {quote(str(path))}",
            )


def _host(host: Host) -> str:
    known: dict[str, object] = {"name": host.name, "address": host.address}
    if host.port != 22:
        known["port"] = host.port
    if host.user:
        known["user"] = host.user
    if host.roles:
        known["roles"] = list(host.roles)
    if host.identity_files:
        known["identity_files"] = [str(path) for path in host.identity_files]
    if host.bastion:
        known["bastion"] = host.bastion
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
