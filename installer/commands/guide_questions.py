"""The questions of `sitewright guide`, as numbered lines on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from foundation.wording import nearest
from installer.guide.advice import (
    PURPOSE_WORDS,
    QUALITY_WORDS,
    SYSTEM_WORDS,
    USE_CASE_OF,
    Purpose,
    Wishes,
)
from installer.guide.guide import Map
from installer.guide.option_files import Quality, System

ANY = ("", "I do not know yet")
"""The answer that leaves a question open."""


def ask_wishes(chart: Map) -> Wishes:
    """Ask who it is for and, of somebody who will run it, what, how well and where."""
    purpose = Purpose(
        ask("Who are you?", [(one.value, text) for one, text in PURPOSE_WORDS.items()])
    )
    system = ask("What should stand in the end?", [*_words(SYSTEM_WORDS), ANY])
    quality = where = ""
    if purpose is Purpose.RUN:
        quality = ask("How well must it stand?", [*_words(QUALITY_WORDS), ANY])
        places = [case for case in chart.use_cases if case.id not in USE_CASE_OF.values()]
        where = ask("Where?", [*((case.id, case.name) for case in places), ANY])
    internet = ask(
        "Will the machines reach the internet?", [("yes", "yes"), ("no", "no, or not reliably")]
    )
    return Wishes(
        purpose=purpose,
        quality=Quality(quality) if quality else None,
        where=where or None,
        system=System(system) if system else None,
        internet=internet == "yes",
    )


def _words(words: dict[System, str] | dict[Quality, str]) -> list[tuple[str, str]]:
    return [(one.value, text) for one, text in words.items()]


def ask(question: str, choices: Sequence[tuple[str, str]]) -> str:
    """The value of the choice that was taken; Enter takes the first. Repeats until it is one."""
    print(f"\n{question}", file=sys.stderr)
    for number, (value, text) in enumerate(choices, 1):
        shown = text if not value or text.startswith(value) else f"{value}: {text}"
        print(f"  {number}. {shown}", file=sys.stderr)
    while True:
        print("Number, or Enter for 1: ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip().lower()
        if not answer:
            return choices[0][0]
        if answer.isdecimal() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1][0]
        values = [value for value, _ in choices if value]
        begun = [value for value in values if value.startswith(answer)]
        if len(begun) == 1:
            return begun[0]
        close = nearest(answer, values)
        hint = f' Did you mean "{close}"?' if close else ""
        print(f"It is a number from 1 to {len(choices)}.{hint}", file=sys.stderr)
