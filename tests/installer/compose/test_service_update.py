"""A Compose service brought to another image: by which file, when it is taken back, when left.

Docker is a stand-in (`tests/stand_ins/docker`), whose first lines say what it hides: that a health
check is run, how long anything takes, traffic.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from installer.steps.on_machine import compose_service
from installer.steps.on_machine.compose_files import HEAD, variable_of, with_image, with_variable
from tests.installer.updates.docker_here import NEW, OLD, OLD_DIGEST, DockerHere

BACK, CHANGED, REFUSED, LEFT = 12, 10, 11, 14
VENDOR = f"services:\n  ledger:\n    image: {OLD}\n"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerHere:
    monkeypatch.setenv("SITEWRIGHT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(compose_service, "EVERY", 0.001)
    monkeypatch.setattr(compose_service, "PATIENCE", 0.0)
    return DockerHere(tmp_path, monkeypatch)


def ended(docker: DockerHere, **more: Any) -> int:
    """The program's exit status."""
    order = {
        "project": "hub", "directory": str(docker.project),
        "files": [str(docker.project / "docker-compose.yml")], "env_files": [], "profiles": None,
        "service": "ledger", "before": OLD, "after": NEW, "former": "sha256:old",
        "pinned": f"{OLD}@{OLD_DIGEST}", "containers": 1, "seconds": 5, "settle": 0,
        "unhealthy": 0, "migrates": "", **more,
    }  # fmt: skip
    return compose_service.main([json.dumps(order)])


def runs(docker: DockerHere) -> tuple[str, str]:
    """The image that runs: its name, and the machine's own name of it."""
    (one,) = docker.now()["containers"]
    return one["Config"]["Image"], one["Image"]


def behaves(docker: DockerHere, how: str, **more: Any) -> None:
    docker.state["registry_images"]["sha256:new"]["behaves"] = how
    docker.state |= more
    docker.keep()


@pytest.mark.processes
def test_an_override_beside_the_vendors_file_brings_one_service_by_its_digest(
    docker: DockerHere,
) -> None:
    assert ended(docker) == 0
    assert runs(docker) == (NEW, "sha256:new")
    assert (docker.project / "docker-compose.yml").read_text() == VENDOR
    override = docker.project / "docker-compose.override.yml"
    assert f'  ledger:\n    image: "{NEW}"\n' in override.read_text()
    pulls = [line for line in docker.calls if line.startswith("pull")]
    assert pulls == [f"pull --quiet {NEW}"]
    (up,) = [line for line in docker.calls if " up " in line]
    assert up.endswith("up --detach --no-deps --no-build --pull never ledger")
    assert sorted(path.name for path in docker.project.iterdir()) == [
        "docker-compose.override.yml", "docker-compose.yml",
    ]  # fmt: skip
    # A person takes it back later.
    assert ended(docker, back=True) == 0
    assert runs(docker) == (OLD, "sha256:old")
    assert not override.exists()


@pytest.mark.processes
def test_a_second_service_of_the_project_goes_by_the_same_override(docker: DockerHere) -> None:
    """Its containers do not name the file, which came after them."""
    vendor = f"{VENDOR}  adapter:\n    image: {OLD}\n"
    docker.file("docker-compose.yml", vendor)
    docker.runs("adapter", OLD, "sha256:old")
    assert ended(docker) == 0
    override = docker.project / "docker-compose.override.yml"
    first = override.read_text()
    # One that does not stand is taken back, and what the other one runs stays said.
    docker.state = docker.now()
    docker.state["images"]["sha256:new"]["behaves"] = "exits"
    docker.keep()
    assert ended(docker, service="adapter") == BACK
    assert override.read_text() == first
    docker.state = docker.now()
    docker.state["images"]["sha256:new"]["behaves"] = "healthy"
    docker.keep()
    assert ended(docker, service="adapter") == 0
    assert {one["Config"]["Image"] for one in docker.now()["containers"]} == {NEW}
    assert override.read_text().count(NEW) == 2
    assert ended(docker, service="adapter", back=True) == 0
    assert override.read_text() == first


@pytest.mark.processes
@pytest.mark.parametrize(
    "more",
    ["  adapter: {environment: {A: b}}\n", "  other: {image: x}\nvolumes: {db: {}}\n"],
    ids=["of-this-service", "of-all"],
)
def test_an_override_that_changes_more_is_not_taken_up(docker: DockerHere, more: str) -> None:
    docker.file("docker-compose.yml", f"{VENDOR}  adapter:\n    image: {OLD}\n")
    docker.runs("adapter", OLD, "sha256:old")
    docker.file("docker-compose.override.yml", f"{HEAD}services:\n{more}")
    assert ended(docker, service="adapter") == REFUSED


@pytest.mark.processes
@pytest.mark.parametrize(
    ("how", "why"),
    [("exits", "hub-ledger-1: it ended with 3"),
     ("crashes", "it ends again and again, last with 3"),
     ("unhealthy", "its health check says no"),
     ("refused", "driver failed programming ledger")],
)  # fmt: skip
def test_what_does_not_stand_is_taken_back_to_the_very_image_that_ran(
    docker: DockerHere, capsys: pytest.CaptureFixture[str], how: str, why: str
) -> None:
    # As the Core Test Harness has it: an override that was there before, in braces.
    text = 'services:\n  # ours\n  ledger: {volumes: ["db:/var/lib"]}\nvolumes: {db: {}}\n'
    override = docker.file("docker-compose.sitewright.yml", text)
    override.chmod(0o640)
    files = [str(docker.project / "docker-compose.yml"), str(override)]
    behaves(docker, how)
    assert ended(docker, files=files) == BACK
    told = capsys.readouterr().out
    assert why in told
    assert "its former image is back, to the byte, and it stands" in told
    assert runs(docker) == (OLD, "sha256:old")
    assert (override.read_text(), override.stat().st_mode & 0o777) == (text, 0o640)
    if how != "refused":
        assert "ledger: hub-ledger-1: cannot open the database" in told


@pytest.mark.processes
def test_a_tag_that_moved_meanwhile_is_put_back_by_the_former_digest(docker: DockerHere) -> None:
    docker.state["images"]["sha256:moved"] = {"digests": []}
    behaves(docker, "exits", names={OLD: "sha256:moved"})
    assert ended(docker) == BACK
    assert runs(docker) == (f"{OLD}@{OLD_DIGEST}", "sha256:old")


@pytest.mark.processes
def test_the_env_file_that_an_image_is_named_by_is_changed_and_nothing_besides(
    docker: DockerHere,
) -> None:
    vendor = "services:\n  ledger:\n    image: mojaloop/central-ledger:${LEDGER:-v0}\n"
    docker.file("docker-compose.yml", vendor)
    env = docker.file(".env", "# versions\nLEDGER=v1.0.0\nPASSWORD=x\n")
    assert ended(docker) == 0
    tag = NEW.removeprefix("mojaloop/central-ledger:")
    assert env.read_text() == f"# versions\nLEDGER={tag}\nPASSWORD=x\n"
    assert (docker.project / "docker-compose.yml").read_text() == vendor
    (kept,) = (docker.folder.parent / "state/updates").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.processes
def test_what_may_have_changed_its_data_is_not_taken_back_blindly(
    docker: DockerHere, capsys: pytest.CaptureFixture[str]
) -> None:
    behaves(docker, "exits")
    assert ended(docker, migrates="a migration") == LEFT
    assert "so the former image is not put back" in capsys.readouterr().out
    assert runs(docker) == (NEW, "sha256:new")


@pytest.mark.processes
def test_what_somebody_else_changed_meanwhile_is_left(
    docker: DockerHere, capsys: pytest.CaptureFixture[str]
) -> None:
    override = docker.file("docker-compose.override.yml", "services: {}\n")
    path = str(override)
    files = [str(docker.project / "docker-compose.yml"), path]
    override.write_text("services:\n  other: {image: x}\n")
    behaves(docker, "exits", after_up=f"pathlib.Path({path!r}).write_text('services: {{}}')")
    assert ended(docker, files=files) == LEFT
    assert f"somebody else changed {path} meanwhile" in capsys.readouterr().out
    assert override.read_text() == "services: {}"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("more", "status", "why"),
    [({"former": "sha256:another"}, CHANGED, "its containers changed since the list was made"),
     ({"after": NEW.replace("2" * 64, "3" * 64)}, REFUSED, "cannot be had"),
     ({"before": "mojaloop/central-ledger:v0.9.0"}, CHANGED, "its files say"),
     ({"vendor": "hub.yml"}, REFUSED, "no file beside the vendor's is read by Compose")],
)  # fmt: skip
def test_nothing_is_changed_where_it_cannot_be_done(
    docker: DockerHere, capsys: pytest.CaptureFixture[str], more: Any, status: int, why: str
) -> None:
    if vendor := more.pop("vendor", ""):
        more = {"files": [str(docker.file(vendor, VENDOR))]}
    before = sorted((path.name, path.read_bytes()) for path in docker.project.iterdir())
    assert ended(docker, **more) == status
    told = capsys.readouterr().out
    assert (why in told, "nothing was" in told) == (True, True)
    assert sorted((path.name, path.read_bytes()) for path in docker.project.iterdir()) == before
    assert not [line for line in docker.calls if " up " in line]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", 'services:\n  a:\n    image: "n"\n'),
        ("services:\n    b: {}\n", 'services:\n    a:\n      image: "n"\n    b: {}\n'),
        ("services:\n  a:\n    image: o # why\n    x: 1\n",
         'services:\n  a:\n    image: "n" # why\n    x: 1\n'),
        ("services:\n  'a':\n    build:\n      image: no\n",
         'services:\n  \'a\':\n    image: "n"\n    build:\n      image: no\n'),
        ("services:\n  a: {image: o, x: 1}\n", 'services:\n  a: {image: "n", x: 1}\n'),
        ("name: x\nservices:\n  a: {x: 1}", 'name: x\nservices:\n  a: {image: "n", x: 1}\n'),
    ],
)  # fmt: skip
def test_an_override_says_another_image_and_all_else_as_before(text: str, wanted: str) -> None:
    assert with_image(text, "a", "n") == wanted


def test_a_variable_counts_where_it_names_this_image_and_nothing_else() -> None:
    def project(image: str, other: str = "x") -> dict[str, Any]:
        return {"services": {"a": {"image": image}, "b": {"image": other}}}

    assert variable_of(project("m/a:${TAG}"), "a", "m/a:2") == ("TAG", "m/a:")
    assert variable_of(project("m/a:${TAG:-v1}"), "a", "m/a:2") == ("TAG", "m/a:")
    assert variable_of(project("m/a:$TAG"), "a", "m/a:2") == ("TAG", "m/a:")
    for image, other in (("m/a:${TAG}", "m/b:${TAG}"), ("${R}/a:${TAG}", ""), ("m/a:${T}-x", "")):
        assert variable_of(project(image, other), "a", "m/a:2") is None
    assert with_variable("A=1\nexport TAG = v1\n", "TAG", "v2") == "A=1\nexport TAG =v2\n"
