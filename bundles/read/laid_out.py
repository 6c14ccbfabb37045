"""Part of a verified bundle, laid out anew in a folder that is ours, to be used by its names.

What is verified in a folder of somebody else and then opened there again by its name may be another
file by then. So what is started or handed to a program by name is copied first, and each byte of
the copy is compared with what was verified.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundles.format.layout import INDEX_NAME, INSTALL_NAME, SIGNATURE_NAME, Item, is_install_script
from bundles.format.problems import CorruptBundle
from bundles.format.strict_json import digest_of

if TYPE_CHECKING:
    from bundles.read.opened import Bundle
    from bundles.read.structure import Structure

_BUFFER: Final = 1 << 20


def lay_out(bundle: Bundle, structure: Structure, items: Iterable[Item], folder: Path) -> None:
    """Write index, signature, install.sh and the contents of some items into an empty folder.

    `structure` is that of the bundle as it was verified. Raises CorruptBundle where a byte is
    another by now; OSError.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, mode=0o700)
    index = bundle.document(INDEX_NAME)
    if index is None or digest_of(index) != structure.index_digest:
        raise _another(bundle, INDEX_NAME)
    _write(folder / INDEX_NAME, index)
    if (signature := bundle.document(SIGNATURE_NAME)) is not None:
        # Whoever reads the copy judges it anew.
        _write(folder / SIGNATURE_NAME, signature)
    wanted = [one for one in items if one.content is not None]
    for digest in dict.fromkeys(one.content for one in wanted if one.content is not None):
        _copy(bundle, digest, blobs / digest.removeprefix("sha256:"))
    for script in filter(is_install_script, wanted):
        name = (script.content or "").removeprefix("sha256:")
        # From the copy, which was compared; not from beside the bundle's own blobs.
        (folder / INSTALL_NAME).hardlink_to(blobs / name)


def _copy(bundle: Bundle, digest: str, target: Path) -> None:
    found = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file, bundle.blob(digest) as reader:
        for chunk in reader.chunks(bytearray(_BUFFER)):
            found.update(chunk)
            file.write(chunk)
    if f"sha256:{found.hexdigest()}" != digest:
        raise _another(bundle, digest)


def _write(path: Path, raw: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)


def _another(bundle: Bundle, name: str) -> CorruptBundle:
    return CorruptBundle(
        f"{name} is another than was verified a moment ago",
        wrong=[name],
        where=str(bundle.path),
        remedy="See who else writes into that folder; copy the bundle to where nobody does.",
    )
