"""A real registry with many tags, filled by plain requests, and what asks it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

import httpx

from bundles.format import media
from tests.bundles.places import RunningRegistry


class Filling:
    """One repository of a registry that is filled with images of a few bytes."""

    def __init__(self, host: str, repository: str) -> None:
        self._base = f"http://{host}/v2/{repository}"
        self._client = httpx.Client(trust_env=False, timeout=30)

    def close(self) -> None:
        self._client.close()

    def blob(self, raw: bytes) -> dict[str, object]:
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        place = self._client.post(f"{self._base}/blobs/uploads/").headers["location"]
        url = httpx.URL(place).copy_merge_params({"digest": digest})
        assert self._client.put(url, content=raw).status_code == 201
        return {"digest": digest, "size": len(raw)}

    def image(self, words: str, created: datetime | str | None = None) -> bytes:
        """The manifest of an image that says something, so that it has a digest of its own."""
        config = {"os": "linux", "architecture": "amd64", "config": {"Labels": {"is": words}},
                  "rootfs": {"type": "layers", "diff_ids": []}}  # fmt: skip
        if created is not None:
            stated = created if isinstance(created, str) else created.isoformat()
            config["created"] = stated
        value = {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "config": {"mediaType": media.OCI_CONFIG, **self.blob(json.dumps(config).encode())},
            "layers": [],
        }
        return json.dumps(value).encode()

    def index(self, *manifests: bytes) -> bytes:
        """The manifest of an index of images, which are put beside it."""
        children = []
        for place, raw in enumerate(manifests):
            digest = self.put(raw)
            platform = {"os": "linux", "architecture": ("amd64", "arm64")[place]}
            children.append({"mediaType": media.OCI_MANIFEST, "digest": digest,
                             "size": len(raw), "platform": platform})  # fmt: skip
        value = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": children}
        return json.dumps(value).encode()

    def put(self, manifest: bytes, *tags: str) -> str:
        digest = "sha256:" + hashlib.sha256(manifest).hexdigest()
        kind = json.loads(manifest)["mediaType"]
        for tag in tags or (digest,):
            done = self._client.put(
                f"{self._base}/manifests/{tag}", content=manifest, headers={"Content-Type": kind}
            )
            assert done.status_code == 201, done.text
        return digest

    def delete(self, digest: str) -> None:
        """Take a manifest out; its tags with it, as docker-registry does."""
        assert self._client.delete(f"{self._base}/manifests/{digest}").status_code == 202


def fill(host: str, repository: str, tags: Iterable[str]) -> dict[str, str]:
    """Each tag an image of its own; their digests."""
    filling = Filling(host, repository)
    try:
        return {tag: filling.put(filling.image(f"{repository} {tag}"), tag) for tag in tags}
    finally:
        filling.close()


def fill_fast(registry: RunningRegistry, repository: str, tags: Iterable[str]) -> dict[str, str]:
    """Many tags at once, seven images between them: each a link in the registry's own storage.

    Written as its filesystem driver writes them (distribution, registry/storage/paths.go); a push
    of each takes a tenth of a second.
    """
    filling = Filling(registry.host, repository)
    try:
        images = [filling.put(filling.image(f"{repository} {number}")) for number in range(7)]
    finally:
        filling.close()
    place = registry.folder / "data/docker/registry/v2/repositories" / repository
    found = {}
    for number, tag in enumerate(tags):
        digest = images[number % 7]
        folder = place / "_manifests/tags" / tag
        for link in ("current", f"index/sha256/{digest.removeprefix('sha256:')}"):
            (folder / link).mkdir(parents=True)
            (folder / link / "link").write_text(digest)
        found[tag] = digest
    return found
