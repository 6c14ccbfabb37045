"""A site file that the wizard opens is held against its solution, as the command does."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from screens.answers.answers import Answers
from screens.services.judging import question_for
from screens.services.live import LiveServices
from screens.services.memory import Memory

HOSTS = "hosts:\n  - {name: box, address: 10.0.0.1, roles: [box]}\n"


def opened(folder: Path, text: str) -> Answers:
    """The answers that a site file of this text gives."""
    file = folder / "site.yaml"
    file.write_text(text + HOSTS)
    answers = asyncio.run(LiveServices().machine_file(file)).answers
    assert answers is not None
    return answers


def test_no_environment_means_the_one_that_the_solution_offers_first(tmp_path: Path) -> None:
    answers = opened(tmp_path, "solution: core-test-harness\n")
    assert answers.environment == "single-box"
    question = asyncio.run(question_for(answers, Memory(), LiveServices()))
    assert question.needs.environment == "single-box"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("solution: core-test-harnes\n", "core-test-harness"),
        ("solution: core-test-harness\nenvironment: single-bx\n", "single-box"),
        ("solution: pm4ml\n", 'the host "box" has the role "box"'),
    ],
)
def test_what_the_solution_has_not_is_said_when_the_file_is_opened(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(InputProblem, match=words):
        opened(tmp_path, text)
