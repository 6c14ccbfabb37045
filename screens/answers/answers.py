"""Answers: the site that a person has told the wizard so far, the place where the person stands,
and the file in which both are kept.

The file holds no secret: passwords and passphrases are asked for again after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from foundation import bounded_files
from foundation.hosts.model import Host, Inventory
from foundation.paths import wizard_file, write_private
from foundation.problems import InputProblem

if TYPE_CHECKING:
    from installer.sites.site import Site, SiteHost
    from preflight.findings import Waiver

SCHEMA: Final = "sitewright.wizard/2"
SIZE_LIMIT: Final = 4 * 1024 * 1024
"""Bytes; ten thousand machines stay below it."""


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in where a machine itself says nothing else."""

    user: str | None = None
    port: int | None = None
    identity_files: tuple[Path, ...] = ()
    bastion: str | None = None
    known_hosts: tuple[Path, ...] = ()
    sudo: bool = True
    """Whether to look with root's rights where sudo allows it."""


@dataclass(frozen=True)
class Answers:
    """A site, and where the person stands in it; nothing in it is secret."""

    told: Site | None = None
    """All that was said of the installation, its paths whole; None before anything was."""
    step: str = "welcome"
    """Where the person is."""
    furthest: str = "welcome"
    """The last step that was reached, so that the rail can say what is done."""
    carry: bool = False
    """Whether the question is what this machine can carry, instead of one solution."""
    installable: bool = False
    """Whether Sitewright can install the solution, rather than only judge machines for it."""
    sudo: bool = True
    """Whether to look with root's rights where sudo allows it."""
    facts_file: Path | None = None
    """A file of facts that is judged instead of machines."""
    recorded: tuple[Host, ...] = ()
    """The machines of that file."""
    idle: frozenset[str] = frozenset()
    """The machines of which a person said that they have no role, rather than left it open."""
    site_file: Path | None = None
    """Where the site file was read from or written to."""
    saved_at: datetime | None = None

    # ---- the site, as the screens speak of it

    @cached_property
    def site(self) -> Site:
        """All that was said of the installation, its paths whole: what its site file will hold."""
        if self.told is not None:
            return self.told
        from installer.sites.site import Site  # its model is not waited for by the first screen

        return Site()

    @property
    def solution(self) -> str | None:
        """The id of the solution, once one was chosen."""
        return None if self.told is None else self.told.solution

    @property
    def environment(self) -> str | None:
        """The id of its environment."""
        return None if self.told is None else self.told.environment

    @property
    def sizing(self) -> str | None:
        """The id of the sizing table, where it is not the solution's default."""
        return self.site.sizing

    @cached_property
    def machines(self) -> tuple[Host, ...]:
        """The machines, each with what it says itself; `inventory` fills in the rest."""
        if self.facts_file is not None:
            return self.recorded
        return () if self.told is None else tuple(_host(machine) for machine in self.told.hosts)

    @property
    def ports(self) -> dict[str, int | None]:
        """The port that each machine says itself, by its name."""
        return {machine.name: machine.port for machine in self.site.hosts}

    @property
    def login(self) -> Login:
        """How to log in where a machine itself says nothing else."""
        ssh = self.site.ssh
        return Login(
            user=ssh.user,
            port=ssh.port,
            identity_files=tuple(map(Path, ssh.identity_files)),
            bastion=ssh.bastion,
            known_hosts=tuple(map(Path, ssh.known_hosts)),
            sudo=self.sudo,
        )

    @property
    def roles(self) -> dict[str, tuple[str, ...]]:
        """Machine -> roles, where a person or a file said them."""
        return {
            host.name: host.roles for host in self.machines if host.roles or host.name in self.idle
        }

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """What was waived, and by whom."""
        return self.site.waivers

    @property
    def name(self) -> str:
        """What to call the site: its solution and environment, or what is known of it."""
        if self.carry:
            return "this machine"
        if self.solution is None:
            return "new site"
        return f"{self.solution} {self.environment}" if self.environment else self.solution

    @property
    def short_name(self) -> str:
        """The name where there is little room: without the environment."""
        return self.name if self.carry or self.solution is None else self.solution

    @property
    def only_this_machine(self) -> bool:
        """Whether nothing but this machine itself is looked at."""
        return len(self.machines) == 1 and self.machines[0].local

    def host(self, name: str) -> Host | None:
        """The machine of a name, or None."""
        return next((host for host in self.machines if host.name == name), None)

    def inventory(self) -> Inventory:
        """The machines with the shared login filled in where they say nothing themselves."""
        base = Path.cwd()  # every path is whole
        found = self.site.inventory(base, source="the wizard")
        hosts = found.hosts if self.facts_file is None else self.recorded
        return replace(
            found,
            # This machine itself is reached without a login.
            hosts=tuple(
                plain if plain.local else host
                for plain, host in zip(self.machines, hosts, strict=True)
            ),
            hosts_by_name={},
        )

    # ---- what a person says

    def saying(self, **keys: Any) -> Answers:
        """These answers with other values under keys of the site file."""
        return replace(self, told=self.site.model_copy(update=keys))

    def with_machines(self, hosts: Iterable[Host]) -> Answers:
        """These answers with these machines; one that is on the list already stays as it is."""
        there = {machine.name: machine for machine in self.site.hosts}
        machines = tuple(_machine(host, there.get(host.name)) for host in hosts)
        names = {machine.name for machine in machines}
        return replace(self.saying(hosts=machines), idle=self.idle & names)

    def with_login(self, login: Login) -> Answers:
        """These answers with another shared login."""
        ssh = self.site.ssh.model_copy(
            update={
                "user": login.user,
                "port": login.port,
                "identity_files": _texts(login.identity_files),
                "bastion": login.bastion,
                "known_hosts": _texts(login.known_hosts),
            }
        )
        return replace(self.saying(ssh=ssh), sudo=login.sudo)

    def with_port(self, name: str, port: int | None) -> Answers:
        """These answers where a machine says this port itself, or leaves it to the login of all."""
        machines = tuple(
            machine.model_copy(update={"port": port}) if machine.name == name else machine
            for machine in self.site.hosts
        )
        return self.saying(hosts=machines)

    def with_roles(self, roles: Mapping[str, tuple[str, ...]]) -> Answers:
        """These answers with these roles and no others; a machine that is not named is open."""
        idle = frozenset(name for name, found in roles.items() if not found)
        if self.facts_file is not None:
            recorded = tuple(
                replace(host, roles=roles.get(host.name, ())) for host in self.recorded
            )
            return replace(self, recorded=recorded, idle=idle)
        machines = tuple(
            machine.model_copy(update={"roles": roles.get(machine.name, ())})
            for machine in self.site.hosts
        )
        return replace(self.saying(hosts=machines), idle=idle)

    def carrying(self, this_machine: Host) -> Answers:
        """These answers with the question what one machine can carry."""
        there = self if self.facts_file is not None else self.with_machines((this_machine,))
        return replace(there.saying(solution=None, environment=None, sizing=None), carry=True)

    def aiming_at(self, solution: str, environment: str) -> Answers:
        """These answers with a solution; table and roles stay only if it is the same one."""
        same = (self.solution, self.environment) == (solution, environment)
        there = self if same else self.saying(sizing=None).with_roles({})
        return replace(there.saying(solution=solution, environment=environment), carry=False)

    def standing_on(self, this_machine: Host) -> Answers:
        """These answers with this machine, where none is named and no facts are judged.

        Whoever wants something on one machine most often means this one; the next step shows it.
        """
        if self.machines or self.facts_file is not None:
            return self
        return self.with_machines((this_machine,))

    def with_site(self, other: Answers) -> Answers:
        """These answers with what a site file says besides its goal, and with its machines."""
        told: dict[str, Any] = {}
        for key in type(self.site).model_fields.keys() - _NOT_TAKEN:
            old, new = getattr(self.site, key), getattr(other.site, key)
            told[key] = _together(old, new)
        names = {machine.name for machine in other.site.hosts}
        told["hosts"] = (*(m for m in self.site.hosts if m.name not in names), *other.site.hosts)
        ssh = told["ssh"] = other.site.ssh
        if ssh.config is None:
            told["ssh"] = ssh.model_copy(update={"config": self.site.ssh.config})
        if self.aims_as(other) and other.sizing:
            told["sizing"] = other.sizing
        return replace(self.saying(**told), sudo=other.sudo, idle=self.idle | other.idle)

    def renamed(self, old: str, new: str) -> Answers:
        """These answers where what is said of a machine by its name follows it to another name."""
        if old == new:
            return self
        there = self.saying(
            hosts=tuple(
                machine.model_copy(update={"name": new}) if machine.name == old else machine
                for machine in self.site.hosts
            ),
            waivers=tuple(
                waiver.model_copy(update={"host": new}) if waiver.host == old else waiver
                for waiver in self.waivers
            ),
            control=new if self.site.control == old else self.site.control,
        )
        return replace(there, idle=frozenset(new if one == old else one for one in self.idle))

    def aims_as(self, other: Answers) -> bool:
        """Whether both ask the same question of the machines."""
        return (self.carry, self.solution, self.environment) == (
            other.carry,
            other.solution,
            other.environment,
        )


_NO_LOGIN: Final = Login()
_FILL_IN: Final = "FILL-IN"
"""An address that a person is still to fill in; see installer.sites.site."""

_NOT_TAKEN: Final = {"solution", "environment", "sizing", "hosts"}
"""What a site file that is read for its machines does not change: the goal that was chosen."""


def _together(old: Any, new: Any) -> Any:
    """What was said before with what a file says: it wins, and takes nothing away."""
    if isinstance(new, dict):
        return {**old, **new}
    if isinstance(new, tuple) and any(hasattr(part, "check") for part in new):  # waivers
        return (*old, *(part for part in new if part not in old))
    if hasattr(new, "model_fields_set"):
        said = {key: getattr(new, key) for key in type(new).model_fields}
        return old.model_copy(update={key: value for key, value in said.items() if value})
    return new or old


def _host(machine: SiteHost) -> Host:
    from installer.sites.site import PROGRAM_PLACE

    return Host(
        name=machine.name,
        address=machine.address,
        port=machine.port or 22,
        user=machine.user,
        roles=machine.roles,
        identity_files=tuple(map(Path, machine.identity_files)),
        bastion=machine.bastion,
        proxy_command=machine.proxy_command,
        proxy_place=PROGRAM_PLACE if machine.proxy_command else "",
        ssh_options=machine.ssh_options,
        machine=machine.machine,
        variables=tuple(machine.variables.items()),
    )


def _machine(host: Host, before: SiteHost | None) -> SiteHost:
    """A machine as the site says it; what it did not say before it does not say now."""
    if before is not None and _host(before) == host:
        return before
    from installer.sites.site import SiteHost

    usual = host.own_port is None and (before is None or before.port is None)
    return SiteHost.model_construct(
        name=host.name,
        address=host.address,
        port=None if usual else host.port,
        user=host.user,
        roles=host.roles,
        identity_files=_texts(host.identity_files),
        bastion=host.bastion,
        proxy_command=host.proxy_command if not host.bastion else None,
        ssh_options=host.ssh_options,
        machine="vm" if host.machine == "vm" else "physical" if host.machine else None,
        variables=dict(host.variables),
    )


def _texts(paths: Iterable[Path]) -> tuple[str, ...]:
    """Whole ones: the site may be written to another folder than the one that we run in."""
    return tuple(str(path.absolute()) for path in paths)


def joined(
    there: Sequence[Host],
    new: Iterable[Host],
    login: Login = _NO_LOGIN,
    ports: Mapping[str, int | None] = MappingProxyType({}),
) -> tuple[Host, ...]:
    """Machines with others added; raises InputProblem for a name or an address that is there.

    Two machines have one address where port and bastion are one, with the shared login filled in.
    `ports` are those that machines say themselves, by their names: 22 may be meant.
    """
    found: list[Host] = []
    names: dict[str, Host] = {}
    ends: dict[tuple[str, int, str | None], Host] = {}
    for host in (*there, *new):
        own = ports.get(host.name) or (host.port if host.port != 22 else None)
        port = own or login.port or 22
        end = (host.address.lower(), port, host.proxy_command or host.bastion or login.bastion)
        twin = names.get(host.name) or ends.get(end)
        if twin is not None:
            raise InputProblem(
                f'"{twin.name}" ({twin.endpoint}) is on the list already',
                where=host.name,
                remedy="A second machine needs a name and an address of its own: "
                "name=user@address.",
            )
        names[host.name] = host
        if host.address != _FILL_IN:
            ends[end] = host
        found.append(host)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Saved:
    """What the state file held: answers, or the sentence that says why it cannot be used."""

    answers: Answers | None = None
    sentence: str = ""


def save_answers(answers: Answers, file: Path | None = None) -> None:
    """Write the place and the answers, readable by the owner only; raises OSError."""
    from screens.answers.saved_state import to_json

    write_private(file or wizard_file(), to_json(answers))


def load_answers(file: Path | None = None) -> Saved:
    """What was saved; a missing file is nothing, a broken or older one a sentence. Never raises."""
    path = file or wizard_file()
    try:
        with bounded_files.opened(path) as stream:
            raw = stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError:
        return Saved()
    except OSError as error:
        return Saved(sentence=f"The saved place ({path}) cannot be read: {error.strerror}.")
    start_again = "so the wizard starts afresh; what was typed there is not used"
    if len(raw) > SIZE_LIMIT:
        return Saved(sentence=f"The saved place ({path}) is too large to be ours, {start_again}.")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return Saved(sentence=f"The saved place ({path}) is damaged, {start_again}.")
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        return Saved(
            sentence=f"The saved place ({path}) is of another version of Sitewright, {start_again}."
        )
    from screens.answers.saved_state import from_json

    answers = from_json(value)
    if answers is None:
        return Saved(sentence=f"The saved place ({path}) does not make sense, {start_again}.")
    return Saved(answers=answers)
