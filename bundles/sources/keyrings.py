"""Keys of package sources, laid where apt takes them, in the form that apt knows by the name.

apt reads an armored key from a file called *.asc and a binary one from *.gpg, takes no path with
spaces, commas or brackets, and no keybox. Makers publish both forms under any name.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bundles.format import budgets
from foundation import bounded_files
from foundation.problems import InputProblem

_LARGEST: Final = budgets.KEYRING_BYTES
_ARMORED: Final = re.compile(rb"^-----BEGIN PGP PUBLIC KEY BLOCK-----", re.MULTILINE)
_PRIVATE: Final = re.compile(rb"^-----BEGIN PGP PRIVATE KEY BLOCK-----", re.MULTILINE)
_KEYBOX: Final = b"KBXf"
_UNFIT: Final = re.compile(r"[\s\]\[,]")
_PUBLIC_TAG: Final = 6
"""The packet that a public key begins with (RFC 9580, 5)."""


@contextmanager
def keyring_folder(root: Path) -> Iterator[Path]:
    """A folder for keys whose path apt takes: below the root, or a temporary one."""
    own = root / "etc" / "keys"
    if not _UNFIT.search(str(own)):
        own.mkdir(parents=True, exist_ok=True)
        yield own
        return
    with tempfile.TemporaryDirectory(prefix="sitewright-keys-") as name:
        if _UNFIT.search(name):
            raise InputProblem(
                "apt takes no keyring whose path has spaces, commas or brackets",
                where=name,
                remedy="Name a folder for the bundle, or TMPDIR, without them.",
            )
        yield Path(name)


def place_keyring(keyring: Path, folder: Path) -> Path:
    """A copy of a key file under a name that says its form; raises InputProblem."""
    try:
        raw = bounded_files.read_bytes(keyring, _LARGEST)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            raise InputProblem(
                f"the keyring cannot be read: {error.strerror or error}", where=str(keyring)
            ) from error
        raise InputProblem(
            "there is no such keyring to check the source's signature with",
            where=str(keyring),
            remedy="Name the archive's keyring in the recipe (keyring: FILE).",
        ) from error
    ending = form_of(raw, str(keyring))
    place = folder / f"{hashlib.sha256(raw).hexdigest()[:16]}.{ending}"
    if not place.exists():
        place.write_bytes(raw)
    return place


def form_of(raw: bytes, where: str) -> str:
    """`asc` for an armored public key, `gpg` for a binary one; raises InputProblem for others."""
    if len(raw) > _LARGEST:
        raise InputProblem(f"it has more than {_LARGEST} bytes and is no key", where=where)
    if _PRIVATE.search(raw):
        raise InputProblem(
            "it holds a private key, which nobody but its owner may have",
            where=where,
            remedy="Export the public one: gpg --export --armor ID > key.asc",
        )
    if _ARMORED.search(raw):
        return "asc"
    if raw[8:12] == _KEYBOX:
        raise InputProblem(
            "it is a keybox, which apt does not read",
            where=where,
            remedy=f"gpg --no-default-keyring --keyring {where} --export > key.gpg",
        )
    if _tag(raw) == _PUBLIC_TAG:
        return "gpg"
    raise InputProblem(
        "it is no public key of OpenPGP, neither armored nor binary",
        where=where,
        remedy="Fetch the key that the source's maker publishes, and look at it with "
        "gpg --show-keys FILE.",
    )


def _tag(raw: bytes) -> int:
    """The tag of the first packet, in the old or the new form."""
    first = raw[0] if raw else 0
    if not first & 0x80:
        return 0
    return first & 0x3F if first & 0x40 else (first >> 2) & 0x0F
