"""What removes asks Docker first, and an answer that did not come is never a no.

The scripts are run for real; `docker` and `apt-get` are stand-ins that say what the real ones say.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from installer.catalogue.solution import load_solution
from installer.compose.scripts import REMOVE_PULLED
from installer.steps.compose_down import _DOWN

NOTED = '#!/bin/sh\necho "${0##*/} $*" >> "$PLACE/calls"\n'
DOCKER = """\
#!/bin/sh
# STAND-IN for docker: answers as the test says, and writes down what was asked.
echo "docker $*" >> "$PLACE/calls"
case "$1" in
ps) if [ -n "$SILENT" ]; then echo "Cannot connect to the Docker daemon" >&2; exit 1; fi
    cat "$PLACE/ps" ;;
image) case "$5" in
    gone) echo "Error response from daemon: No such image: gone" >&2; exit 1 ;;
    unclear) echo "Error response from daemon: i/o timeout" >&2; exit 1 ;;
    esac; echo "id-$5" ;;
esac
"""


def with_docker(
    folder: Path, script: str, *arguments: str, silent: bool = False
) -> tuple[str, str]:
    """What a script says and what it asks of Docker and of apt."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, text in (("docker", DOCKER), ("apt-get", NOTED)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (folder / "ps").touch()
    (folder / "calls").write_text("")
    done = subprocess.run(
        ["sh", "-c", script, "sh", *arguments],
        env={"PATH": f"{programs}:{os.environ['PATH']}", "PLACE": str(folder),
             "SILENT": "yes" if silent else "", "SITEWRIGHT_STATE": str(folder)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout, (folder / "calls").read_text()


def test_docker_is_not_removed_while_it_does_not_answer(tmp_path: Path) -> None:
    """A stopped engine has containers all the same."""
    stage = load_solution("core-test-harness").folder / "stages/10-docker.yaml"
    (step,) = yaml.safe_load(stage.read_text())["stage"]["steps"]
    undo = step["undo"]["script"]
    undo = undo.replace("/var/lib/sitewright/core-test-harness", str(tmp_path))
    (tmp_path / "packages").write_text("docker.io\n")
    said, asked = with_docker(tmp_path, undo, silent=True)
    assert "cannot be told; nothing is removed" in " ".join(said.split())
    assert "apt-get" not in asked
    (tmp_path / "ps").write_text("abc\n")
    said, asked = with_docker(tmp_path, undo)
    assert "Docker has containers" in said
    assert "apt-get" not in asked
    (tmp_path / "ps").write_text("")
    said, asked = with_docker(tmp_path, undo)
    assert "apt-get remove -y -qq -o Dpkg::Use-Pty=0 docker.io" in asked
    assert not (tmp_path / "packages").exists()


def harness_script(place: str, tmp_path: Path) -> str:
    """A script of the harness that removes files, as it would be for a folder of the test."""
    whole = yaml.safe_load((load_solution("core-test-harness").folder / place).read_text())
    (step,) = [
        one for one in next(iter(whole.values()))["steps"] if one["id"] in ("fetch", "files")
    ]
    text = step["undo"]["script"] if "undo" in step else step["script"]
    folder = str(tmp_path / "harness")
    return str(text).replace("{{ folder }}", folder).replace("{{ release }}", "v1")


@pytest.mark.parametrize("place", ["stages/20-release.yaml", "operations/remove-with-data.yaml"])
def test_files_that_containers_may_use_are_kept(place: str, tmp_path: Path) -> None:
    """A database reads its configuration from there, also after its next start."""
    script = harness_script(place, tmp_path)
    file = tmp_path / "harness/v1/docker-compose.yml"
    file.parent.mkdir(parents=True)
    file.touch()
    said, asked = with_docker(tmp_path, script, silent=True)
    assert "cannot be told" in said
    assert f"label=com.docker.compose.project.working_dir={file.parent}" in asked
    (tmp_path / "ps").write_text("abc\n")
    said, _ = with_docker(tmp_path, script)
    assert "Containers" in said
    assert file.exists()
    (tmp_path / "ps").write_text("")
    with_docker(tmp_path, script)
    assert not (tmp_path / "harness").exists()


def test_volumes_that_cannot_be_asked_for_are_kept(tmp_path: Path) -> None:
    """`docker ps` says nothing: the project is not taken down, and no volume goes."""
    said, asked = with_docker(tmp_path, _DOWN, "harness", "down", silent=True)
    assert "Cannot connect" in said
    assert "compose --project" not in asked
    assert "volume rm" not in asked
    _, asked = with_docker(tmp_path, _DOWN, "harness", "down", "--remove-orphans")
    assert "compose --project-name harness down --remove-orphans" in asked
    assert "--volumes" not in asked


def test_images_whose_users_cannot_be_told_are_kept(tmp_path: Path) -> None:
    """And stay written down, so that they are removed another time."""
    (tmp_path / "images").mkdir()
    list_ = tmp_path / "images/harness"
    lines = ["id-free free", "id-gone gone", "id-unclear unclear", "other taken"]
    list_.write_text("\n".join(lines) + "\n")
    said, asked = with_docker(tmp_path, REMOVE_PULLED, "harness", silent=True)
    assert "docker rmi" not in asked
    assert "@kept free ?" in said
    assert list_.read_text().split("\n") == ["id-free free", "id-unclear unclear", ""]
    said, asked = with_docker(tmp_path, REMOVE_PULLED, "harness")
    assert "@removed free" in said
    assert list_.read_text() == "id-unclear unclear\n"
