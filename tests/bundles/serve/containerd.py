"""A containerd of a test's own: its state in a folder, nothing of this machine's touched."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bundles.places import need
from tests.foundation.processes import PATIENCE

Ctr = Callable[..., str]


@contextmanager
def running_containerd(folder: Path) -> Iterator[Ctr]:
    """Start containerd without its Kubernetes part; what is given runs `ctr`, its socket set."""
    need("containerd", "ctr")
    if os.geteuid():
        pytest.skip("containerd needs root")
    folder.mkdir(parents=True)
    # The socket's path must be short.
    socket = Path(f"/tmp/sw-ctr-{os.getpid()}.sock")
    config = folder / "config.toml"
    config.write_text(
        f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{socket}"\n[ttrpc]\naddress = "{socket}.ttrpc"\n'
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(["containerd", "-c", str(config)], stdout=log, stderr=log)

    def ctr(*words: str, fails: bool = False) -> str:
        done = subprocess.run(
            ["ctr", "--address", str(socket), *words], capture_output=True, text=True, check=False
        )
        assert bool(done.returncode) == fails, done.stderr
        return done.stderr if fails else done.stdout

    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            ready = subprocess.run(
                ["ctr", "--address", str(socket), "version"], capture_output=True, check=False
            )
            if not ready.returncode:
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text())
        yield ctr
    finally:
        process.terminate()
        process.wait(PATIENCE)
        for path in (socket, Path(f"{socket}.ttrpc")):
            path.unlink(missing_ok=True)
