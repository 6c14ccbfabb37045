"""A stand-in for a registry with odd habits: one repository a habit, made from nothing."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bundles.format import media
from tests.bundles.places import layer
from tests.bundles.servers import Answer, Asked, Server, answering

Descriptor = dict[str, Any]
ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


@dataclass
class OddRegistry:
    """Blobs, manifests and tags; `habits` may answer in the registry's place."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    referrers: dict[str, list[str]] = field(default_factory=dict)
    """What lies beside an image, by its digest: kinds of artefacts."""
    habits: dict[str, Callable[[Asked, Answer], Answer]] = field(default_factory=dict)
    """What becomes of an answer, by the repository's last word."""

    def blob(self, raw: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        self.blobs[digest] = raw
        return digest

    def manifest(self, value: Any, media_type: str) -> Descriptor:
        raw = json.dumps(value).encode()
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        self.manifests[digest] = (raw, media_type)
        return {"mediaType": media_type, "digest": digest, "size": len(raw)}

    def image(
        self, name: str, platform: str = "linux/amd64", *, typed: bool = True, stated: bool = True
    ) -> Descriptor:
        """An image for a platform; `stated` puts it into the descriptor of an index as well."""
        words = dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))
        packed = layer(name=f"{name} {platform}".encode())
        whole = {**words, "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
        config = json.dumps(whole).encode()
        value = {
            "schemaVersion": 2,
            "config": {
                "mediaType": media.OCI_CONFIG, "digest": self.blob(config), "size": len(config),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                    "digest": self.blob(packed),
                    "size": len(packed),
                }
            ],
        }  # fmt: skip
        if typed:
            value["mediaType"] = media.OCI_MANIFEST
        made = self.manifest(value, media.OCI_MANIFEST)
        return made | ({"platform": words} if stated else {})

    def index(self, *children: Descriptor, **more: Any) -> Descriptor:
        value = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": list(children)}
        return self.manifest(value, media.OCI_INDEX) | more

    def attestation(self) -> Descriptor:
        made = self.image("attestation", "unknown/unknown")
        return made | {"annotations": ATTESTATION}

    def tag(self, name: str, descriptor: Descriptor) -> None:
        self.tags[name] = descriptor["digest"]

    def answer(self, asked: Asked) -> Answer:
        words = asked.path.partition("?")[0].split("/")
        if len(words) < 5 or words[1] != "v2":
            return Answer(404, b"{}")
        name, kind, which = words[-3], words[-2], words[-1]
        if kind == "blobs":
            found = self.blobs.get(which)
            answer = Answer(404) if found is None else Answer(body=found)
        elif kind == "referrers":
            kinds = self.referrers.get(which)
            listed = {
                "schemaVersion": 2,
                "manifests": [{"artifactType": one} for one in kinds or ()],
            }
            answer = Answer(404) if kinds is None else Answer(body=json.dumps(listed).encode())
        else:
            known = which if which.startswith("sha256-") else name
            digest = which if which.startswith("sha256:") else self.tags.get(known, "")
            raw, media_type = self.manifests.get(digest, (b"", ""))
            answer = Answer(body=raw, headers={"Content-Type": media_type}) if raw else Answer(404)
        habit = self.habits.get(name)
        return habit(asked, answer) if habit else answer


@contextmanager
def running(registry: OddRegistry) -> Iterator[Server]:
    """The registry on the loopback."""
    with answering(registry.answer) as server:
        yield server


def zipped(asked: Asked, answer: Answer) -> Answer:
    """As a proxy does that packs everything, whatever was asked for."""
    return Answer(
        answer.status, gzip.compress(answer.body), answer.headers | {"Content-Encoding": "gzip"}
    )
