"""Images for pods, made from nothing: an archive as `docker save` writes it, with one program.

Nothing can be pulled in a test. What a pod runs is `pod` (see go/pod/main.go) under whatever name
the test gives the image.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.foundation.processes import PATIENCE

POD = "localhost/lab/pod:1"
"""The image that every node has: the pause of each pod too."""
NOTHING: Mapping[str, Any] = {}


def ready_by(path: str, port: int) -> dict[str, Any]:
    """A readiness probe by HTTP for a busy machine: a late answer is no bad one."""
    asks = {"httpGet": {"path": path, "port": port}, "periodSeconds": 1}
    return {**asks, "timeoutSeconds": int(PATIENCE)}


def archive(program: Path, *names: str, more: Mapping[str, Any] = NOTHING) -> bytes:
    """An archive of one image that has all these names; its entry point is the program.

    `more` goes over its configuration.

    In the image it lies at the root, under its own name.
    """
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for folder in ("etc", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        _add(tar, "etc/passwd", f"root:x:0:0:root:/:/{program.name}\n".encode(), 0o644)
        _add(tar, program.name, program.read_bytes(), 0o755)
    return packed(layer.getvalue(), *names, entry_point=f"/{program.name}", more=more)


def packed(layer: bytes, *names: str, entry_point: str, more: Mapping[str, Any] = NOTHING) -> bytes:
    """An archive of one image that has all these names and this one layer."""
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": [entry_point], "Env": ["PATH=/usr/bin:/bin:/"], **more},
        "rootfs": {
            "type": "layers",
            "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"],
        },
    }
    text = json.dumps(config).encode()
    place = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest = [{"Config": place, "RepoTags": list(names), "Layers": ["layer.tar"]}]
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        _add(tar, "layer.tar", layer, 0o644)
        _add(tar, place, text, 0o644)
        _add(tar, "manifest.json", json.dumps(manifest).encode(), 0o644)
    return whole.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
