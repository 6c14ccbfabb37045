"""The Core Test Harness's start: all that Sitewright adds to `docker compose up`.

One lab machine with Docker, a project of the harness's shape, its images present. The bare side is
`docker compose up --detach` on the machine itself and a loop that waits until every container is
healthy. Sitewright's side is the whole process: login, preflight, the check of Docker, release,
project and images, the start with every service's log, and the same wait. Both sides begin with no
container, interleaved.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.installer.harness_project import Harness, prepare, site_text
from tests.lab.lab import Lab
from tests.lab.recipe import DOCKER

ROOT = Path(__file__).parent.parent

_BARE = """\
cd {folder}
docker compose --project-name core-test-harness --file docker-compose.yml \\
    --file docker-compose.sitewright.yml --profile all-services up --detach >/dev/null 2>&1
date +%s.%N
form='{{{{if .State.Health}}}}{{{{.State.Health.Status}}}}{{{{end}}}}'
while docker inspect --format "$form" $(docker ps -q) | grep -q starting; do sleep 0.1; done
date +%s.%N
"""


def sitewright(folder: Path, *words: str) -> float:
    """Run the command and return its seconds."""
    names = ("DATA", "STATE", "CONFIG")
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "installer", *words, "--site", str(folder / "site.yaml")],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env={**os.environ, **{f"XDG_{name}_HOME": str(folder / name) for name in names}},
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr)
    return time.perf_counter() - began


def bare(harness: Harness) -> tuple[float, float]:
    """`docker compose up` on the machine: seconds until it came back, and until all is healthy."""
    began = time.time()  # the machine's clock is this one's
    up, healthy = harness.machine.script(_BARE.format(folder=harness.folder)).split()
    return float(up) - began, float(healthy) - began


def main() -> None:
    """Measure and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    install = ("install", "--yes", "--quiet", "--until", "start")
    # As installed: the modules' bytecode is there from the second start on.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with Lab() as lab, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        harness = prepare(lab.machine("box", recipe=DOCKER))
        (folder / "site.yaml").write_text(site_text(lab, harness.machine, harness))
        print(f"from nothing, images from a registry: {sitewright(folder, *install):.1f} s")
        ups, healths, ours, agains = [], [], [], []
        for _ in range(rounds):
            sitewright(folder, "remove", "--yes", "--quiet")
            up, healthy = bare(harness)
            ups.append(up)
            healths.append(healthy)
            sitewright(folder, "remove", "--yes", "--quiet")
            ours.append(sitewright(folder, *install))
            agains.append(sitewright(folder, *install))
    for what, figures in (
        ("docker compose up --detach", ups),
        ("docker compose up, until all is healthy", healths),
        ("sitewright install, until all is healthy", ours),
        ("sitewright install, all found done", agains),
    ):
        print(f"{what:<44} {statistics.median(figures):6.2f} s")
    added = [mine - theirs for mine, theirs in zip(ours, healths, strict=True)]
    spread = f"({min(added):.2f} to {max(added):.2f})"
    middle = statistics.median(added)
    print(f"{'what Sitewright adds, median of the pairs':<44} {middle:6.2f} s {spread}")
    print(f"load over the last minute: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
