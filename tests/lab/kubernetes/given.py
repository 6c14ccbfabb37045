"""What a machine without the internet is given of a hub: its images, and a repository of charts."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.kubernetes import served
from tests.lab.lab import Lab

PYTHON = "/usr/bin/python3"
_DYNLOAD = ("usr", "usr/lib", "usr/lib/python3.11", "usr/lib/python3.11/lib-dynload")
"""Without the last Python looks for where it lies, and says so."""


@dataclass
class Given:
    """What a machine without the internet is given."""

    registry: served.Registry
    charts: str
    """The address of the repository."""


def pods_layer(registry: served.Registry, program: Path, names: Iterable[str]) -> Path:
    """The layer of every image: a program in Python under each of its names, and what it needs."""
    return served.layer(
        registry.folder / "hub.tar",
        programs=[PYTHON],
        files={**{f"/bin/{name}": program.read_bytes() for name in names}, **_library()},
        folders=_DYNLOAD,
    )


def _library() -> dict[str, Path | bytes]:
    """The standard library of this machine's own Python, without what a pod never needs."""
    asked = "import sysconfig; print(sysconfig.get_path('stdlib'))"
    folder = Path(
        subprocess.run([PYTHON, "-I", "-c", asked], check=True, capture_output=True, text=True)
        .stdout.strip()
    )  # fmt: skip
    without = {"test", "idlelib", "lib2to3", "tkinter", "ensurepip", "pydoc_data", "__pycache__",
               "dist-packages", "site-packages", "distutils", "unittest"}  # fmt: skip
    return {
        str(path): path
        for path in folder.rglob("*.py")
        if without.isdisjoint(path.relative_to(folder).parts)
    }


@contextmanager
def given_out(
    lab: Lab,
    folder: Path,
    write_charts: Callable[[Path], object],
    add_images: Callable[[served.Registry], object],
) -> Iterator[Given]:
    """A registry with every image and a repository of the charts, at an address of this machine."""
    address = str(lab.subnet.network_address + 1)
    place = folder / "charts"
    place.mkdir()
    write_charts(place)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words: object) -> None:
            super().__init__(*words, directory=str(place))  # type: ignore[arg-type]  # as http.server calls it

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with served.registry(address) as registry:
            add_images(registry)
            yield Given(registry, f"http://{address}:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        shutil.rmtree(place, ignore_errors=True)
