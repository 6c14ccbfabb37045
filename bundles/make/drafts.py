"""Lines of a recipe that are finished, remembered until the bundle is."""

from __future__ import annotations

import json
from pathlib import Path

from bundles.format import media
from bundles.format.layout import BundleIndex, Item, parse_image_index, parse_index, parse_manifest
from bundles.format.lock import Gathered
from bundles.format.problems import HostileBundle
from bundles.format.untold import Untold
from bundles.read.store import Store

_NAMELESS = "sha256:" + "0" * 64


class Drafts:
    """The work folder's notes: which line led to which items."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.work / "drafts"
        self._folder.mkdir(parents=True, exist_ok=True)

    def save(self, gathered: Gathered) -> None:
        """Remember a finished line."""
        index = BundleIndex("draft", "0", "draft", _NAMELESS, "-", gathered.items)
        # It need not outlive the power: one that is cut off is no index, and the line is done anew.
        path = self._path(gathered.wanted)
        told = [entry.model_dump() for entry in gathered.untold]
        _write_new(path.with_suffix(".untold"), json.dumps(told).encode())
        unfinished = path.with_suffix(".new")
        _write_new(unfinished, index.as_bytes())
        unfinished.replace(path)

    def load(self, wanted: str) -> Gathered | None:
        """A finished line whose blobs are all still there, or None."""
        try:
            raw = self._path(wanted).read_bytes()
            items = parse_index(raw, where="draft").items
            whole = all(self._whole(item) for item in items)
            # Without it the line is done anew, so that nothing is left untold.
            raw_untold = self._path(wanted).with_suffix(".untold").read_bytes()
            untold = tuple(Untold.model_validate(one) for one in json.loads(raw_untold))
        except (OSError, HostileBundle, ValueError, TypeError, RecursionError):
            return None
        return Gathered(wanted, items, untold) if whole else None

    def _whole(self, item: Item) -> bool:
        if not self._store.has(item.digest, item.size):
            return False
        raw = self._store.read(item.digest)
        if item.kind == media.IMAGE_INDEX:
            children = parse_image_index(raw, where="draft").manifests
            return any(self._store.has(child.digest) for child in children)
        blobs = parse_manifest(raw, where="draft").blobs
        return all(self._store.has(blob.digest, blob.size) for blob in blobs)

    def _path(self, wanted: str) -> Path:
        return self._folder / wanted.removeprefix("sha256:")


def _write_new(path: Path, raw: bytes) -> None:
    # On a medium that somebody else prepared a link may lie there: it is not written through.
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        file.write(raw)
