"""Kubernetes for tests, built from the sources that Go's module proxy serves.

One binary is kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy
1.31.14, kwok 0.6.1, and all programs of Argo CD 2.14.21; see go/main.go. CoreDNS 1.14.3 is a module
of its own (go/coredns), since its libraries are younger. Four helper modules of Kubernetes are not
served at that version and are those of 1.31.13 (kube-scheduler, kube-controller-manager,
endpointslice) and 1.31.11 (kube-proxy): they hold types of the API and small functions. Built once,
some minutes of two processors; kept in the cache folder under a hash of all that went in.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.lab.host import LabError, run
from tests.lab.recipe import cache_folder, locked

VERSION = "v1.31.14"
"""What the programs call themselves."""
ARGO_CD = "v2.14.21"
"""Argo CD's version, as in go/go.mod."""

_ARGO_CD_FILES = {
    "manifests/install.yaml": "argocd-install.yaml",
    "hack/gpg-wrapper.sh": "gpg-wrapper.sh",
    "hack/git-verify-wrapper.sh": "git-verify-wrapper.sh",
}
"""What of Argo CD's sources is kept beside its programs, and under which name."""

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

    Beside it lie `pod`, which runs in the pods of the lab, and `coredns`.
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
    for path in sorted(_SOURCE.rglob("*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(binary: Path) -> None:
    named = "k8s.io/component-base/version"
    major, minor, _ = VERSION.removeprefix("v").split(".")
    flags = (
        f"-s -w -X {named}.gitVersion={VERSION} -X {named}.gitMajor={major} "
        f"-X {named}.gitMinor={minor} -X github.com/argoproj/argo-cd/v2/common.version={ARGO_CD}"
    )
    with tempfile.TemporaryDirectory(dir=binary.parent, prefix="building-") as made:
        found = json.loads(
            _go(_SOURCE, ["mod", "download", "-json", "github.com/argoproj/argo-cd/v2"])
        )
        for path, name in _ARGO_CD_FILES.items():
            shutil.copyfile(Path(found["Dir"]) / path, binary.with_name(name))
        # The large one is moved last: where it is, all is there.
        for name, package in (("pod", "pod"), ("coredns", "coredns"), (binary.name, "")):
            new = Path(made) / name
            words = ["build", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o", str(new), "."]
            _go(_SOURCE / package, words)
            new.replace(binary.with_name(name))


def argo_cd_manifest() -> str:
    """Argo CD's own installation manifest, from the sources that its programs were built of."""
    return kubernetes().with_name("argocd-install.yaml").read_text()


def _go(folder: Path, arguments: list[str]) -> str:
    built = subprocess.run(
        ["go", *arguments],
        cwd=folder,
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
    return built.stdout
