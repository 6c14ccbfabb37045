"""The goal in plain lines: the list, and for those who do not know yet, a few questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar

from preflight.sizing import machines_needed, role_lines

if TYPE_CHECKING:
    from installer.guide.advice import Advice, Ranked, Wishes
    from screens.answers.answers import Answers
    from screens.answers.wizard import StepId
    from screens.plain.plain import PlainWizard
    from screens.services.services import EnvironmentChoice, SolutionChoice

Answer = TypeVar("Answer", bound=StrEnum)

GUIDE: Final = "guide"
OPEN: Final = "I do not know yet"


def goal(wizard: PlainWizard) -> StepId | None:
    """Choose a solution and an environment, or the question what this machine can carry."""
    talk, memory, answers = wizard.dialogue, wizard.memory, wizard.answers
    if not memory.solutions:
        memory.solutions = wizard.wait(wizard.services.solutions())
    choices: list[tuple[SolutionChoice, EnvironmentChoice] | None] = []
    if answers.facts_file is None or len(answers.machines) == 1:
        choices.append(None)
    for solution in memory.solutions:
        choices += [(solution, environment) for environment in solution.environments]
    aimed: Answers | None = None
    while aimed is None:
        for number, choice in enumerate(choices, 1):
            if choice is None:
                talk.say(f"{number}. What can this machine carry?")
            else:
                solution, environment = choice
                talk.say(
                    f"{number}. {solution.title}, {environment.title or environment.id} "
                    f"({machines_needed(environment.needs)})"
                )
        talk.say(f'Not sure? Answer "{GUIDE}": a few questions lead to one of these.')
        answer = talk.ask_number("Number of the goal", len(choices), others=(GUIDE,))
        if answer == GUIDE:
            found = _guided(wizard)
            if found is None:
                continue
            chosen = next((c for c in choices if c and (c[0].id, c[1].id) == found), None)
        else:
            chosen = choices[int(answer) - 1]
        if chosen is None:
            aimed = answers.carrying(wizard.services.this_machine())
            continue
        _explain(wizard, *chosen)
        notes = chosen[1].needs.sizing.notes
        answer = talk.ask(f"Take it? yes, no{', notes' if notes else ''}", "yes").lower()
        if answer == "notes":
            for note in notes:
                talk.say(note, indent="  ")
            answer = talk.ask("Take it? yes or no", "yes").lower()
        if answer in ("yes", "y"):
            aimed = answers.aiming_at(chosen[0].id, chosen[1].id)
            if chosen[1].needs.single_machine:
                aimed = aimed.standing_on(wizard.services.this_machine())
    if not aimed.aims_as(answers):
        memory.forget_judgement()
    wizard.answers = aimed
    return None


def _explain(wizard: PlainWizard, solution: SolutionChoice, environment: EnvironmentChoice) -> None:
    talk, needs = wizard.dialogue, environment.needs
    talk.say(solution.summary)
    for count, role, text in role_lines(needs):
        talk.say(f"{count} {role}: {text}" if role else f"or: {text}", indent="  ")
    talk.say(f"Source: {needs.sizing.source}")
    if why_not := needs.not_installed or ("" if solution.installable else solution.note):
        talk.say(f"Sitewright judges this and cannot install it yet. {why_not}")


# ---- for those who do not know yet


def _guided(wizard: PlainWizard) -> tuple[str, str] | None:
    """Ask, look at the machines, and let one of the answers be taken; None to choose again."""
    talk, memory = wizard.dialogue, wizard.memory
    wishes = _wishes(wizard)
    seen = list(memory.seen.values())
    named = bool(seen) or wizard.answers.facts_file is not None
    if not seen and wizard.answers.facts_file is None:
        if memory.here is None:
            talk.say("Looking at this machine; nothing is changed.")
            memory.here = wizard.wait(wizard.services.look_here())
        seen = [memory.here]
    advice = wizard.wait(wizard.services.advise(wishes, seen, named=named))
    if not advice.ranked:
        talk.say("The map has nothing for these answers; answer otherwise.")
        return None
    _tell(wizard, advice)
    while True:
        answer = talk.ask_number(
            "Number to take, or list", len(advice.ranked), default=1, others=("list",)
        )
        if answer == "list":
            return None
        one = advice.ranked[int(answer) - 1]
        if one.goal is not None:
            return one.goal
        _by_hand(wizard, one)


def _wishes(wizard: PlainWizard) -> Wishes:
    from installer.guide.advice import (
        PURPOSE_WORDS,
        QUALITY_WORDS,
        SYSTEM_WORDS,
        USE_CASE_OF,
        Purpose,
        Wishes,
    )
    from installer.guide.option_files import Quality, System

    purpose = Purpose(_one_of(wizard, "Who are you?", _by_value(PURPOSE_WORDS)))
    system = _one_of(wizard, "What should stand in the end?", {**_by_value(SYSTEM_WORDS), "": OPEN})
    quality = where = ""
    if purpose is Purpose.RUN:
        quality = _one_of(wizard, "How well must it stand?", {**_by_value(QUALITY_WORDS), "": OPEN})
        chart = wizard.wait(wizard.services.guide())
        places = {
            case.id: case.name for case in chart.use_cases if case.id not in USE_CASE_OF.values()
        }
        where = _one_of(wizard, "Where?", {**places, "": OPEN})
    internet = _one_of(
        wizard,
        "Will the machines reach the internet?",
        {"yes": "yes", "no": "no, or not reliably"},
    )
    return Wishes(
        purpose=purpose,
        quality=Quality(quality) if quality else None,
        where=where or None,
        system=System(system) if system else None,
        internet=internet == "yes",
    )


def _by_value(words: Mapping[Answer, str]) -> dict[str, str]:
    return {str(one): text for one, text in words.items()}


def _one_of(wizard: PlainWizard, question: str, choices: Mapping[str, str]) -> str:
    talk = wizard.dialogue
    talk.say(question)
    for number, text in enumerate(choices.values(), 1):
        talk.say(f"{number}. {text}")
    answer = talk.ask_number("Your choice", len(choices), default=1)
    return str(list(choices)[int(answer) - 1])


def _tell(wizard: PlainWizard, advice: Advice) -> None:
    """The options, best first, with the reasons of the first and what each lacks."""
    talk = wizard.dialogue
    word = "Recommended" if advice.fits else "Nothing fits as it is. Nearest"
    if advice.ranked[0].mendable:
        word = "Recommended, once mended"
    for number, one in enumerate(advice.ranked, 1):
        first = f"{word}: " if number == 1 else ""
        who = "Sitewright installs it" if one.option.installs(one.way) else "by hand"
        talk.say(f"{number}. {first}{one.name} ({who}; {one.option.file.state_words})")
        if number == 1:
            talk.say(one.option.file.summary, indent="   ")
            _each(wizard, one.reasons)
        _each(wizard, [f"Lacks: {lack}." for lack in one.lacks])
    _each(wizard, advice.remarks)


def _each(wizard: PlainWizard, lines: Sequence[str]) -> None:
    for line in lines:
        wizard.dialogue.say(line, indent="   ")


def _by_hand(wizard: PlainWizard, one: Ranked) -> None:
    """The steps of an option that has no tables here."""
    talk = wizard.dialogue
    talk.say(f"{one.name} is taken by hand: Sitewright has no tables for it. Its steps:")
    for number, step in enumerate(one.option.file.steps, 1):
        talk.say(f"{number}. {step.title}. {step.text}".strip())
        for command in step.commands:
            talk.command(command)
