"""The recipes for pipelines: every command is understood, and the script cleans up whatever fails.

`sitewright` is a STAND-IN here that notes how it was called; the commands themselves are run for
real by the harness's test in the lab. GitHub and GitLab are not: their files are read as YAML.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from installer.cli import build_parser

pytestmark = pytest.mark.processes

DOCS = Path(__file__).parent.parent / "docs"
SCRIPT = "sh docs/ci/harness.sh ./my-tests.sh"
NOTES = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$NOTES"
case $1 in "$FAILS") exit "$WITH" ;; esac
"""

Run = Callable[..., tuple[int, list[list[str]]]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the script in a checkout of its own, with a program that fails where it is told to."""
    checkout = tmp_path / "a checkout"
    (checkout / "docs/ci").mkdir(parents=True)
    shutil.copy(DOCS / "ci/harness.sh", checkout / "docs/ci")
    program = checkout / ".venv/bin/sitewright"
    program.parent.mkdir(parents=True)
    program.write_text(NOTES)
    program.chmod(0o755)
    notes = tmp_path / "notes"

    def started(*command: str, fails: str = "", status: int = 5) -> tuple[int, list[list[str]]]:
        variables = {"FAILS": fails, "WITH": str(status), "NOTES": str(notes)}
        done = subprocess.run(
            ["sh", "docs/ci/harness.sh", *command], cwd=checkout, check=False, timeout=60,
            env={**os.environ, **variables},
        )  # fmt: skip
        calls = notes.read_text().splitlines()
        return done.returncode, [call.split() for call in calls]

    return started


def _verbs(calls: list[list[str]]) -> list[str]:
    return [call[0] for call in calls]


def test_all_goes_well_and_is_taken_away_again(run: Run) -> None:
    status, calls = run("true")
    assert status == 0
    assert _verbs(calls) == ["preflight", "install", "verify", "report", "remove"]
    assert "--with-data" in calls[-1]


def test_a_machine_that_is_not_fit_is_left_alone(run: Run) -> None:
    status, calls = run("true", fails="preflight", status=3)
    assert (status, _verbs(calls)) == (3, ["preflight"])


@pytest.mark.parametrize("fails", ["install", "verify"])
def test_a_stage_that_fails_leaves_a_support_bundle_and_nothing_else(fails: str, run: Run) -> None:
    status, calls = run("true", fails=fails)
    assert status == 5
    assert _verbs(calls)[-4:] == [fails, "report", "support-bundle", "remove"]


def test_what_fails_while_it_cleans_up_hides_no_status(run: Run) -> None:
    status, calls = run("sh", "-c", "exit 9", fails="report", status=1)
    assert status == 9
    assert _verbs(calls)[-2:] == ["support-bundle", "remove"]


def test_every_command_of_the_script_is_understood() -> None:
    text = (DOCS / "ci/harness.sh").read_text().replace("\\\n", " ")
    commands = re.findall(r"(?:^|\|\| )\s*(sitewright .*?)(?: \|\| true)?$", text, re.MULTILINE)
    assert len(commands) == 6
    for command in commands:
        words = shlex.split(command.partition(" >")[0])[1:]
        build_parser(words[0]).parse_args(words)


def test_the_files_of_both_makers_do_the_same() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (DOCS / "ci.md").read_text(), re.DOTALL)
    github, gitlab = (yaml.safe_load(block) for block in blocks)
    steps = [step["run"] for step in github["jobs"]["hub"]["steps"] if "run" in step]
    assert steps == gitlab["hub"]["script"] == ["./install.sh --version", SCRIPT]
    assert SCRIPT in (DOCS / "ci.md").read_text().partition("##")[0]
