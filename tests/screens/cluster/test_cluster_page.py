"""The page of a cluster: named, looked at, the earliest failure first, again, and in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from preflight.cluster import support
from preflight.cluster.recorded import load_cluster_facts
from screens.answers.wizard import StepId
from screens.cluster.ask_way import WayScreen
from screens.cluster.cluster import ClusterScreen
from screens.dialogs.ask_programs import ProgramsScreen
from screens.dialogs.export import ExportScreen
from screens.services.live import LiveServices
from screens.shell.app import SitewrightApp
from screens.widgets.board import Board
from screens.widgets.field import Line
from tests.preflight.cluster import fake_api as fake
from tests.preflight.cluster.fake_api import FakeApi
from tests.screens.driving import on_step, shows, until
from tests.screens.plain.test_plain import flat, talk
from tests.screens.recorded import UNWELL, RecordedServices


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    with fake.fake_api(tmp_path) as api:
        minor = support.minor_of(api.version)
        assert minor is not None
        monkeypatch.setitem(support.ENDS, minor, date.max)
        yield api


@pytest.fixture
def asking(services: RecordedServices) -> RecordedServices:
    """Services that ask the cluster that is named."""
    services.cluster = None
    return services


async def _ask(pilot: Any) -> None:
    await on_step(pilot, StepId.WELCOME)
    pilot.app.screen.query_one("#choices", Board).move_to("cluster")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, WayScreen))


async def test_what_fails_first_stands_under_the_cursor_until_it_is_mended(
    asking: RecordedServices, served: FakeApi, hermetic: Path
) -> None:
    served.objects[fake.NODES].append(fake.node("n4", ready="False"))
    classes, served.objects[fake.CLASSES] = served.objects[fake.CLASSES], []
    app: Any = SitewrightApp(asking)
    async with app.run_test(size=(120, 40)) as pilot:
        await _ask(pilot)
        app.screen.query_one("#kubeconfig", Line).value = str(served.way_in(days=300))
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ClusterScreen))
        await shows(
            pilot, "lab, https://", "Not ready", "Begin with nodes: The node n4 is NotReady"
        )
        board = app.screen.query_one("#findings", Board)
        assert str(board.key).startswith("nodes.ready\0n4")
        await shows(pilot, "kubectl describe node n4")
        # The layers stand in their order, whatever weighs more.
        layers = [row.cells[0].text for row in board.rows if row.heading]
        assert layers == ["API", "nodes", "network", "storage", "admission", "workloads"]
        # Every layer is there, and with f what is to be mended alone.
        every = len(app.screen.shown)
        await pilot.press("f")
        await shows(pilot, "Only what is to mend")
        assert 0 < len(app.screen.shown) < every
        await pilot.press("f")
        served.objects[fake.NODES].pop()
        served.objects[fake.CLASSES] = classes
        await pilot.press("r")
        await shows(pilot, "Ready: this cluster has what is asked", "Every layer is well")
        await shows(pilot, "are gone")
        served.unauthorized = True
        await pilot.press("r")
        await shows(pilot, "Incomplete", "fetch a new kubeconfig")
        await pilot.press("escape")
        # What was typed stands there again.
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WayScreen))
        assert app.screen.query_one("#kubeconfig", Line).value.endswith("kubeconfig")


async def test_it_is_written_and_what_was_seen_is_opened_again(
    services: RecordedServices, hermetic: Path
) -> None:
    app: Any = SitewrightApp(services)
    kept = hermetic / "kept.json"
    async with app.run_test(size=(80, 24)) as pilot:
        await _ask(pilot)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ClusterScreen))
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ExportScreen))
        assert app.screen.query_one("#name", Line).value == "cluster-lab-report.txt"
        app.screen.query_one("#kinds", Board).move_to("facts")
        await pilot.pause()
        app.screen.query_one("#name", Line).value = str(kept)
        await pilot.press("f10")
        await shows(pilot, "Written:")
        assert kept.stat().st_mode & 0o777 == 0o600
        assert load_cluster_facts(kept).name == "lab"
        await pilot.press("escape")
        app.screen.query_one("#choices", Board).move_to("open")
        await pilot.pause()
        app.screen.query_one("#file", Line).value = str(kept)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ClusterScreen))
        await pilot.press("r")
        await shows(pilot, "there is no cluster to look at again")


async def test_lines_that_do_not_go_together_and_wrong_names_are_told(
    asking: RecordedServices, served: FakeApi, hermetic: Path
) -> None:
    app: Any = SitewrightApp(asking)
    way_in = str(served.way_in(days=300))
    async with app.run_test(size=(80, 24)) as pilot:
        await _ask(pilot)
        app.screen.query_one("#kubeconfig", Line).value = way_in
        app.screen.query_one("#machine", Line).value = "m1"
        await pilot.press("f10")
        await shows(pilot, "leave the other two lines empty")
        app.screen.query_one("#machine", Line).value = ""
        app.screen.query_one("#context", Line).value = "lob"
        await pilot.press("f10")
        await shows(pilot, 'did you mean "lab"')
        assert not served.asked


async def test_a_program_of_a_kubeconfig_is_shown_before_it_is_started(
    asking: RecordedServices, served: FakeApi, hermetic: Path
) -> None:
    way_in = _with_program(served, hermetic / "answer.json")
    app: Any = SitewrightApp(asking)
    async with app.run_test(size=(80, 24)) as pilot:
        await _ask(pilot)
        app.screen.query_one("#kubeconfig", Line).value = str(way_in)
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ProgramsScreen))
        await shows(pilot, "May the kubeconfig start this program", "answer.json")
        await pilot.press("n")
        await shows(pilot, "the cluster is not looked at")
        assert not served.asked
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, WayScreen))
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ProgramsScreen))
        app.screen._opened = 0.0  # read long enough
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, ClusterScreen))
        await shows(pilot, "Ready")


async def test_through_this_machine_its_own_kubectl_is_asked(
    hermetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real services, to their end: a machine that has none says so in the finding."""
    monkeypatch.setattr("foundation.clusters.machine.CANDIDATES", ())
    app: Any = SitewrightApp(LiveServices())
    async with app.run_test(size=(80, 24)) as pilot:
        await _ask(pilot)
        app.screen.query_one("#machine", Line).value = "local"
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(app.screen, ClusterScreen))
        await shows(pilot, "neither microk8s, k3s, RKE2 nor kubectl")


def test_the_plain_face_says_the_same_and_writes_it(
    services: RecordedServices, hermetic: Path
) -> None:
    code, said = talk(services, "4\n\n\n\n2\nagain\nfacts\nseen.json\ngo\n2\nseen.json\ngo\nq\n")
    words = flat(said)
    assert code == 0
    assert words.count("Begin with nodes: The node n4 is NotReady") == 5
    assert "kubectl describe node n4" in words
    assert load_cluster_facts(hermetic / "seen.json") == load_cluster_facts(UNWELL)
    assert "Looking at the facts in" in words


def _with_program(served: FakeApi, answer: Path) -> Path:
    """A kubeconfig whose credentials a program tells, as those of clouds do."""
    way_in = served.way_in(days=300)
    admin = served.authority.issue("by-program", "admin")
    told = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {
            "clientCertificateData": Path(admin.certificate).read_text(),
            "clientKeyData": Path(admin.key).read_text(),
        },
    }
    answer.write_text(json.dumps(told))
    document = _document(way_in)
    document["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "cat",
            "args": [str(answer)],
            "interactiveMode": "Never",
        }
    }
    way_in.write_text(json.dumps(document))
    return way_in


def _document(way_in: Path) -> dict[str, Any]:
    import yaml

    found: dict[str, Any] = yaml.safe_load(way_in.read_text())
    return found
