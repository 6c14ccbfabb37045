"""The gate to the terminal: what passes, what is made visible, and that nothing goes round it."""

from __future__ import annotations

import ast
import io
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.problems import InputProblem, Problem
from foundation.terminal import Gate, ask_ground, clean_line, gated, rewritten, styled, visible

ROOT = Path(__file__).parent.parent.parent

EVIL = "\x1b]0;PWNED\x07\x1b[31mEVIL\x1b[2J \x9b31m\x85\u202eabc\u2066\u200b\u2028x\x08\x7f"


def harmless(text: str, *, but: str = "\n\t") -> bool:
    """Whether nothing in a text controls a terminal or is unseen."""
    return not any(
        unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in "\u200e\u200f\u061c\ufeff\u200b\u00ad"
        or "\u202a" <= c <= "\u202e" or "\u2060" <= c <= "\u206f"
        for c in text if c not in but
    )  # fmt: skip


@given(st.text(max_size=200))
def test_no_text_controls_a_terminal(text: str) -> None:
    assert harmless(visible(text))
    assert harmless(clean_line(text), but="")
    assert visible(visible(text)) == visible(text)


@given(st.lists(st.text(max_size=30), max_size=6))
def test_a_sequence_in_pieces_is_no_sequence(pieces: list[str]) -> None:
    stream = io.StringIO()
    gate = Gate(stream)
    for piece in pieces:
        gate.write(piece)
    assert harmless(stream.getvalue())


def test_ordinary_text_passes_as_it_is() -> None:
    for text in ("plain", "Zürich — 12 °C\n\tnext", "日本語 नमस्ते", "نیم\u200cفاصله", "👩\u200d🔧"):
        assert visible(text) == text
    # A joiner beside ASCII joins nothing and makes two names look like one.
    assert visible("❤\ufe0f 1\ufe0f") == "❤\ufe0f 1\ufffd"
    for unseen in "\u034f\u115f\u1160\u17b4\u180b\u3164\uffa0\U0001d173\U000e0100\U000e0041":
        assert visible(f"m{unseen}1") == "m\ufffd1"
    assert visible("m\u200d1") == "m\ufffd1"
    assert visible("\u200cm1") == "\ufffdm1"


def test_our_one_question_for_the_terminal_passes() -> None:
    stream = io.StringIO()
    ask_ground(Gate(stream))  # type: ignore[arg-type]
    assert stream.getvalue() == "\x1b]11;?\x07"


def test_our_own_colours_pass_and_those_of_others_do_not() -> None:
    stream = io.StringIO()
    gate = Gate(stream)
    styled("\x1b[1mStrong\x1b[0m \x1b[2J\x1b]0;t\x07 end\n", gate)  # type: ignore[arg-type]
    assert stream.getvalue() == "\x1b[1mStrong\x1b[0m  end\n"
    gate.write("\x1b[1mStrong\x1b[0m")
    rewritten("half \x1b[31mway", gate)  # type: ignore[arg-type]
    assert stream.getvalue().endswith("Strong\r\x1b[Khalf way")


def test_a_problem_holds_no_control_wherever_it_goes() -> None:
    problem = InputProblem(f"it says {EVIL}", where=f"m1{EVIL}", remedy=f"look at {EVIL}\nthen")
    for text in (str(problem), problem.cause, problem.where or "", problem.remedy, repr(problem)):
        assert harmless(text)
    assert problem.remedy.endswith("\nthen")
    assert all(harmless(str(value)) for value in problem.as_dict().values())
    assert isinstance(problem, Problem)


def test_the_gate_stands_before_both_streams_for_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    with gated(), gated():
        print(EVIL)
        print(EVIL, file=sys.stderr)
        within: object = sys.stdout
        assert isinstance(within, Gate)
        assert not within.isatty()
    after: object = sys.stdout
    assert not isinstance(after, Gate)
    told = capsys.readouterr()
    assert "EVIL" in told.out
    assert harmless(told.out + told.err)


AROUND = {
    "installer/ansible/command.py",  # reads a program's standard input, on the control host
    "installer/ansible/brought.py",
}
"""Files that name a stream's bytes without writing to a terminal."""


BEHIND = (
    "__stdout__", "__stderr__", "os.write", ".buffer", "_behind", "fileno", "getpass", "/dev/tty",
)  # fmt: skip
"""What stands in a file that may reach behind: only these are looked through."""


def test_nothing_goes_round_the_gate() -> None:
    """The rule over the source: standard output and error are named, and never reached behind."""
    found = []
    for folder in ("installer", "screens"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if "/solutions/" in name or "on_control_host" in name or name in AROUND:
                continue
            text = path.read_text(encoding="utf-8")
            if not any(word in text for word in BEHIND):
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Attribute | ast.Call):
                    words = ast.unparse(node)
                    if _round_the_gate(words):
                        found.append(f"{name}:{node.lineno}: {words[:60]}")
    # The one that puts /dev/null in the place of a reader who went away.
    assert [one for one in found if "installer/cli.py" not in one] == []
    assert len(found) == 1


def _round_the_gate(words: str) -> bool:
    behind = ("sys.__stdout__", "sys.__stderr__", "os.write(1", "os.write(2", "_behind")
    return (
        words.startswith(behind)
        or words.endswith((".buffer.write", "stdout.fileno", "stderr.fileno"))
        or (words.startswith("getpass.getpass(") and "visible(" not in words)
        or "'/dev/tty'" in words
    )
