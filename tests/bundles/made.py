"""A bundle that a test writes item by item, without any source to fetch from."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from bundles.format import media
from bundles.format.layout import (
    INDEX_NAME,
    LAYOUT_NAME,
    LAYOUT_TEXT,
    SIGNATURE_NAME,
    BundleIndex,
    Item,
)
from bundles.format.layout import artifact_manifest as manifest_of
from bundles.read.signature import load_signing_key, sign
from tests.bundles.places import layer

MOMENT = "2026-03-01T12:00:00Z"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Made:
    """A bundle in the making; `write` finishes it."""

    def __init__(
        self, folder: Path, *, solution: str = "test", environment: str = "default"
    ) -> None:
        self.folder = folder
        self.solution = solution
        self.environment = environment
        (folder / "blobs" / "sha256").mkdir(parents=True)
        self.items: list[Item] = []

    def blob(self, raw: bytes) -> tuple[str, int]:
        name = hashlib.sha256(raw).hexdigest()
        (self.folder / "blobs" / "sha256" / name).write_bytes(raw)
        return f"sha256:{name}", len(raw)

    def path(self, digest: str) -> Path:
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def artifact(self, kind: str, name: str, *files: tuple[str, bytes], **more: Any) -> Item:
        """A file, deb, wheel, snap or Git item of (file name, content)."""
        contents = [(title, *self.blob(raw)) for title, raw in files]
        self.blob(media.EMPTY)
        digest, size = self.blob(manifest_of(kind, contents))
        return self._add(
            kind=kind,
            name=name,
            media_type=media.OCI_MANIFEST,
            digest=digest,
            size=size,
            content=contents[0][1],
            content_size=sum(one[2] for one in contents),
            **more,
        )

    def deb(self, file: Path, name: str, version: str, release: str = "bookworm") -> Item:
        pins = {"release": release, "architecture": "all", "file": file.name}
        return self.artifact(
            "deb", name, (file.name, file.read_bytes()), version=version, pins=pins
        )

    def wheel(self, name: str, version: str, requires: str = "") -> Item:
        info = f"{name}-{version}.dist-info"
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += f"Requires-Dist: {requires}\n" if requires else ""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(f"{name}.py", "")
            archive.writestr(f"{info}/METADATA", metadata)
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
            archive.writestr(f"{info}/RECORD", "")
        file = f"{name}-{version}-py3-none-any.whl"
        pins = {"file": file}
        return self.artifact(
            "wheel", name, (file, packed.getvalue()), version=version, platform="python3.12",
            pins=pins,
        )  # fmt: skip

    def git(self, name: str, repository: Path, ref: str = "main") -> Item:
        """The branch of a repository, packed as bundles have it."""
        run = ["git", "-C", str(repository)]
        subprocess.run([*run, "update-ref", "refs/heads/bundle", ref], check=True)
        file = self.folder.parent / f"{name}.bundle"
        subprocess.run(
            [*run, "bundle", "create", "-q", "--version=2", str(file), "refs/heads/bundle"],
            check=True,
        )
        commit = subprocess.run(
            [*run, "rev-parse", ref], check=True, capture_output=True, text=True
        ).stdout.strip()
        pins = {"commit": commit, "ref": ref}
        raw = file.read_bytes()
        return self.artifact("git", name, (file.name, raw), version=ref, pins=pins)

    def chart(self, name: str, version: str, files: dict[str, str] | None = None) -> Item:
        metadata = {"apiVersion": "v2", "name": name, "version": version, "description": "a test"}
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for path, text in {"Chart.yaml": json.dumps(metadata), **(files or {})}.items():
                info = tarfile.TarInfo(f"{name}/{path}")
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        content, content_size = self.blob(gzip.compress(packed.getvalue(), mtime=0))
        config = self._descriptor(media.HELM_CONFIG, json.dumps(metadata).encode())
        digest, size = self.blob(
            json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": media.OCI_MANIFEST,
                    "config": config,
                    "layers": [
                        {"mediaType": media.HELM_CHART, "digest": content, "size": content_size}
                    ],
                }
            ).encode()
        )
        return self._add(
            kind=media.CHART,
            name=name,
            version=version,
            media_type=media.OCI_MANIFEST,
            digest=digest,
            size=size,
            content=content,
            content_size=content_size,
        )

    def image(self, name: str, *layers: bytes, architecture: str = "amd64", **more: Any) -> Item:
        """An image of one platform, with the tag that its name ends with."""
        packed = layers or (layer(name=name.encode()),)
        config = {
            "os": "linux",
            "architecture": architecture,
            "config": {},
            "rootfs": {
                "type": "layers",
                "diff_ids": [
                    "sha256:" + hashlib.sha256(gzip.decompress(one)).hexdigest() for one in packed
                ],
            },
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "config": self._descriptor(media.OCI_CONFIG, json.dumps(config).encode()),
            "layers": [self._descriptor(_LAYER, one) for one in packed],
        }
        digest, size = self.blob(json.dumps(manifest).encode())
        return self._add(
            kind=media.IMAGE,
            name=name,
            version=name.rpartition(":")[2],
            media_type=media.OCI_MANIFEST,
            digest=digest,
            size=size,
            content_size=sum(len(one) for one in packed),
            platform=f"linux/{architecture}",
            **more,
        )

    def image_index(self, name: str, *children: Item, absent: int = 0) -> Item:
        """The index that the maker published, with some manifests that are not here."""
        entries = [
            {
                "mediaType": child.media_type,
                "digest": child.digest,
                "size": child.size,
                "platform": {"os": "linux", "architecture": (child.platform or "/").split("/")[1]},
            }
            for child in children
        ]
        entries += [
            {
                "mediaType": media.OCI_MANIFEST,
                "digest": f"sha256:{number:064x}",
                "size": 500,
                "platform": {"os": "linux", "architecture": "s390x"},
            }
            for number in range(absent)
        ]
        value = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": entries}
        digest, size = self.blob(json.dumps(value).encode())
        return self._add(
            kind=media.IMAGE_INDEX,
            name=name,
            version=name.rpartition(":")[2],
            media_type=media.OCI_INDEX,
            digest=digest,
            size=size,
            content_size=0,
        )

    def write(self, key: Path | None = None) -> Path:
        """Finish the bundle, signed with a key where there is one; its folder."""
        index = BundleIndex(
            self.solution,
            "1.0",
            self.environment,
            f"sha256:{0:064x}",
            MOMENT,
            tuple(self.items),
        )
        raw = index.as_bytes()
        (self.folder / INDEX_NAME).write_bytes(raw)
        (self.folder / LAYOUT_NAME).write_bytes(LAYOUT_TEXT)
        if key is not None:
            (self.folder / SIGNATURE_NAME).write_bytes(sign(raw, load_signing_key(key)))
        return self.folder

    def _descriptor(self, media_type: str, raw: bytes) -> dict[str, Any]:
        digest, size = self.blob(raw)
        return {"mediaType": media_type, "digest": digest, "size": size}

    def _add(self, **fields: Any) -> Item:
        item = Item(origin="a test", **fields)
        self.items.append(item)
        return item
