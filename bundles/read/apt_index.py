"""A package source of apt from the packages of a bundle: its indexes, by the release they are for.

The tree is that of any archive: `dists/RELEASE/InRelease` signs the Packages files by their
SHA-256, and these name every package by its own, so apt checks the whole way. Small files are
made here; the packages themselves are blobs of the bundle, and are named by digest.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import re
import sys
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from bundles.format import budgets
from bundles.format.layout import Item
from bundles.format.problems import HostileBundle
from bundles.format.tar_stream import Budget, members
from bundles.read.apt_signature import AptKey
from bundles.read.opened import BlobReader, Bundle

COMPONENT: Final = "main"
_CONTROL_LIMIT: Final = budgets.DEB_CONTROL_BYTES
_WINDOW_LOG: Final = 26  # 64 MiB, more than any packer of packages asks for
"""Bytes of a package's control archive, packed and unpacked; those of Debian have about 10 kB."""
_AR_MAGIC: Final = b"!<arch>\n"
_AR_HEADER: Final = 60
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9+.-]{1,127}")
_VERSION: Final = re.compile(r"[A-Za-z0-9.+:~-]{1,127}")
_WORD: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_FIELD: Final = re.compile(r"[!-9;-~]+:")


@dataclass(frozen=True, slots=True)
class AptTree:
    """A package source: small files by path, and packages by path as digests of blobs."""

    files: Mapping[str, bytes]
    blobs: Mapping[str, str]
    releases: tuple[str, ...]
    keyring: bytes
    """The public key that signed it, for `signed-by`."""


def apt_tree(bundle: Bundle, items: Iterable[Item], *, created: str) -> AptTree:
    """The package source of all packages among the items of an open, verified bundle.

    `created` is the moment that the bundle states (ISO 8601, UTC). Raises HostileBundle where a
    package is none, InputProblem where this machine lacks what opens one.
    """
    moment = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    key = AptKey.new(int(moment.timestamp()))
    blobs: dict[str, str] = {}
    stanzas: dict[str, dict[str, list[str]]] = {}
    for item in sorted((i for i in items if i.kind == "deb"), key=lambda i: i.identity):
        release = _word(item, item.pins.get("release", ""))
        path = pool_path(item)
        if item.content is None or blobs.setdefault(path, item.content) != item.content:
            raise HostileBundle(f"two packages would be {path}", where=str(bundle.path))
        with bundle.blob(item.content) as reader:
            control = control_of(reader, where=f"{bundle.path}, deb {item.name}")
        _same(item, control, str(bundle.path))
        digest = item.content.removeprefix("sha256:")
        stanza = f"{control}Filename: {path}\nSize: {item.content_size}\nSHA256: {digest}\n"
        by_architecture = stanzas.setdefault(release, {})
        by_architecture.setdefault(_word(item, item.pins.get("architecture", "")), []).append(
            stanza
        )
    files: dict[str, bytes] = {}
    for release, by_architecture in stanzas.items():
        files |= _release(release, by_architecture, moment, key)
    return AptTree(files, blobs, tuple(sorted(stanzas)), key.public)


def pool_path(item: Item) -> str:
    """Where a package lies in the source; raises HostileBundle for a name that is none."""
    version = (item.version or "").partition(":")[2] or item.version or ""
    architecture = _word(item, item.pins.get("architecture", ""))
    if not _NAME.fullmatch(item.name) or not _VERSION.fullmatch(version):
        raise HostileBundle(f"a package cannot be called {item.name} {item.version}")
    release = _word(item, item.pins.get("release", ""))
    return f"pool/{release}/{item.name}_{version}_{architecture}.deb"


def _word(item: Item, word: str) -> str:
    if not _WORD.fullmatch(word):
        raise HostileBundle(f'the package {item.name} states "{word[:60]}" as a release or machine')
    return word


def _release(
    release: str, by_architecture: Mapping[str, list[str]], moment: datetime, key: AptKey
) -> dict[str, bytes]:
    common = by_architecture.get("all", [])
    architectures = sorted(name for name in by_architecture if name != "all") or ["amd64"]
    indexes: dict[str, bytes] = {}
    for architecture in architectures:
        stanzas = [*by_architecture.get(architecture, ()), *common]
        text = "\n".join(stanzas).encode()
        name = f"{COMPONENT}/binary-{architecture}/Packages"
        indexes[name] = text
        indexes[f"{name}.gz"] = gzip.compress(text, mtime=0)
    date = format_datetime(moment, usegmt=True).replace("GMT", "UTC")
    lines = [
        "Origin: Sitewright",
        "Label: Sitewright",
        f"Suite: {release}",
        f"Codename: {release}",
        f"Date: {date}",
        f"Architectures: {' '.join(architectures)}",
        f"Components: {COMPONENT}",
        "Description: packages of a bundle, for the time of an installation",
        "SHA256:",
        *(
            f" {hashlib.sha256(raw).hexdigest()} {len(raw)} {name}"
            for name, raw in sorted(indexes.items())
        ),
    ]
    text = ("\n".join(lines) + "\n").encode()
    top = f"dists/{release}"
    return {
        **{f"{top}/{name}": raw for name, raw in indexes.items()},
        f"{top}/Release": text,
        f"{top}/Release.gpg": key.detached(text),
        f"{top}/InRelease": key.inline(text),
    }


def _same(item: Item, control: str, where: str) -> None:
    """Raise HostileBundle unless a package is the one that the index says it is."""
    fields = dict(re.findall(r"^(Package|Version): (.+)$", control, re.MULTILINE))
    if (fields.get("Package"), fields.get("Version")) != (item.name, item.version):
        raise HostileBundle(
            f"the package {item.name} {item.version} is really "
            f"{fields.get('Package')} {fields.get('Version')}",
            where=where,
        )


def control_of(reader: BlobReader, *, where: str) -> str:
    """The control fields of a Debian package, checked for their form; raises HostileBundle."""
    name, raw = _control_archive(reader, where)
    packed = _unpacked(name, raw, where)
    try:
        budget = Budget(len(packed), budgets.DEB_FILES)
        with members(io.BytesIO(packed), budget) as (tar, found):
            for member in found:
                if member.isreg() and member.name in ("control", "./control"):
                    file = tar.extractfile(member)
                    text = file.read(_CONTROL_LIMIT).decode("utf-8") if file else ""
                    return _checked(text, where)
    except (tarfile.TarError, UnicodeDecodeError, EOFError, ValueError) as error:
        raise HostileBundle(f"its control archive cannot be read: {error}", where=where) from error
    raise HostileBundle("it has no control file, so it is no Debian package", where=where)


def _checked(text: str, where: str) -> str:
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    for line in lines:
        # An empty line would begin another package, with a hash of its own choosing.
        if not line or not (line[0] in " \t" or _FIELD.match(line)):
            raise HostileBundle("its control file is not of the form that one has", where=where)
        if line.lower().startswith(("filename:", "size:", "sha256:", "sha512:", "md5sum:")):
            raise HostileBundle("its control file states where and what it is", where=where)
    return "\n".join(lines) + "\n"


def _control_archive(reader: BlobReader, where: str) -> tuple[str, bytes]:
    """The name and the bytes of a package's control archive, the second member of its `ar`."""

    def at(place: int, size: int) -> bytes:
        return os.pread(reader.descriptor, size, reader.offset + place)

    if reader.size < len(_AR_MAGIC) or at(0, len(_AR_MAGIC)) != _AR_MAGIC:
        raise HostileBundle("it is no Debian package", where=where)
    place = len(_AR_MAGIC)
    for _ in range(3):
        header = at(place, _AR_HEADER)
        size = header[48:58].strip()
        if len(header) < _AR_HEADER or header[58:] != b"`\n" or not size.isdigit():
            break
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        length = int(size)
        if name.startswith("control.tar"):
            if length > _CONTROL_LIMIT or place + _AR_HEADER + length > reader.size:
                break
            return name, at(place + _AR_HEADER, length)
        place += _AR_HEADER + length + length % 2
    raise HostileBundle("it is no Debian package, or a damaged one", where=where)


def _unpacked(name: str, raw: bytes, where: str) -> bytes:
    suffix = name.removeprefix("control.tar")
    try:
        if suffix == "":
            return raw
        if suffix == ".gz":
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as file:
                return file.read(_CONTROL_LIMIT)
        if suffix == ".xz":
            return lzma.LZMADecompressor(memlimit=256 * 1024 * 1024).decompress(
                raw, max_length=_CONTROL_LIMIT
            )
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise HostileBundle(f"its control archive is damaged: {error}", where=where) from error
    if suffix == ".zst":
        return _unzstd(raw, where)
    raise HostileBundle(f"its control archive is packed in an unknown way ({name})", where=where)


def _unzstd(raw: bytes, where: str) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    bounds = {int(zstd.DecompressionParameter.window_log_max): _WINDOW_LOG}
    try:
        with zstd.ZstdFile(io.BytesIO(raw), options=bounds) as file:
            packed = file.read(_CONTROL_LIMIT + 1)
    except (zstd.ZstdError, EOFError) as error:
        raise HostileBundle(f"its control archive is damaged: {error}", where=where) from error
    if len(packed) > _CONTROL_LIMIT:
        raise HostileBundle("its control archive is damaged", where=where)
    return packed
