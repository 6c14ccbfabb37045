"""Questions of a run, put on the terminal or answered by `--confirm`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from foundation.hosts.logins import person_here
from foundation.problems import Refused

if TYPE_CHECKING:
    from installer.steps.kind import Answer, Question


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
        if place in self._confirmed:
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
        self.asking = True
        try:
            return await self._ask(question)
        finally:
            self.asking = False

    async def _ask(self, question: Question) -> Answer:
        from installer.steps.kind import Answer

        print(f"\n{question.title}\n{question.text}", file=sys.stderr)
        answers = [await _yes(f"  {item}") for item in question.items]
        yes = all(answers) if question.items else await _yes("  Is it so?")
        by = self._by
        while yes and not by:
            by = (await _line("  Your name, for the record: ")).strip()
        return Answer(by=by or person_here(), yes=yes, items=tuple(answers))


async def _yes(text: str) -> bool:
    return (await _line(f"{text} (yes/no) ")).strip().lower() in ("y", "yes")


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
