"""A bundle with real Debian packages and an image made from nothing."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bundles.format.recipe import Recipe
from bundles.make.create import CreateOptions, create_bundle
from bundles.read.signature import load_signing_key
from bundles.sources.snap_store import StoreAddress
from tests.bundles.places import Layout, RunningRegistry, layer, need
from tests.lab.recipe import FULL, mirror

IMAGE = "docker.io/example/web:1.0"
COMPOSE = f"""\
version: "3"
services:
  web:
    image: {IMAGE.removeprefix("docker.io/")}
    command: ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"]
    network_mode: host
"""


def busybox_layer(page: str) -> bytes:
    """A layer with this machine's busybox, the libraries it needs, and one page."""
    need("busybox", "ldd")
    program = shutil.which("busybox") or ""
    found = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    libraries = re.findall(r"(/[^\s]+)", found)
    files = {"bin/busybox": Path(program), **{name.lstrip("/"): Path(name) for name in libraries}}
    contents = {name: path.read_bytes() for name, path in files.items()}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in {**contents, "www/index.html": page.encode()}.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), compresslevel=1, mtime=0)


def push_image(registry: RunningRegistry, folder: Path, *pages: str) -> None:
    """An image of several layers under the path of `IMAGE`, in a registry on the loopback."""
    layout = Layout(folder)
    more = [layer(**{"www/more": page.encode()}) for page in pages[1:]]
    image = layout.image([busybox_layer(pages[0]), *more])
    layout.name(image, "web")
    layout.push("web", f"{registry.host}/example/web:1.0")


def file_line(folder: Path, name: str, content: bytes) -> dict[str, Any]:
    """A line of a recipe for a file that lies in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    return {"name": name, "url": (folder / name).as_uri(), "sha256": sha256}


def debian_line(*packages: str, release: str = FULL.suite) -> dict[str, Any]:
    """A line of a recipe for packages of the release that lab machines have, from their mirror.

    `release` is what a machine says that it is, where it says something else.
    """
    return {
        "release": release,
        "sources": [{"url": mirror() or "", "suites": [FULL.suite]}],
        "packages": list(packages),
    }


def make_bundle(
    folder: Path,
    registry: RunningRegistry | None,
    key: Path,
    solution: str = "test",
    snap_store: StoreAddress | None = None,
    **lines: Any,
) -> Path:
    """A signed bundle; images of docker.io come from the registry."""
    recipe = Recipe.model_validate({"solution": solution, "version": "1", **lines})
    host = registry.host if registry else ""
    options = CreateOptions(
        key=load_signing_key(key),
        mirrors={"docker.io": [host]} if host else {},
        plain_http=frozenset([host]),
    )
    if snap_store is not None:
        options = replace(options, snap_store=snap_store)
    asyncio.run(create_bundle(recipe, folder, options))
    return folder
