"""The real process on a real terminal: what it leaves behind, and what it says at the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.screens.terminal import ROOT, Terminal

WIZARD = """
import sys
from tests.screens.recorded import RecordedServices
from screens.shell.app import run_wizard
sys.exit(run_wizard(RecordedServices()))
"""

CRASHING = """
import sys
from tests.screens.recorded import RecordedServices
from screens.shell.app import run_wizard

class Broken(RecordedServices):
    def judge(self, seen, roles, question):
        raise ZeroDivisionError("a mistake of ours")

sys.exit(run_wizard(Broken()))
"""

LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"
CURSOR_SHOWN = b"\x1b[?25h"


@pytest.fixture
def environment(hermetic: Path) -> dict[str, str]:
    """Private folders and a usual terminal."""
    return {"TERM": "xterm-256color", "HOME": os.environ["HOME"]}


def test_the_wizard_gives_the_terminal_back(environment: dict[str, str]) -> None:
    with Terminal(WIZARD, environment=environment) as terminal:
        terminal.wait_for("New site")
        terminal.send("\x11")
        terminal.wait_for("Leave Sitewright?")
        terminal.send("y")
        assert terminal.end() == 0
        assert LEFT_ALTERNATE_SCREEN in terminal.output
        assert CURSOR_SHOWN in terminal.output


COMMAND = "import sys; from installer.cli import main; sys.exit(main([]))"
"""The whole command, as a person starts it."""
GROUNDS = {"light": ("ffff/ffff/ffff", "248;248;245"), "dark": ("0000/0000/0000", "17;22;29")}
"""What a terminal says of its ground, and the ground that is drawn then."""


@pytest.mark.parametrize("ground", GROUNDS)
def test_the_command_asks_the_terminal_for_its_ground_and_takes_it(
    ground: str, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In time or late: the gate before standard output once took the question away."""
    told, drawn = GROUNDS[ground]
    for name in ("COLORFGBG", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    look = {**environment, "COLORTERM": "truecolor"}
    with Terminal(COMMAND, environment=look) as terminal:
        terminal.wait_for("\x1b]11;?\x07")
        terminal.send(f"\x1b]11;rgb:{told}\x1b\\")
        terminal.wait_for(f"48;2;{drawn}")
        terminal.wait_for("New site")
        terminal.send("\x11")
        terminal.wait_for("Leave Sitewright?")
        terminal.send("y")
        assert terminal.end() == 0


UP = "\x1b[A"


def test_a_crash_gives_the_terminal_back_and_names_the_log(environment: dict[str, str]) -> None:
    with Terminal(CRASHING, environment=environment) as terminal:
        terminal.wait_for("New site")
        terminal.send("\r")
        terminal.wait_for("Recommended on thinkpad")
        terminal.send(UP)
        terminal.wait_for("against everything that fits on one")
        terminal.send("\r")
        assert terminal.end() == 1
        after = terminal.output.rpartition(LEFT_ALTERNATE_SCREEN)[2].decode()
        assert CURSOR_SHOWN in terminal.output
        assert "a mistake of ours" in after
        assert "sitewright.log" in after
        assert "Traceback" not in terminal.output.decode(errors="replace")
        assert "your place is kept" in after


def test_the_end_of_the_session_gives_the_terminal_back(environment: dict[str, str]) -> None:
    with Terminal(WIZARD, environment=environment) as terminal:
        terminal.wait_for("New site")
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.end() == 130
        assert LEFT_ALTERNATE_SCREEN in terminal.output


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_gets_plain_lines(environment: dict[str, str], term: str) -> None:
    with Terminal(WIZARD, environment={**environment, "TERM": term}) as terminal:
        terminal.wait_for("Your choice")
        terminal.send("1\n1\n")
        terminal.wait_for("1. thinkpad")
        terminal.send("go\ngo\n")
        assert terminal.end() == 0
        assert b"\x1b" not in terminal.output


def test_ctrl_c_leaves_the_plain_face_with_130(environment: dict[str, str]) -> None:
    with Terminal(WIZARD, environment={**environment, "TERM": "dumb"}) as terminal:
        terminal.wait_for("Your choice")
        terminal.send("\x03")
        assert terminal.end() == 130
        # Nothing was answered, so that there is no place to be kept.
        assert b"Interrupted. Nothing has been changed on any machine." in terminal.output
        assert b"Your place" not in terminal.output
        assert b"Traceback" not in terminal.output


def test_ctrl_d_leaves_the_plain_face(environment: dict[str, str]) -> None:
    with Terminal(WIZARD, environment={**environment, "TERM": "dumb"}) as terminal:
        terminal.wait_for("Your choice")
        terminal.send("\x04")
        assert terminal.end() == 0


def test_a_password_is_unseen_on_the_plain_face(environment: dict[str, str]) -> None:
    with Terminal(WIZARD, environment={**environment, "TERM": "dumb"}) as terminal:
        terminal.wait_for("Your choice")
        terminal.send("1\n2\n\n")
        terminal.wait_for("Machine or word")
        terminal.send("login\n")
        for question in ("User", "Port", "Key files", "Bastion", "Known hosts", "Use sudo"):
            terminal.wait_for(question)
            terminal.send("\n")
        terminal.wait_for("Password of the login")
        terminal.send("hunter2hunter2\n")
        terminal.wait_for("Passphrase of the key")
        assert b"hunter2" not in terminal.output


def test_without_a_terminal_the_wizard_speaks_in_lines(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WIZARD],
        input=b"1\n1\ngo\ngo\n",
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        timeout=60,
    )
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert b"Done." in done.stdout


def said_by(code: str) -> str:
    """What a new Python says."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    return done.stdout.strip()


def test_the_first_paint_waits_for_nothing_heavy() -> None:
    heavy = ("asyncssh", "pydantic", "yaml", "paramiko", "httpx", "cryptography")
    code = (
        "import sys, screens.shell.app, screens.services.live, screens.welcome.welcome\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert said_by(code) == "[]"


def test_the_plain_face_needs_no_textual() -> None:
    code = (
        "import sys, screens.plain.plain, screens.plain.plain_goal, screens.plain.plain_machines\n"
        "import screens.plain.plain_results\n"
        "print([name for name in ('textual', 'rich') if name in sys.modules])"
    )
    assert said_by(code) == "[]"
