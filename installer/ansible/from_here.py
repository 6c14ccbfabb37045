"""The machines as a playbook that runs on this machine reaches them: by the same ssh config as we.

The ssh of a playbook reads a file that we write and no other, so that what the person's own
configuration says of a machine (its address, its way, its alias, its keys) has to stand in it.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.openssh import Settings
from foundation.hosts.openssh.ssh_config import Config, Target, config_file, resolve

_CHAIN_LIMIT: Final = 8
"""Bastions behind one another; a longer chain goes in a circle."""
_KEPT: Final = 1024
"""Answers of OpenSSH that are kept."""


@dataclass(frozen=True, slots=True)
class Reached:
    """An inventory with the ssh config filled in, and what else that says."""

    inventory: Inventory
    known_as: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """The names under which known_hosts keep machines and bastions, where they differ: by the
    machine that is reached and the address."""
    settings: Mapping[tuple[str, str], Settings] = field(default_factory=dict)
    """What the config says of each, likewise."""


def as_reached(inventory: Inventory) -> Reached:
    """The inventory with the ssh config filled in; raises InputProblem, blocks on OpenSSH."""
    config = config_file(inventory)
    own = _keys_of_another_home()
    if config is None and not any(host.ssh_options for host in inventory):
        if own:
            hosts = tuple(
                host if host.local else replace(host, identity_files=host.identity_files or own)
                for host in inventory.hosts
            )
            inventory = replace(inventory, hosts=hosts, hosts_by_name={})
        return Reached(inventory)
    known_as: dict[tuple[str, str], str] = {}
    settings: dict[tuple[str, str], Settings] = {}

    def note(host: Host, target: Target) -> None:
        key = (host.name, target.address)
        settings[key] = target.settings
        if target.settings.host_key_alias:
            known_as[key] = target.known_as

    def reached(host: Host) -> Host:
        target = where(host, config)
        hops: list[str] = []
        way = target
        while way.bastion is not None and len(hops) < _CHAIN_LIMIT:
            if (way.bastion.address, way.bastion.port) == (host.address, host.port):
                break  # a bastion of the site is not behind itself
            way = where(way.bastion, config)
            hops.insert(0, f"{way.user}@{way.endpoint}")
            note(host, way)
        # After the bastions: what has the machine's own address is the machine.
        note(host, target)
        return _as_said(host, target, hops, own)

    hosts = tuple(host if host.local else reached(host) for host in inventory.hosts)
    return Reached(replace(inventory, hosts=hosts, hosts_by_name={}), known_as, settings)


def _keys_of_another_home() -> tuple[Path, ...]:
    """The person's own keys, where OpenSSH would look for them in another home than we do.

    It goes by the password database, we by $HOME, which `sudo -E` leaves as it was.
    """
    ours = Path.home() / ".ssh"
    try:
        theirs = Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".ssh"
    except KeyError:
        return ()
    if ours == theirs:
        return ()
    from foundation.hosts.openssh.keys import DEFAULT_NAMES

    return tuple(file for name in DEFAULT_NAMES if (file := ours / name).is_file())


def _as_said(host: Host, target: Target, hops: list[str], own: tuple[Path, ...]) -> Host:
    return replace(
        host,
        address=target.address,
        port=target.port,
        user=target.user,
        identity_files=host.identity_files or target.identity_files or own,
        bastion=",".join(hops) or None,
        # The ssh that reads it puts the word before it again.
        proxy_command=target.proxy_command[2].removeprefix("exec ")
        if target.proxy_command
        else None,
        ssh_options=(),
    )


@lru_cache(_KEPT)
def where(host: Host, config: Config | None) -> Target:
    """As `resolve` says, asked once of a machine for as long as the config has the same lines.

    A playbook step would else ask OpenSSH twice of every machine of the site and of its way.
    """
    return resolve(host, config)
