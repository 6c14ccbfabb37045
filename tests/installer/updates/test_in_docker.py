"""What runs of Compose projects on a site's machine, by its record and by Docker.

Docker is a stand-in (`tests/stand_ins/docker`), whose first lines say what it hides.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from installer.catalogue.solution import load_solution
from installer.cli import main
from installer.compose.found import LOOK, projects_of
from installer.planning.make import make_plan
from installer.record.identity import site_key
from installer.record.runs import create_run
from installer.sites.site import load_site
from tests.bundles.servers import answering
from tests.installer.updates.docker_here import LABEL, OLD, OLD_DIGEST, DockerHere, site_here
from tests.installer.updates.test_hostile_registries import StandIn

pytestmark = pytest.mark.processes


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerHere:
    return DockerHere(tmp_path, monkeypatch)


def installed(site: Path) -> None:
    """The record of a site whose harness was brought up."""
    read = load_site(site)
    made = create_run(site_key(read), make_plan(load_solution("core-test-harness"), read, ()))
    made.note_begun()


def looked(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    with answering(StandIn().answer) as server:
        line = ["updates", "--format", "json", "--mirror", f"docker.io={server.url}"]
        code = main([*line, *map(str, words)])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else {}, " ".join(told.err.split())


def test_the_harness_is_found_where_the_record_says_that_it_was_brought_up(
    docker: DockerHere, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.runs("central-ledger", OLD, "sha256:old", "core-test-harness")
    site = site_here(tmp_path)
    installed(site)
    code, found, told = looked(capsys, "--site", site)
    assert code == 0, told
    (one,) = found["images"]
    assert (one["image"], one["digest"], one["target"]) == (
        OLD, OLD_DIGEST, "mojaloop/central-ledger:v1.0.2",
    )  # fmt: skip
    places = [(each["namespace"], each["name"]) for each in one["places"]]
    assert places == [("box", "core-test-harness/central-ledger")]


def test_what_the_record_has_and_the_machine_has_not_is_told(
    docker: DockerHere, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_here(tmp_path)
    installed(site)
    code, found, _ = looked(capsys, "--site", site)
    assert code == 3
    assert found["untold"][0] == (
        "box: the record says that the project core-test-harness was brought up there, and none of "
        "its containers is there"
    )
    # What others brought up on the same machine is looked at where that is asked for.
    code, found, _ = looked(capsys, "--site", site, "--on", "box")
    assert (code, found["images"][0]["places"][0]["name"]) == (0, "hub/ledger")


def test_a_docker_that_does_not_answer_is_no_machine_without_projects(
    docker: DockerHere, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.state["silent"] = True
    docker.keep()
    code, _, told = looked(capsys, "--site", site_here(tmp_path), "--on", "box")
    assert code == 2
    assert "Docker does not answer there: Cannot connect to the Docker daemon" in told


def test_what_is_built_there_or_runs_as_two_images_is_told(
    docker: DockerHere, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.runs("page", "hub-page", "sha256:built")
    docker.runs("ledger", OLD, "sha256:other")
    code, found, _ = looked(capsys, "--site", site_here(tmp_path), "--on", "box")
    assert (code, found["images"][0]["digest"]) == (0, None)
    assert found["untold"] == [
        "compose box/hub/ledger: its containers do not all run the same image",
        "compose box/hub/page: its image is built there, so no registry has it",
    ]


@pytest.mark.parametrize(
    ("words", "why"),
    [(("--on", "box"), "which site the machine is of was not said"),
     (("--site", "site.yaml", "--on", "other"), 'the site has no machine "other"')],
)  # fmt: skip
def test_a_machine_that_cannot_be_meant_is_told(
    words: tuple[str, ...], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(site_here(tmp_path).parent)
    code, _, told = looked(capsys, *words)
    assert (code, why in told) == (2, True)


def test_what_docker_says_in_another_form_is_passed_over() -> None:
    text = '@container {"labels": 1}\n@container [\n@image {"id": 1}\n@container {"image": "a"}\nx'
    assert projects_of(text).services == ()


FILES = f"{LABEL}project.config_files"
SAYS = {f"{LABEL}project": "hub", f"{LABEL}service": "web", FILES: "/shared/compose.yaml"}

ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9), st.just("i")),
    lambda inside: st.one_of(
        st.lists(inside, max_size=3),
        st.dictionaries(
            st.sampled_from(["image", "id", "labels", "path", "args", "digests", "status",
                             f"{LABEL}project", f"{LABEL}service", FILES]),
            inside, max_size=6,
        ),
    ),
    max_leaves=20,
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["@container ", "@image ", "@own "]), ANY), max_size=5))
@example([("@image ", {"id": "i", "digests": 1})])
@example([("@container ", {"image": "a", "args": 1, "labels": {**SAYS, "x": 1}})])
def test_whatever_a_machine_says_of_its_projects_is_read(lines: list[tuple[str, Any]]) -> None:
    projects_of("\n".join(f"{word}{json.dumps(said)}" for word, said in lines))


def told_of(labels: dict[str, str], of_image: dict[str, str] | None) -> str:
    container = {"image": "a:1", "id": "i", "labels": labels, "status": "running"}
    return (
        f"@container {json.dumps(container)}\n"
        f"@own {json.dumps({'id': 'i', 'labels': of_image})}\n@compose\n"
    )


def test_what_an_image_says_of_projects_leads_root_to_no_file() -> None:
    """A container has its image's labels: who made that would have root bring up their file."""
    assert projects_of(told_of(SAYS, None)).services[0].files == ("/shared/compose.yaml",)
    assert projects_of(told_of(SAYS, SAYS)).services == ()
    # Beside a label of its own, those of the image lead nowhere either.
    more = {**SAYS, f"{LABEL}config-hash": "1"}
    (service,) = projects_of(told_of(more, SAYS)).services
    assert (service.name, service.files) == ("web", ())
    # What Compose built, or what was made of another's project: its own word counts.
    (service,) = projects_of(told_of(SAYS, {**SAYS, FILES: "/theirs.yaml"})).services
    assert service.files == ("/shared/compose.yaml",)
    # Of an image that cannot be asked all may be its own: it is told, and leads to no file.
    (service,) = projects_of(told_of(SAYS, None).replace("@own", "@else")).services
    assert service.files == ()


def test_a_container_of_such_an_image_is_found_as_no_project(
    docker: DockerHere, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Docker itself tells it, by the script."""
    docker.runs("evil", "evil/app:v1.0.0", "sha256:evil", project="theirs")
    docker.state["images"]["sha256:evil"] = {
        "digests": [], "labels": docker.state["containers"][-1]["Config"]["Labels"],
    }  # fmt: skip
    docker.keep()
    found = subprocess.run(["sh", "-c", LOOK], capture_output=True, text=True, check=True,
                           timeout=60).stdout  # fmt: skip
    assert '"theirs"' in found
    assert [one.project for one in projects_of(found).services] == ["hub"]
