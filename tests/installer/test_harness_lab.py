"""The Core Test Harness on a lab machine: real Docker Engine, Compose, registry and Git.

The project has the release's shape and stand-in programs; see harness_project. One machine serves
the whole module, cleared before each test.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.installer.harness_project import Harness, prepare, site_text
from tests.lab.lab import Lab
from tests.lab.recipe import DOCKER

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def harness(lab: Lab) -> Iterator[Harness]:
    """A machine with Docker, the images in a registry on it, and the release in its Git server."""
    machine = lab.machine("box", recipe=DOCKER)
    yield prepare(machine)
    lab.discard(machine)


@dataclass
class Site:
    """The harness as a site, and the command run on it."""

    lab: Lab
    harness: Harness
    folder: Path

    @property
    def file(self) -> Path:
        """The site file."""
        return self.folder / "site.yaml"

    def write(self, settings: str = "") -> None:
        """Write the site file with further settings."""
        self.file.write_text(site_text(self.lab, self.harness.machine, self.harness, settings))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `sitewright` on the site, without a terminal."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            **{f"XDG_{name}_HOME": str(self.folder / name) for name in ("DATA", "STATE", "CONFIG")},
        }
        return subprocess.run(
            [sys.executable, "-m", "installer", *words, "--site", str(self.file)],
            cwd=ROOT, stdin=subprocess.DEVNULL, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def install(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """Install; the exit code and the events."""
        done = self.command("install", "--yes", "--by", "A. Tester", "--json-lines", *words)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert events, done.stderr
        return done.returncode, events

    @property
    def run(self) -> Path:
        """The folder of the last run."""
        told = json.loads(self.command("status", "--format", "json").stdout)
        return Path(told[0]["folder"])


@pytest.fixture
def site(lab: Lab, harness: Harness, tmp_path: Path) -> Site:
    """The site, on a machine on which nothing of it is left."""
    harness.clear()
    made = Site(lab, harness, tmp_path)
    made.write()
    return made


def of(events: list[dict[str, Any]], kind: str, step: str = "") -> list[dict[str, Any]]:
    """The data of the events of a kind, of a step or of all."""
    return [e["data"] for e in events if e["kind"] == kind and step in ("", e["step"])]


def outcomes(events: list[dict[str, Any]]) -> dict[str, str]:
    """How each step ended, by stage/step."""
    return {
        f"{e['stage']}/{e['step']}": e["data"]["outcome"]
        for e in events
        if e["kind"] == "step.finished"
    }


def problem(events: list[dict[str, Any]]) -> dict[str, str]:
    """The one problem that ended a run."""
    (told,) = of(events, "problem")
    return told


def test_from_nothing_to_a_passed_report_and_found_done_again(site: Site) -> None:
    status, events = site.install()
    assert status == 0, events[-3:]
    assert set(outcomes(events).values()) <= {"done", "already"}
    (checked,) = of(events, "step.finished", "project")
    assert "13 services from 10 images, 6 of them without a health check" in checked["sentence"]
    # Progress by image, each service's own log, and how many services stand.
    pulled = {line["unit"] for line in of(events, "line", "images")}
    assert {"mongo:8.0.6", "mojaloop/central-ledger:v19.4.4"} <= pulled
    assert of(events, "step.progress", "images")[-1]["done"] == 10
    lines = of(events, "line", "services")
    assert {"text": "central-ledger is ready", "unit": "central-ledger"} in [
        {"text": line["text"], "unit": line["unit"]} for line in lines
    ]
    assert of(events, "step.progress", "services")[-1]["text"].startswith("11 of 11 services")
    (tests,) = of(events, "step.finished", "tests")
    assert tests["sentence"].startswith("Passed percentage 100.00%; it ended with 0.")
    report = site.run / "reports" / "ttk-func-tests-report.html"
    assert report.read_text() == "<html>ttk-tests 27 of 27</html>\n"
    assert str(report) in tests["sentence"]

    status, events = site.install()
    assert status == 0
    assert {step for step, how in outcomes(events).items() if how == "done"} == {
        # What only looks, and what tells how it is now.
        *("check/project", "provision/provisioning", "verify/services", "verify/tests"),
    }
    verified = site.command("verify", "--json-lines")
    assert verified.returncode == 0, verified.stdout[-2000:]
