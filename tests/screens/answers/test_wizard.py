"""The order of the steps, without a screen."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts.model import LOCAL_ADDRESS, Host
from screens.answers.answers import Answers
from screens.answers.wizard import (
    INSTALLING,
    Mark,
    StepId,
    after,
    before,
    later,
    later_of,
    marks,
    may_jump,
    missing,
    needless,
    position,
    resume_at,
)
from tests.screens.saying import said

LOCAL = Host("here", LOCAL_ADDRESS)
FAR = Host("m1", "10.0.0.1")
SITE = said(solution="pm4ml", environment="production", machines=(FAR,))

any_answers = st.builds(
    said,
    step=st.sampled_from([step.value for step in StepId]),
    furthest=st.sampled_from([step.value for step in StepId]),
    carry=st.booleans(),
    installable=st.booleans(),
    solution=st.sampled_from([None, "pm4ml"]),
    machines=st.sampled_from([(), (LOCAL,), (FAR,), (LOCAL, FAR)]),
    facts_file=st.sampled_from([None, Path("facts.json")]),
)


def walk(answers: Answers) -> list[StepId]:
    """Every step that Next leads through, from the first."""
    steps, step = [], StepId.WELCOME
    while True:
        steps.append(step)
        following = after(step, answers)
        if following is None:
            return steps
        step = following


def test_remote_machines_go_through_every_step() -> None:
    assert walk(SITE) == [step for step in StepId if step not in INSTALLING]
    assert walk(replace(SITE, installable=True)) == list(StepId)


def test_only_a_solution_that_can_be_installed_leads_beyond_the_summary() -> None:
    assert "Plan" in later(SITE)
    assert later(replace(SITE, installable=True)) == ()
    looked_back = replace(SITE, installable=True, facts_file=Path("facts.json"))
    assert walk(looked_back)[-1] is StepId.SUMMARY


@pytest.mark.parametrize("step", [StepId.PLAN, StepId.INSTALL, StepId.VERIFY, StepId.HAND_OVER])
def test_a_plan_is_gone_on_with_only_after_another_look(step: StepId) -> None:
    answers = replace(SITE, installable=True, step=step.value)
    assert resume_at(answers) is StepId.PREFLIGHT


def test_only_this_machine_needs_no_trust() -> None:
    answers = said(solution="miniloop", environment="single-box", machines=(LOCAL,))
    assert StepId.TRUST not in walk(answers)
    assert StepId.MACHINES in walk(answers)


def test_the_question_what_this_machine_carries_needs_no_machines() -> None:
    answers = said(carry=True, machines=(LOCAL,))
    assert walk(answers) == [StepId.WELCOME, StepId.GOAL, StepId.PREFLIGHT, StepId.SUMMARY]


def test_saved_facts_need_neither_machines_nor_trust() -> None:
    answers = said(solution="pm4ml", machines=(FAR,), facts_file=None).carrying(LOCAL)
    assert needless(StepId.MACHINES, answers)


@given(any_answers)
def test_back_undoes_next_from_every_step(answers: Answers) -> None:
    steps = walk(answers)
    for one, following in pairwise(steps):
        assert before(following, answers) is one


@given(any_answers)
def test_going_on_never_begins_where_an_earlier_answer_is_missing(answers: Answers) -> None:
    step = resume_at(answers)
    assert step is not StepId.WELCOME
    order = list(StepId)
    for earlier in order[: order.index(step)]:
        assert needless(earlier, answers) or missing(earlier, answers) is None


@given(any_answers, st.sampled_from(list(StepId)))
def test_the_rail_marks_exactly_the_step_one_is_on(answers: Answers, here: StepId) -> None:
    rail = marks(here, answers)
    assert [step for step, mark in rail if mark is Mark.HERE] == [here]
    assert not may_jump(here, here, answers)


@given(any_answers, st.sampled_from(list(StepId)), st.sampled_from(list(StepId)))
def test_the_rail_never_leads_past_the_furthest_step(
    answers: Answers, here: StepId, there: StepId
) -> None:
    if may_jump(there, here, answers):
        furthest = later_of(answers.furthest, here)
        assert later_of(furthest, there) == furthest


@pytest.mark.parametrize(
    ("step", "answers", "word"),
    [
        (StepId.GOAL, Answers(), "Choose"),
        (StepId.MACHINES, said(solution="pm4ml"), "Name at least one machine"),
    ],
)
def test_next_says_what_is_missing(step: StepId, answers: Answers, word: str) -> None:
    sentence = missing(step, answers)
    assert sentence is not None
    assert word in sentence


def test_the_number_of_steps_leaves_out_those_not_needed() -> None:
    assert position(StepId.PREFLIGHT, SITE) == (5, 6)
    assert position(StepId.PREFLIGHT, said(carry=True, machines=(LOCAL,))) == (3, 4)
