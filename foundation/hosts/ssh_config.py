"""Where a machine really is: its address, port, user and way, after the user's ssh config."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from asyncssh.config import SSHClientConfig

from foundation.hosts.inventory import split_endpoint
from foundation.hosts.model import Host, Inventory
from foundation.problems import InputProblem

DEFAULT_PORT: Final = 22
_SIZE_LIMIT: Final = 1024 * 1024


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
    config: SSHClientConfig | None

    @property
    def direct(self) -> bool:
        """Whether the address is connected to from here, with nothing in between."""
        proxy = self.config.get("ProxyCommand") if self.config else None
        return self.bastion is None and not proxy

    @property
    def endpoint(self) -> str:
        """`address:port` as connected to, with brackets round an IPv6 address."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"

    @property
    def where(self) -> str:
        """The machine as problems name it."""
        return (
            self.host.name
            if self.host.name in (self.address, self.host.endpoint)
            else f"{self.host.name}, {self.endpoint}"
        )


def config_file(inventory: Inventory) -> Path | None:
    """The OpenSSH client configuration that an inventory honours, or None; raises InputProblem."""
    if not inventory.use_ssh_config:
        return None
    own = Path.home() / ".ssh" / "config"
    file = inventory.ssh_config or own
    try:
        if file.stat().st_size <= _SIZE_LIMIT:
            return file
        cause = f"the ssh config is larger than {_SIZE_LIMIT} bytes"
    except FileNotFoundError:
        if inventory.ssh_config is None:
            return None
        cause = "there is no such ssh config"
    except OSError as error:
        cause = f"the ssh config cannot be read: {error.strerror or error}"
    raise InputProblem(cause, where=str(file), remedy="Check the name and the rights of the file.")


def _load(host: Host, file: Path, user: str) -> SSHClientConfig:
    port = host.port if host.port != DEFAULT_PORT else ()
    arguments = (user, host.user or (), host.address, port)
    try:
        config = SSHClientConfig.load(None, [file], False, False, False, *arguments)
        if config.has_match_final():
            config = SSHClientConfig.load(None, [file], False, False, True, *arguments)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise InputProblem(
            f"the ssh config cannot be used: {error}",
            where=str(file),
            remedy="Mend that line (ssh -G HOST shows what OpenSSH makes of the file), or set "
            "`config: false` under `ssh` in the site file.",
        ) from error
    return cast(SSHClientConfig, config)


def resolve(host: Host, file: Path | None) -> Target:
    """Where a machine is, with the user's ssh config honoured; raises InputProblem."""
    local_user = _local_user()
    config = _load(host, file, local_user) if file else None

    def get(option: str, default: Any = None) -> Any:
        return config.get(option, default) if config else default

    address = str(get("Hostname", host.address))
    jump = host.bastion if host.bastion is not None else get("ProxyJump")
    return Target(
        host=host,
        address=address,
        port=host.port if host.port != DEFAULT_PORT else int(get("Port", DEFAULT_PORT)),
        user=str(host.user or get("User") or local_user),
        known_as=str(get("HostKeyAlias") or address),
        bastion=bastion_host(host, str(jump)) if jump else None,
        identity_files=tuple(Path(name).expanduser() for name in get("IdentityFile", ())),
        identities_only=bool(get("IdentitiesOnly", False)),
        agent=_agent(get("IdentityAgent")),
        config=config,
    )


def _agent(value: object) -> str | None:
    if value is None or value == "SSH_AUTH_SOCK":
        return None
    return "" if str(value).lower() == "none" else str(Path(str(value)).expanduser())


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user without a name in passwd; the server will say whether it likes it.
        return "root"


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
    )
