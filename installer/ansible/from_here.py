"""The machines as a playbook that runs on this machine reaches them: by the same ssh config as we.

The ssh of a playbook reads a file that we write and no other, so that what the person's own
configuration says of a machine (its address, its way, its alias, its keys) has to stand in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from foundation.hosts.model import Host, Inventory
from foundation.hosts.ssh_config import Config, Target, config_file, resolve

_CHAIN_LIMIT: Final = 8
"""Bastions behind one another; a longer chain goes in a circle."""


def as_reached(inventory: Inventory) -> tuple[Inventory, dict[str, str]]:
    """The inventory with the ssh config filled in, and the names under which known_hosts keep
    addresses where they differ. Raises InputProblem; blocks while OpenSSH is asked.
    """
    config = config_file(inventory)
    if config is None and not any(host.ssh_options for host in inventory):
        return inventory, {}
    known_as: dict[str, str] = {}
    hosts = tuple(
        host if host.local else _reached(host, config, known_as) for host in inventory.hosts
    )
    return replace(inventory, hosts=hosts, hosts_by_name={}), known_as


def _reached(host: Host, config: Config | None, known_as: dict[str, str]) -> Host:
    target = resolve(host, config)
    hops: list[str] = []
    way = target
    while way.bastion is not None and len(hops) < _CHAIN_LIMIT:
        if (way.bastion.address, way.bastion.port) == (host.address, host.port):
            break  # a bastion of the site is not behind itself
        way = resolve(way.bastion, config)
        hops.insert(0, f"{way.user}@{way.endpoint}")
        _note(way, known_as)
    _note(target, known_as)
    return replace(
        host,
        address=target.address,
        port=target.port,
        user=target.user,
        identity_files=host.identity_files or target.identity_files,
        bastion=",".join(hops) or None,
        # The ssh that reads it puts the word before it again.
        proxy_command=target.proxy_command[2].removeprefix("exec ")
        if target.proxy_command
        else None,
        ssh_options=(),
    )


def _note(target: Target, known_as: dict[str, str]) -> None:
    if target.known_as.lower() != target.address.lower():
        known_as[target.address] = target.known_as
