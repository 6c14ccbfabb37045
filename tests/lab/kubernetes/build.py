"""Kubernetes for tests, built from the sources that Go's module proxy serves.

One binary is kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kube-proxy
1.31.14, kwok 0.6.1, and all programs of Argo CD 2.14.21; see go/main.go. CoreDNS 1.14.3 is a module
of its own (go/coredns), since its libraries are younger. Four helper modules of Kubernetes are not
served at that version and are those of 1.31.13 (kube-scheduler, kube-controller-manager,
endpointslice) and 1.31.11 (kube-proxy): they hold types of the API and small functions. Built once,
some minutes of two processors; kept in the cache folder under a hash of all that went in.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from tests.lab import go

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
    return go.built("kubernetes", _SOURCE, "kubernetes", _build)


def _build(binary: Path) -> None:
    named = "k8s.io/component-base/version"
    major, minor, _ = VERSION.removeprefix("v").split(".")
    flags = (
        f"-X {named}.gitVersion={VERSION} -X {named}.gitMajor={major} "
        f"-X {named}.gitMinor={minor} -X github.com/argoproj/argo-cd/v2/common.version={ARGO_CD}"
    )
    with tempfile.TemporaryDirectory(dir=binary.parent, prefix="building-") as made:
        asked = ["mod", "download", "-json", "github.com/argoproj/argo-cd/v2"]
        found = json.loads(go.go("Kubernetes", _SOURCE, asked))
        for path, name in _ARGO_CD_FILES.items():
            shutil.copyfile(Path(found["Dir"]) / path, binary.with_name(name))
        # The large one is moved last: where it is, all is there.
        for name, package in (("pod", "pod"), ("coredns", "coredns"), (binary.name, "")):
            new = Path(made) / name
            go.build_one("Kubernetes", _SOURCE / package, flags, new)
            new.replace(binary.with_name(name))


def argo_cd_manifest() -> str:
    """Argo CD's own installation manifest, from the sources that its programs were built of."""
    return kubernetes().with_name("argocd-install.yaml").read_text()
