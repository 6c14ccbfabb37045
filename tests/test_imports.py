"""What is loaded when: a fresh process is asked which modules it holds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "textual", "rich", "asyncssh", "paramiko", "pydantic", "yaml", "httpx", "psutil", "aiohttp",
    "uvloop",
}  # fmt: skip


def loaded(statement: str) -> set[str]:
    """The top-level modules in a fresh interpreter after a statement."""
    told = "import json, sys; print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}\n{told}"], capture_output=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_front_door_is_light() -> None:
    """Starting the command loads nothing heavy, so `--version` and usage errors are instant."""
    assert not HEAVY & loaded("import installer.cli")


@pytest.mark.parametrize(
    "module",
    [
        "foundation.problems",
        "foundation.secrets",
        "foundation.paths",
        "foundation.hosts.model",
        "preflight.facts",
    ],
)
def test_plain_values_need_no_library(module: str) -> None:
    """The modules of plain values load none of the libraries."""
    assert not HEAVY & loaded(f"import {module}")


def test_preflight_never_loads_the_screens() -> None:
    """A preflight from the command line has no use for Textual, paramiko or httpx."""
    modules = loaded(
        "import installer.commands.preflight, installer.catalogue.solution, "
        "preflight.judge, preflight.report"
    )
    assert not {"textual", "rich", "paramiko", "httpx"} & modules


_PAINTED = """
import os, sys
from screens.services.live import LiveServices
from screens.shell.app import SitewrightApp

class Wizard(SitewrightApp):
    def _display(self, screen, renderable):
        super()._display(screen, renderable)
        if type(screen).__name__ == "WelcomeScreen":
            print(*sorted({name.partition(".")[0] for name in sys.modules}), flush=True)
            os._exit(0)

Wizard(LiveServices()).run(headless=True, size=(80, 24))
"""
"""The wizard up to its first paint, which then says what it has loaded."""


@pytest.mark.processes
@pytest.mark.screens
def test_what_reads_records_and_machines_is_loaded_after_the_first_paint() -> None:
    told = subprocess.run(
        [sys.executable, "-c", _PAINTED], capture_output=True, text=True, check=True
    )
    there = set(told.stdout.split())
    assert "textual" in there
    assert not there & {"asyncssh", "pydantic", "yaml", "httpx", "jinja2"}
