"""Cargo: what one machine gets of some items for one use, as blobs and as the words to place them.

Every name in it comes from a bundle, so each is checked before it can become a path on a machine.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from bundles.format import media
from bundles.format.layout import MANIFEST_LIMIT, TITLE, Item, Manifest, parse_manifest
from bundles.format.problems import HostileBundle
from bundles.format.reference import parse_reference
from bundles.read.age import Stamp
from bundles.read.apt_index import apt_tree, pool_path
from bundles.read.opened import Bundle, read_small
from foundation.hosts.transfer import SUPPLIES, Blob

APT_FOLDER: Final = "/etc/apt/sitewright"
_FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}")
_RECORD: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,120}")
_SNAP_ORDER: Final = {"snapd": 0, "os": 1, "base": 1}


@dataclass(slots=True)
class Cargo:
    """What comes to a machine."""

    target: str
    record: str
    """Under which name the machine remembers it; one name is one use."""
    whole: bool = True
    """Whether it is all of that use: what an earlier bundle brought for it besides may go."""
    blobs: dict[str, Blob] = field(default_factory=dict)
    links: list[tuple[str, str]] = field(default_factory=list)
    """Path below the supplies, SHA-256 of the blob."""
    files: list[tuple[str, bytes, bool]] = field(default_factory=list)
    """Path, content, and whether it differs each time it is made (a signature)."""
    stamp: Stamp | None = None
    """Which bundle it is of; a machine refuses an older one than it had."""
    older: str = ""
    """Who allowed an older one; "" for nobody."""
    images: list[dict[str, Any]] = field(default_factory=list)
    snaps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(blob.size for blob in self.blobs.values())

    def as_bytes(self, store: str = SUPPLIES) -> bytes:
        """The words that the program on the machine reads."""
        return json.dumps(
            {
                "store": store,
                "to": self.target,
                "record": self.record,
                "whole": self.whole,
                "blobs": sorted(self.blobs),
                "links": self.links,
                "files": [
                    (path, base64.b64encode(raw).decode(), once) for path, raw, once in self.files
                ],
                "bundle": self.stamp.as_dict() | {"moment": self.stamp.moment}
                if self.stamp
                else None,
                "older": self.older,
                "images": self.images,
                "snaps": self.snaps,
            }
        ).encode()


def place_command(verb: str) -> tuple[str, ...]:
    """The command that places a cargo (`place`), asks for it (`check`) or takes it back (`undo`).

    It reads `Cargo.as_bytes` and ends with 0 (done, or there), 1 (not there) or 2 (failed).
    """
    return ("python3", "-I", "-c", _program(), verb)


_OF_OURS: Final = re.compile(
    r"^from (?:__future__|bundles\.deliver\.on_machine\.\w+) import (?:\([^)]*\)|[^(\n]*)\n",
    re.MULTILINE,
)


@cache
def _program() -> str:
    """The files of `on_machine` as one program: what they import of one another stands before."""
    folder = Path(__file__).with_name("on_machine")
    first, then = (
        (folder / name).read_text(encoding="utf-8") for name in ("runtimes.py", "place.py")
    )
    return first + _OF_OURS.sub("", then)


def load(
    bundle: Bundle,
    items: Sequence[Item],
    target: str,
    record: str,
    *,
    created: str,
    stamp: Stamp | None = None,
    older: str = "",
    store: str = SUPPLIES,
) -> Cargo:
    """The cargo of items that suit one machine; raises HostileBundle, InputProblem.

    `created` is the moment that the bundle states; `older` is who allowed it to be an older
    one than the machine had.
    """
    if not _RECORD.fullmatch(record):
        raise HostileBundle(f'"{record[:60]}" is no name for what is delivered')
    cargo = Cargo(target, record, stamp=stamp, older=older)
    for item in items:
        _load_item(cargo, bundle, item)
    if target == "apt":
        _load_apt(cargo, bundle, items, created, store)
    cargo.snaps.sort(key=lambda snap: snap["order"])
    _no_two(path for path, _ in cargo.links)
    return cargo


def _load_item(cargo: Cargo, bundle: Bundle, item: Item) -> None:
    raw = read_small(bundle, item.digest, item.size, MANIFEST_LIMIT)
    manifest = parse_manifest(raw, where=f"{bundle.path}, {item.kind} {item.name}")
    if item.kind == media.IMAGE:
        _blob(cargo, item.digest, item.size)
        for one in manifest.blobs:
            _blob(cargo, one.digest, one.size)
        cargo.images.append(_image(item, manifest, cargo.target))
        return
    for one in manifest.layers:
        if item.kind == media.CHART and one.media_type != media.HELM_CHART:
            continue
        _blob(cargo, one.digest, one.size)
    if cargo.target == "apt":
        return
    placed = _placed(item, manifest)
    cargo.links += [(path, digest.removeprefix("sha256:")) for path, digest in placed]
    if item.kind == "snap" and cargo.target == "snap":
        names = [path for path, _ in placed]
        cargo.snaps.append(
            {
                "name": _safe(item, item.name),
                "file": next((n for n in names if n.endswith(".snap")), ""),
                "assertions": next((n for n in names if n.endswith(".assert")), ""),
                "classic": item.pins.get("confinement") == "classic",
                "order": _SNAP_ORDER.get(item.pins.get("type", ""), 2),
            }
        )


def _placed(item: Item, manifest: Manifest) -> list[tuple[str, str]]:
    """Where the parts of an item lie below the supplies."""
    first = manifest.layers[0].digest
    titles = [
        (_safe(item, (layer.annotations or {}).get(TITLE, "")), layer.digest)
        for layer in manifest.layers
        if item.kind in ("snap", "wheel")
    ]
    match item.kind:
        case "snap":
            return [(f"snaps/{title}", digest) for title, digest in titles]
        case "wheel":
            return [(f"wheels/{title}", digest) for title, digest in titles]
        case "deb":
            return [(f"debs/{pool_path(item).removeprefix('pool/')}", first)]
        case "git":
            return [(f"git/{_safe(item, item.name)}.bundle", first)]
        case media.CHART:
            version = (item.version or "0").replace("+", "_")
            chart = next(x.digest for x in manifest.layers if x.media_type == media.HELM_CHART)
            return [(f"charts/{_safe(item, f'{item.name}-{version}.tgz')}", chart)]
        case _:
            return [(f"files/{_safe(item, item.name)}", first)]


def _image(item: Item, manifest: Manifest, target: str) -> dict[str, Any]:
    reference = parse_reference(item.name)
    repository = f"{reference.registry}/{reference.repository}"
    names = [f"{repository}:{reference.tag}"] if reference.tag else []
    hex_digest = item.digest.removeprefix("sha256:")
    if target == "containers-docker":
        # Docker takes no name by digest from an archive, so an image without a tag gets one.
        names = names or [f"{repository}:sha256-{hex_digest[:12]}"]
    else:
        # Also by the digest of the index that its maker published, which charts name.
        digests = {item.digest, item.pins.get("tag-digest") or item.digest}
        names += [f"{repository}@{digest}" for digest in sorted(digests)]
    return {
        "names": names,
        "manifest": hex_digest,
        "manifest_size": item.size,
        "media_type": item.media_type,
        "config": manifest.config.digest.removeprefix("sha256:"),
        "layers": [
            {"sha256": layer.digest.removeprefix("sha256:"), "size": layer.size}
            for layer in manifest.layers
        ],
    }


def _load_apt(
    cargo: Cargo, bundle: Bundle, items: Sequence[Item], created: str, store: str
) -> None:
    tree = apt_tree(bundle, items, created=created)
    top = f"apt/{cargo.record}"
    cargo.links += [
        (f"{top}/{path}", digest.removeprefix("sha256:")) for path, digest in tree.blobs.items()
    ]
    signed = ("InRelease", "Release.gpg")
    cargo.files += [
        (f"{top}/{path}", raw, path.endswith(signed)) for path, raw in tree.files.items()
    ]
    keyring = f"{APT_FOLDER}/{cargo.record}.gpg"
    lines = "".join(
        f"deb [signed-by={keyring}] file:{store}/{top} {release} main\n"
        for release in tree.releases
    )
    cargo.files.append((keyring, tree.keyring, True))
    # Last: it is what makes apt look at all the rest.
    cargo.files.append((f"{APT_FOLDER}/{cargo.record}.list", lines.encode(), False))


def _blob(cargo: Cargo, digest: str, size: int) -> None:
    name = digest.removeprefix("sha256:")
    cargo.blobs[name] = Blob(name, size)


def _safe(item: Item, name: str) -> str:
    if not _FILE.fullmatch(name) or ".." in name:
        raise HostileBundle(f'{item.kind} {item.name[:80]}: no file may be called "{name[:80]}"')
    return name


def _no_two(paths: Iterable[str]) -> None:
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            raise HostileBundle(f"two items would lie in {path}")
        seen.add(path)
