"""Verifying a bundle: the signature first, then the structure, then every byte on all cores."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bundles.format.layout import (
    INDEX_LIMIT,
    INDEX_NAME,
    INSTALL_NAME,
    SIGNATURE_NAME,
    is_install_script,
)
from bundles.format.problems import CorruptBundle, HostileBundle
from bundles.format.strict_json import digest_of
from bundles.read.folder import FolderBundle
from bundles.read.opened import CHUNK, Bundle, open_bundle, read_document
from bundles.read.signature import verify as verify_signature
from bundles.read.signers import Signer
from bundles.read.structure import Structure, read_structure

Progress = Callable[[int, int], None]
"""Told bytes done and bytes in all, from several threads, one call at a time."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A bundle in which every byte is right."""

    structure: Structure
    signer: Signer | None
    """None where no keys were given, and so nobody's signature was asked for."""
    bytes_read: int
    seconds: float


def check_signature(bundle: Bundle, signers: Sequence[Signer]) -> Signer | None:
    """Who signed the index; None where no signers are given; raises SignatureProblem."""
    if not signers:
        return None
    raw = read_document(bundle, INDEX_NAME)
    assert len(raw) <= INDEX_LIMIT  # noqa: S101 - documents are read bounded
    signature = bundle.document(SIGNATURE_NAME)
    return verify_signature(raw, signature, tuple(signers), where=str(bundle.path))


def verify_bundle(
    path: Path,
    signers: Sequence[Signer] = (),
    *,
    base: Path | None = None,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Verified:
    """Verify a bundle, folder or file; raises BundleProblem: the first wrong thing of its form,
    or CorruptBundle with all places where bytes differ.

    `base` is the bundle that a difference was made from; what is taken from it is verified too.
    """
    if base is not None:
        with open_bundle(path) as bundle, open_bundle(base) as under:
            return verify_open(bundle, signers, base=under, progress=progress, threads=threads)
    with open_bundle(path) as bundle:
        return verify_open(bundle, signers, progress=progress, threads=threads)


def verify_open(
    bundle: Bundle,
    signers: Sequence[Signer] = (),
    *,
    base: Bundle | None = None,
    progress: Progress | None = None,
    threads: int | None = None,
) -> Verified:
    """Verify a bundle that is open, and stays so for whoever uses it next; raises as above."""
    started = time.monotonic()
    signer = check_signature(bundle, signers)
    if base is None and isinstance(bundle, FolderBundle) and bundle.difference() is not None:
        raise HostileBundle(
            "it is only the difference from another bundle",
            where=str(bundle.path),
            remedy="Name the bundle that the site already has with --base, "
            "or make the whole with: sitewright bundle join DIFFERENCE --base BUNDLE --output NEW",
        )
    structure = read_structure(bundle, base=base)
    wrong = [f"{name} belongs to no bundle" for name in bundle.strays]
    wrong += [
        f"{digest} is named by nothing" for digest in bundle.blobs if digest not in structure.blobs
    ]
    wrong += _install_script(bundle, structure)
    wrong += _bytes_that_differ(bundle, base, structure, progress, threads or os.cpu_count() or 1)
    if wrong:
        more = f", and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CorruptBundle("; ".join(wrong[:3]) + more, wrong=wrong, where=str(bundle.path))
    return Verified(structure, signer, structure.size, time.monotonic() - started)


def _install_script(bundle: Bundle, structure: Structure) -> list[str]:
    # It lies beside the blobs for a person to run, so it must be the very one that was signed.
    raw = bundle.document(INSTALL_NAME)
    stated = next((item for item in structure.index.items if is_install_script(item)), None)
    if raw is None:
        return [] if stated is None else [f"{INSTALL_NAME} is missing"]
    if stated is None:
        return [f"{INSTALL_NAME} belongs to no bundle"]
    return [] if digest_of(raw) == stated.content else [f"{INSTALL_NAME} is damaged"]


def _bytes_that_differ(
    bundle: Bundle,
    base: Bundle | None,
    structure: Structure,
    progress: Progress | None,
    threads: int,
) -> list[str]:
    meter = _Meter(structure.size, progress)
    own = threading.local()

    def one(digest: str) -> str | None:
        size = structure.blobs[digest]
        if digest in structure.manifests:
            meter.add(size)
            return None
        source = bundle if digest in bundle.blobs or base is None else base
        there = source.blobs.get(digest)
        name = f"{digest} (of {structure.wanted_by[digest]})"
        if there is None:
            return f"{name} is missing"
        if there != size:
            return f"{name} has {there} bytes instead of {size}"
        if not hasattr(own, "buffer"):
            own.buffer = bytearray(CHUNK)
        digesting = hashlib.sha256()
        with source.blob(digest) as reader:
            for chunk in reader.chunks(own.buffer):
                digesting.update(chunk)
                meter.add(len(chunk))
        return None if "sha256:" + digesting.hexdigest() == digest else f"{name} is damaged"

    # The largest first, so that no core is left alone with one of them at the end.
    order = sorted(structure.blobs, key=lambda digest: -structure.blobs[digest])
    with ThreadPoolExecutor(threads, thread_name_prefix="verify") as pool:
        return [found for found in pool.map(one, order) if found is not None]


class _Meter:
    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._done = 0
        self._progress = progress
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        if self._progress is None:
            return
        with self._lock:
            self._done += count
            self._progress(self._done, self._total)
