"""Where the words of an Ansible inventory stand: machines, variables and secrets, by line.

Ansible says what an inventory means; this says on which line. Beside that it refuses what must not
come to Ansible at all: ranges without bounds, secrets, and two machines that Ansible would take for
one without a word.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from foundation.hosts.ansible.ansible_sources import Source, Sources
from foundation.hosts.ansible.inventory import HOST_LIMIT, name_fault, split_endpoint
from foundation.problems import InputProblem
from foundation.yaml_depth import Shallow

SECRETS: Final = frozenset(
    {
        "ansible_password",
        "ansible_ssh_pass",
        "ansible_ssh_password",
        "ansible_become_pass",
        "ansible_become_password",
        "ansible_sudo_pass",
        "ansible_su_pass",
        "ansible_private_key",
        "ansible_private_key_passphrase",
        "ansible_ssh_private_key_passphrase",
        "ansible_ssh_private_key",
    }
)
_SECTION = re.compile(r"\[([^\[\]:\s]+)(?::(vars|children))?\]")
_OTHER_SECTION = re.compile(r"\[[A-Za-z_][\w.-]*:\s*([A-Za-z_]{2,}|)\s*\]")
_RANGE = re.compile(r"\[([0-9]+|[A-Za-z]):([0-9]+|[A-Za-z])(?::([0-9]{1,4}))?\]")
_DEPTH: Final = 32
"""Groups within groups; deeper is a cycle or an attack."""
_NODES_LIMIT: Final = 200_000
_OLD_NUMBER = re.compile(
    r"[-+]?0[0-7_]+|[-+]?0b[01_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+"
    r"|[-+]?[0-9]+_[0-9_]*"
)
"""Plain words of YAML that Ansible's reader (YAML 1.1) takes for another number than people do."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """One variable given on one line."""

    key: str
    value: str
    file: Path
    line: int
    owner: str
    """Whose it is: "host NAME" or "group NAME"."""
    tag: str = ""
    """A tag of YAML that only Ansible understands: !vault or !unsafe."""


@dataclass(slots=True)
class Index:
    """The machines and variables of an inventory, each with its place."""

    machines: dict[str, tuple[Path, int, int | None]] = field(default_factory=dict)
    """By name: the file, the line and the port that is written behind the name."""
    assigned: dict[str, list[Assigned]] = field(default_factory=dict)
    """By the name of the variable."""
    files: set[Path] = field(default_factory=set)
    own: dict[tuple[str, str], Assigned] = field(default_factory=dict)
    """By machine and variable: what stands beside its name, of that which says which it is."""

    def place(self, key: str, host: str, groups: tuple[str, ...]) -> Assigned | None:
        """Where a machine most likely has a variable from: its own line, then its groups'."""
        found = self.assigned.get(key, [])
        for owner in (f"host {host}", *(f"group {name}" for name in (*groups, "all"))):
            mine = [one for one in found if one.owner == owner]
            if mine:
                # A file of variables wins over the inventory, and the later over the earlier.
                return mine[-1]
        return found[-1] if found else None


def wrong(cause: str, where: Path | str, line: int = 0, remedy: str = "") -> InputProblem:
    """A mistake in an inventory, with its line."""
    return InputProblem(
        f"line {line}: {cause}" if line else cause,
        where=str(where),
        remedy=remedy or "Check the line with: ansible-inventory --list -i FILE",
    )


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


def index_of(sources: Sources) -> Index:
    """Where everything stands; raises InputProblem for secrets and what must not be read on."""
    index = Index()
    for source in sources.files:
        index.files.add(source.path)
        if source.owner is not None:
            _read_variables(index, source)
        elif source.path.suffix in (".yml", ".yaml", ".json") or looks_like_yaml(source.text):
            _read_yaml(index, source)
        else:
            _read_ini(index, source)
    return index


def expand(pattern: str, *, where: str = "", line: int = 0) -> list[str]:
    """The names that a pattern with ranges stands for: node[01:03] is node01, node02, node03."""
    found = _RANGE.search(pattern)
    if found is None:
        if re.search(r"\[[^\]]*:[^\]]*\]", pattern) and not re.search(
            r"\[[0-9A-Fa-f:.]+\]", pattern
        ):
            raise wrong(f'the range in "{pattern[:80]}" cannot be read', where, line,
                         "Write a range as node[01:03] or node[a:c].")  # fmt: skip
        return [pattern]
    first, last, step_text = found.group(1), found.group(2), found.group(3)
    step = int(step_text or 1)
    values: list[str]
    if first.isdigit() and last.isdigit() and step and len(first) <= 9 and len(last) <= 9:
        numbers = range(int(first), int(last) + 1, step)
        if len(numbers) > HOST_LIMIT:
            raise wrong(
                f'the range in "{pattern[:80]}" has {len(numbers)} machines, and {HOST_LIMIT} are '
                "the most", where, line, "Check the range.",
            )  # fmt: skip
        values = [f"{number:0{len(first)}d}" for number in numbers]
    elif first.isalpha() and last.isalpha() and first.isupper() == last.isupper() and step:
        values = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    else:
        values = []
    if not values:
        raise wrong(f'the range in "{pattern[:80]}" is empty or cannot be read', where, line,
                     "Write a range as node[01:03] or node[a:c], the lower end first.")  # fmt: skip
    names: list[str] = []
    for value in values:
        names += expand(
            pattern[: found.start()] + value + pattern[found.end() :], where=where, line=line
        )
        if len(names) > HOST_LIMIT:
            raise wrong(f'"{pattern[:80]}" stands for more than {HOST_LIMIT} machines', where,
                         line, "Check the ranges.")  # fmt: skip
    return names


def _words(text: str, where: Path, line: int) -> list[str]:
    try:
        return shlex.split(text, comments=True)
    except ValueError as error:
        raise wrong(f"a quotation mark is not closed ({error})", where, line) from error


TEMPLATE: Final = re.compile(r"\{[{%#]")
"""How a value begins that only Ansible can resolve."""


def _give(index: Index, one: Assigned) -> None:
    # What is encrypted, or found elsewhere by a template, is no secret that lies open in the file.
    opaque = one.tag == "!vault" or TEMPLATE.search(one.value)
    if one.key.lower() in SECRETS and not opaque and (one.value or one.tag):
        raise wrong(
            f'"{one.key}" is a secret, and a secret does not belong in a file of machines',
            one.file, one.line,
            "Take it out of the file (and change it, if others could read the file); "
            "Sitewright asks for passwords, or use an SSH key.",
        )  # fmt: skip
    index.assigned.setdefault(one.key, []).append(one)


_WHICH: Final = ("ansible_host", "ansible_ssh_host", "ansible_port", "ansible_ssh_port")
"""Variables that say which machine a name stands for."""


def _one_machine(index: Index, one: Assigned) -> None:
    """Refuse a name that stands beside two addresses: Ansible would lose a machine in silence."""
    if one.key not in _WHICH:
        return
    before = index.own.setdefault((one.owner, one.key), one)
    if before.value != one.value:
        name = one.owner.removeprefix("host ")
        raise wrong(
            f'"{name}" has {one.key} {one.value[:80]} here and {before.value[:80]} in line '
            f"{before.line}"
            + ("" if before.file == one.file else f" of {before.file}")
            + ": Ansible takes both for one machine and keeps one",
            one.file, one.line, "Give each machine a name of its own, or take one of the two out.",
        )  # fmt: skip


def _name(index: Index, pattern: str, where: Path, line: int) -> list[str]:
    """The machines that a pattern names, kept with their line; a port may stand behind it."""
    if "@" in pattern:
        raise wrong(f'"{pattern[:80]}" is not a machine\'s name in an Ansible inventory', where,
                    line, "Write the user as ansible_user=… behind the name.")  # fmt: skip
    names = []
    for word in expand(pattern, where=str(where), line=line):
        if word.startswith("[") or word.count(":") == 1:
            _, name, port = split_endpoint(word, where=str(where), line=line)
        else:
            name, port = word, None
        if fault := name_fault(name):
            raise wrong(f'"{name[:80]!a}" cannot be the name of a machine: {fault}', where, line)
        names.append(name)
        file, first, before = index.machines.setdefault(name, (where, line, port))
        if before is None and port is not None:
            index.machines[name] = (file, first, port)
        elif port not in (None, before):
            raise wrong(
                f'"{name}" has port {port} here and port {before} in line {first}'
                + ("" if file == where else f" of {file}")
                + ": Ansible takes both for one machine and keeps one port",
                where, line,
                f"Give each a name: a ansible_host={name} ansible_port={before}, "
                f"b ansible_host={name} ansible_port={port}.",
            )  # fmt: skip
        if len(index.machines) > HOST_LIMIT:
            raise wrong(f"it names more than {HOST_LIMIT} machines", where, line,
                        "Check the ranges; split a larger site into several.")  # fmt: skip
    return names


def _read_ini(index: Index, source: Source) -> None:
    group, kind, where = "ungrouped", None, source.path
    for number, raw in enumerate(source.text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        header = re.sub(r"\s+[#;].*$", "", line)
        if section := _SECTION.fullmatch(header):
            group, kind = section.group(1), section.group(2)
        elif found := _OTHER_SECTION.fullmatch(header):
            raise wrong(
                f'"{found[1][:40]}" is no kind of section', where, number,
                "A section is [GROUP], [GROUP:vars] or [GROUP:children].",
            )  # fmt: skip
        elif line.startswith("[") and line.endswith("]") and "=" not in line and ":" not in line:
            raise wrong(f'the section "{line[:80]}" cannot be read', where, number)
        elif kind == "vars":
            key, equals, value = line.partition("=")
            if not equals or not key.strip():
                raise wrong(f'"{line[:80]}" is not written as key=value', where, number)
            _give(index, Assigned(key.strip(), value.strip(), where, number, f"group {group}"))
        elif kind is None and (words := _words(line, where, number)):
            names = _name(index, words[0], where, number)
            for word in words[1:]:
                key, equals, value = word.partition("=")
                if not equals or not key:
                    raise wrong(f'"{word[:80]}" is not written as key=value', where, number)
                for name in names if len(names) < _RANGE_SHOWN else ():
                    one = Assigned(key, value, where, number, f"host {name}")
                    _give(index, one)
                    _one_machine(index, one)
                if len(names) >= _RANGE_SHOWN:
                    _give(index, Assigned(key, value, where, number, "hosts of a range"))


_RANGE_SHOWN: Final = 64
"""Machines of one range for which the line of each variable is kept one by one."""


class _Nodes(Shallow, yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]  # the base is chosen by whether libyaml was built in
    """Composes nodes and constructs nothing: what a tag means is Ansible's matter."""


_Nodes.yaml_implicit_resolvers = {}


def _root(source: Source) -> yaml.Node | None:
    try:
        return yaml.compose(source.text, Loader=_Nodes)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise wrong(
            _in_words(error), source.path,
            mark.line + 1 if mark else 0,
            "Mend that line; indentation is two spaces, never a tab.",
        ) from error  # fmt: skip
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise wrong(f"it is not YAML: {error}", source.path) from error


def _in_words(error: yaml.MarkedYAMLError) -> str:
    said = str(error.problem or error.context or "it is not YAML")
    if said == "but found another document":
        return "a second document begins there, and the file is read as one"
    return said


def _pairs(node: yaml.Node, where: Path, what: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    """The keys of a mapping with their nodes; an empty value holds none. Raises InputProblem."""
    if isinstance(node, yaml.ScalarNode) and node.value in ("", "~", "null"):
        return
    if not isinstance(node, yaml.MappingNode):
        raise wrong(f"{what} is not a list of keys", where, node.start_mark.line + 1,
                    "Write each name with a colon behind it.")  # fmt: skip
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise wrong(f"{what} has a key that is no word", where, line)
        if key.value == "<<":
            for part in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                yield from _pairs(part, where, what)
            continue
        if key.value in seen:
            raise wrong(
                f'"{key.value}" stands twice (first in line {seen[key.value]})', where, line
            )
        seen[key.value] = line
        yield key.value, key, value


def _read_variables(index: Index, source: Source) -> None:
    root = _root(source)
    if root is not None and source.owner is not None:
        _read_vars(index, root, source.path, source.owner)


def _read_vars(index: Index, node: yaml.Node, where: Path, owner: str) -> None:
    for key, key_node, value in _pairs(node, where, "the variables"):
        if not key.lower().startswith("ansible_") and key not in ("role", "roles"):
            continue
        line = key_node.start_mark.line + 1
        text, tag = "", ""
        if isinstance(value, yaml.ScalarNode):
            text = value.value
            tag = value.tag if value.tag.startswith("!") else ""
            if not value.style and _OLD_NUMBER.fullmatch(text) and text != "0":
                raise wrong(
                    f'"{key}: {text}" is another number for Ansible than it looks like '
                    "(YAML 1.1 reads octal, binary and minutes)", where, line,
                    "Write it without leading zeros, or in quotes.",
                )  # fmt: skip
        _give(index, Assigned(key, text, where, line, owner, tag))


def _read_yaml(index: Index, source: Source) -> None:
    root = _root(source)
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise wrong("it is YAML and not an inventory", source.path, 0,
                    "An inventory begins with a group, such as `all:`, with `hosts:` in it.",
                    )  # fmt: skip
    budget = [_NODES_LIMIT]
    for name, _, body in _pairs(root, source.path, "the inventory"):
        _read_group(index, name, body, source.path, 0, budget)


def _read_group(
    index: Index, name: str, body: yaml.Node, where: Path, depth: int, budget: list[int]
) -> None:
    budget[0] -= 1
    if depth > _DEPTH or budget[0] < 0:
        raise wrong(f'the group "{name[:80]}" lies too deep', where, body.start_mark.line + 1)
    for key, key_node, part in _pairs(body, where, f'the group "{name[:80]}"'):
        line = key_node.start_mark.line + 1
        if key not in ("hosts", "children", "vars"):
            raise wrong(
                f'the group "{name[:80]}" has the key "{key}"; a group has hosts, children, vars',
                where, line,
            )  # fmt: skip
        if isinstance(part, yaml.ScalarNode) and part.value and key == "hosts":
            _name(index, part.value, where, line)
        elif isinstance(part, yaml.ScalarNode) and part.value and key == "children":
            continue
        elif key == "vars":
            _read_vars(index, part, where, f"group {name}")
        elif key == "children":
            for child, _, inner in _pairs(part, where, f'"children" of the group "{name[:80]}"'):
                _read_group(index, child, inner, where, depth + 1, budget)
        else:
            for pattern, node, own in _pairs(part, where, f'"hosts" of the group "{name[:80]}"'):
                line = node.start_mark.line + 1
                _host(index, pattern, node, own, where, line)


def _host(index: Index, pattern: str, node: Any, own: yaml.Node, where: Path, line: int) -> None:
    if (
        not node.style
        and re.fullmatch(r"[-+]?[0-9][0-9_:.]*(?:e[-+]?[0-9]+)?", pattern)
        and (pattern.count(".") < 2)
    ):
        raise wrong(f'the machine {pattern} is a number for Ansible, which wants a name', where,
                    line, f'Write it in quotes: "{pattern}".')  # fmt: skip
    names = _name(index, pattern, where, line)
    for name in names if len(names) < _RANGE_SHOWN else [f"{pattern} (a range)"]:
        owner = f"host {name}"
        _read_vars(index, own, where, owner)
        for key in _WHICH:
            # The last that was read is what counts, after what an anchor gave.
            mine = [one for one in index.assigned.get(key, ()) if one.owner == owner]
            if mine and len(names) < _RANGE_SHOWN:
                _one_machine(index, mine[-1])
