"""What a machine writes holds nobody up: the work for a line is counted, not its time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from foundation import secrets
from foundation.hosts import login_shell
from foundation.hosts.jobs.output_lines import LINE_LIMIT
from foundation.hosts.login_shell import GREETING_LIMIT, Passage
from foundation.hosts.running import Running
from foundation.hosts.sudo import Elevation
from foundation.secrets import Secret, redact
from foundation.terminal import clean_line

HOSTILE = {
    "letters": b"a",
    "backslashes": b"\\\\",
    "quotes in JSON": b'\\"',
    "quotes of a shell": b"'\\''",
    "quotes that are doubled": b"''",
    "entities": b"&#1;",
    "percents": b"%41",
    "percents apart": b"%41 ",
    "percents of quotes": b"%5C'",
    "percents of mail": b"=41 ",
    "bytes apart": b"41 ",
    "base64": b"QUFBQUFBQUFBQUFB",
    "words of base64": b"QUFBQUFBQUFBQUFB ",
    "what is packed": b"H4sIAAAA",
    "tabs": b"\t",
    "escapes without an end": b"\x1b]a",
    "colours without an end": b"\x1b[0",
    "lines in JSON": b"\\n",
    "lines of percents": b"+\\n%2541\\n",
    "lines of octals": b'\\\\%41 ""\\n',
    "octals": b"''\\101",
    "percents and quotes": b"%22=41\\u0041+",
    "words in one word": b"QUFBQUFBQUFBQUFB-",
    "words between bytes": b"QUFBQUFBQUFBQUFB=41_\x1b[0",
    "C1": b"\xc2\x9b0",
    "joiners": "a\u200d".encode(),
    "struck": b"a\x08",
}


class Counted:
    """How many functions were called, ours and C's, and how many characters went into views."""

    def __init__(self) -> None:
        self.calls = 0

    def _count(self, frame: FrameType, what: str, argument: Any) -> None:
        if what in ("call", "c_call"):
            self.calls += 1

    def __enter__(self) -> Counted:
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_longest_line_is_cleaned_and_searched_in_bounded_work(piece: bytes) -> None:
    """100,000 calls take some 20 ms on a slow machine; it was four times as many."""
    Secret("correct-horse-battery")
    line = (piece * (LINE_LIMIT // len(piece) + 1))[:LINE_LIMIT]
    with Counted() as counted:
        redact(clean_line(line))
    assert counted.calls < 120_000


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_the_work_for_a_line_grows_no_faster_than_the_line(piece: bytes) -> None:
    Secret("correct-horse-battery")
    calls = []
    for size in (LINE_LIMIT // 8, LINE_LIMIT):
        with Counted() as counted:
            redact(clean_line((piece * size)[:size]))
        calls.append(counted.calls)
    assert calls[1] < 10 * calls[0] + 1000


DIFFERENT: dict[str, Callable[[int], bytes]] = {
    "percents": lambda number: b"%%%02X%%%02X " % (number >> 8 & 255, number & 255),
    "bytes of a shell": lambda number: b"\\x%02x\\x%02x " % (number >> 8 & 255, number & 255),
    "octals": lambda number: b"\\%03o\\%03o " % (number >> 8 & 255, number & 255),
    "characters of JSON": lambda number: b"\\u%04x" % number,
    "long characters": lambda number: b"\\U%08x" % number,
    "entities": lambda number: b"&#%d;" % (number + 33),
    "entities of digits": lambda number: b"&#x%x;" % (number + 33),
    "percents of mail": lambda number: b"=%02X=%02X " % (number >> 8 & 255, number & 255),
}


@pytest.mark.parametrize("piece", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_thousands_of_different_escapes_cost_no_more_than_as_many_of_one(
    piece: Callable[[int], bytes],
) -> None:
    """A short word between them is whole, and too short for what is looked for: it was decoded."""
    Secret("correct-horse-battery")
    line = b"".join(map(piece, range(LINE_LIMIT // len(piece(0)) + 1)))
    calls = []
    for size in (LINE_LIMIT // 4, LINE_LIMIT):
        with Counted() as counted:
            redact(clean_line(line[:size]))
        calls.append(counted.calls)
    assert calls[1] < 120_000
    assert calls[1] < 8 * calls[0]  # sixteen times as many would be more than linear


class Silent(Running):
    """A command that is not there; its output is given by hand."""

    def _send(self, data: bytes | memoryview, *, last: bool) -> None:
        """Nobody reads it."""

    def _hold(self, hold: bool) -> None:
        """Nothing comes by itself."""

    def end(self) -> None:
        """Nothing runs."""


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were searched for secrets."""
    found: list[str] = []

    def noted(text: str) -> str:
        found.append(text)
        return redact(text)

    for module in (secrets, login_shell):
        monkeypatch.setattr(module, "redact", noted)
    return found


def test_the_last_words_among_thousands_of_empty_lines_cost_one_search(
    searched: list[str],
) -> None:
    command = Silent(Elevation(["true"]), None, None, None)
    command.take("stdout", b"the words\n")
    command.take("stderr", b"\x1b[m\n" * 1024)
    assert command.last_words() == "the words"
    assert searched == ["the words"]


def test_the_greeting_of_a_login_shell_costs_one_search_of_some_of_it(
    searched: list[str],
) -> None:
    passage = Passage(["true"], with_input=False)
    passage.feed("stdout", b" \n" * (GREETING_LIMIT // 4) + b"x" * (GREETING_LIMIT // 4))
    said = passage.problem(0, "a machine").cause
    assert '"xxx' in said
    assert [len(text) < 5000 for text in searched] == [True]
