"""Answers: what a person has told the wizard so far, and the file in which the place is kept.

The file holds no secret: passwords and passphrases are asked for again after a restart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.hosts.model import Host, Inventory
from foundation.paths import wizard_file, write_private
from foundation.problems import InputProblem

if TYPE_CHECKING:
    from preflight.findings import Waiver

SCHEMA: Final = "sitewright.wizard/1"
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


@dataclass(frozen=True, slots=True)
class Answers:
    """Everything the wizard asked for, step by step; nothing in it is secret."""

    step: str = "welcome"
    """Where the person is."""
    furthest: str = "welcome"
    """The last step that was reached, so that the rail can say what is done."""
    carry: bool = False
    """Whether the question is what this machine can carry, instead of one solution."""
    solution: str | None = None
    environment: str | None = None
    sizing: str | None = None
    installable: bool = False
    """Whether Sitewright can install the solution, rather than only judge machines for it."""
    machines: tuple[Host, ...] = ()
    login: Login = Login()
    facts_file: Path | None = None
    """A file of facts that is judged instead of machines."""
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Machine -> roles, where a person or a site file set them."""
    waivers: tuple[Waiver, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    supplies: Mapping[str, object] = field(default_factory=dict)
    """The parts of a site file that no step here asks about; they are written back as they were."""
    way_out: Mapping[str, object] = field(default_factory=dict)
    """`proxy`, `no_proxy` and `authorities` of the site file, written back as they were."""
    playbooks: Path | None = None
    """The customer's own folder of playbooks, where the site file names one; it goes first."""
    ssh_config: Path | bool | None = None
    """`ssh.config` of the site file: a file in place of the person's own, or False for none."""
    control: str | None = None
    """The machine on which Ansible runs, where the site file names one; else this one."""
    site_file: Path | None = None
    """Where the site file was read from or written to."""
    saved_at: datetime | None = None

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

    def carrying(self, this_machine: Host) -> Answers:
        """These answers with the question what one machine can carry."""
        return replace(
            self,
            carry=True,
            solution=None,
            environment=None,
            sizing=None,
            machines=(this_machine,) if self.facts_file is None else self.machines,
        )

    def aiming_at(self, solution: str, environment: str) -> Answers:
        """These answers with a solution; table and roles stay only if it is the same one."""
        same = (self.solution, self.environment) == (solution, environment)
        return replace(
            self,
            carry=False,
            solution=solution,
            environment=environment,
            sizing=self.sizing if same else None,
            roles=self.roles if same else {},
        )

    def standing_on(self, this_machine: Host) -> Answers:
        """These answers with this machine, where none is named and no facts are judged.

        Whoever wants something on one machine most often means this one; the next step shows it.
        """
        if self.machines or self.facts_file is not None:
            return self
        return replace(self, machines=(this_machine,))

    def with_site(self, site: Answers) -> Answers:
        """These answers with what a site file says besides its goal and its machines."""
        return replace(
            self,
            sizing=site.sizing if self.aims_as(site) and site.sizing else self.sizing,
            login=site.login,
            roles={**self.roles, **site.roles},
            waivers=(*self.waivers, *(w for w in site.waivers if w not in self.waivers)),
            settings={**self.settings, **site.settings},
            supplies={**self.supplies, **site.supplies},
            way_out={**self.way_out, **site.way_out},
            playbooks=site.playbooks or self.playbooks,
            ssh_config=self.ssh_config if site.ssh_config is None else site.ssh_config,
            control=site.control or self.control,
        )

    def renamed(self, old: str, new: str) -> Answers:
        """These answers where what is said of a machine by its name follows it to another name."""
        if old == new:
            return self
        return replace(
            self,
            roles={new if name == old else name: roles for name, roles in self.roles.items()},
            waivers=tuple(
                waiver.model_copy(update={"host": new}) if waiver.host == old else waiver
                for waiver in self.waivers
            ),
            control=new if self.control == old else self.control,
        )

    def aims_as(self, other: Answers) -> bool:
        """Whether both ask the same question of the machines."""
        return (self.carry, self.solution, self.environment) == (
            other.carry,
            other.solution,
            other.environment,
        )

    def inventory(self) -> Inventory:
        """The machines with the shared login filled in where they say nothing themselves."""
        login = self.login
        hosts = tuple(
            host
            if host.local
            else replace(
                host,
                user=host.user or login.user,
                port=login.port if login.port and host.port == 22 else host.port,
                identity_files=host.identity_files or login.identity_files,
                bastion=host.bastion or login.bastion,
            )
            for host in self.machines
        )
        config = self.ssh_config
        return Inventory(
            hosts=hosts,
            known_hosts=login.known_hosts,
            ssh_config=config if isinstance(config, Path) else None,
            use_ssh_config=config is not False,
            # It is the site file's word and nobody else's: it starts no program here unasked.
            config_of_site=isinstance(config, Path),
            source="the wizard",
        )


def joined(there: Sequence[Host], new: Iterable[Host]) -> tuple[Host, ...]:
    """Machines with others added; raises InputProblem for a name or an address that is there."""
    names = {host.name: host for host in there}
    ends = {(host.address.lower(), host.port, host.bastion): host for host in there}
    added = tuple(new)
    for host in added:
        twin = names.get(host.name) or ends.get((host.address.lower(), host.port, host.bastion))
        if twin is not None:
            raise InputProblem(
                f'"{twin.name}" ({twin.endpoint}) is on the list already',
                where=host.name,
                remedy="A second machine needs a name of its own: name=user@address.",
            )
    return (*there, *added)


@dataclass(frozen=True, slots=True)
class Saved:
    """What the state file held: answers, or the sentence that says why it cannot be used."""

    answers: Answers | None = None
    sentence: str = ""


def save_answers(answers: Answers, file: Path | None = None) -> None:
    """Write the place and the answers, readable by the owner only; raises OSError."""
    from screens.saved_state import to_json

    write_private(file or wizard_file(), to_json(answers))


def load_answers(file: Path | None = None) -> Saved:
    """What was saved; a missing file is nothing, a broken or older one a sentence. Never raises."""
    path = file or wizard_file()
    try:
        with path.open("rb") as stream:
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
    if not isinstance(value, dict) or value.get("schema") != SCHEMA or _kept_too_little(value):
        return Saved(
            sentence=f"The saved place ({path}) is of another version of Sitewright, {start_again}."
        )
    from screens.saved_state import from_json

    answers = from_json(value)
    if answers is None:
        return Saved(sentence=f"The saved place ({path}) does not make sense, {start_again}.")
    return Saved(answers=answers)


def _kept_too_little(value: Mapping[str, object]) -> bool:
    """Whether it is of a version that kept only a part of the site file that it had opened.

    To go on with it would plan without the customer's playbooks, and write the file without them.
    """
    return bool(value.get("site_file")) and "playbooks" not in value


def forget_answers(file: Path | None = None) -> None:
    """Remove the saved place; a missing file is fine."""
    (file or wizard_file()).unlink(missing_ok=True)
