"""What `updates apply` would do with the services of Compose projects, and which it leaves.

Docker is a stand-in (`tests/stand_ins/docker`), whose first lines say what it hides.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from installer.cli import main
from installer.compose.found import FoundService, Projects
from installer.updates.applying.services import services_of
from installer.updates.lookup import Update
from installer.updates.review import Judged, Review
from installer.updates.running import Running
from tests.bundles.servers import answering
from tests.installer.updates.docker_here import NEW_DIGEST, OLD, OLD_DIGEST, DockerHere, site_here
from tests.installer.updates.test_hostile_registries import StandIn
from tests.installer.updates.test_in_docker import installed


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerHere:
    return DockerHere(tmp_path, monkeypatch)


def applied(
    site: Path, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:  # fmt: skip
    """The command without a terminal and without --yes: it shows what it would do."""
    with answering(StandIn().answer) as server:
        line = ["updates", "apply", "--site", str(site), "--mirror", f"docker.io={server.url}"]
        code = main([*line, *words])
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


@pytest.mark.processes
def test_what_why_risk_and_owner_are_shown_before_anything_begins(
    docker: DockerHere, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.runs("central-ledger", OLD, "sha256:old", "core-test-harness")
    site = site_here(tmp_path)
    installed(site)
    code, told = applied(site, capsys)
    assert code == 7, told
    # What the record has, and not what others brought up beside it.
    assert "1 service to be changed, 0 left." in told
    assert "Bring service core-test-harness/central-ledger on box to v1.0.2 (update-1)" in told
    assert f"{OLD} becomes mojaloop/central-ledger:v1.0.2, for v1.0.2 is newer" in told
    assert "Owner: the Compose project core-test-harness, by a file beside the vendor's" in told
    assert "its one container is replaced, and what it does rests meanwhile" in told
    assert "it has no health check" in told
    assert "the plan is not confirmed" in told
    assert not [line for line in docker.calls if " up " in line or line.startswith("pull")]


@pytest.mark.processes
def test_a_window_and_approvals_hold_for_compose_too(
    docker: DockerHere, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = site_here(tmp_path)
    text = site.read_text()
    site.write_text(f"{text}updates: {{approvals: 1, approvers: [Ma Ma]}}\n")
    code, told = applied(site, capsys, "--on", "box", "--yes")
    assert (code, "1 must approve plan" in told, "--on box" in told) == (7, True, True)
    # What migrates its data wants a backup although the site asks for none.
    site.write_text(text)
    docker.state["containers"][0]["Args"] = ["-c", "npm run migrate && node ."]
    docker.keep()
    code, told = applied(site, capsys, "--on", "box", "--yes")
    assert code == 7
    assert "a backup verified within 24 hours is wanted, for service hub/ledger on box" in told


@pytest.mark.processes
def test_one_service_is_chosen_and_a_cluster_is_another_thing(
    docker: DockerHere, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    docker.runs("other", OLD, "sha256:old")
    site = site_here(tmp_path)
    code, told = applied(site, capsys, "--on", "box", "--workload", "hub/other")
    assert (code, "1 service to be changed" in told) == (7, True)
    assert "Bring service hub/other on box to v1.0.2" in told
    code, told = applied(site, capsys, "--on", "box", "--workload", "hub/none")
    assert (code, "nothing of hub/none has something newer" in told) == (2, True)
    code, told = applied(site, capsys, "--on", "box", "--through", "box")
    assert (code, "a cluster is named, and a machine" in told) == (2, True)


def test_a_planned_step_can_be_read_again_as_it_is_carried_out(tmp_path: Path) -> None:
    """What a plan keeps of a step is all that the step wants."""
    from bundles.format.reference import parse_reference
    from installer.catalogue.solution import load_solution
    from installer.sites.site import load_site
    from installer.steps.compose_service import ComposeServiceStep
    from installer.updates.applying.services import service_plan
    from installer.updates.in_docker import place_of

    update = Update(parse_reference(OLD), "v1.0.2", newer=True, digest=NEW_DIGEST)
    places = (place_of("box", "hub", "ledger"),)
    review = Review((Judged(Running(OLD, places), update),), (), "here", "minor")
    site = load_site(site_here(tmp_path))
    plan = service_plan(
        services_of(review, {"box": Projects((SERVICE,))}, ()),
        load_solution("core-test-harness"), site, tmp_path, within_minutes=10, origin="here",
    )  # fmt: skip
    ((step,),) = [stage.steps for stage in plan.stages]
    read = ComposeServiceStep.model_validate(
        {"id": step.id, "kind": step.kind, "title": step.title, **step.spec}
    )
    assert (read.image, read.becomes) == (OLD, f"mojaloop/central-ledger:v1.0.2@{NEW_DIGEST}")
    assert read.pinned == f"{OLD}@{OLD_DIGEST}"


SERVICE = FoundService(
    "hub", "ledger", OLD, "sha256:old", OLD_DIGEST, 1, 1, "/srv", ("/srv/docker-compose.yml",)
)


@pytest.mark.parametrize(
    ("service", "machine", "why"),
    [
        ({}, {}, ""),
        ({}, {"compose": False}, "no docker compose"),
        ({}, {"python": False}, "no python3"),
        ({"image_id": ""}, {}, "do not all run the same image"),
        ({"running": 0}, {}, "it does not run now"),
        ({"files": ()}, {}, "do not say which files"),
        ({"image": "mongo:6.0.1"}, {}, "MongoDB does not go from 6.0 to 8.0 but by 7.0"),
    ],
)
def test_what_stands_against_it_is_told(
    service: dict[str, object], machine: dict[str, bool], why: str
) -> None:
    from bundles.format.reference import parse_reference
    from installer.updates.in_docker import place_of

    one = dataclasses.replace(SERVICE, **service)  # type: ignore[arg-type] # by their names
    tag = "8.0.1" if one.image.startswith("mongo") else "v1.0.2"
    update = Update(parse_reference(one.image), tag, newer=True, digest=NEW_DIGEST)
    places = (place_of("box", "hub", "ledger"),)
    review = Review((Judged(Running(one.image, places), update),), (), "here", "minor")
    (found,) = services_of(review, {"box": Projects((one,), **machine)}, ())
    assert found.against.startswith(why) or why in found.against
    assert bool(found.against) == bool(why)


def test_a_database_that_goes_to_its_next_line_is_not_taken_back_blindly() -> None:
    from bundles.format.reference import parse_reference
    from installer.updates.in_docker import place_of

    one = dataclasses.replace(SERVICE, image="mysql:8.0.35")
    update = Update(parse_reference(one.image), "8.4.1", newer=True, digest=NEW_DIGEST)
    places = (place_of("box", "hub", "ledger"),)
    review = Review((Judged(Running(one.image, places), update),), (), "here", "minor")
    (found,) = services_of(review, {"box": Projects((one,))}, ())
    assert (found.against, found.migrates) == ("", "MySQL 8.4")
