"""Updates in plain lines: what runs, what is newer, and what applies it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from foundation.problems import Problem
from screens.plain import plain_apply
from screens.plain.plain_cluster import allowed, ask_way
from screens.plain.prompt import BackWanted
from screens.services.cluster_way import asked_words, look_for_updates, machines_in
from screens.services.live_updates import update_command
from screens.services.services import ClusterWay, ToUpdate, UpdatesSeen
from screens.words.applied_words import MIXED
from screens.words.update_words import (
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
    """Ask of what and how far, and show it; back ends it without."""
    from installer.updates.asked import read_strategy

    talk = wizard.dialogue
    talk.topic = "updates-way"
    before = wizard.memory.updates
    try:
        on = machines_in(talk.ask("Machines whose Compose projects are meant; Enter for a cluster"))
        way = ClusterWay() if on else ask_way(talk)
        strategy = read_strategy(
            talk.ask("Strategy: patch, bugfix, minor or major", before.strategy)
        )
        newer = talk.ask("Newer from: a registry or a bundle; Enter for Docker Hub")
        asked = replace(before, way=way, on=on, strategy=strategy.value, newer=newer)
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
        words = _Words(shown)
        question = "Number of a line, apply and its number or several, again, or go"
        try:
            answer = talk.ask_number(question, len(shown), others=words)
        except BackWanted:
            return
        if answer in ("", "go"):
            return
        if isinstance(answer, int):
            _whole(wizard, seen, shown[answer - 1], answer)
            continue
        if items := words.items(answer):
            _apply(wizard, seen, items)
            talk.topic = "updates"
        seen = _looked(wizard, asked)


@dataclass(frozen=True, slots=True)
class _Words:
    """The words that are taken beside a number."""

    shown: list[Item]

    def __contains__(self, answer: object) -> bool:
        return isinstance(answer, str) and (
            answer in ("", "go", "again") or bool(self.items(answer))
        )

    def items(self, answer: str) -> list[Item]:
        """The lines of `apply 1 3`; none where one of them is not changed, or it says another."""
        word, *numbers = answer.replace(",", " ").split() or [""]
        among = {str(n): one for n, one in enumerate(self.shown, 1) if one.chosen or one.by_commit}
        if word != "apply" or not all(one in among for one in numbers):
            return []
        return [among[one] for one in dict.fromkeys(numbers)]


def _apply(wizard: PlainWizard, seen: UpdatesSeen, items: list[Item]) -> None:
    keys = {one.key for one in items}
    if len({bool(one.by_commit) for one in items}) > 1:
        wizard.dialogue.say(MIXED)
    elif items[0].by_commit:
        plain_apply.commit(wizard, [one for one in seen.workloads if one.words in keys])
    else:
        plain_apply.apply(wizard, seen.meant, tuple(one.chosen for one in items))


def _looked(wizard: PlainWizard, asked: ToUpdate) -> UpdatesSeen | None:
    """What was seen; None where a program of the kubeconfig is not allowed."""
    talk = wizard.dialogue
    talk.say(f"Reading {asked_words(asked)}, and asking what is newer.")

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
    items = items_of(seen.review, seen.workloads, seen.services)
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
    if item.chosen or item.by_commit:
        what = "its commit" if item.by_commit else "its plan"
        talk.say(
            f"Applied, after {what} was shown and confirmed, by: apply {number}, or the command:",
            indent="  ",
        )
        chosen, by_commit = (item.by_commit or item.chosen,), bool(item.by_commit)
        talk.command(update_command(seen.meant, chosen, wizard.answers, by_commit=by_commit))
