"""group_vars and host_vars beside a playbook: what they say of the way to machines, told as notes.

`ansible-playbook` reads them with the playbooks that lie there, and nobody can say which of these
is meant. So they are not gone by, and whatever of them would decide a login is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from foundation import bounded_files

_ABOVE: Final = 3
"""Folders above an inventory in which a project's playbooks lie."""
_FILES: Final = 200
_SIZE_LIMIT: Final = 256 * 1024
_OF_A_LOGIN: Final = re.compile(
    r"^(ansible_(?:(?:ssh_)?(?:user|port|host|private_key_file)|connection|become_method"
    r"|ssh_(?:common_|extra_)?args))[ \t]*:[ \t]+\S",
    re.MULTILINE,
)


def notes_on_playbook_vars(inventory: Path) -> Iterator[str]:
    """A sentence on each file beside a playbook above that says how machines are reached."""
    start = inventory.absolute() if inventory.is_dir() else inventory.absolute().parent
    for folder in start.parents[:_ABOVE]:
        for file in _files(folder):
            try:
                text = bounded_files.read_text(file, _SIZE_LIMIT, errors="replace")
            except OSError:
                continue
            if said := list(dict.fromkeys(_OF_A_LOGIN.findall(text))):
                yield (
                    f"{file} says {', '.join(said)}: Ansible goes by it with a playbook of "
                    f"{folder}, and it is not gone by here; put it beside the inventory too"
                )


def _files(folder: Path) -> list[Path]:
    found: list[Path] = []
    for kind in ("group_vars", "host_vars"):
        room = folder / kind
        if room.is_dir():
            for pattern in ("*", "*/*"):
                found += [
                    file
                    for file in sorted(room.glob(pattern))
                    if file.suffix in ("", ".yml", ".yaml", ".json") and file.is_file()
                ]
    return found[:_FILES]
