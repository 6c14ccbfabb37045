"""The goal in plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from preflight.sizing import machines_needed, role_lines

if TYPE_CHECKING:
    from screens.answers import Answers
    from screens.plain import PlainWizard
    from screens.services import EnvironmentChoice, SolutionChoice
    from screens.wizard import StepId


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
        chosen = choices[int(talk.ask_number("Number of the goal", len(choices))) - 1]
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
    if not solution.installable:
        talk.say(f"Sitewright judges this and cannot install it yet. {solution.note}")
