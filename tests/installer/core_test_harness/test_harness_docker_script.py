"""By which route each system gets Docker, Compose 2 and git: docker.sh with a stand-in for apt.

The routes themselves were gone on real Debian 12, Debian 13 and Ubuntu 24.04 systems; here is the
choice between them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from installer.catalogue.solution import FOLDER, load_solution
from installer.catalogue.stages import Probe
from installer.steps.earlier_undo import of_this_version
from tests.bundles.places import need

TOOLS = "sh sed sort comm mktemp cat rm mkdir head chmod grep sleep id tr cp"

APT_GET = r"""#!/bin/sh
echo "apt-get $*" >> "$PLACE/asked"
case "$*" in
*download*) : > docker-compose_2.deb ;;
*indextargets*) echo "Packages http://mirror.example.org/debian/" ;;
*install*)
    printf '#!/bin/sh\necho Docker\n' > "$PLACE/bin/docker"
    chmod 755 "$PLACE/bin/docker" ;;
esac
"""
APT_CACHE = '#!/bin/sh\necho "docker-compose:"\necho "  Candidate: $CANDIDATE"\n'
DPKG_QUERY = """#!/bin/sh
case "$*" in *docker-ce*) echo "$DOCKER_CE" ;; *) echo "base installed" ;; esac
"""
DOCKER_WITHOUT_COMPOSE = '#!/bin/sh\n[ "$1" != compose ]\n'


def installs(
    place: Path,
    system: str,
    *,
    has: tuple[str, ...] = (),
    candidate: str = "1.29.2-3",
    docker_ce: bool = False,
) -> tuple[str, str]:
    """What the script says that it installs, and all that it asked of apt."""
    need(*TOOLS.split())
    programs = place / "bin"
    programs.mkdir()
    for tool in TOOLS.split():
        (programs / tool).symlink_to(shutil.which(tool) or tool)
    for name, text in {
        "apt-get": APT_GET, "apt-cache": APT_CACHE, "dpkg-query": DPKG_QUERY,
        **{name: "#!/bin/sh\n" for name in has if name != "docker"},
        **({"docker": DOCKER_WITHOUT_COMPOSE} if "docker" in has else {}),
    }.items():  # fmt: skip
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    name, _, version = system.partition(" ")
    (place / "os-release").write_text(
        f'ID={name}\nVERSION_ID="{version}"\nPRETTY_NAME="{system}"\n'
    )
    script = (load_solution("core-test-harness").folder / "scripts/docker.sh").read_text()
    script = script.replace("/etc/os-release", str(place / "os-release"))
    script = script.replace("/var/lib/sitewright", str(place / "state"))
    done = subprocess.run(
        ["sh", "-euc", script], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": str(programs), "PLACE": str(place), "CANDIDATE": candidate,
             "DOCKER_CE": "installed" if docker_ce else ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    said = next((x for x in done.stdout.splitlines() if x.startswith("Installing: ")), "")
    return said.removeprefix("Installing: "), (place / "asked").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="it installs as root only")
@pytest.mark.parametrize(
    ("system", "packages"),
    [
        ("debian 13", "git docker.io docker-cli docker-compose"),
        ("ubuntu 24.04", "git docker.io docker-compose-v2"),
        ("debian 12", "git docker.io"),
    ],
)
def test_each_system_has_its_own_names(tmp_path: Path, system: str, packages: str) -> None:
    said, asked = installs(tmp_path, system)
    assert said == packages
    # Debian 12 has Compose 1 only: Compose 2 comes from Debian 13, by lists of its own.
    assert ("download docker-compose" in asked) is (system == "debian 12")


@pytest.mark.skipif(os.geteuid() != 0, reason="it installs as root only")
def test_a_bundle_brings_compose_2_to_debian_12_under_its_own_name(tmp_path: Path) -> None:
    said, asked = installs(tmp_path, "debian 12", candidate="2.26.1-4")
    assert said == "git docker.io docker-compose"
    assert "download" not in asked


@pytest.mark.skipif(os.geteuid() != 0, reason="it installs as root only")
@pytest.mark.parametrize("system", ["debian 12", "debian 13", "ubuntu 24.04"])
def test_docker_s_own_packages_get_docker_s_own_compose(tmp_path: Path, system: str) -> None:
    """Debian's Compose refuses to stand beside docker-ce."""
    said, asked = installs(tmp_path, system, has=("git", "docker", "dockerd"), docker_ce=True)
    assert said == "docker-compose-plugin"
    assert "download" not in asked


def test_a_run_of_an_earlier_version_is_taken_back_by_no_script_of_the_machine() -> None:
    earlier = Probe(
        script="sh /var/lib/sitewright/core-test-harness/undo-docker.sh", timeout_seconds=300
    )
    now = of_this_version(earlier)
    assert "undo-docker.sh" not in now.script.replace("rm -f /var/lib", "").split("list=")[0]
    assert "apt-get remove" in now.script
    assert "Docker does not answer" in now.script
    assert of_this_version(now) is now
    other = Probe(script="sh /elsewhere/undo-docker.sh")
    assert of_this_version(other) is other


@pytest.mark.skipif(os.geteuid() != 0, reason="it installs as root only")
def test_what_an_earlier_version_left_to_be_run_is_taken_away(tmp_path: Path) -> None:
    left = tmp_path / "state/core-test-harness/undo-docker.sh"
    left.parent.mkdir(parents=True)
    left.write_text("echo of an earlier version\n")
    installs(tmp_path, "debian 13")
    assert not left.exists()


def test_no_stage_runs_a_script_that_lies_on_a_machine() -> None:
    """Its words come with the plan, which a person reviewed."""
    begins = re.compile(r"(?:\bsh|\bbash|\bsource|^\s*\.)\s+[\"']?(?:\$state|/var/lib/sitewright)")
    wrong = [
        f"{path.name}: {line.strip()}"
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in (".yaml", ".yml", ".sh")
        for line in path.read_text("utf-8").splitlines()
        if begins.search(line)
    ]
    assert wrong == []
