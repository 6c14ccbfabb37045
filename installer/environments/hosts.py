"""Machines out of the outputs of an environment, as an inventory gives them.

Two shapes are known: an output `sitewright_hosts`, a map of machines each with its address or with
`address`, `user`, `port`, `roles` and `bastion`; and those of iac-modules, where each output
GROUP_hosts is a map of names and addresses, and all_hosts_var_maps has the login. What would turn
host keys off (ansible_ssh_common_args) is not taken over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from foundation.documents import validate
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from foundation.terminal import clean_line
from foundation.wording import listed
from installer.sites.site import SiteHost

OURS: Final = "sitewright_hosts"
_GROUP: Final = "_hosts"
_VARIABLES: Final = "all_hosts_var_maps"
_USER: Final = ("ansible_ssh_user", "ansible_user")
_ROLES: Final[Mapping[str, str]] = {"agent": "worker"}
"""iac-modules' word for a role, where another is usual; else the group's name is the role's."""


class _Output(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    value: Any = None
    sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Machines:
    """The machines of an environment, and what was left out."""

    hosts: tuple[Host, ...]
    notes: tuple[str, ...] = ()


def machines_of(text: str, *, where: str, roles: Mapping[str, str]) -> Machines:
    """What `output -json` says of machines; raises InputProblem.

    `roles` says which role a group of iac-modules stands for in this solution.
    """
    try:
        outputs = TypeAdapter(dict[str, _Output]).validate_json(text)
    except ValueError as error:
        raise InputProblem("its outputs are in no form that is known", where=where) from error
    notes: list[str] = []
    if OURS in outputs:
        found = _ours(_plain(outputs, OURS, notes), where)
    else:
        found = _of_groups(outputs, {**_ROLES, **roles}, notes, where)
    if not found:
        sensitive = sorted(name for name in outputs if name.endswith(_GROUP) and
                           outputs[name].sensitive)  # fmt: skip
        raise InputProblem(
            "its outputs name no machine"
            + (
                f"; {listed(sensitive)} is sensitive, and written into no file" if sensitive else ""
            ),
            where=where,
            remedy=f"Give it an output {OURS}: a map of names, each with address, user and roles. "
            "Where it was never applied it has no outputs yet.",
        )
    return Machines(tuple(found.values()), tuple(notes))


def _plain(outputs: Mapping[str, _Output], name: str, notes: list[str]) -> Mapping[str, Any]:
    """The value of an output that is a map and not sensitive; else none, which is noted."""
    one = outputs[name]
    if one.sensitive:
        notes.append(f"{name} is sensitive, and written into no file")
        return {}
    return one.value if isinstance(one.value, dict) else {}


def _ours(value: Mapping[str, Any], where: str) -> dict[str, Host]:
    found = {}
    for name, said in value.items():
        given = {"address": said} if isinstance(said, str) else said
        if not isinstance(given, dict):
            raise InputProblem(
                f"the machine {clean_line(name)} is neither an address nor a map",
                where=f"{where}: {OURS}",
            )
        # A program to reach it through, or a key, is no word of an output.
        other = sorted(set(given) - {"address", "user", "port", "roles", "bastion"})
        if other:
            raise InputProblem(
                f"the machine {clean_line(name)} says {clean_line(listed(other))}",
                where=f"{where}: {OURS}",
                remedy="It may say address, user, port, roles and bastion.",
            )
        plain = {key: part for key, part in given.items() if part is not None}
        found[name] = _host({"name": name, **plain}, f"{where}: {OURS}")
    return found


def _of_groups(
    outputs: Mapping[str, _Output], roles: Mapping[str, str], notes: list[str], where: str
) -> dict[str, Host]:
    user = _user(outputs, notes)
    found: dict[str, Host] = {}
    for output, name, address in _members(outputs, notes):
        group = output.removesuffix(_GROUP)
        role = roles.get(group, group.replace("_", "-"))
        before = found.get(name)
        given = {
            # iac-modules writes names with an underscore, which no host name has.
            "name": name.replace("_", "-"),
            "address": address,
            "user": user,
            "roles": [*(before.roles if before else ()), role],
        }
        found[name] = _host(given, f"{where}: {output}")
    return found


def _members(outputs: Mapping[str, _Output], notes: list[str]) -> Iterator[tuple[str, str, Any]]:
    for output in outputs:
        if output.endswith(_GROUP):
            for name, address in _plain(outputs, output, notes).items():
                if address:
                    yield output, name, address


def _user(outputs: Mapping[str, _Output], notes: list[str]) -> str | None:
    if _VARIABLES not in outputs:
        return None
    variables = _plain(outputs, _VARIABLES, notes)
    return next((str(variables[word]) for word in _USER if variables.get(word)), None)


def _host(given: Mapping[str, Any], where: str) -> Host:
    one = validate(SiteHost, dict(given), where=where, text=json.dumps(given))
    return Host(
        name=one.name,
        address=one.address,
        port=one.port or 22,
        port_stated=one.port is not None,
        user=one.user,
        roles=one.roles,
        bastion=one.bastion,
    )


def differences(
    found: tuple[Host, ...], before: tuple[SiteHost, ...], user: str | None
) -> list[str]:
    """What a site file says otherwise of machines than the outputs do, a sentence each."""
    theirs = {one.name: one for one in before}
    said = []
    for one in found:
        was = theirs.pop(one.name, None)
        if was is None:
            said.append(f"{one.name} ({one.address}) is not in the site file.")
        elif was.address != one.address:
            said.append(f"{one.name} has the address {one.address}, and there {was.address}.")
        elif one.user is not None and one.user != (was.user or user):
            said.append(f"{one.name} has the login {one.user}, and there {was.user or user}.")
    said += [f"{name} is in the site file, and no output names it." for name in theirs]
    return said
