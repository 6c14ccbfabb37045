"""Where a machine really is: its address, port, user and way, after the user's ssh config.

Where there is an `ssh` on the path, it is asked what the configuration means; else asyncssh's
parser reads it, without the blocks that it cannot judge, and says which those are.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Final

from foundation.hosts.ansible.inventory import split_endpoint
from foundation.hosts.logins import destination, login_name
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh import openssh
from foundation.hosts.openssh.allowed import require_allowed
from foundation.hosts.openssh.openssh import Settings
from foundation.hosts.openssh.ssh_directives import NO_CONSEQUENCE
from foundation.hosts.openssh.ssh_files import Line, home_in_passwd, read_lines
from foundation.problems import InputProblem
from foundation.typed_paths import typed_path

_AT_ONCE: Final = 4
_ASKED_ABOUT: Final = 200
"""Machines whose notes are gathered before anything connects; OpenSSH takes ten ms for each."""
DEFAULT_PORT: Final = 22
SYSTEM_CONFIG: Final = Path("/etc/ssh/ssh_config")


@dataclass(frozen=True, slots=True)
class Target:
    """One SSH server to log in to, with what the ssh config adds to the inventory."""

    host: Host
    address: str
    """What is connected to: the ssh config's HostName, or the inventory's address."""
    port: int
    user: str
    known_as: str
    """The name under which known_hosts files keep it: HostKeyAlias, or the address."""
    bastion: Host | None
    """The machine to go through, or None."""
    identity_files: tuple[Path, ...]
    """Keys that the ssh config names; those of the inventory stand in `host`."""
    identities_only: bool
    agent: str | None
    """The agent's socket of the config; "" for none, None for the environment's."""
    settings: Settings
    """What the configuration says beside that: algorithms, certificates, known hosts, notes."""
    proxy_command: tuple[str, ...] | None = None
    """The program of this machine to reach it through, as its words, or None."""

    @property
    def direct(self) -> bool:
        """Whether the address is connected to from here, with nothing in between."""
        return self.bastion is None and self.proxy_command is None

    @property
    def known_port(self) -> int:
        """The port under which known_hosts files keep it: with HostKeyAlias none but SSH's own."""
        return DEFAULT_PORT if self.settings.host_key_alias else self.port

    @property
    def endpoint(self) -> str:
        """`address:port` as connected to, with brackets round an IPv6 address."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"

    @property
    def login(self) -> str:
        """`user@address` for a command that a person pastes."""
        return destination(self.user, self.address)

    @property
    def where(self) -> str:
        """The machine as problems name it."""
        return (
            self.host.name
            if self.host.name in (self.address, self.host.endpoint)
            else f"{self.host.name}, {self.endpoint}"
        )


@dataclass(frozen=True, slots=True)
class Config:
    """The OpenSSH client configuration that an inventory honours."""

    file: Path | None
    """The file, or None for OpenSSH's usual ones."""
    lines: tuple[Line, ...]


def config_file(inventory: Inventory) -> Config | None:
    """The configuration that an inventory honours, or None where there is nothing to honour.

    Raises InputProblem; ProgramsNotAllowed where a file of somebody else would start a program.
    """
    require_allowed(inventory)
    if not inventory.use_ssh_config:
        return None
    if inventory.ssh_config is not None:
        # OpenSSH runs in a folder of its own, so that the name must not hang on ours.
        file = Path.cwd() / typed_path(str(inventory.ssh_config))
        return _worth_asking(Config(file, tuple(read_lines(file))))
    own = Path.home() / ".ssh" / "config"
    # OpenSSH takes the home of the user's entry in passwd, whatever HOME says.
    usual = Path.home() == home_in_passwd()
    lines = read_lines(own) if own.is_file() else []
    if usual and openssh.available() and SYSTEM_CONFIG.is_file():
        return _worth_asking(Config(None, (*lines, *read_lines(SYSTEM_CONFIG))))
    return _worth_asking(Config(own, tuple(lines)))


def _worth_asking(config: Config) -> Config | None:
    """The configuration, or None where it has only what is of no consequence for a login.

    A directive that nobody knows is asked about too: OpenSSH says that it is none.
    """
    plain = NO_CONSEQUENCE - {"match", "ignoreunknown"}
    return None if all(line.keyword in plain for line in config.lines) else config


def settings_of(host: Host, config: Config | None) -> Settings:
    """What a configuration, and the options of an inventory, say of a machine."""
    if config is None and not host.ssh_options:
        return Settings(hostname=host.address)
    nowhere = Path("/dev/null")
    file = config.file if config is not None else nowhere
    try:
        return openssh.ask(
            host.address, file=file, user=host.user, port=host.own_port, options=host.ssh_options
        )
    except openssh.CannotSay as reason:
        from foundation.hosts.openssh.ssh_parser import parse

        lines = config.lines if config is not None else ()
        return parse(host, lines, str(reason) if openssh.available() else "")


def config_notes(inventory: Inventory) -> tuple[str, ...]:
    """What could not be judged or is not honoured of the ssh config for any of the machines.

    Each sentence once; empty where the config cannot be read, which is told by whoever connects.
    """
    hosts = [host for host in inventory if not host.local]
    try:
        config = config_file(inventory)
    except InputProblem:
        return ()
    if config is None:
        hosts = [host for host in hosts if host.ssh_options]

    def notes(host: Host) -> tuple[str, ...]:
        try:
            return settings_of(host, config).notes
        except InputProblem:
            return ()

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        told = dict.fromkeys(chain.from_iterable(threads.map(notes, hosts[:_ASKED_ABOUT])))
    if len(hosts) > _ASKED_ABOUT:
        more = f"the notes on the ssh config are those of the first {_ASKED_ABOUT} machines"
        told |= {more: None} if told else {}
    return tuple(told)


def resolve(host: Host, config: Config | Path | None) -> Target:
    """Where a machine is, with an ssh config honoured, the operator's own file where it is a path.

    Raises InputProblem.
    """
    if isinstance(config, Path):
        config = config_file(Inventory((host,), ssh_config=config))
    settings = settings_of(host, config)
    jump = host.bastion if host.bastion is not None else settings.proxy_jump
    command = host.proxy_command or settings.proxy_command if not jump else None
    if host.proxy_command and command:
        known = replace(
            settings,
            proxy_command=command,
            user=host.user or settings.user,
            port=host.own_port or settings.port,
        )
        command = openssh.expanded(known, host.address).proxy_command
    return Target(
        host=host,
        address=settings.hostname,
        port=host.own_port or settings.port or DEFAULT_PORT,
        user=host.user or settings.user or login_name(),
        known_as=settings.host_key_alias or settings.hostname,
        bastion=bastion_host(host, jump) if jump else None,
        identity_files=tuple(
            Path(name) for name in settings.identity_files if name.lower() != "none"
        ),
        identities_only=settings.identities_only,
        agent=_agent(settings.identity_agent),
        settings=settings,
        proxy_command=_as_openssh_runs(command) if command else None,
    )


def _as_openssh_runs(command: str) -> tuple[str, ...]:
    """The words with which OpenSSH starts a ProxyCommand: the user's shell, in one process."""
    return (os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}")


def _agent(value: str | None) -> str | None:
    if value is None or value == "SSH_AUTH_SOCK":
        return None
    if value.startswith("$"):
        return os.environ.get(value[1:].strip("{}"), "")
    return "" if value.lower() == "none" else str(typed_path(value))


def bastion_host(host: Host, jump: str) -> Host:
    """The last of some jump machines, parted by commas, reached through those before it."""
    *before, last = [hop.strip() for hop in jump.split(",")]
    try:
        user, address, port = split_endpoint(last.removeprefix("ssh://").rstrip("/"))
    except InputProblem as problem:
        raise InputProblem(
            f'the bastion "{jump}" cannot be used: {problem.cause}',
            where=host.name,
            remedy="Write the bastion as user@address:port.",
        ) from problem
    return Host(
        name=last,
        address=address,
        port=port or DEFAULT_PORT,
        user=user,
        identity_files=host.identity_files,
        bastion=",".join(before) or None,
        port_stated=port is not None,
    )
