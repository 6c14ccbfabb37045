"""A bundle with one of everything, served for real on the loopback."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.format.layout import Item
from bundles.serve import Served, serve_bundle
from bundles.serve.events import ServeEvent
from tests.bundles.conftest import Keys
from tests.bundles.debs import build_deb
from tests.bundles.made import Made
from tests.bundles.places import layer
from tests.foundation.processes import PATIENCE


@dataclass
class Running:
    """A bundle that is served, and what was told of it so far."""

    served: Served
    ca: Path
    events: list[ServeEvent] = field(default_factory=list)

    @property
    def client(self) -> httpx.Client:
        import ssl

        context = ssl.create_default_context(cafile=str(self.ca))
        return httpx.Client(base_url=self.served.base, verify=context, trust_env=False, timeout=20)


@contextmanager
def serving_bundle(
    bundle: Path, folder: Path, *, address: str = "127.0.0.1", **options: Any
) -> Iterator[Running]:
    """Serve in an event loop of its own thread, until the block ends."""
    ready = threading.Event()
    state: dict[str, Any] = {}
    events: list[ServeEvent] = []

    async def serve() -> None:
        state["end"] = asyncio.Event()
        state["loop"] = asyncio.get_running_loop()
        try:
            async with serve_bundle(bundle, address, 0, tell=events.append, **options) as served:
                state["served"] = served
                ready.set()
                await state["end"].wait()
        except BaseException as error:
            state["error"] = error
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        if "error" in state:
            raise state["error"]
        served: Served = state["served"]
        ca = folder / "ca.crt"
        ca.write_text(served.ca)
        yield Running(served, ca, events)
    finally:
        if "error" not in state:
            state["loop"].call_soon_threadsafe(state["end"].set)
        thread.join(PATIENCE)
        assert not thread.is_alive()


@dataclass
class Everything:
    """A bundle with one of everything."""

    folder: Path
    made: Made
    image: Item
    repository: Path


@pytest.fixture(scope="session")
def everything(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Everything:
    """A signed bundle with one of everything; not to be changed."""
    root = tmp_path_factory.mktemp("everything")
    made = Made(root / "bundle")
    image = made.image("docker.io/library/app:1.0", layer(one=b"1" * 5000), layer(two=b"2" * 9))
    made.image_index("docker.io/library/app:1.0", image, absent=2)
    made.image("quay.io/library/app:1.0", layer(other=b"quay"))
    made.image("quay.io/team/tool:v2")
    made.image("registry.example.org:5000/own/thing:3")
    (root / "debs").mkdir()
    for name, version, packing, depends in (
        ("sw-front", "1:2.8-1", "zstd", "sw-middle (>= 1.0)"),
        ("sw-middle", "1.5", "xz", ""),
    ):
        file = build_deb(root / "debs", name, version, packing=packing, depends=depends)
        made.deb(file, name, version)
    made.chart("web", "0.3.1+b1")
    made.wheel("outer", "1.2", "inner>=1")
    made.wheel("inner", "1.2")
    repository = root / "repository"
    subprocess.run(["git", "init", "-q", "-b", "main", str(repository)], check=True)
    for number in range(3):
        (repository / "file").write_text(f"{number}\n")
        subprocess.run(["git", "-C", str(repository), "add", "."], check=True)
        subprocess.run(
            ["git", "-C", str(repository), "-c", "user.name=T", "-c", "user.email=t@example.org",
             "commit", "-q", "-m", f"c{number}"],
            check=True,
        )  # fmt: skip
    made.git("environments", repository)
    made.artifact("file", "kubectl", ("kubectl", b"x" * 3_000_000), version="1.31")
    made.artifact("snap", "core", ("core_1.snap", b"snap"), ("core_1.assert", b"type: x"))
    return Everything(made.write(keys.key), made, image, repository)


@pytest.fixture(scope="session")
def running(
    everything: Everything, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """The bundle with one of everything, served."""
    folder = tmp_path_factory.mktemp("served")
    with serving_bundle(everything.folder, folder, signers=keys.signers) as served:
        yield served
