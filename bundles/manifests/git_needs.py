"""What a clone of a Git repository needs from elsewhere, and a bundle of it cannot bring.

Files in Git LFS, submodules, files behind filters such as git-crypt, annexed files and links that
lead out: each is read from the tree and a few small files of it, and told by its name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bundles.format.untold import some_names

POINTER_LIMIT: Final = 1024
"""Bytes: a pointer of Git LFS is smaller, by its specification."""
_POINTER: Final = re.compile(
    rb"\Aversion https://(?:git-lfs\.github\.com|hawser\.github\.com)/spec/v1\n"
)
_POINTED_SIZE: Final = re.compile(rb"^size ([0-9]{1,18})$", re.M)
_FILTER: Final = re.compile(r"(?:^|\s)filter=([^\s]+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree."""

    mode: str
    object: str
    size: int
    """Bytes; 0 where it is a submodule."""
    path: str

    @property
    def is_file(self) -> bool:
        """Whether it is an ordinary file."""
        return self.mode.startswith("100")

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == "120000"

    @property
    def is_submodule(self) -> bool:
        """Whether another repository stands there."""
        return self.mode == "160000"


def parse_tree(raw: bytes) -> tuple[Entry, ...]:
    """The entries that `git ls-tree -r -z --long` lists."""
    found = []
    for line in raw.split(b"\0"):
        head, tab, path = line.partition(b"\t")
        words = head.decode("ascii", "replace").split()
        if tab and len(words) == 4:
            size = int(words[3]) if words[3].isdecimal() else 0
            found.append(Entry(words[0], words[2], size, path.decode("utf-8", "replace")))
    return tuple(found)


def is_pointer(content: bytes) -> bool:
    """Whether a file is a pointer of Git LFS instead of the file itself."""
    return len(content) < POINTER_LIMIT and bool(_POINTER.match(content))


def filters_of(attributes: bytes) -> tuple[str, ...]:
    """The filters that a `.gitattributes` names."""
    found = []
    for line in attributes.decode("utf-8", "replace").splitlines():
        if not line.lstrip().startswith("#"):
            found += _FILTER.findall(line)
    return tuple(dict.fromkeys(found))


def needs_of(tree: Sequence[Entry], contents: Mapping[str, bytes]) -> tuple[str, ...]:
    """A sentence for each thing that no line of a recipe could bring.

    `contents` are small files by the names of their objects: `.gitattributes`, and links.
    """
    return (*_filtered(tree, contents), *_links(tree, contents))


def submodules_of(tree: Sequence[Entry], modules: Mapping[str, str]) -> tuple[str, ...]:
    """Each submodule with its address and commit; `modules` are the addresses by their paths."""
    return tuple(
        f"{entry.path} ({modules.get(entry.path) or 'without an address'} at {entry.object})"
        for entry in tree
        if entry.is_submodule
    )


def large_files_of(tree: Sequence[Entry], contents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Each file that lies in Git LFS, with its size."""
    found = []
    for entry in tree:
        content = contents.get(entry.object, b"")
        if entry.is_file and is_pointer(content):
            size = _POINTED_SIZE.search(content)
            found.append(f"{entry.path} ({int(size[1]) if size else 0} bytes)")
    return tuple(found)


def _filtered(tree: Sequence[Entry], contents: Mapping[str, bytes]) -> list[str]:
    places: dict[str, list[str]] = {}
    for entry in tree:
        if entry.is_file and posixpath.basename(entry.path) == ".gitattributes":
            for name in filters_of(contents.get(entry.object, b"")):
                places.setdefault(name, []).append(entry.path)
    return [
        f"files go through the filter {name} ({some_names(paths)}): they are brought as they are "
        "stored, and a machine needs that program and its keys to read them"
        for name, paths in places.items()
        if name != "lfs"
    ]


def _links(tree: Sequence[Entry], contents: Mapping[str, bytes]) -> list[str]:
    annexed, outside = [], []
    for entry in tree:
        if not entry.is_link:
            continue
        target = contents.get(entry.object, b"").decode("utf-8", "replace")
        lands = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), target))
        if ".git/annex/objects/" in target:
            annexed.append(entry.path)
        elif target.startswith("/") or lands == ".." or lands.startswith("../"):
            outside.append(f"{entry.path} -> {target[:100]}")
    found = []
    if annexed:
        found.append(
            f"files lie in git-annex and only links to them are brought: {some_names(annexed)}; "
            "put what the site needs of them under `files`"
        )
    if outside:
        found.append(
            f"links lead out of the repository, to what is not brought: {some_names(outside)}"
        )
    return found
