"""An installation on this machine in plain lines, on a pseudo-terminal, to the hand-over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from installer.events import Kind
from installer.record.journal import read
from installer.record.runs import all_sites, latest_run
from tests.screens.terminal import ROOT, Terminal
from tests.screens.tiny import write_solution

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")

TOKEN = "s3cret-of-the-registry"
CODE = """
import sys
from pathlib import Path
from screens.plain.plain import run_plain
from tests.screens.tiny import TinyServices
sys.exit(run_plain(TinyServices(Path({folder!r})), site_file={site}))
"""


@pytest.fixture
def solutions(hermetic: Path, tmp_path: Path) -> Path:
    """The tiny solution with its checks."""
    return write_solution(tmp_path / "solutions", hermetic, verify=True)


def plain(solutions: Path, *, site: Path | None) -> Terminal:
    """The plain face on a terminal that cannot do anything."""
    named = f"Path({str(site)!r})" if site is not None else "None"
    home = os.environ["HOME"]
    environment = {
        "TERM": "dumb",
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": f"{home}/data",
        "XDG_STATE_HOME": f"{home}/state",
        "XDG_CONFIG_HOME": f"{home}/config",
    }
    return Terminal(CODE.format(folder=str(solutions), site=named), environment=environment)


def site_file(folder: Path) -> Path:
    """The site: this machine."""
    path = folder / "site.yaml"
    path.write_text(
        "solution: tiny\nenvironment: single-box\n"
        "hosts: [{name: box1, address: local, roles: [box]}]\n"
    )
    return path


def to_the_question(terminal: Terminal) -> None:
    """Through settings, supplies and plan, to the first question of the run."""
    terminal.wait_for("Machine or word")
    terminal.send("go\n")
    terminal.wait_for("Number or word")
    terminal.send("go\n")
    terminal.wait_for("go on to the installation")
    terminal.send("go\n")
    terminal.wait_for("Domain of the installation (b back")
    terminal.send("https://x\n")
    terminal.wait_for("Write the name alone")
    terminal.send("tiny.example.org\n")
    terminal.wait_for("1. Domain of the installation: tiny.example.org")
    terminal.send("go\n")
    terminal.wait_for("From a bundle")
    terminal.send("1\n")
    terminal.wait_for("begin: begin.")
    assert b"CANNOT BE TAKEN BACK" in terminal.output
    terminal.send("3\n")
    terminal.wait_for("echo 1.2.3 >>")
    terminal.send("begin\n")
    terminal.wait_for("Secret token (unseen")
    terminal.send(f"{TOKEN}\n")
    terminal.wait_for("1 machine will be changed: box1.")
    terminal.send("\n")
    terminal.wait_for("Begin? Type yes")
    terminal.send("yes\n")
    terminal.wait_for("QUESTION: Agree to the second file")


def test_a_failure_is_mended_and_the_checks_are_asked_again(
    solutions: Path, hermetic: Path
) -> None:
    with plain(solutions, site=site_file(hermetic)) as terminal:
        to_the_question(terminal)
        assert b"box1         | line 5 of the first for tiny.example.org" in terminal.output
        terminal.send("perhaps\nyes\n\n")
        terminal.wait_for("FAILED: Write the second file, on box1.")
        terminal.wait_for("E: the folder is not mended")
        terminal.wait_for("4. Stop")
        (hermetic / "mended").touch()
        terminal.send("1\n")
        terminal.wait_for("Done: every step was done and verified.")
        terminal.wait_for("All 2 hold")
        terminal.send("go\n")
        terminal.wait_for("Verified at the end:")
        terminal.wait_for("Number of a form to write")
        terminal.send("2\n")
        terminal.wait_for("Name of the file")
        terminal.send("\n")
        terminal.wait_for("Written:")
        terminal.send("go\n")
        terminal.wait_for("Done. Machines were changed on ")
        assert terminal.end() == 0
        output = terminal.output.decode()
    assert TOKEN not in output
    assert "\x1b" not in output
    assert "<!DOCTYPE html>" in (Path.cwd() / "tiny-single-box-hand-over.html").read_text()


def test_ctrl_c_stops_it_and_the_next_start_goes_on(solutions: Path, hermetic: Path) -> None:
    with plain(solutions, site=site_file(hermetic)) as terminal:
        to_the_question(terminal)
        terminal.send("yes\n\n")
        terminal.wait_for("4. Stop")
        terminal.send("\x03")
        terminal.wait_for("Stopped; what runs on machines goes on there.")
        terminal.wait_for("go: go on where it stands.")
    (hermetic / "mended").touch()
    with plain(solutions, site=None) as terminal:
        terminal.wait_for("1. Installation: go on with tiny single-box, 2 of 5 steps done")
        terminal.send("1\n")
        terminal.wait_for("Go on with this installation where it stands?")
        terminal.send("yes\n")
        terminal.wait_for("Secret token")
        terminal.send(f"{TOKEN}\n")
        terminal.wait_for("Done: every step was done and verified.")
    run = next(run for key in all_sites() if (run := latest_run(key)) is not None)
    kinds = [event.kind for event in read(run.journal)]
    assert kinds.count(Kind.RUN_STARTED) == kinds.count(Kind.RUN_RESUMED) == 1
    assert kinds.count(Kind.ANSWER) == 1
