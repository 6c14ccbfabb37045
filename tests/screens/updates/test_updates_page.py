"""The page of updates: a cluster read, what is newer, why, at what risk, whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from screens.answers.wizard import StepId
from screens.services.services import ClusterWay, ToUpdate
from screens.shell.app import SitewrightApp
from screens.updates.ask_updates import AskUpdatesScreen
from screens.updates.updates import UpdatesScreen
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.bundles.servers import answering
from tests.installer.updates.test_hostile_registries import StandIn
from tests.installer.updates.test_updates import ALL, DEPLOYMENTS, JOBS, workload
from tests.preflight.cluster.fake_api import FakeApi, fake_api
from tests.screens.driving import on_step, shows, until
from tests.screens.plain.test_plain import flat, talk
from tests.screens.recorded import RecordedServices

LEDGER = "mojaloop/central-ledger:v1.0.0"
ONE = "/apis/apps/v1/namespaces/moja/deployments/"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    import json

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    things = [
        workload("ledger", LEDGER, init="mojaloop/wait:v1.0.1"),
        workload("argos", LEDGER, labels={"argocd.argoproj.io/instance": "hub"}),
        workload("calm", "mojaloop/calm:v1.0.2"),
    ]
    for one in things:
        one["metadata"]["uid"] = "1"
    with fake_api(tmp_path) as api:
        api.objects = {path: [] for path in ALL}
        api.objects[DEPLOYMENTS] = things
        api.objects[JOBS] = [workload("once", "mojaloop/once:v1.0.0")]
        for one in things:
            api.answers[ONE + one["metadata"]["name"]] = (200, json.dumps(one).encode())
        yield api


@pytest.fixture
def newer() -> Iterator[str]:
    """A stand-in for a registry, with v1.0.0 to v1.0.2 of any image."""
    with answering(StandIn().answer) as server:
        yield f"docker.io={server.url}"


async def _ask(pilot: Any) -> None:
    await on_step(pilot, StepId.WELCOME)
    pilot.app.screen.query_one("#choices", Board).move_to("updates")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, AskUpdatesScreen))


async def test_what_from_to_why_risk_owner_and_the_command(
    services: RecordedServices, served: FakeApi, newer: str, hermetic: Path
) -> None:
    services.cluster = None
    app: Any = SitewrightApp(services)
    way_in = str(served.way_in())
    async with app.run_test(size=(120, 40)) as pilot:
        await _ask(pilot)
        app.screen.query_one("#kubeconfig", Line).value = way_in
        app.screen.query_one("#newer", Line).value = newer
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, UpdatesScreen))
        await shows(pilot, "3 of 4 images have something newer", "1 workload to be changed, 2 left")
        board = app.screen.query_one("#updates", Board)
        assert board.key == "deployment moja/ledger"
        await pilot.press("enter")
        await shows(
            pilot, f"from {LEDGER}", "to mojaloop/central-ledger:v1.0.2", "v1.0.2 is newer",
            "main has no readiness probe", "owner nobody", "init container wait", "bytes sha256:",
            "apply sitewright updates apply --site SITE.yaml",
        )  # fmt: skip
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, UpdatesScreen))
        item = app.screen._current()
        command = app.screen.command([item])
        assert command == (
            f"sitewright updates apply --site SITE.yaml --kubeconfig {way_in} --mirror {newer} "
            "--workload moja/ledger"
        )
        await pilot.press("y")
        await shows(pilot, "Copied, where the terminal allows it")
        board.move_to("deployment moja/argos")
        await shows(pilot, "it is changed by a commit there")
        board.move_to("image mojaloop/once:v1.0.0")
        await shows(pilot, "what runs it is replaced by what made it")
        every = len(board.rows)
        await pilot.press("f")
        await until(pilot, lambda: 0 < len(board.rows) < every)
        # What changes meanwhile is told at the second look; a silent cluster too.
        served.objects[DEPLOYMENTS].pop(1)
        await pilot.press("r")
        await shows(pilot, "Looked again; changed: deployment moja/argos")
        served.unauthorized = True
        await pilot.press("r")
        await shows(pilot, "fetch a new kubeconfig")
        assert len(board.rows) > 1


async def test_words_that_do_not_go_together_are_told(services: RecordedServices) -> None:
    app: Any = SitewrightApp(services)
    async with app.run_test(size=(80, 24)) as pilot:
        await _ask(pilot)
        app.screen.query_one("#context", Line).value = "lab"
        app.screen.query_one("#machine", Line).value = "m1"
        await pilot.press("f10")
        await shows(pilot, "leave the first two lines empty")
        app.screen.query_one("#context", Line).value = ""
        app.screen.query_one("#strategy", Line).value = "newest"
        await pilot.press("f10")
        await shows(pilot, "is no strategy", "patch, bugfix, minor, major")
        app.screen.query_one("#strategy", Line).value = "Minor"
        await pilot.press("f10")
        # A machine that is on no list is told on the step beneath.
        await until(pilot, lambda: app.memory.updates.strategy == "minor")


def test_the_plain_face_says_the_same(services: RecordedServices) -> None:
    code, said = talk(services, "5\n\n\n\n\nminor\n\n1\nagain\ngo\nq\n")
    words = flat(said)
    assert code == 0
    assert words.count("4 of 8 images have something newer") == 3
    assert "mojaloop/account-lookup-service:v15.4.2" in words
    assert "sitewright updates apply --site SITE.yaml --cluster --strategy minor" in words
    assert "--workload moja/moja-als" in words
    assert "2 up to date" in words


def test_a_bundle_whose_maker_nobody_checked_is_told(hermetic: Path) -> None:
    from screens.services.live_updates import source_of

    assert not source_of(ToUpdate(newer="ghcr.io/mojaloop"))[2]


def test_a_command_finds_the_same_cluster_and_the_same_newer() -> None:
    from screens.services.live_updates import apply_words

    assert apply_words(ToUpdate()) == ["--cluster"]
    through = ToUpdate(ClusterWay(machine="m1"), "major", "~/new.bundle")
    assert apply_words(through) == [
        "--through", "m1", "--bundle", "~/new.bundle", "--strategy", "major",
    ]  # fmt: skip
    named = ToUpdate(ClusterWay("lab", Path("/k")), newer="ghcr.io/mojaloop")
    assert apply_words(named) == [
        "--kubeconfig", "/k", "--cluster", "lab", "--registry", "ghcr.io/mojaloop",
    ]  # fmt: skip
