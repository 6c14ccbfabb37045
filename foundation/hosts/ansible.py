"""Ansible inventories, INI and YAML, read for the machines and how to reach them.

Read are hosts, ranges (node[01:03]), groups, children and the variables of a connection; what
else an inventory holds is left to Ansible. The groups of a machine, and a variable `role` or
`roles`, become its roles. Sources: Ansible's documentation, "How to build your inventory" and
"Connection variables".
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from foundation.documents import parse_yaml
from foundation.hosts.inventory import (
    HOST_LIMIT,
    Named,
    checked_address,
    port_from,
    split_endpoint,
)
from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.problems import InputProblem

_SECRETS: Final = frozenset(
    {
        "ansible_password",
        "ansible_ssh_pass",
        "ansible_ssh_password",
        "ansible_become_pass",
        "ansible_become_password",
        "ansible_sudo_pass",
        "ansible_ssh_private_key_passphrase",
        "ansible_ssh_private_key",
    }
)
_SECTION = re.compile(r"\[([^\[\]:\s]+)(?::(vars|children))?\]")
_RANGE = re.compile(r"\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]{1,4}))?\]")
_DEPTH: Final = 32
"""Groups within groups; deeper is a cycle or an attack."""


@dataclass(slots=True)
class _Group:
    hosts: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Inventory:
    where: str
    groups: dict[str, _Group] = field(default_factory=dict)
    hosts: dict[str, dict[str, str]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    def group(self, name: str) -> _Group:
        return self.groups.setdefault(name, _Group())

    def add(self, name: str, group: str, variables: Mapping[str, str], line: int) -> None:
        if name not in self.hosts:
            if len(self.hosts) >= HOST_LIMIT:
                raise _wrong(
                    f"it names more than {HOST_LIMIT} machines", self.where, line,
                    "Check the ranges; split a larger site into several.",
                )  # fmt: skip
            self.hosts[name] = {}
            self.lines[name] = line
        self.hosts[name].update(variables)
        members = self.group(group).hosts
        if name not in members:
            members.append(name)


def looks_like_ini(text: str) -> bool:
    """Whether a text has what only an Ansible inventory has: a section, or a variable."""
    return any(
        _SECTION.fullmatch(line.split("#")[0].strip())
        or re.search(r"\sansible_\w+\s*=", line)
        or _RANGE.search(line)
        for line in text.splitlines()
        if not line.lstrip().startswith(("#", ";"))
    )


def looks_like_yaml(text: str) -> bool:
    """Whether a text begins as an inventory in YAML does."""
    for line in text.splitlines():
        bare = line.split("#")[0].rstrip()
        if bare and bare != "---":
            return re.fullmatch(r"[\w.\-\"']+:", bare) is not None
    return False


def _wrong(cause: str, where: str, line: int = 0, remedy: str = "") -> InputProblem:
    return InputProblem(
        f"line {line}: {cause}" if line else cause,
        where=where,
        remedy=remedy or "Check the line with: ansible-inventory --list -i FILE",
    )


def expand(pattern: str, *, where: str = "", line: int = 0) -> list[str]:
    """The names that a pattern with ranges stands for: node[01:03] is node01, node02, node03."""
    found = _RANGE.search(pattern)
    if found is None:
        if re.search(r"\[[^\]]*:[^\]]*\]", pattern) and not re.search(
            r"\[[0-9A-Fa-f:.]+\]", pattern
        ):
            raise _wrong(f'the range in "{pattern[:80]}" cannot be read', where, line,
                         "Write a range as node[01:03] or node[a:c].")  # fmt: skip
        return [pattern]
    first, last, step_text = found.group(1), found.group(2), found.group(3)
    step = int(step_text or 1)
    values: list[str]
    if first.isdigit() and last.isdigit() and step and len(first) <= 9 and len(last) <= 9:
        numbers = range(int(first), int(last) + 1, step)
        if len(numbers) > HOST_LIMIT:
            raise _wrong(
                f'the range in "{pattern[:80]}" has {len(numbers)} machines, and {HOST_LIMIT} are '
                "the most", where, line, "Check the range.",
            )  # fmt: skip
        values = [f"{number:0{len(first)}d}" for number in numbers]
    elif first.isalpha() and last.isalpha() and first.isupper() == last.isupper() and step:
        values = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    else:
        values = []
    if not values:
        raise _wrong(f'the range in "{pattern[:80]}" is empty or cannot be read', where, line,
                     "Write a range as node[01:03] or node[a:c], the lower end first.")  # fmt: skip
    names: list[str] = []
    for value in values:
        names += expand(
            pattern[: found.start()] + value + pattern[found.end() :], where=where, line=line
        )
        if len(names) > HOST_LIMIT:
            raise _wrong(f'"{pattern[:80]}" stands for more than {HOST_LIMIT} machines', where,
                         line, "Check the ranges.")  # fmt: skip
    return names


def _assignments(words: list[str], where: str, line: int) -> dict[str, str]:
    variables: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise _wrong(f'"{word[:80]}" is not written as key=value', where, line)
        variables[key.strip()] = value.strip()
    _refuse_secrets(variables, where, line)
    return variables


def _refuse_secrets(variables: Mapping[str, Any], where: str, line: int) -> None:
    for key in variables:
        if key.lower() in _SECRETS:
            raise _wrong(
                f'"{key}" is a secret, and a secret does not belong in a file of machines',
                where, line,
                "Take it out of the file (and change it, if others could read the file); "
                "Sitewright asks for passwords, or use an SSH key.",
            )  # fmt: skip


def _words(text: str, where: str, line: int) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise _wrong(f"a quotation mark is not closed ({error})", where, line) from error


def from_ini(text: str, *, where: str) -> list[Named]:
    """The machines of an inventory in Ansible's INI form; raises InputProblem."""
    inventory = _Inventory(where)
    group, kind = "ungrouped", None
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        header = re.sub(r"\s+[#;].*$", "", line)
        if section := _SECTION.fullmatch(header):
            group, kind = section.group(1), section.group(2)
            inventory.group(group)
        elif line.startswith("[") and line.endswith("]") and "=" not in line and ":" not in line:
            raise _wrong(f'the section "{line[:80]}" cannot be read', where, number)
        elif kind == "children":
            for word in _words(line, where, number):
                if word not in inventory.group(group).children:
                    inventory.group(group).children.append(word)
        elif kind == "vars":
            key, equals, value = line.partition("=")
            words = _words(value, where, number)
            if not equals or not key.strip():
                raise _wrong(f'"{line[:80]}" is not written as key=value', where, number)
            variables = {key.strip(): " ".join(words)}
            _refuse_secrets(variables, where, number)
            inventory.group(group).variables.update(variables)
        else:
            words = _words(line, where, number)
            if not words:
                continue
            variables = _assignments(words[1:], where, number)
            for name in expand(words[0], where=where, line=number):
                _add_named(inventory, name, group, variables, number)
    return _finished(inventory)


def _add_named(
    inventory: _Inventory, name: str, group: str, variables: dict[str, str], line: int
) -> None:
    """Add a host line; Ansible allows `name:port` there, with brackets round an IPv6 address."""
    if "=" in name or "@" in name:
        raise _wrong(f'"{name[:80]}" is not a machine\'s name in an Ansible inventory',
                     inventory.where, line,
                     "Write the user as ansible_user=… behind the name.")  # fmt: skip
    _, address, port = split_endpoint(name, where=inventory.where, line=line)
    own = {"ansible_port": str(port)} if port is not None else {}
    inventory.add(address, group, {**own, **variables}, line)


def from_yaml(text: str, *, where: str) -> list[Named]:
    """The machines of an inventory in Ansible's YAML form; raises InputProblem."""
    value = parse_yaml(text, where=where)
    if not isinstance(value, dict):
        raise _wrong("it is YAML and not an inventory", where, 0,
                     "An inventory begins with a group, such as `all:`, with `hosts:` in it.",
                    )  # fmt: skip
    inventory = _Inventory(where)
    for name, body in value.items():
        _read_group(inventory, str(name), body, text, depth=0)
    return _finished(inventory)


def _read_group(inventory: _Inventory, name: str, body: Any, text: str, *, depth: int) -> None:
    where = inventory.where
    if depth > _DEPTH:
        raise _wrong(f'the group "{name[:80]}" lies too deep', where)
    group = inventory.group(name)
    if body is None:
        return
    if not isinstance(body, dict):
        raise _wrong(f'the group "{name[:80]}" is not a list of keys', where,
                     _line_with(text, name))  # fmt: skip
    for key, part in body.items():
        if part is None and key in ("hosts", "children", "vars"):
            continue
        if key not in ("hosts", "children", "vars"):
            raise _wrong(
                f'the group "{name[:80]}" has the key "{key}"; a group has hosts, children, vars',
                where, _line_with(text, str(key)),
            )  # fmt: skip
        if not isinstance(part, dict):
            raise _wrong(f'"{key}" of the group "{name[:80]}" is not a list of keys', where,
                         _line_with(text, str(key)),
                         "Write each name with a colon behind it.")  # fmt: skip
        if key == "vars":
            _refuse_secrets(part, where, _line_with(text, *part))
            group.variables.update(_plain(part))
        elif key == "children":
            for child, child_body in part.items():
                if str(child) not in group.children:
                    group.children.append(str(child))
                _read_group(inventory, str(child), child_body, text, depth=depth + 1)
        else:
            for pattern, variables in part.items():
                line = _line_with(text, str(pattern))
                if variables is not None and not isinstance(variables, dict):
                    raise _wrong(f'the machine "{pattern}" is not a list of keys', where, line)
                own = variables or {}
                _refuse_secrets(own, where, _line_with(text, *own) or line)
                for host in expand(str(pattern), where=where, line=line):
                    _add_named(inventory, host, name, _plain(own), line)


def _plain(variables: Mapping[Any, Any]) -> dict[str, str]:
    plain = {}
    for key, value in variables.items():
        if isinstance(value, list) and key in ("role", "roles"):
            plain[str(key)] = ",".join(str(item) for item in value)
        elif isinstance(value, str | int | float):
            plain[str(key)] = str(value)
    return plain


def _line_with(text: str, *words: Any) -> int:
    """The first line on which one of some keys stands, a secret among them first; 0 if none."""
    keys = [str(word) for word in words if str(word).lower() in _SECRETS] or [str(w) for w in words]
    for number, line in enumerate(text.splitlines(), start=1):
        if any(re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*:", line) for key in keys):
            return number
    return 0


def _ancestors(inventory: _Inventory, name: str) -> Iterator[tuple[str, int]]:
    """The groups of a machine with their distance, nearest first; a cycle ends by itself."""
    parents: dict[str, list[str]] = {}
    for parent, group in inventory.groups.items():
        for child in group.children:
            parents.setdefault(child, []).append(parent)
    level = [group for group, body in inventory.groups.items() if name in body.hosts]
    seen: set[str] = set()
    for distance in range(_DEPTH):
        nearest = list(dict.fromkeys(group for group in level if group not in seen))
        seen.update(nearest)
        for found in nearest:
            yield found, distance
        level = [parent for found in nearest for parent in parents.get(found, [])]


def _finished(inventory: _Inventory) -> list[Named]:
    for parent, group in inventory.groups.items():
        for child in group.children:
            if child not in inventory.groups and child in inventory.hosts:
                group.hosts.append(child)
            elif child not in inventory.groups:
                raise _wrong(f'the group "{parent}" has a child "{child}" that is no group',
                             inventory.where)  # fmt: skip
    # The whole tree is walked once for all machines: five thousand of them are allowed.
    membership: dict[str, list[tuple[str, int]]] = {}
    shared: dict[frozenset[str], list[tuple[str, int]]] = {}
    direct: dict[str, set[str]] = {name: set() for name in inventory.hosts}
    for group_name, body in inventory.groups.items():
        for name in body.hosts:
            direct[name].add(group_name)
    for name in inventory.hosts:
        key = frozenset(direct[name])
        if key not in shared:
            shared[key] = list(_ancestors(inventory, name))
        membership[name] = shared[key]
    return [
        Named(_host(inventory, name, variables, membership[name]), inventory.lines[name])
        for name, variables in inventory.hosts.items()
    ]


def _host(
    inventory: _Inventory, name: str, own: Mapping[str, str], groups: list[tuple[str, int]]
) -> Host:
    line = inventory.lines[name]
    where = inventory.where
    merged: dict[str, str] = dict(inventory.groups.get("all", _Group()).variables)
    for group, _ in sorted(groups, key=lambda item: -item[1]):
        merged.update(inventory.groups[group].variables)
    merged.update(own)
    _refuse_secrets(merged, where, line)
    roles = [group for group, _ in groups if group not in ("all", "ungrouped")]
    roles += re.split(r"[,\s]+", merged.get("roles", "") + "," + merged.get("role", ""))
    if merged.get("ansible_connection") == "local":
        return Host(name=name, address=LOCAL_ADDRESS, roles=_unique(roles))
    user = merged.get("ansible_user") or merged.get("ansible_ssh_user") or None
    port_text = merged.get("ansible_port") or merged.get("ansible_ssh_port") or "22"
    address = merged.get("ansible_host") or merged.get("ansible_ssh_host") or name
    key_file = merged.get("ansible_ssh_private_key_file") or merged.get("ansible_private_key_file")
    if "{{" in f"{user}{port_text}{address}{key_file}":
        raise _wrong(
            f'the variables of "{name}" are templates, which only Ansible can resolve', where, line,
            "Save the resolved inventory: ansible-inventory --list --yaml -i FILE > resolved.yml",
        )  # fmt: skip
    address = address.removeprefix("[").removesuffix("]")
    return Host(
        name=name,
        address=checked_address(address, where=where, line=line),
        port=port_from(port_text, where=where, line=line),
        user=user,
        roles=_unique(roles),
        identity_files=(Path(key_file).expanduser(),) if key_file else (),
        bastion=_bastion(merged, where, line),
    )


def _unique(roles: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(role for role in roles if role))


def _bastion(variables: Mapping[str, str], where: str, line: int) -> str | None:
    """The jump machine of ansible_ssh_common_args or ansible_ssh_extra_args, if one is set."""
    for key in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
        words = _words(variables.get(key, ""), where, line)
        for index, word in enumerate(words):
            following = words[index + 1] if index + 1 < len(words) else ""
            if word == "-J":
                return following or None
            if word.startswith("-J"):
                return word[2:]
            option = following if word == "-o" else word[2:] if word.startswith("-o") else ""
            found = re.fullmatch(r"(?i)\s*ProxyJump\s*[=\s]\s*(\S+)\s*", option)
            if found:
                return None if found.group(1).lower() == "none" else found.group(1)
    return None
