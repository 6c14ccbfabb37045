"""Problems: every class has a title, a stable code and an exit code; texts reach a person once."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator

import pytest

from foundation import problems
from foundation.problems import (
    ChangedHostKey,
    ConnectionProblem,
    ExitCode,
    HostKeyProblem,
    InputProblem,
    Problem,
    UnknownHostKey,
)


def classes(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Every class of problem that the foundation knows."""
    yield base
    for child in base.__subclasses__():
        if child.__module__ == problems.__name__:
            yield from classes(child)


@pytest.mark.parametrize("kind", list(classes()), ids=lambda kind: kind.__name__)
def test_every_class_can_be_told(kind: type[Problem]) -> None:
    problem = kind("it rained", where="n1", remedy="take an umbrella")
    assert str(problem) == f"{kind.title} (n1): it rained"
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert kind.title
    assert problem.as_dict() == {
        "code": kind.code, "title": kind.title, "where": "n1", "cause": "it rained",
        "remedy": "take an umbrella",
    }  # fmt: skip
    again = copy.copy(problem)
    assert type(again) is kind
    assert again.as_dict() == problem.as_dict()


def test_codes_are_not_shared() -> None:
    codes = [kind.code for kind in classes()]
    assert len(codes) == len(set(codes))


def test_exit_codes_are_those_of_the_design() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 6, 7, 130]
    assert InputProblem("x").exit_code is ExitCode.USAGE
    for kind in classes(ConnectionProblem):
        assert kind.exit_code is ExitCode.UNREACHABLE


def test_a_changed_key_is_an_unknown_one_and_carries_both() -> None:
    problem = ChangedHostKey("x", fingerprint="SHA256:abc", public_key="ssh-ed25519 AAAA")
    assert isinstance(problem, UnknownHostKey | HostKeyProblem)
    assert (problem.fingerprint, problem.public_key) == ("SHA256:abc", "ssh-ed25519 AAAA")


def test_a_problem_without_a_place_or_remedy_is_still_whole() -> None:
    problem = Problem("it rained")
    assert str(problem) == "Something went wrong: it rained"
    assert problem.as_dict()["remedy"] is None


def test_a_cause_ends_as_a_sentence_does() -> None:
    ends = {
        "it is so": "it is so.",
        "it is so.": "it is so.",
        'there is no "pm4": did you mean "pm4ml"?': 'there is no "pm4": did you mean "pm4ml"?',
        "what next?": "what next?",
        "": ".",
    }
    for cause, sentence in ends.items():
        assert InputProblem(cause).sentence == sentence
