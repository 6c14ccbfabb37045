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
