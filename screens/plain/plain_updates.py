"""Updates in plain lines: what runs, what is newer, and what applies it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from foundation.problems import Problem
from screens.plain import plain_apply
from screens.plain.plain_cluster import allowed, ask_way
from screens.plain.prompt import BackWanted
from screens.services.cluster_way import look_for_updates, way_words
from screens.services.live_updates import update_command
from screens.services.services import ToUpdate, UpdatesSeen
from screens.words.update_words import (
    CHANGED,
    CURRENT,
    HEADINGS,
    Item,
    count_words,
    items_of,
    title_words,
)

if TYPE_CHECKING:
    from screens.plain.plain import PlainWizard
    from screens.plain.prompt import Dialogue


def ask(wizard: PlainWizard) -> None:
    """Ask of which cluster and how far, and show it; back ends it without."""
    from installer.updates.asked import read_strategy

    talk = wizard.dialogue
    talk.topic = "updates-way"
    before = wizard.memory.updates
    try:
        way = ask_way(talk)
        strategy = read_strategy(
            talk.ask("Strategy: patch, bugfix, minor or major", before.strategy)
        )
        newer = talk.ask("Newer from: a registry or a bundle; Enter for Docker Hub")
        asked = replace(before, way=way, strategy=strategy.value, newer=newer)
        wizard.memory.updates = asked
        show(wizard, asked)
    except BackWanted:
        return
    except Problem as problem:
        talk.problem(problem)


def show(wizard: PlainWizard, asked: ToUpdate) -> None:
    """Look, and say what is newer until the person goes on; raises Problem."""
    talk = wizard.dialogue
    talk.topic = "updates"
    seen = _looked(wizard, asked)
    while seen is not None:
        shown = _told(talk, seen)
        apply = {f"apply {n}": one for n, one in enumerate(shown, 1) if one.chosen}
        question = "Number of a line, apply and its number, again, or go"
        try:
            answer = talk.ask_number(question, len(shown), others=("", "go", "again", *apply))
        except BackWanted:
            return
        if answer in ("", "go"):
            return
        if isinstance(answer, int):
            _whole(wizard, seen, shown[answer - 1], answer)
            continue
        if answer in apply:
            plain_apply.apply(wizard, seen.asked, apply[answer].chosen)
            talk.topic = "updates"
        seen = _looked(wizard, asked)


def _looked(wizard: PlainWizard, asked: ToUpdate) -> UpdatesSeen | None:
    """What was seen; None where a program of the kubeconfig is not allowed."""
    talk = wizard.dialogue
    talk.say(f"Reading {way_words(asked.way)}, and asking what is newer.")

    def look() -> UpdatesSeen:
        return wizard.wait(
            look_for_updates(asked, wizard.answers, wizard.access(), wizard.services)
        )

    try:
        return look()
    except ProgramsNotAllowed as problem:
        return look() if allowed(wizard, problem) else None


def _told(talk: Dialogue, seen: UpdatesSeen) -> list[Item]:
    """Say how it is, and number what is newer or could not be told."""
    items = items_of(seen.review, seen.workloads)
    talk.say()
    talk.say(f"{seen.where}: {title_words(seen.review)}")
    talk.say(f"{count_words(seen.review, items)} Reached by {seen.way}.")
    if seen.note:
        talk.say(seen.note)
    shown = [one for one in items if one.group != CURRENT]
    group = ""
    for number, one in enumerate(shown, 1):
        if one.group != group:
            group = one.group
            talk.say(f"{HEADINGS[group]}:")
        change = f": {one.change}" if one.change else ""
        owner = f"; {one.owner} owns it" if one.owner else ""
        talk.say(f"{number}. {one.name}{change}{owner}")
    talk.say(f"{len(items) - len(shown)} up to date.")
    return shown


def _whole(wizard: PlainWizard, seen: UpdatesSeen, item: Item, number: int) -> None:
    talk = wizard.dialogue
    talk.say()
    talk.say(f"{item.word}: {item.name}")
    for label, text in item.entries:
        talk.entry(label, text)
    if item.group == CHANGED:
        talk.say(
            f"Applied, after its plan was shown and confirmed, by: apply {number}, or the command:",
            indent="  ",
        )
        talk.command(update_command(seen.asked, item.chosen, wizard.answers))
