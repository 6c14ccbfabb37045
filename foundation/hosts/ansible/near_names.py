"""Variables of an inventory that look like one by which Ansible connects, and are none.

Ansible heeds a variable by its exact name alone and says nothing of others, so that a slip in one
reaches another machine, port or user than is meant.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from typing import Final

_MEANT: Final = (
    "ansible_host", "ansible_port", "ansible_user", "ansible_connection", "ansible_ssh_host",
    "ansible_ssh_port", "ansible_ssh_user", "ansible_ssh_private_key_file",
    "ansible_private_key_file", "ansible_ssh_common_args", "ansible_ssh_extra_args",
    "ansible_become_method", "ansible_become_user",
)  # fmt: skip
_KNOWN_SLIPS: Final = {
    "ansible_ip": "ansible_host",
    "ansible_address": "ansible_host",
    "ansible_addr": "ansible_host",
    "ansible_login": "ansible_user",
    "ansible_key_file": "ansible_ssh_private_key_file",
}
_NEAR: Final = 0.85
"""As difflib measures; a letter more, less, other or changed with its neighbour is nearer."""


@lru_cache(maxsize=4096)
def meant(key: str) -> str:
    """The variable that is likely meant by one that Ansible does not heed; empty where none is."""
    plain = key.lower().replace("-", "_").replace(".", "_")
    # Group and host variables of others are many, and few begin like these.
    if not plain.startswith(("an", "na", "asn")) or len(plain) > 40:
        return ""
    if plain.startswith("ansible_user_"):  # facts of the machine: _id, _dir, _uid, _gid
        return ""
    if plain in _MEANT:
        return plain
    return _KNOWN_SLIPS.get(plain) or next(iter(get_close_matches(plain, _MEANT, 1, _NEAR)), "")
