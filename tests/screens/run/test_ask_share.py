"""Shares in the wizard: shown when their person says so, taken off, confirmed from the copy."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.problems import Refused
from foundation.secrets import Secret
from foundation.shown_once import shown_once, take_off
from foundation.terminal import visible
from installer.commands.asking import TerminalAsker
from installer.steps.kind import Answer, Question
from installer.steps.vaults.shares import check_of, groups, lines
from screens.plain.prompt import Dialogue, LeaveWanted
from screens.run.ask_share import HandScreen, ShareScreen, panel_for
from screens.shell.app import SitewrightApp
from tests.screens.driving import shows, text, types, until
from tests.screens.recorded import RecordedServices

SHARE = Secret("6d1f0c" + "ab12" * 14 + "07c4")
END = f"{groups(SHARE)[-1]} {check_of(SHARE.reveal())}"
SMALL = (80, 24)


def question(*, person: str = "", hands: bool = True) -> Question:
    """As the step puts it."""
    words = "Share 2 of 5 of Vault's key. There is no second copy."
    if hands:
        return Question(
            "apps", "shares", "m1", "Hand the shares", words, hands=SHARE, person=person
        )
    return Question("apps", "open", "m1", "Open Vault", words, wants="The share")


@pytest.fixture
def app() -> SitewrightApp:
    """The wizard at its beginning."""
    return SitewrightApp(RecordedServices())


async def test_a_share_stands_on_the_screen_between_two_keys_alone(app: SitewrightApp) -> None:
    answers: list[Answer | None] = []
    rows = lines(SHARE)
    async with app.run_test(size=SMALL) as pilot:
        app.push_screen(panel_for(question(), "Ma Ma", 0), answers.append)
        await until(pilot, lambda: isinstance(app.screen, HandScreen))
        await shows(pilot, "Share 2 of 5", "Who gets it")
        assert rows[0] not in text(pilot)
        await pilot.press("f10")
        await shows(pilot, "Say who gets it")
        await types(pilot, "A. Abara")
        await pilot.press("enter")
        await shows(pilot, "The share of A. Abara", *rows)
        await pilot.press("f10")
        await shows(pilot, "Its end")
        assert rows[0] not in text(pilot)
        await types(pilot, "00c4 0000")
        await pilot.press("enter")
        await shows(pilot, "It does not end so")
        await types(pilot, END)
        assert END not in text(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: answers)
    assert answers == [Answer(by="A. Abara", yes=True)]


async def test_later_leaves_it_unanswered_and_a_typed_one_is_unseen(app: SitewrightApp) -> None:
    answers: list[Answer | None] = []
    async with app.run_test(size=SMALL) as pilot:
        app.push_screen(panel_for(question(person="A. Abara"), "Ma Ma", 0), answers.append)
        await until(pilot, lambda: isinstance(app.screen, HandScreen))
        await pilot.press("f10")
        await shows(pilot, "The share of A. Abara")
        await pilot.press("escape")
        await until(pilot, lambda: answers == [None])
        answers.clear()
        app.push_screen(panel_for(question(hands=False), "Ma Ma", 0), answers.append)
        await until(pilot, lambda: isinstance(app.screen, ShareScreen))
        await types(pilot, "B. Bello")
        await pilot.press("enter")
        await types(pilot, "12ab")
        assert "12ab" not in text(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: answers)
    assert answers == [Answer(by="B. Bello", yes=True, typed=Secret("12ab"))]


ASKED = """\
import asyncio, sys
sys.path.insert(0, {root!r})
from foundation.secrets import Secret
from installer.commands.asking import TerminalAsker
from installer.steps.kind import Question
asker = TerminalAsker(by="", confirmed=["apps/shares"])
words = ("apps", "shares", "m1", "Hand the shares", "Share 2 of 5.")
question = Question(*words, hands=Secret({share!r})) if {hands} else Question(*words, wants="It")
answer = asyncio.run(asker(question))
print("answered by", answer.by, answer.typed == Secret({share!r}))
"""

PLAIN = """\
import sys
sys.path.insert(0, {root!r})
from foundation.secrets import Secret
from installer.steps.kind import Question
from screens.plain.plain_shares import ask_unseen
from screens.plain.prompt import Dialogue
words = ("apps", "shares", "m1", "Hand the shares", "Share 2 of 5.")
question = Question(*words, hands=Secret({share!r})) if {hands} else Question(*words, wants="It")
answer = ask_unseen(Dialogue(), question)
print("answered by", answer.by, answer.yes, answer.typed == Secret({share!r}))
"""

CUT_OFF = """\
import asyncio, sys
sys.path.insert(0, {root!r})
from types import SimpleNamespace
from foundation.secrets import Secret
from installer.steps.kind import Question
from screens.plain.plain_run import _Person, _stopping
from screens.plain.prompt import Dialogue
talk = Dialogue()
question = Question("apps", "shares", "m1", "Hand", "Share 2 of 5.", hands=Secret({share!r}))

async def run():
    task = asyncio.ensure_future(_Person(SimpleNamespace(dialogue=talk))(question))
    with _stopping(task.cancel):
        await asyncio.wait([task])
    print("stopped", task.cancelled())

asyncio.run(run())
print("the word was", talk.ask("Word"))
"""


class Terminal:
    """A command on a terminal of its own, and everything that it wrote."""

    def __init__(
        self, tmp_path: Path, *, hands: bool, term: str = "xterm", face: str = ASKED
    ) -> None:
        script = tmp_path / "asked.py"
        root = str(Path(__file__).parents[3])
        script.write_text(face.format(root=root, share=SHARE.reveal(), hands=hands))
        self.said = ""
        self.read = 0
        """Up to where what was said has been waited for."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(  # noqa: S606 - the child, which has a terminal now
                sys.executable, [sys.executable, str(script)], {**os.environ, "TERM": term}
            )

    def until(self, word: str) -> None:
        """Read until a word was said since the last one."""
        end = time.monotonic() + 60
        while word not in self.said[self.read :]:
            assert time.monotonic() < end, self.said
            if select.select([self.fd], [], [], 1)[0]:
                try:
                    self.said += os.read(self.fd, 65536).decode()
                except OSError:
                    break
        assert word in self.said[self.read :], self.said
        self.read = self.said.index(word, self.read) + len(word)

    def type(self, text: str) -> None:
        """A line of a person's."""
        os.write(self.fd, text.encode() + b"\n")

    def ends(self) -> int:
        """Its exit status."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.processes
def test_on_a_terminal_it_stands_on_a_page_that_goes(tmp_path: Path) -> None:
    """--confirm answers for nobody here; the page is the terminal's second, cleared at the end."""
    terminal = Terminal(tmp_path, hands=True)
    terminal.until("Name of the person")
    terminal.type("A. Abara")
    terminal.until("Enter shows it")
    terminal.type("")
    terminal.until("takes it off the screen")
    begin = terminal.said.index("\x1b[?1049h")
    assert lines(SHARE)[0] in terminal.said[begin:]
    terminal.type("")
    terminal.until("From the copy")
    end = terminal.said.index("\x1b[H\x1b[J\x1b[?1049l")
    # A terminal without a second page moves into its scrollback what is cleared in one.
    blanked = [f"\x1b[{row};1H\x1b[2K" for row in range(1, len(lines(SHARE)) + 4)]
    assert "".join(blanked) in terminal.said[begin:end]
    outside = terminal.said[:begin] + terminal.said[end:]
    terminal.type("0000 0000")
    terminal.until("does not end so")
    terminal.until("From the copy")  # until then what is typed is seen
    terminal.type(END)
    terminal.until("answered by A. Abara")
    assert END not in terminal.said
    assert terminal.ends() == 0
    assert not any(row in outside for row in lines(SHARE))


@pytest.mark.processes
def test_what_is_typed_is_not_seen_and_a_terminal_that_keeps_all_shows_nothing(
    tmp_path: Path,
) -> None:
    terminal = Terminal(tmp_path, hands=False)
    terminal.until("Your name")
    terminal.type("B. Bello")
    terminal.until("It (unseen)")
    terminal.type(SHARE.reveal())
    terminal.until("answered by B. Bello True")
    assert terminal.ends() == 0
    assert SHARE.reveal()[:20] not in visible(terminal.said)

    # What rolls out of a small window would stay in the scrollback.
    small = Terminal(tmp_path, hands=True)
    termios.tcsetwinsize(small.fd, (6, 80))
    small.until("Name of the person")
    small.type("A. Abara")
    small.until("Enter shows it")
    small.type("")
    small.until("Make it larger.\r\n  Enter shows it")
    assert "Not shown: this window is too small (80 by 6; " in small.said
    assert lines(SHARE)[0] not in small.said
    termios.tcsetwinsize(small.fd, (24, 80))
    small.type("")
    small.until("takes it off the screen")
    small.type("")
    small.until("From the copy")
    small.type(END)
    small.until("answered by A. Abara")
    assert small.ends() == 0

    dumb = Terminal(tmp_path, hands=True, term="dumb")
    dumb.until("cannot be cleared")
    assert dumb.ends() != 0
    assert lines(SHARE)[0] not in dumb.said


async def test_that_persons_are_at_the_screen_is_said_by_nobody_else() -> None:
    """Where there is no terminal it is refused before anything is made that would be lost."""
    asker = TerminalAsker(by="A. Tester", confirmed=["apps/shares"])
    asked = Question("apps", "shares", "m1", "Hand the shares", "Are they here?", present=True)
    with pytest.raises(Refused, match="persons are needed at a terminal"):
        await asker(asked)


@pytest.mark.processes
def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    script = tmp_path / "asked.py"
    root = str(Path(__file__).parents[3])
    script.write_text(ASKED.format(root=root, share=SHARE.reveal(), hands=True))
    done = subprocess.run(
        [sys.executable, str(script)], input="", capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "persons are needed at a terminal" in done.stderr
    assert SHARE.reveal() not in done.stdout + done.stderr


@pytest.mark.processes
def test_in_plain_lines_it_goes_the_same_way_and_leaving_loses_nothing(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, hands=True, face=PLAIN)
    terminal.until("Name of the person")
    terminal.type("A. Abara")
    terminal.until("Enter shows it")
    terminal.type("")
    terminal.until("Copy it whole")
    begin = terminal.said.index("\x1b[?1049h")
    assert lines(SHARE)[0] in terminal.said[begin:]
    terminal.type("")
    terminal.until("From the copy")
    outside = terminal.said[:begin] + terminal.said[terminal.said.index("\x1b[?1049l") :]
    terminal.type("0000 0000")
    terminal.until("does not end so")
    terminal.until("From the copy")
    terminal.type(END)
    terminal.until("answered by A. Abara True")
    assert terminal.ends() == 0
    assert not any(row in outside for row in lines(SHARE))
    assert END not in terminal.said

    left = Terminal(tmp_path, hands=True, face=PLAIN)
    left.until("Name of the person")
    left.type("q")
    left.until("answered by  False")
    assert left.ends() == 0


@pytest.mark.processes
def test_in_plain_lines_ctrl_c_takes_it_off_and_the_next_line_is_not_taken_for_its_end(
    tmp_path: Path,
) -> None:
    terminal = Terminal(tmp_path, hands=True, face=CUT_OFF)
    terminal.until("Name of the person")
    terminal.type("A. Abara")
    terminal.until("Enter shows it")
    terminal.type("")
    terminal.until("Copy it whole")
    os.write(terminal.fd, b"\x03")
    terminal.until("\x1b[H\x1b[J\x1b[?1049l")
    terminal.until("Enter, or q, ends it")
    terminal.type("")
    terminal.until("stopped True")
    terminal.until("Word")
    terminal.type("report")
    terminal.until("the word was report")
    assert terminal.ends() == 0
    assert terminal.said.count(lines(SHARE)[0]) == 1


class _Taking(io.StringIO):
    """A terminal on which somebody takes off what stands while its first lines go out."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self.fd = fd
        self.said = ""
        self.taking = threading.Thread(target=take_off)

    def fileno(self) -> int:
        return self.fd

    def write(self, text: str) -> int:
        self.said += text
        if not self.taking.ident:
            self.taking.start()
        return len(text)


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Taking]:
    """Such a terminal, of 80 by 24."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    terminal = _Taking(theirs)
    monkeypatch.setattr("foundation.shown_once._opened", lambda: terminal)
    yield terminal
    os.close(ours)
    os.close(theirs)


def test_what_is_taken_off_while_it_is_being_shown_does_not_stay(taking: _Taking) -> None:
    """Seen in CI: Ctrl-C between the page and the note that it stands left the share there."""
    with shown_once(["a share"]):
        taking.taking.join(60)
        assert taking.said.endswith("\x1b[?1049l")
    assert taking.said.count("a share") == taking.said.count("\x1b[?1049l") == 1


def test_what_is_over_is_not_shown_any_more(taking: _Taking) -> None:
    over = threading.Event()
    over.set()
    take_off()
    with shown_once(["a share"], over.is_set):
        assert not taking.said
    assert not taking.said


def test_a_secret_that_never_comes_is_not_waited_for() -> None:
    """At the end of what is piped in there is nobody who could give it."""
    with pytest.raises(LeaveWanted):
        Dialogue(io.StringIO(""), io.StringIO()).ask_secret("The share")
    assert Dialogue(io.StringIO("\n"), io.StringIO()).ask_secret("The share") is None
