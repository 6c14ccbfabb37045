"""ansible.cfg: what it says of the way to machines, and that it is not gone by here.

Ansible takes the file of the folder that it is started in, so that one beside an inventory may hold
or not. What would decide a login is told as a note with the option that says the same.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.hosts.ansible import ansible_ssh_args

_ABOVE: Final = 3
"""Folders above an inventory in which the project's own file is looked for."""
_SIZE_LIMIT: Final = 256 * 1024
_SSH_ARGS: Final = ("ssh_args", "ssh_common_args", "ssh_extra_args")
_OF_A_LOGIN: Final = {
    ("defaults", "remote_user"): "give --user, or ansible_user in the inventory",
    ("defaults", "remote_port"): "give --port, or ansible_port in the inventory",
    ("defaults", "private_key_file"): "give --identity, or ansible_ssh_private_key_file",
    ("defaults", "transport"): "machines are reached over SSH; say ansible_connection otherwise",
    ("privilege_escalation", "become_method"): "Sitewright becomes root by sudo",
    ("privilege_escalation", "become_user"): "Sitewright becomes root",
    **{
        ("ssh_connection", key): "give --bastion or --ssh-config, or the same in "
        "ansible_ssh_common_args"
        for key in _SSH_ARGS
    },
}
_USUAL: Final = {
    "transport": ("smart", "ssh"),
    "become_method": ("sudo", "ansible.builtin.sudo"),
    "become_user": ("root",),
    "remote_port": ("22",),
}


def notes_on_cfg(inventory: Path) -> Iterator[str]:
    """A sentence on each setting beside an inventory that would decide a login with Ansible."""
    file = _found(inventory)
    if file is None:
        return
    reader = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        reader.read_string(bounded_files.read_text(file, _SIZE_LIMIT, errors="replace"))
    except (OSError, configparser.Error) as error:
        yield f"{file} cannot be read ({' '.join(str(error).split())[:120]}), and is not gone by"
        return
    for (section, key), instead in _OF_A_LOGIN.items():
        value = (reader.get(section, key, fallback=None) or "").strip()
        if not value or value in _USUAL.get(key, ()) or (key in _SSH_ARGS and not _leads(value)):
            continue
        shown = "".join(c if c.isprintable() else " " for c in value[:120])
        yield f"{file}: {key} = {shown} is not gone by here: {instead}"


def _found(inventory: Path) -> Path | None:
    start = inventory.absolute() if inventory.is_dir() else inventory.absolute().parent
    for folder in (start, *start.parents[:_ABOVE]):
        file = folder / "ansible.cfg"
        if file.is_file():
            return file
    return None


class _Unread(Exception):
    """Words for ssh that are not understood here."""


def _leads(words: str) -> bool:
    """Whether words for ssh lead elsewhere, or say who logs in; keeping connections does not."""
    told = ansible_ssh_args.SshWords()
    try:
        ansible_ssh_args.read(words, told, lambda cause, _: _Unread(cause))
    except _Unread:
        return True
    return bool(told.options or told.jump or told.program or told.bastion_keys)
