"""Ansible itself asked what an inventory means: a bounded process that runs nothing else.

It sees a copy of the inventory's files in an empty folder, a configuration of its own and no more
of our environment than its language; of inventory plugins only INI and YAML, of plugins for
variables only those files, no vault password and no collections.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from foundation.isolation import ISOLATED, child_environment
from foundation.problems import InputProblem

SECONDS: Final = 60.0
OUTPUT_LIMIT: Final = 128 * 1024 * 1024
_WORDS_LIMIT: Final = 64 * 1024
_MEMORY_LIMIT: Final = 3 * 1024**3
_BOOT: Final = f"""\
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, ({int(SECONDS)}, {int(SECONDS)}))
resource.setrlimit(resource.RLIMIT_FSIZE, ({OUTPUT_LIMIT}, {OUTPUT_LIMIT}))
resource.setrlimit(resource.RLIMIT_AS, ({_MEMORY_LIMIT}, {_MEMORY_LIMIT}))
from ansible.cli.inventory import main
main()
"""
CONFIGURATION: Final = """\
[defaults]
vars_plugins_enabled = host_group_vars
[inventory]
enable_plugins = yaml, ini
any_unparsed_is_failed = true
unparsed_is_failed = true
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What Ansible makes of an inventory."""

    variables: Mapping[str, Mapping[str, Any]]
    """Of each machine, merged by Ansible's order of precedence."""
    groups: Mapping[str, tuple[str, ...]]
    """The groups of each machine, the nearest first, without `all` and `ungrouped`."""
    warnings: tuple[str, ...] = ()


class Refused(Exception):
    """Ansible does not take the inventory; its own words are the text."""


Ask = Callable[[Path, Path], Answer]
"""Asks about an inventory (a file or folder) in a folder of its own; raises Refused."""


def environment(home: Path) -> dict[str, str]:
    """All that the process finds of an environment."""
    configuration = home / "ansible.cfg"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    own = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_LOCAL_TEMP": str(home / "ansible" / "tmp"),
        "ANSIBLE_COLLECTIONS_PATH": str(home / "none"),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return child_environment("ansible-inventory", own)


def ask(inventory: Path, home: Path) -> Answer:
    """`ansible-inventory --list` of our own environment; raises Refused and InputProblem."""
    output = home / "answer.json"
    command = [sys.executable, ISOLATED, "-c", _BOOT, "-i", str(inventory), "--list"]
    try:
        with output.open("wb") as stdout, (home / "words").open("wb") as stderr:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd=home,
                env=environment(home), timeout=SECONDS, check=False,
            )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputProblem(
            f"Ansible did not say within {SECONDS:g} s what the inventory means"
            if isinstance(error, subprocess.TimeoutExpired)
            else f"Ansible could not be started: {error}",
            where=str(inventory.name),
            remedy="Name the machines in a plain list, or split the inventory.",
        ) from error
    with (home / "words").open("rb") as file:
        words = file.read(_WORDS_LIMIT).decode("utf-8", "replace")
    if done.returncode != 0:
        raise Refused(words)
    return answer_of(output.read_text("utf-8", "replace"), words)


def answer_of(text: str, words: str = "") -> Answer:
    """What `ansible-inventory --list` printed, as values; raises Refused where it is not that."""
    try:
        told = json.loads(text)
        meta = told["_meta"]["hostvars"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(words or "the answer of Ansible is not the list of an inventory") from error
    groups: dict[str, dict[str, Any]] = {
        name: body for name, body in told.items() if name != "_meta" and isinstance(body, dict)
    }
    parents: dict[str, list[str]] = {}
    direct: dict[str, list[str]] = {name: [] for name in meta}
    for name, body in groups.items():
        for child in body.get("children", ()):
            parents.setdefault(child, []).append(name)
        for host in body.get("hosts", ()):
            direct.setdefault(host, []).append(name)
    cache: dict[tuple[str, ...], tuple[str, ...]] = {}
    variables = {}
    members = {}
    for host, own in direct.items():
        key = tuple(own)
        if key not in cache:
            cache[key] = _nearest_first(key, parents)
        members[host] = cache[key]
        found = meta.get(host, {})
        variables[host] = found if isinstance(found, dict) else {}
    return Answer(variables, members, _warnings(words))


def _nearest_first(own: tuple[str, ...], parents: Mapping[str, list[str]]) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    level = list(own)
    while level:
        fresh = [name for name in dict.fromkeys(level) if name not in seen]
        seen.update(dict.fromkeys(fresh))
        level = [parent for name in fresh for parent in parents.get(name, ())]
    return tuple(name for name in seen if name not in ("all", "ungrouped"))


def _warnings(words: str) -> tuple[str, ...]:
    """The warnings that say that something of the inventory was passed over."""
    found = re.findall(r"^\[WARNING\]: (.+)$", words, re.MULTILINE)
    return tuple(
        " ".join(line.split())[:300]
        for line in found
        if re.search(r"(?i)skipping|both group and host|unable to parse|failed to", line)
    )


def with_copy(files: Mapping[str, str], inventory: str, ask_it: Ask) -> Answer:
    """The answer about a copy of some files, by their names relative to one folder."""
    home = Path(tempfile.mkdtemp(prefix="sitewright-inventory-"))
    try:
        room = home / "room"
        room.mkdir()
        for name, text in files.items():
            file = room / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        try:
            return ask_it(room / inventory if inventory else room, home)
        except Refused as refused:
            raise Refused(str(refused).replace(f"{room}/", "").replace(str(home), "")) from refused
    finally:
        shutil.rmtree(home, ignore_errors=True)
