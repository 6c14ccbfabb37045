"""The wizard: the order of its steps, and what it takes to go from one to the next.

Pure: it knows answers and nothing of a screen. Back is always legal; a step that an answer makes
pointless is passed over in both directions, and the rail says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from screens.answers.answers import Answers


class StepId(StrEnum):
    """The steps that can be taken."""

    WELCOME = "welcome"
    GOAL = "goal"
    MACHINES = "machines"
    TRUST = "trust"
    PREFLIGHT = "preflight"
    SUMMARY = "summary"
    SETTINGS = "settings"
    SUPPLIES = "supplies"
    PLAN = "plan"
    INSTALL = "install"
    VERIFY = "verify"
    HAND_OVER = "hand-over"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its word on the rail, its title, and why it exists."""

    id: StepId
    word: str
    title: str
    why: str


STEPS: Final = (
    Step(
        StepId.WELCOME,
        "Welcome",
        "Welcome",
        "Begin, go on where you left, or open what was seen before.",
    ),
    Step(
        StepId.GOAL,
        "Goal",
        "What should these machines carry?",
        "Begin with who you are: the map shows what serves you.",
    ),
    Step(
        StepId.MACHINES,
        "Machines",
        "Which machines?",
        "Each is tried as soon as it is named; nobody logs in yet.",
    ),
    Step(
        StepId.TRUST,
        "Trust",
        "Are these the right machines?",
        "Compare each fingerprint with the machine's own console.",
    ),
    Step(
        StepId.PREFLIGHT,
        "Preflight",
        "Can they carry it?",
        "One login and one script a machine, which changes nothing.",
    ),
    Step(
        StepId.SUMMARY,
        "Summary",
        "What came out",
        "The verdict, the roles, and the file that repeats all this.",
    ),
    Step(
        StepId.SETTINGS,
        "Settings",
        "How should it be set up?",
        "What only you can know of this site; passwords stay in memory.",
    ),
    Step(
        StepId.SUPPLIES,
        "Supplies",
        "Where does the software come from?",
        "Machines fetch it themselves, or a bundle brings it.",
    ),
    Step(
        StepId.PLAN,
        "Plan",
        "What will be done",
        "What stands here is what runs; nothing runs yet.",
    ),
    Step(
        StepId.INSTALL,
        "Install",
        "The installation",
        "Commands run on the machines themselves and outlive this screen.",
    ),
    Step(
        StepId.VERIFY,
        "Verify",
        "Does it work?",
        "The questions by which the guide calls a deployment successful.",
    ),
    Step(
        StepId.HAND_OVER,
        "Hand over",
        "What was installed",
        "For those who run it from now on, and for the auditor.",
    ),
)

INSTALLING: Final = (
    StepId.SETTINGS,
    StepId.SUPPLIES,
    StepId.PLAN,
    StepId.INSTALL,
    StepId.VERIFY,
    StepId.HAND_OVER,
)
"""The steps of an installation, which only a solution that can be installed has."""


class Mark(StrEnum):
    """The state of a step on the rail."""

    DONE = "done"
    HERE = "here"
    TO_COME = "to come"
    PASSED_OVER = "not needed"


def step_of(step: StepId) -> Step:
    """The step with its texts."""
    return next(entry for entry in STEPS if entry.id is step)


def needless(step: StepId, answers: Answers) -> bool:
    """Whether the answers make a step pointless."""
    match step:
        case StepId.MACHINES:
            return answers.facts_file is not None or answers.carry
        case StepId.TRUST:
            return answers.facts_file is not None or (
                bool(answers.machines) and all(host.local for host in answers.machines)
            )
        case _:
            return step in INSTALLING and not installs(answers)


def installs(answers: Answers) -> bool:
    """Whether the steps of an installation belong to these answers."""
    return answers.installable and not answers.carry and answers.facts_file is None


def later(answers: Answers) -> tuple[str, ...]:
    """The words of the steps that the rail announces and that cannot be taken with this goal."""
    if installs(answers):
        return ()
    return tuple(step_of(step).word for step in INSTALLING)


def missing(step: StepId, answers: Answers) -> str | None:
    """Why Next is not possible from a step, as a sentence that says what to do; None if it is."""
    match step:
        case StepId.GOAL if not answers.carry and answers.solution is None:
            return "Choose what the machines should carry first."
        case StepId.MACHINES if not answers.machines and answers.facts_file is None:
            return "Name at least one machine first; F3 takes this one."
        case _:
            return None


def after(step: StepId, answers: Answers) -> StepId | None:
    """The step that Next leads to, or None at the end."""
    order = [entry.id for entry in STEPS]
    for following in order[order.index(step) + 1 :]:
        if not needless(following, answers):
            return following
    return None


def before(step: StepId, answers: Answers) -> StepId | None:
    """The step that Back leads to, or None at the beginning."""
    order = [entry.id for entry in STEPS]
    for earlier in reversed(order[: order.index(step)]):
        if not needless(earlier, answers):
            return earlier
    return None


def resume_at(answers: Answers) -> StepId:
    """Where to go on: the saved step, or the first before it whose answer is missing."""
    saved = StepId(answers.step)
    if saved in (StepId.PLAN, StepId.INSTALL, StepId.VERIFY, StepId.HAND_OVER):
        # A plan is made for machines as they are now, so they are looked at again.
        saved = StepId.PREFLIGHT
    for entry in STEPS:
        if entry.id is saved:
            break
        if not needless(entry.id, answers) and missing(entry.id, answers) is not None:
            return entry.id
    if needless(saved, answers):
        return after(saved, answers) or before(saved, answers) or StepId.GOAL
    # Going on at "welcome" would ask again whether to go on.
    return StepId.GOAL if saved is StepId.WELCOME else saved


def later_of(one: str, other: str) -> str:
    """Of two steps, the one that comes later."""
    order = [entry.id.value for entry in STEPS]
    return max(one, other, key=order.index)


def marks(here: StepId, answers: Answers) -> tuple[tuple[StepId, Mark], ...]:
    """The rail: every step that can be taken, with its state."""
    order = [entry.id for entry in STEPS]
    furthest = order.index(StepId(later_of(answers.furthest, here)))
    rail = []
    for place, step in enumerate(order):
        if step in INSTALLING and not installs(answers) and step is not here:
            continue
        if step is here:
            mark = Mark.HERE
        elif needless(step, answers):
            mark = Mark.PASSED_OVER
        elif place < furthest or (place == furthest and step is not here):
            mark = Mark.DONE
        else:
            mark = Mark.TO_COME
        rail.append((step, mark))
    return tuple(rail)


def may_jump(step: StepId, here: StepId, answers: Answers) -> bool:
    """Whether the rail leads to a step: back always, forward only where one has been."""
    return any(
        entry is step and mark is Mark.DONE and step is not here
        for entry, mark in marks(here, answers)
    )


def position(step: StepId, answers: Answers) -> tuple[int, int]:
    """The number of a step and how many there are, those not needed left out."""
    needed = [entry.id for entry in STEPS if not needless(entry.id, answers)]
    return (needed.index(step) + 1 if step in needed else 1), len(needed)
