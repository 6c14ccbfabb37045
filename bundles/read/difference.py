"""The difference between two bundles: the new index, signed as it is, with the blobs that lack.

A difference is verified against the bundle that the site has, and the two make the new bundle
whole; every byte of the result is verified by the new bundle's own index.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bundles.format.layout import (
    INDEX_NAME,
    INSTALL_NAME,
    LAYOUT_NAME,
    LAYOUT_TEXT,
    SIGNATURE_NAME,
    Digest,
)
from bundles.format.problems import WrongContent
from bundles.format.strict_json import canonical_json, digest_of, parse_model
from bundles.read.folder import DIFFERENCE_NAME, FolderBundle
from bundles.read.opened import Bundle, open_bundle, read_document
from bundles.read.signers import Signer
from bundles.read.store import Store
from bundles.read.structure import Structure, read_structure
from bundles.read.verify import Verified, check_signature, verify_bundle
from foundation.problems import InputProblem


class _Note(BaseModel):
    """difference.json: which bundle the site must have. It is a hint, and proves nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Literal["sitewright.bundle-difference/1"] = Field(
        default="sitewright.bundle-difference/1", alias="schema"
    )
    base: Digest


def make_difference(
    new: Path, have: Path, output: Path, signers: Sequence[Signer] = ()
) -> tuple[int, int]:
    """Write what `new` has and `have` lacks to a folder; bytes written, and bytes left out.

    Of `have` only the index is needed: the site may send that small file alone.
    Raises BundleProblem, WrongContent for a damaged new bundle, InputProblem.
    """
    _refuse_full(output)
    with open_bundle(new) as bundle:
        check_signature(bundle, signers)
        structure = read_structure(bundle)
        base, base_digest = _digests_of(have)
        store = Store(output)
        written = left = 0
        for digest, size in structure.blobs.items():
            if digest in base:
                left += size
                continue
            _copy(bundle, store, digest, size)
            written += size
        store.sync()
        note = _Note(base=base_digest).model_dump(mode="json", by_alias=True)
        _documents(bundle, output, canonical_json(note))
        store.keep_only(digest for digest in structure.blobs if digest not in base)
    return written, left


def join_difference(
    difference: Path, base: Path, output: Path, signers: Sequence[Signer] = ()
) -> Verified:
    """Make the whole new bundle from a difference and what the site has, and verify it."""
    _refuse_full(output)
    with open_bundle(difference) as new, open_bundle(base) as old:
        check_signature(new, signers)
        _require_base(new, old)
        structure = read_structure(new, base=old)
        need = structure.size
        output.mkdir(parents=True, exist_ok=True)
        if need > shutil.disk_usage(output).free:
            raise InputProblem(f"{need} bytes are needed there", where=str(output))
        store = Store(output)
        for digest, size in structure.blobs.items():
            _copy(new if digest in new.blobs else old, store, digest, size)
        store.sync()
        _documents(new, output, None)
        store.keep_only(structure.blobs)
    return verify_bundle(output, signers)


def _digests_of(have: Path) -> tuple[frozenset[str], str]:
    with open_bundle(have) as bundle:
        structure: Structure = read_structure(bundle)
        # Only what is really there counts: a site with a damaged bundle gets the rest again.
        there = {d for d, size in structure.blobs.items() if bundle.blobs.get(d) == size}
        return frozenset(there), structure.index_digest


def _require_base(new: Bundle, old: Bundle) -> None:
    raw = new.difference() if isinstance(new, FolderBundle) else None
    if raw is None:
        return
    note = parse_model(_Note, raw, where=str(new.path), limit=65536)
    found = digest_of(read_document(old, INDEX_NAME))
    if note.base != found:
        raise InputProblem(
            f"the difference was made for another bundle, with the index {note.base}; "
            f"this one's is {found}",
            where=str(old.path),
            remedy="Name the bundle that the difference was made from.",
        )


def _copy(bundle: Bundle, store: Store, digest: str, size: int) -> None:
    if store.has(digest, size):
        return
    if digest not in bundle.blobs:
        raise InputProblem(f"{digest} is missing", where=str(bundle.path))
    with bundle.blob(digest) as reader, store.begin(digest, size) as partial:
        partial.restart()
        try:
            for chunk in reader.chunks():
                partial.write(chunk)
            partial.finish()
        except WrongContent as problem:
            raise WrongContent(problem.cause, where=str(bundle.path)) from problem


def _documents(bundle: Bundle, output: Path, note: bytes | None) -> None:
    contents = {
        LAYOUT_NAME: LAYOUT_TEXT,
        SIGNATURE_NAME: bundle.document(SIGNATURE_NAME),
        INSTALL_NAME: bundle.document(INSTALL_NAME),
        DIFFERENCE_NAME: note,
        INDEX_NAME: read_document(bundle, INDEX_NAME),
    }
    for name, raw in contents.items():
        if raw is None:
            continue
        with (output / name).open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())


def _refuse_full(output: Path) -> None:
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputProblem(
            "the output is not an empty folder", where=str(output), remedy="Name a new folder."
        )
