"""An acceptance in plain lines: chosen, reviewed, begun by name, told while it runs, judged."""

from __future__ import annotations

import queue
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from foundation.problems import Problem
from foundation.typed_paths import typed_path
from screens.plain.prompt import BackWanted, LeaveWanted, ask_yes
from screens.words.acceptance_words import ABOUT, FORMS, IN_USE, cost_cells, stop_words
from screens.words.program_words import WHY

if TYPE_CHECKING:
    from installer.acceptance.accept import Asked
    from installer.acceptance.carried import Carried
    from installer.acceptance.choice import Choice
    from installer.acceptance.hub_file import HubFile
    from installer.acceptance.profile import Profile
    from installer.acceptance.result import Result
    from screens.plain.plain import PlainWizard
    from screens.plain.prompt import Dialogue

_EACH = 5
"""Seconds between two lines of the live picture for a person; a pipe has one each half minute."""
_FEWER = 30


def ask(wizard: PlainWizard, hub: Path | None = None) -> None:
    """From the hub file to the verdict; back ends it."""
    talk = wizard.dialogue
    talk.topic = "acceptance"
    talk.say(ABOUT)
    try:
        choice, read = _hub(wizard, hub)
        choice, asked = _chosen(wizard, choice, read)
        _review(talk, asked)
        choice, asked = _named(wizard, choice, asked)
        result = _carried(wizard, choice, asked)
    except BackWanted:
        return
    except Problem as problem:
        talk.problem(problem)
        return
    if result is not None:
        _verdict(wizard, *result)


def _hub(wizard: PlainWizard, hub: Path | None) -> tuple[Choice, HubFile]:
    """Which hub, by its file; one is written to fill in where it is not there. Raises Problem."""
    from installer.acceptance.choice import Choice
    from installer.acceptance.hub_file import EXAMPLE
    from installer.acceptance.offers import OFFERS

    talk, memory = wizard.dialogue, wizard.memory
    before = memory.acceptance or Choice(Path(), OFFERS[0].profile)
    path = hub
    while path is None:
        known = "" if before.hub == Path() else str(before.hub)
        answer = talk.ask("Hub file; example writes one to fill in", known)
        if answer == "example":
            file = talk.ask_file_to_write("hub.yaml")
            wizard.wait(wizard.services.write_text(file, EXAMPLE))
            talk.say(f"Written: {file}. Fill it in with an editor, then name it here.")
        elif answer:
            path = typed_path(answer)
    read = wizard.wait(wizard.services.read_hub(path))
    name = talk.ask("Name of the hub's own participant", before.hub_name)
    token = talk.ask("File with the token of its administration; Enter for none")
    password = ""
    if read.ledger is not None:
        password = talk.ask("File with the password of its database; Enter for none")
    return (
        replace(
            before, hub=path, hub_name=name,
            token_file=typed_path(token) if token else None,
            password_file=typed_path(password) if password else None,
        ),
        read,
    )  # fmt: skip


def _chosen(wizard: PlainWizard, choice: Choice, hub: HubFile) -> tuple[Choice, Asked]:
    """The profile and the drills, until nothing stands against them."""
    from installer.acceptance.choice import bounds, processes_for
    from installer.acceptance.offers import OFFERS

    talk = wizard.dialogue
    while True:
        for number, one in enumerate(OFFERS, 1):
            processes = choice.processes or processes_for(one.profile.rate)
            takes, transfers, money = cost_cells(hub, one.profile, processes, bounds())
            talk.say(f"{number}. {one.title}: {takes}, {transfers} transfers, {money} moved")
        talk.say(f"{len(OFFERS) + 1}. A rate and times of your own")
        number = int(talk.ask_number("What is to be proven", len(OFFERS) + 1, default=1))
        if number > len(OFFERS):
            choice = _own(talk, choice)
        else:
            choice = replace(choice, profile=OFFERS[number - 1].profile)
        names = [one.name for one in hub.drills]
        for place, name in enumerate(names, 1):
            talk.say(f"{place}. {name}")
        wanted = talk.ask("Faults under load, by number; Enter for none") if names else ""
        numbers = [int(one) for one in wanted.split() if one.isascii() and one.isdigit()]
        choice = replace(
            choice, drills=tuple(names[one - 1] for one in numbers if 0 < one <= len(names))
        )
        wizard.memory.acceptance = choice
        try:
            return choice, wizard.wait(wizard.services.read_acceptance(choice))
        except Problem as problem:
            talk.problem(problem)


def _own(talk: Dialogue, choice: Choice) -> Choice:
    from installer.acceptance.choice import read_processes, read_rate, read_seconds
    from installer.acceptance.profile import Profile

    while True:
        try:
            profile: Profile = Profile(
                read_rate(talk.ask("Transfers a second", "1")),
                read_seconds(talk.ask("For, such as 90s, 10m or 1h", "60s")),
                read_seconds(talk.ask("Warm-up before it", "60s")),
                read_seconds(talk.ask("Ramp before it", "60s")),
            )
            typed = talk.ask("Processes; Enter for as many as the rate needs")
            return replace(
                choice, profile=profile, processes=read_processes(typed) if typed else None
            )
        except ValueError as error:
            talk.say(f"{error}.")


def _review(talk: Dialogue, asked: Asked) -> None:
    from installer.acceptance.report.review import review

    for section in review(asked):
        talk.say()
        talk.say(f"{section.title}:")
        for label, text in section.entries:
            talk.say(f"{label}: {text}" if label else text, indent="  " if label else "    ")


def _named(wizard: PlainWizard, choice: Choice, asked: Asked) -> tuple[Choice, Asked]:
    """The last question; raises BackWanted where it is not to begin."""
    from installer.acceptance.report.review import begin_words
    from screens.plain.plain_settings import ask_name

    talk = wizard.dialogue
    talk.say()
    talk.say(begin_words(asked))
    if not ask_yes(talk, "Begin the acceptance"):
        raise BackWanted
    by = ask_name(wizard)
    return replace(choice, by=by), replace(asked, by=by)


def _carried(wizard: PlainWizard, choice: Choice, asked: Asked) -> tuple[Result, Path] | None:
    """Carry it through; None where its programs are not allowed. Raises Problem."""
    from installer.acceptance.provisioning.provision import HubInUse

    talk = wizard.dialogue
    try:
        return _carry(wizard, choice, asked)
    except ProgramsNotAllowed as problem:
        talk.say("The hub file would start on this machine:")
        for program in problem.programs:
            talk.say(f"{program.place}:")
            talk.command(program.whole)
        talk.say(WHY)
        if not ask_yes(talk, "Allow exactly these"):
            talk.say("They are not started, so that nothing was begun.")
            return None
        wizard.wait(wizard.services.allow_programs(problem.programs))
        return _carried(wizard, choice, asked)
    except HubInUse as problem:
        if asked.allowed_by:
            raise
        talk.say(f"This hub is in use: {problem.cause}. {IN_USE}")
        name = talk.ask("Who answers for the load; Enter for nobody").strip()
        if not name:
            raise
        return _carried(
            wizard, replace(choice, allowed_by=name), replace(asked, allowed_by=name)
        )  # fmt: skip


def _carry(wizard: PlainWizard, choice: Choice, asked: Asked) -> tuple[Result, Path] | None:
    from installer.acceptance.carried import attend
    from installer.acceptance.report.live import Live

    talk = wizard.dialogue
    # It is told in a thread of its own; while a person is asked something nothing is said.
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    every = _EACH if sys.stdout.isatty() else _FEWER
    live = Live(asked.profile, asked.bounds, told.put, every)
    begun = wizard.services.begin_acceptance(choice, asked, told.put, live.tick)
    carried = wizard.wait(begun)
    talk.say("Ctrl-C asks whether to stop it.")

    def pulse() -> None:
        while not told.empty():
            talk.line(told.get())

    attend(carried, pulse=pulse, asked=lambda: _stop(talk, carried))
    folder = carried.folder
    result = carried.result()
    return None if folder is None else (result, folder)


def _stop(talk: Dialogue, carried: Carried) -> None:
    """Whether to stop it; the end of the input stops it too."""
    title, words = stop_words(carried)
    talk.say()
    talk.say(words)
    try:
        yes = ask_yes(talk, title.rstrip("?"))
    except BackWanted:
        yes = False
    except LeaveWanted:
        yes = True
    if yes and not carried.ended():
        carried.end()


def _verdict(wizard: PlainWizard, result: Result, folder: Path) -> None:
    from installer.acceptance.report.text import text_lines
    from installer.acceptance.report.words import VERDICTS
    from screens.services.file_words import shown_path

    talk = wizard.dialogue
    talk.topic = "acceptance-verdict"
    talk.say()
    for line in text_lines(result, 76):
        talk.line(line)
    talk.say()
    talk.say(f"Its pages are in {shown_path(folder)}:")
    for name, about in FORMS.items():
        talk.say(f"{name}: {about}", indent="  ")
    word = VERDICTS[result.verdict].word
    wizard.memory.last_words.append(f"The acceptance ({word}): {shown_path(folder)}")
