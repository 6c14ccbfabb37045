"""Words and numbers for findings: sizes, counts and roles as a person says them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Final

from foundation.wording import listed

GB: Final = 10**9
"""A gigabyte of a disk, bytes."""
GIB: Final = 2**30
"""A gigabyte of memory, bytes."""

_ROLE_NOUNS: Final = {
    "storage": "a storage machine",
    "backup": "a backup machine",
    "bastion": "a bastion",
    "node": "a node",
    "hub": "a hub machine",
    "all": "a machine",
}


def word(text: str) -> str:
    """A text as one word of a shell command, whatever is in it.

    Names of disks, mounts and users come from the machine and stand in commands that a person may
    copy: none of them may end the word it stands in.
    """
    return shlex.quote(text)


def plain(number: float) -> str:
    """A number without needless decimals: 8, 62.8."""
    return f"{number:.1f}".removesuffix(".0")


def disk_size(size: int) -> str:
    """Bytes as disks are sold: 500 GB, 8 TB."""
    if size >= 1000 * GB:
        return f"{plain(size / (1000 * GB))} TB"
    return f"{round(size / GB)} GB" if size >= 10 * GB else f"{plain(size / GB)} GB"


def disk_gb(size_gb: float) -> str:
    """Gigabytes of 10^9 bytes as disks are sold."""
    return disk_size(round(size_gb * GB))


def memory_size(size: int) -> str:
    """Bytes as memory is counted: 62.8 GiB."""
    return f"{plain(size / GIB)} GiB"


def link_speed(mbps: int) -> str:
    """Megabits per second as links are sold: 10 Gbit/s."""
    return f"{plain(mbps / 1000)} Gbit/s" if mbps >= 1000 else f"{mbps} Mbit/s"


def role_phrase(roles: Iterable[str]) -> str:
    """Roles as the subject of a sentence: "a worker", "a master and worker"."""
    names = list(roles)
    if len(names) == 1:
        name = names[0]
        return _ROLE_NOUNS.get(name) or with_article(name.replace("-", " "))
    return with_article(listed(name.replace("-", " ") for name in names)) if names else "the site"


def with_article(noun: str) -> str:
    """A noun with a or an."""
    vowel = noun[:1].lower() in "aeiou" or noun.partition(" ")[0].lower() in _SPOKEN
    return f"{'an' if vowel else 'a'} {noun}"


_SPOKEN: Final = frozenset({"nfs", "nginx"})
"""Names that begin with a vowel where they are spoken."""


def sentence(text: str) -> str:
    """A text as a sentence, which ends with a full stop."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."
