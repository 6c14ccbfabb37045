"""`sitewright` typed on the site file of a hub's machine in the lab, and what it said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.lab.kubernetes.given import Given
from tests.lab.machine import Machine

ROOT = Path(__file__).parent.parent.parent


@dataclass
class OnSite:
    """The machine, what it is given, and the command run on its site."""

    machine: Machine
    given: Given
    folder: Path
    namespace: ClassVar[str]
    """The hub's."""
    environment: ClassVar[Mapping[str, str]] = {}
    """What the command finds in its environment besides."""

    @property
    def file(self) -> Path:
        """The site file."""
        return self.folder / "site.yaml"

    @property
    def home(self) -> Path:
        """The home of whoever types: one for all, so that the machine has one record."""
        return self.folder / "home"

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start `sitewright` on the site, without a terminal."""
        return subprocess.Popen(
            [sys.executable, "-m", "installer", *words, "--site", str(self.file)],
            cwd=ROOT,
            env={
                **{name: value for name, value in os.environ.items() if name[:4] != "XDG_"},
                "PYTHONPATH": str(ROOT),
                "HOME": str(self.home),
                **self.environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `sitewright` on the site to its end."""
        running = self.begin(*words)
        try:
            output, said = running.communicate(timeout=900)
        except subprocess.TimeoutExpired:
            running.kill()
            raise
        return subprocess.CompletedProcess(running.args, running.returncode, output, said)

    def does(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """A command that changes something; the exit code and the events."""
        done = self.command(*words, "--yes", "--by", "A. Tester", "--json-lines")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert events, done.stderr
        return done.returncode, events

    def kubectl(self, *words: str) -> str:
        """Ask the cluster."""
        return self.machine.exec(["microk8s", "kubectl", "-n", self.namespace, *words]).stdout


def of(events: list[dict[str, Any]], kind: str, step: str = "") -> list[dict[str, Any]]:
    """The data of the events of a kind, of a step or of all."""
    return [e["data"] for e in events if e["kind"] == kind and step in ("", e["step"])]
