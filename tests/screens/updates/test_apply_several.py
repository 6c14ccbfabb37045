"""Several lines of the page chosen and applied together; what Git owns, by its commit.

All beneath the screens is real but the cluster, Docker and the registry: see cluster_here and
tests/stand_ins.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installer.running.shared import ENVIRONMENT
from screens.answers.wizard import StepId
from screens.dialogs.ask_file import FileScreen, FolderScreen
from screens.services.cluster_way import look_for_updates
from screens.services.services import ToUpdate
from screens.shell.app import SitewrightApp
from screens.updates.apply_update import ApplyUpdateScreen
from screens.updates.ask_updates import AskUpdatesScreen
from screens.updates.commit_update import CommitUpdateScreen
from screens.updates.review_update import BeginUpdateScreen, ReviewUpdateScreen
from screens.updates.updates import UpdatesScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.bundles.servers import answering
from tests.installer.updates.docker_here import OLD, DockerHere, site_here
from tests.installer.updates.test_hostile_registries import StandIn
from tests.installer.updates.test_updates import DEPLOYMENTS, workload
from tests.screens.driving import on_step, shows, until
from tests.screens.plain.test_plain import flat, talk
from tests.screens.updates.cluster_here import ClusterHere, HereServices, cluster_here
from tests.screens.updates.test_apply_update import runs

pytestmark = pytest.mark.processes
DIGEST = StandIn().digest("v1.0.2")
NEW = f"mojaloop/central-ledger:v1.0.2@{DIGEST}"


@pytest.fixture
def docker(
    tmp_path: Path, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[DockerHere, ToUpdate]]:
    """Two services of a project on this computer, each with something newer, and how to ask."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    here = DockerHere(tmp_path, monkeypatch)
    # What runs as a job finds a PATH of its own.
    mine = {"PATH": os.environ["PATH"], "SITEWRIGHT_STATE": str(tmp_path / "state")}
    found = dict(ENVIRONMENT) | mine
    monkeypatch.setattr("installer.running.context.ENVIRONMENT", tuple(found.items()))
    services = "".join(f"  {name}:\n    image: {OLD}\n" for name in ("adapter", "ledger"))
    here.file("docker-compose.yml", f"services:\n{services}")
    here.state["registry"] = {DIGEST: "sha256:new"}
    here.runs("adapter", OLD, "sha256:old")
    with answering(StandIn().answer) as registry:
        yield here, ToUpdate(newer=f"docker.io={registry.url}", on=("local",))


def images(docker: DockerHere) -> dict[str, str]:
    """What each service runs."""
    label = "com.docker.compose.service"
    return {
        one["Config"]["Labels"][label]: one["Config"]["Image"] for one in docker.now()["containers"]
    }


async def to_list(pilot: Any, asked: ToUpdate, *words: str) -> None:
    """To the page of what is newer."""
    app = pilot.app
    await on_step(pilot, StepId.WELCOME)
    seen = await look_for_updates(asked, app.answers, app.access(), app.services)
    app.push_screen(UpdatesScreen(seen))
    await until(pilot, lambda: isinstance(app.screen, UpdatesScreen))
    await shows(pilot, *words)


async def choose(pilot: Any, *keys: str) -> None:
    """Mark these lines."""
    board = pilot.app.screen.query_one("#updates", Board)
    for key in keys:
        board.move_to(key)
        await pilot.press("space")


async def to_review(pilot: Any, site: Path) -> None:
    app = pilot.app
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, FileScreen))
    app.screen.query_one("#name", Line).value = str(site)
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(app.screen, ReviewUpdateScreen))


async def carried(pilot: Any) -> None:
    """Confirmed by name, and seen to its end."""
    app = pilot.app
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(app.screen, BeginUpdateScreen))
    app.screen.query_one("#by", Line).value = "Ma Ma"
    await pilot.press("f10")
    await until(pilot, lambda: isinstance(app.screen, ApplyUpdateScreen))
    screen = app.screen
    await until(pilot, lambda: not screen.running)


async def test_services_of_compose_are_chosen_and_brought_there_one_after_another(
    docker: tuple[DockerHere, ToUpdate], tmp_path: Path
) -> None:
    here, asked = docker
    app: Any = SitewrightApp(HereServices(cluster=None))
    async with app.run_test(size=(120, 40)) as pilot:
        await to_list(pilot, asked, "2 services to be changed", "hub/adapter on", "Compose hub")
        (adapter, ledger) = [one.key for one in app.screen.items if one.chosen]
        await choose(pilot, adapter, ledger, ledger, ledger)
        await shows(pilot, "2 are chosen", "+newer")
        command = app.screen.command(app.screen._chosen())
        assert command.count("--workload") == 2
        assert "--cluster" not in command
        await to_review(pilot, site_here(tmp_path))
        await shows(
            pilot, "service hub/adapter on box", "service hub/ledger on box", f"from {OLD}",
            "owner the Compose project hub", "the next begins only when the one before stands",
        )  # fmt: skip
        assert set(images(here).values()) == {OLD}
        await carried(pilot)
        await shows(pilot, "Updated: service hub/adapter")
        (run,) = runs()
        assert [one.title for one in run.plan().stages] == [
            "Bring service hub/adapter on box to v1.0.2",
            "Bring service hub/ledger on box to v1.0.2",
        ]
        assert images(here) == {"adapter": NEW, "ledger": NEW}
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, UpdatesScreen))
        await shows(pilot, "Looked again", "None of 1 image has something newer")
        assert not app.screen.marked


async def test_the_first_that_does_not_stand_ends_it(
    docker: tuple[DockerHere, ToUpdate], tmp_path: Path
) -> None:
    here, asked = docker
    here.state["registry_images"]["sha256:new"]["behaves"] = "crashes"
    here.keep()
    app: Any = SitewrightApp(HereServices(cluster=None))
    async with app.run_test(size=(80, 24)) as pilot:
        await to_list(pilot, asked, "2 services to be changed")
        await choose(pilot, *[one.key for one in app.screen.items if one.chosen])
        await to_review(pilot, site_here(tmp_path))
        await carried(pilot)
        await shows(pilot, "Not updated")
    (run,) = runs()
    ends = {key[0]: one.outcome for key, one in run.state().steps.items()}
    assert (ends["update-1"], ends.get("update-2")) == ("failed", None)
    assert images(here) == {"adapter": OLD, "ledger": OLD}


def test_the_plain_face_applies_several_of_compose(
    docker: tuple[DockerHere, ToUpdate], tmp_path: Path
) -> None:
    here, asked = docker
    site = str(site_here(tmp_path))
    # On Welcome the updates; Compose on this computer; the strategy, the place; the words.
    lines = ["5", "local", "", asked.newer, "apply 3", "apply 1, 2", site, "begin", "Thiri", "go"]
    code, said = talk(HereServices(cluster=None), "".join(f"{one}\n" for one in (*lines, "q")))
    words = flat(said)
    assert code == 0
    assert '"apply 3" is none of the answers' in words
    assert "what: service hub/adapter on box" in words
    assert "Updated: service hub/adapter" in words
    assert images(here) == {"adapter": NEW, "ledger": NEW}


# ---- what Argo CD owns


@pytest.fixture
def argo(
    tmp_path: Path, hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[ClusterHere, Path]]:
    """A deployment of nobody's, one of an Argo CD application, and the clone of its repository."""
    import json

    folder, clone = tmp_path / "cluster", tmp_path / "clone"
    folder.mkdir()
    clone.mkdir()
    (clone / "hub.yaml").write_text(f"image: {OLD}\n")
    for words in (
        ("init", "-q", "-b", "main"), ("config", "user.name", "Ma Ma"),
        ("config", "user.email", "ma@example.org"), ("add", "-A"), ("commit", "-q", "-m", "x"),
    ):  # fmt: skip
        git(clone, *words)
    with cluster_here(folder, monkeypatch) as here:
        monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin")
        owned = workload("hub", OLD, labels={"argocd.argoproj.io/instance": "hub"})
        owned["metadata"]["uid"] = "u2"
        here.api.objects[DEPLOYMENTS].append(owned)
        place = "/apis/apps/v1/namespaces/moja/deployments/hub"
        here.api.answers[place] = (200, json.dumps(owned).encode())
        yield here, clone


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return done.stdout


async def test_what_git_owns_is_committed_on_a_branch_and_nothing_is_changed(
    argo: tuple[ClusterHere, Path],
) -> None:
    here, clone = argo
    app: Any = SitewrightApp(HereServices(cluster=None))
    async with app.run_test(size=(120, 40)) as pilot:
        await to_list(pilot, here.asked, "moja/hub", "Argo CD hub")
        await choose(pilot, "deployment moja/ledger", "deployment moja/hub")
        await pilot.press("a")
        await shows(pilot, "choose one kind at a time")
        await choose(pilot, "deployment moja/ledger")
        command = app.screen.command(app.screen._chosen())
        assert command.endswith("--workload moja/hub --repository FOLDER --branch NAME")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, FolderScreen))
        app.screen.query_one("#name", Line).value = str(clone)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, CommitUpdateScreen))
        await shows(pilot, f"-image: {OLD}", f"+image: {NEW}", "Nothing is pushed")
        app.screen.query_one("#branch", Line).value = "main"
        await pilot.press("f10")
        await shows(pilot, "has a branch main already")
        app.screen.query_one("#branch", Line).value = "newer"
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, UpdatesScreen))
        await shows(pilot, "It is committed on newer, and nothing was pushed")
    assert git(clone, "show", "newer:hub.yaml") == f"image: {NEW}\n"
    assert git(clone, "show", "main:hub.yaml") == f"image: {OLD}\n"
    assert here.now["patches"] == 0


def test_the_plain_face_commits_too(argo: tuple[ClusterHere, Path]) -> None:
    here, clone = argo
    kubeconfig = str(here.asked.way.kubeconfig)
    lines = ["5", "", "", kubeconfig, "", "", here.mirror, "apply 1 2", "2",
             "apply 2", str(clone), "", "apply 2", str(clone), "newer", "go", "q"]  # fmt: skip
    code, said = talk(HereServices(cluster=None), "".join(f"{one}\n" for one in lines))
    words = flat(said)
    assert code == 0, words
    assert "choose one kind at a time" in words
    assert "--workload moja/hub --repository FOLDER --branch NAME" in words
    assert "Nothing was committed." in words
    assert "It is committed on newer, and nothing was pushed" in words
    assert git(clone, "show", "newer:hub.yaml") == f"image: {NEW}\n"


async def test_a_cluster_and_machines_are_not_asked_at_once() -> None:
    app: Any = SitewrightApp(HereServices(cluster=None))
    async with app.run_test(size=(60, 18)) as pilot:
        await on_step(pilot, StepId.WELCOME)
        app.push_screen(AskUpdatesScreen(ToUpdate()))
        await until(pilot, lambda: isinstance(app.screen, AskUpdatesScreen))
        app.screen.query_one("#context", Line).value = "lab"
        app.screen.query_one("#on", Line).value = "box, box2 box"
        await pilot.press("f10")
        await shows(pilot, "or a cluster: leave the other lines empty")
        asked: list[ToUpdate | None] = []
        app.screen.query_one("#context", Line).value = ""
        app.screen._result_callback = None
        app.pop_screen()
        app.push_screen(AskUpdatesScreen(ToUpdate(on=("box", "box2"))), asked.append)
        await until(pilot, lambda: isinstance(app.screen, AskUpdatesScreen))
        await pilot.press("f10")
        await until(pilot, lambda: bool(asked))
        assert asked[0] is not None
        assert asked[0].on == ("box", "box2")
