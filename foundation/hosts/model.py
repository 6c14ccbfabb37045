"""Host and Inventory: the machines of a site as values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LOCAL_ADDRESS = "local"
"""The address that stands for this machine, reached without SSH."""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine: its name in the site, how to reach it, and the roles it is meant for."""

    name: str
    address: str
    """An IPv4 or IPv6 address without brackets, a DNS name, or LOCAL_ADDRESS."""
    port: int = 22
    user: str | None = None
    """The login name; None leaves it to the user's ssh config, then to the user's own name."""
    roles: tuple[str, ...] = ()
    identity_files: tuple[Path, ...] = ()
    bastion: str | None = None
    """`user@host:port` of the machine to go through, or None."""
    machine: str | None = None
    """"vm" or "physical" where the site file states it, which the machine itself may not know."""
    variables: tuple[tuple[str, str | int | float | bool | None], ...] = ()
    """What the customer's own playbooks want to know of it, as the site file says; never secret."""
    ssh_options: tuple[str, ...] = ()
    """Further words of OpenSSH's `-o` that an inventory gives, such as "HostKeyAlias=m1"."""
    proxy_command: str | None = None
    """A program of this machine that an inventory would have us reach the machine through."""
    proxy_place: str = ""
    """Where that stands, for a person."""
    port_stated: bool = field(default=False, compare=False)
    """Whether somebody wrote the port, so that 22 is meant and no ssh config changes it."""

    @property
    def local(self) -> bool:
        """Whether this is the machine that Sitewright itself runs on."""
        return self.address == LOCAL_ADDRESS

    @property
    def own_port(self) -> int | None:
        """The port that somebody named; None where an ssh config may name one."""
        return self.port if self.port_stated or self.port != 22 else None

    @property
    def endpoint(self) -> str:
        """`address:port`, with brackets round an IPv6 address."""
        if self.local:
            return "this machine"
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Inventory:
    """The machines of a site and the settings that all their connections share."""

    hosts: tuple[Host, ...] = ()
    known_hosts: tuple[Path, ...] = ()
    """Files of trusted host keys, in the order in which they are read; new keys go to the first."""
    ssh_config: Path | None = None
    """The OpenSSH client configuration to honour; None means the user's own, if there is one."""
    use_ssh_config: bool = True
    config_of_site: bool = False
    """Whether a site file named `ssh_config`; then it starts no program here unasked."""
    programs_allowed: bool = False
    """Whether the operator said that programs which the site's files name may be started."""
    notes: tuple[str, ...] = ()
    """What a person should know of how the machines were read, as sentences."""
    source: str = ""
    """Where the machines were named, for problems and reports."""
    hosts_by_name: dict[str, Host] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.hosts_by_name.update({host.name: host for host in self.hosts})

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts)

    def __len__(self) -> int:
        return len(self.hosts)
