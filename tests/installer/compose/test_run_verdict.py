"""A run of the toolkit is judged by its exit code and its summary both."""

from __future__ import annotations

import pytest

from installer.compose.containers import Container
from installer.steps.compose_run import ComposeRunStep, judge_run

DATA = ComposeRunStep(
    id="tests", kind="compose-run", title="Run the tests", project="harness", directory="/opt/x",
    service="ttk-tests", summary="Passed percentage[^0-9N]*([0-9.]+|NaN)%", at_least=100,
)  # fmt: skip
TABLE = """\
├───────────────────┼───────────────────────────────┤
│ Failed assertions │ 0                             │
│ Passed percentage │ 100.00%                       │
└───────────────────┴───────────────────────────────┘
""".splitlines()


def verdict(code: int, lines: list[str], status: str = "exited") -> tuple[str, str]:
    """The sentence and the problem."""
    judged = judge_run(DATA, Container("ttk-tests", "x", status, code), lines)
    return judged.sentence, judged.problem


def test_both_good() -> None:
    assert verdict(0, TABLE) == ("Passed percentage 100.00%; it ended with 0.", "")


@pytest.mark.parametrize(
    ("code", "share", "words"),
    [
        (0, "96.30", "100 is needed, although it ended with 0"),
        (1, "96.30", "100 is needed, and it ended with 1"),
        (1, "100.00", "ended with 1, although it says"),
        (0, "9.9.9", "100 is needed"),
        # What the toolkit says, with exit code 0, where it found no test at all.
        (0, "NaN", "Passed percentage NaN%; 100 is needed, although it ended with 0"),
    ],
)
def test_one_bad_is_enough(code: int, share: str, words: str) -> None:
    lines = [line.replace("100.00", share) for line in TABLE]
    sentence, problem = verdict(code, lines)
    assert not sentence
    assert words in problem


def test_no_summary_is_no_pass() -> None:
    assert "printed no summary, although it ended with 0" in verdict(0, ["hello"])[1]
    assert "printed no summary, and it ended with 137" in verdict(137, [])[1]


def test_the_last_summary_counts() -> None:
    bad = [line.replace("100.00", "50.00") for line in TABLE]
    assert verdict(0, TABLE + bad)[1]
    assert not verdict(0, bad + TABLE)[1]


def test_one_that_did_not_end() -> None:
    assert "did not end" in verdict(0, TABLE, "running")[1]
