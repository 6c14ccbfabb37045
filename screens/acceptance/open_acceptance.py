"""An acceptance from the first question to its verdict: which page follows which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from installer.hand_over.later import ACCEPTANCE
from screens.acceptance.ask_hub import HubScreen
from screens.dialogs.ask_programs import ProgramsScreen
from screens.services.file_words import shown_path
from screens.words.acceptance_words import watched_title

if TYPE_CHECKING:
    from installer.acceptance.accept import Asked
    from installer.acceptance.carried import Carried
    from installer.acceptance.choice import Choice
    from installer.acceptance.hub_file import HubFile
    from installer.hand_over.later import Later
    from screens.shell.step import StepScreen

NOT_STARTED = "The commands of the hub file are not started, so that nothing was begun."


def open_page(screen: StepScreen, wanted: Later | None) -> None:
    """Open the page of what can be done later, where it is this one."""
    if wanted is not None and wanted.page == ACCEPTANCE:
        ask_acceptance(screen)


def ask_acceptance(screen: StepScreen, hub: Path | None = None) -> None:
    """Ask which hub, filled with what was typed last, and go on to what is proven."""
    from installer.acceptance.choice import Choice
    from installer.acceptance.offers import OFFERS

    memory = screen.memory
    before = memory.acceptance or Choice(Path(), OFFERS[0].profile)
    if hub is not None:
        before = replace(before, hub=hub)

    def take(answer: tuple[Choice, HubFile] | None) -> None:
        if answer is not None:
            choice, read = answer
            known = {one.name for one in read.drills}
            choice = replace(choice, drills=tuple(one for one in choice.drills if one in known))
            memory.acceptance = choice
            _choose(screen, choice, read)

    screen.app.push_screen(HubScreen(before), take)


def _choose(screen: StepScreen, choice: Choice, hub: HubFile) -> None:
    from screens.acceptance.choose import ChooseScreen

    def take(answer: tuple[Choice, Asked] | None) -> None:
        if answer is None:
            ask_acceptance(screen)
        else:
            screen.memory.acceptance = answer[0]
            _review(screen, *answer)

    screen.app.push_screen(ChooseScreen(choice, hub), take)


def _review(screen: StepScreen, choice: Choice, asked: Asked) -> None:
    from screens.acceptance.review import ReviewScreen, begin_question

    person = screen.memory.person or screen.services.person()

    def named(name: str | None) -> None:
        if name is None:
            _review(screen, choice, asked)
            return
        screen.memory.person = name
        _begin(screen, replace(choice, by=name), replace(asked, by=name))

    def take(yes: bool | None) -> None:
        if yes:
            screen.app.push_screen(begin_question(asked, person), named)
        else:
            _choose(screen, choice, asked.hub)

    screen.app.push_screen(ReviewScreen(asked), take)


def _begin(screen: StepScreen, choice: Choice, asked: Asked) -> None:
    screen.run_quietly(_carry(screen, choice, asked), group="acceptance")


async def _carry(screen: StepScreen, choice: Choice, asked: Asked) -> None:
    from installer.acceptance.report.picture import Watch
    from screens.acceptance.watch import WatchScreen

    watch = Watch(asked.profile, asked.bounds)
    try:
        carried = await screen.services.begin_acceptance(choice, asked, watch.say, watch.tick)
    except ProgramsNotAllowed as problem:
        _ask_programs(screen, problem, choice, asked)
        return
    watching = WatchScreen(carried, watch, watched_title(asked.hub, asked.profile))
    screen.app.push_screen(watching, lambda _: _ended(screen, carried, choice, asked))


def _ended(screen: StepScreen, carried: Carried, choice: Choice, asked: Asked) -> None:
    screen.run_quietly(_show(screen, carried, choice, asked), group="acceptance")


async def _show(screen: StepScreen, carried: Carried, choice: Choice, asked: Asked) -> None:
    from installer.acceptance.provisioning.provision import HubInUse
    from installer.acceptance.report.words import VERDICTS
    from screens.acceptance.review import in_use_question
    from screens.acceptance.verdict import VerdictScreen

    try:
        result = carried.result()
    except HubInUse as problem:
        person = screen.memory.person

        def answers_for_it(name: str | None) -> None:
            if name is not None:
                _begin(screen, replace(choice, allowed_by=name), replace(asked, allowed_by=name))

        screen.app.push_screen(in_use_question(problem.cause, person), answers_for_it)
        return
    word = VERDICTS[result.verdict].word
    screen.wizard.call_person(f"The acceptance has ended: {word}")
    if carried.folder is None:
        return
    page = shown_path(carried.folder)
    screen.memory.last_words.append(f"The acceptance ({word}): {page}")
    screen.say(f"The acceptance: {word}. Its pages are in {page}")
    screen.app.push_screen(VerdictScreen(result, carried.folder))


def _ask_programs(
    screen: StepScreen, problem: ProgramsNotAllowed, choice: Choice, asked: Asked
) -> None:
    async def allow() -> None:
        await screen.services.allow_programs(problem.programs)
        _begin(screen, choice, asked)

    def answered(yes: bool | None) -> None:
        if yes:
            screen.run_quietly(allow(), group="allow programs")
        else:
            screen.say(NOT_STARTED)

    screen.app.push_screen(ProgramsScreen(problem.programs, "hub file"), answered)
