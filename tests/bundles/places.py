"""The other side of a bundle, for real: registries, and images that are built from nothing."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.format import media
from bundles.serve.certificates import Identity
from tests.foundation.processes import free_port

REGISTRY = shutil.which("docker-registry")
SKOPEO = shutil.which("skopeo")


def need(*programs: str) -> None:
    """Skip the test where a program is missing; in CI that is a failure."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI must have {', '.join(missing)}")
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


@dataclass
class RunningRegistry:
    """Debian's docker-registry on the loopback."""

    process: subprocess.Popen[bytes]
    port: int
    folder: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


def start_registry(
    folder: Path,
    *,
    password_file: Path | None = None,
    proxy: str | None = None,
    identity: Identity | None = None,
    environment: dict[str, str] | None = None,
) -> RunningRegistry:
    """Start docker-registry over a folder, or as a cache of another, and wait for its answer."""
    need("docker-registry")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "delete": {"enabled": True},
        },
        "http": {"addr": f"127.0.0.1:{port}", "secret": "test"},
    }
    if password_file is not None:
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(password_file)}}
    if proxy is not None:
        config["proxy"] = {"remoteurl": proxy}
    if identity is not None:
        (folder / "cert.pem").write_text(identity.certificate)
        (folder / "key.pem").write_text(identity.key.reveal())
        config["http"]["tls"] = {
            "certificate": str(folder / "cert.pem"),
            "key": str(folder / "key.pem"),
        }
    file = folder / f"config-{port}.json"
    file.write_text(json.dumps(config))
    scheme, trusted = ("https", False) if identity else ("http", True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(file)],
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
        )
    deadline = time.monotonic() + 60
    while True:
        try:
            # Whether it answers is all that is asked here.
            httpx.get(
                f"{scheme}://127.0.0.1:{port}/v2/", timeout=5, trust_env=False, verify=trusted
            )
            return RunningRegistry(process, port, folder)
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()) from None
            time.sleep(0.02)


def layer(**files: bytes) -> bytes:
    """A layer of an image: files by name, packed the same way each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), compresslevel=1, mtime=0)


class Layout:
    """An OCI layout that a test fills, for skopeo to push."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._entries: list[dict[str, Any]] = []

    def blob(self, raw: bytes, media_type: str, **more: Any) -> dict[str, Any]:
        name = hashlib.sha256(raw).hexdigest()
        (self.folder / "blobs" / "sha256" / name).write_bytes(raw)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(raw), **more}

    def image(
        self,
        layers: list[bytes],
        architecture: str = "amd64",
        *,
        config: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        diffs = ["sha256:" + hashlib.sha256(gzip.decompress(one)).hexdigest() for one in layers]
        whole = {
            "os": "linux",
            "architecture": architecture,
            "config": {
                "Labels": {"org.opencontainers.image.licenses": "Apache-2.0"},
                **(config or {}),
            },
            "rootfs": {"type": "layers", "diff_ids": diffs},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": media.OCI_MANIFEST,
            "config": self.blob(json.dumps(whole).encode(), media.OCI_CONFIG),
            "layers": [
                self.blob(one, "application/vnd.oci.image.layer.v1.tar+gzip") for one in layers
            ],
        }
        return self.blob(
            json.dumps(manifest).encode(),
            media.OCI_MANIFEST,
            platform={"os": "linux", "architecture": architecture},
        )

    def index(self, children: list[dict[str, Any]]) -> dict[str, Any]:
        value = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": children}
        return self.blob(json.dumps(value).encode(), media.OCI_INDEX)

    def name(self, descriptor: dict[str, Any], tag: str) -> None:
        named = {**descriptor, "annotations": {"org.opencontainers.image.ref.name": tag}}
        self._entries.append(named)
        index = {"schemaVersion": 2, "manifests": self._entries}
        (self.folder / "index.json").write_text(json.dumps(index))

    def push(self, tag: str, target: str, *words: str) -> None:
        need("skopeo")
        skopeo(
            "copy", "--all", "--preserve-digests", "--dest-tls-verify=false", *words,
            f"oci:{self.folder}:{tag}", f"docker://{target}",
        )  # fmt: skip


def skopeo(*words: str) -> str:
    """What skopeo prints; the test fails with its words if it fails."""
    done = subprocess.run(
        ["skopeo", "--insecure-policy", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
