"""Kubernetes for tests, built from the sources that Go's module proxy serves.

One binary is kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy
1.31.14, kwok 0.6.1, and Argo CD's server, controller and repository server 2.14.21; see
go/main.go. Four helper modules of Kubernetes are not served at that version and are those of
1.31.13 (kube-scheduler, kube-controller-manager, endpointslice) and 1.31.11 (kube-proxy): they hold
types of the API and small functions. Built once, some minutes of two processors; kept in the cache
folder under a hash of all that went in.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.lab.host import LabError, run
from tests.lab.recipe import cache_folder, locked

VERSION = "v1.31.14"
"""What the programs call themselves."""

_SOURCE = Path(__file__).parent / "go"
_CACHE = cache_folder()
"""Asked when this is imported, since each test has a home of its own."""

_SECONDS = 3600.0


def missing() -> str | None:
    """Why there can be no Kubernetes here; None where there can."""
    for program, package in (("go", "golang"), ("etcd", "etcd-server")):
        if shutil.which(program) is None:
            return f"{program} is not installed on this machine (package {package})"
    return None


def kubernetes() -> Path:
    """The path of the binary, built if need be: its first argument names the program.

    Beside it lies `pod`, which runs in the pods of the lab.
    """
    folder = _CACHE / f"kubernetes-{_digest()}"
    binary = folder / "kubernetes"
    if not binary.exists():
        with locked(folder):
            if not binary.exists():
                _build(binary)
    return binary


def _digest() -> str:
    digest = hashlib.sha256(run(["go", "version"]).stdout.encode())
    for name in ("go.mod", "go.sum", "main.go", "pod/main.go"):
        digest.update((_SOURCE / name).read_bytes())
    return digest.hexdigest()[:16]


def _build(binary: Path) -> None:
    named = "k8s.io/component-base/version"
    major, minor, _ = VERSION.removeprefix("v").split(".")
    flags = (
        f"-s -w -X {named}.gitVersion={VERSION} -X {named}.gitMajor={major} "
        f"-X {named}.gitMinor={minor}"
    )
    with tempfile.TemporaryDirectory(dir=binary.parent, prefix="building-") as made:
        # The large one is moved last: where it is, all is there.
        for name, package in (("pod", "./pod"), (binary.name, ".")):
            new = Path(made) / name
            _go(["build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", str(new), package])
            new.replace(binary.with_name(name))


def _go(arguments: list[str]) -> None:
    built = subprocess.run(
        ["go", *arguments],
        cwd=_SOURCE,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=_SECONDS,
    )
    if built.returncode != 0:
        raise LabError(f"Kubernetes could not be built: {built.stderr[-2000:]}")
