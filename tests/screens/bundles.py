"""A bundle for the screens to look at: real, small, and always the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bundles.format.lock import Gathered, make_lock
from bundles.format.recipe import Recipe
from bundles.format.untold import Untold
from tests.bundles.made import MOMENT, Made


def small_bundle(
    folder: Path,
    *,
    solution: str = "tiny",
    key: Path | None = None,
    untold: Sequence[Untold] = (),
) -> Path:
    """A bundle of the tiny solution with some of each kind; `untold` stands in its lock."""
    made = Made(folder, solution=solution, environment="single-box")
    for name, tag in (("haproxy", "2.8.10"), ("mojaloop/central-ledger", "v19.6.0")):
        made.image(f"docker.io/{'library/' if '/' not in name else ''}{name}:{tag}")
    made.image("quay.io/cephcsi/cephcsi:v3.11.0")
    made.chart("velero", "7.2.1")
    made.artifact("file", "kubectl", ("kubectl", b"k" * 2_400_000), version="1.31.4")
    made.artifact("snap", "microk8s", ("microk8s.snap", b"s" * 900_000), version="v1.31.3")
    made.wheel("ansible-core", "2.18.1")
    if untold:
        line = Gathered(f"sha256:{1:064x}", (), tuple(untold))
        lock = make_lock(Recipe(solution=solution, version="1.0"), "single-box", MOMENT, [line])
        made.artifact("record", "bundle.lock", ("bundle.lock", lock.as_bytes()))
    return made.write(key)


RECIPE = """\
solution: tiny
version: "1.0"
images:
  - docker.io/library/haproxy:2.8.10
  - docker.io/mojaloop/central-ledger:v19.6.0
  - docker.io/mojaloop/ml-api-adapter:v16.5.0
charts: [{name: velero, repository: https://charts.example.org, version: 7.2.1, images: false}]
files:
  - name: kubectl
    url: https://files.example.org/kubectl
    sha256: aa0000000000000000000000000000000000000000000000000000000000000a
"""
"""What the tiny solution needs, of which the small bundle lacks one image."""
