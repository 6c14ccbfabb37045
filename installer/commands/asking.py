"""Questions put on the terminal, of a run (or answered by `--confirm`) and before one."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import termios
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from foundation.hosts.logins import person_here
from foundation.problems import Refused
from foundation.secrets import Secret
from foundation.shown_once import TooSmall, must_be_able_to_show, shown_once

if TYPE_CHECKING:
    from installer.steps.kind import Answer, Question

_LOST: Final = """\
The shares that were not handed over are lost with this program. Nothing is in Vault yet:
sitewright resume says who has one, and begins it anew."""
_WIDTH: Final = 78
_COPIED: Final = "Copy it whole, the check too. Enter takes it off the screen."


class TerminalAsker:
    """Puts questions on the terminal, or answers those that --confirm names."""

    def __init__(self, *, by: str, confirmed: Sequence[str]) -> None:
        self.asking = False
        """Whether a question stands on the terminal now."""
        self._by = by
        self._confirmed = set(confirmed)

    async def __call__(self, question: Question) -> Answer:
        """The answer to a question; raises Refused where nobody is there to give it."""
        from installer.steps.kind import Answer

        place = f"{question.stage}/{question.step}"
        unseen = question.present or question.hands is not None or bool(question.wants)
        if unseen and not sys.stdin.isatty():
            raise Refused(
                f"{question.title}: persons are needed at a terminal, and there is none",
                where=place,
                remedy="Go on at a terminal, with the persons: sitewright resume.",
            )
        if place in self._confirmed and not unseen:
            if not self._by:
                raise Refused(
                    "a confirmation needs a name", where=place, remedy='Add --by "A. Name".'
                )
            return Answer(by=self._by, yes=True, items=(True,) * len(question.items))
        if not sys.stdin.isatty():
            raise Refused(
                f"{question.title}: a person must confirm it, and there is no terminal to ask on",
                where=place,
                remedy=f'Confirm it with --by "A. Name" --confirm {place}, then resume.',
            )
        if unseen and not question.wants:
            must_be_able_to_show()
        # A share on its way is not left by one Ctrl-C, as other questions are.
        self.asking = question.hands is None
        try:
            if question.hands is not None:
                return await _handed(question, question.hands)
            return await (_typed(question) if question.wants else self._ask(question))
        except asyncio.CancelledError:
            if question.hands is not None:
                print(f"\n{_LOST}", file=sys.stderr)
            raise
        finally:
            self.asking = False

    async def _ask(self, question: Question) -> Answer:
        from installer.steps.kind import Answer

        forget_typed_ahead()
        _print_question(question)
        answers = [await _yes(f"  {item}") for item in question.items]
        yes = all(answers) if question.items else await _yes("  Is it so?")
        by = self._by
        while yes and not by:
            by = (await _line("  Your name, for the record: ")).strip()
        return Answer(by=by or person_here(), yes=yes, items=tuple(answers))


async def _handed(question: Question, share: Secret) -> Answer:
    """Show a share to its person until its end was typed from the copy."""
    from installer.steps.kind import Answer
    from installer.steps.vaults.shares import confirms, lines

    forget_typed_ahead()
    _print_question(question)
    name = question.person
    while not name:
        name = (await _line("  Name of the person who gets it: ")).strip()
    shown = True
    while True:
        if shown:
            forget_typed_ahead()
            await _line(f"  Enter shows it, once {name} alone sees this screen. ")
            try:
                with shown_once([f"The share of {name}:", "", *lines(share), "", _COPIED]):
                    await _line("")
            except TooSmall as problem:
                print(f"  Not shown: {problem.cause}. Make it larger.", file=sys.stderr)
                continue
        with _unseen():
            typed = await _line(
                "  From the copy, its last group and its check, unseen (Enter shows it again): "
            )
        print(file=sys.stderr)
        if confirms(share, typed):
            return Answer(by=name, yes=True)
        shown = not typed.strip()
        if not shown:
            print("  It does not end so. Look at the copy.", file=sys.stderr)


async def _typed(question: Question) -> Answer:
    """A secret that a person types unseen, by name."""
    from installer.steps.kind import Answer

    forget_typed_ahead()
    _print_question(question)
    name = question.person
    while not name:
        name = (await _line("  Your name, for the record: ")).strip()
    with _unseen():
        typed = await _line(f"  {question.wants} (unseen): ")
    print(file=sys.stderr)
    return Answer(by=name, yes=True, typed=Secret(typed.strip()))


def _print_question(question: Question) -> None:
    print(f"\n{question.title}", file=sys.stderr)
    print("\n".join(textwrap.wrap(question.text, _WIDTH)), file=sys.stderr)


@contextlib.contextmanager
def _unseen() -> Iterator[None]:
    """What is typed does not appear on the terminal."""
    before = termios.tcgetattr(sys.stdin)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


async def _yes(text: str) -> bool:
    while True:
        word = (await _line(f"{text} (yes/no) ")).strip()
        if word.lower() in ("y", "yes", "n", "no"):
            return word.lower() in ("y", "yes")
        print(f'  "{word[:40]}" is neither yes nor no.', file=sys.stderr)


async def _line(text: str) -> str:
    """A line from the terminal; raises Refused at its end.

    It can be left at any moment, which a thread that reads the terminal cannot.
    """
    print(text, end="", file=sys.stderr, flush=True)
    loop = asyncio.get_running_loop()
    there = asyncio.Event()
    loop.add_reader(sys.stdin, there.set)
    try:
        await there.wait()
    finally:
        loop.remove_reader(sys.stdin)
    line = sys.stdin.readline()
    if not line:
        raise Refused(
            "the question was not answered: the terminal gives no more lines",
            remedy="Answer it: sitewright resume asks again.",
        )
    return line


def choose(text: str, words: Sequence[str] = ("yes", "no"), *, whole: bool = False) -> str:
    """The word that a person at the terminal gives, asked again until it is one of these.

    "y" and "n" count unless the `whole` word is wanted, which an unthinking hand does not give.
    What was typed before the question is no answer to it. The end of the terminal is the word "no".
    Behind a word may stand what it means: "all (these 3)".
    """
    forget_typed_ahead()
    listed = ", ".join(words[:-1]) + f" or {words[-1]}"
    known = {word.split(" ")[0] for word in words}
    while True:
        print(f"{text} {listed}: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        word = line.strip().lower()
        if not whole and word in ("y", "n"):
            word = {"y": "yes", "n": "no"}[word]
        if not line or word in known:
            return word if line else "no"
        print(f'"{line.strip()[:40]}" is none of them.', file=sys.stderr)


def forget_typed_ahead() -> None:
    """Drop what was typed before a question stood there; a pipe keeps what it holds."""
    with contextlib.suppress(OSError, ValueError, termios.error):
        if sys.stdin.isatty():
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
