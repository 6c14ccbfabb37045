"""Applying an update in plain lines: reviewed, approved, confirmed by name, watched to its end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from foundation.problems import Problem
from foundation.typed_paths import typed_path
from foundation.wording import listed
from screens.plain.plain_run import watched
from screens.plain.plain_settings import ask_name
from screens.plain.prompt import BackWanted
from screens.services.cluster_way import left_to_apply, order_of, prepare, site_in
from screens.services.memory import Changed, Touched
from screens.words.applied_words import (
    CLONE,
    COMMIT,
    LEAVING,
    NOT_GONE_ON,
    TITLE,
    WHICH_SITE,
    against,
    by_word,
    ended_words,
    record_words,
    review_entries,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from installer.events import Outcome
    from installer.updates.applying.workloads import Workload
    from screens.answers.answers import Answers
    from screens.plain.plain import PlainWizard
    from screens.services.services import Installing, Order, ToApply, ToUpdate


def apply(wizard: PlainWizard, asked: ToUpdate, chosen: tuple[str, ...]) -> None:
    """Plan the update of what was chosen, show it, and carry it through after a yes."""

    def plan() -> ToApply:
        credentials = wizard.memory.credentials
        return wizard.wait(prepare(asked, chosen, _site(wizard), credentials, wizard.services))

    _apply(wizard, plan, "It was not begun, and nothing was changed.")


def see_to_its_end(wizard: PlainWizard, run: Path) -> None:
    """Show an update that was left, and carry it on after a yes."""

    def read() -> ToApply:
        return wizard.wait(left_to_apply(run, wizard.memory.credentials, wizard.services))

    _apply(wizard, read, NOT_GONE_ON)


def _apply(wizard: PlainWizard, plan: Callable[[], ToApply], no: str) -> None:
    talk = wizard.dialogue
    talk.topic = "updates-review"
    try:
        order = _reviewed(wizard, plan())
    except BackWanted:
        order = None
    except Problem as problem:
        talk.problem(problem)
        return
    if order is None:
        talk.say(no)
        return
    talk.topic = "updates-apply"
    _carried(wizard, order)


def commit(wizard: PlainWizard, workloads: list[Workload]) -> None:
    """Show the commit that Argo CD's and Flux's workloads need, and make it after a yes."""
    talk = wizard.dialogue
    talk.topic = "updates-commit"
    talk.say(CLONE)
    try:
        folder = typed_path(talk.ask("Folder of the clone"))
        found = wizard.wait(wizard.services.plan_commit(workloads, folder))
        talk.command(found.patch)
        for sentence in found.untold:
            talk.say(sentence)
        if not found.patch:
            return
        branch = talk.ask(f"{COMMIT} Name of the branch; Enter for no commit")
        if branch:
            talk.say(wizard.wait(wizard.services.make_commit(found, branch)))
            return
    except BackWanted:
        pass
    except Problem as problem:
        talk.problem(problem)
        return
    talk.say("Nothing was committed.")


def _site(wizard: PlainWizard) -> Answers:
    """The site in whose record it will stand; raises BackWanted, Problem."""
    answers = wizard.answers
    if answers.solution is not None and answers.machines:
        return answers
    wizard.dialogue.say(f"Of which site is this? {WHICH_SITE}")
    name = wizard.dialogue.ask("Name of its file", "site.yaml")
    return wizard.wait(site_in(typed_path(name), wizard.services))


def _reviewed(wizard: PlainWizard, to_apply: ToApply) -> Order | None:
    """What to carry through, once a person said yes by name; None for no. Raises BackWanted."""
    talk = wizard.dialogue
    while True:
        _told(wizard, to_apply)
        updates = to_apply.answers.site.updates
        asks = to_apply.run is None and updates is not None and bool(updates.approvals)
        opens = by_word(to_apply.answers.site)
        shut = against(to_apply.gates, word=opens)
        if shut is not None:
            talk.say("It may not begin as things are; what has a ! stands against it.")
        words = [*(["begin"] if shut is None else []), *(["approve"] if asks else []), "no"]
        word = talk.ask(f"Word: {listed(words, 'or')}", "no").lower()
        if word == "approve" and asks:
            name = talk.ask("Who approves it")
            try:
                to_apply = wizard.wait(wizard.services.approve_update(to_apply, name))
            except Problem as problem:
                talk.problem(problem)
        elif word == "begin" and shut is None:
            why = ""
            if against(to_apply.gates) is not None:
                why = talk.ask("Its data change; why it goes without a verified backup")
                if not why:
                    talk.say("Without a reason, by name, it does not begin.")
                    continue
            return _order(wizard, to_apply, ask_name(wizard), why)
        elif word == "no":
            return None
        else:
            talk.say(f'"{word}" is none of the words.')


def _told(wizard: PlainWizard, to_apply: ToApply) -> None:
    talk, file = wizard.dialogue, to_apply.answers.site_file
    talk.say()
    talk.say(TITLE if to_apply.run is None else "See this update to its end?")
    site = to_apply.answers.name + ("" if file is None else f", {file}")
    for label, text, bad in review_entries(to_apply.plan, to_apply.prepared, to_apply.gates, site):
        talk.entry(f"! {label}" if bad else label, text)


def _order(wizard: PlainWizard, to_apply: ToApply, by: str, why: str) -> Order:
    """The order, its gates asked once more; raises NotNow."""
    plan = to_apply.plan
    if to_apply.run is None:
        plan = wizard.wait(wizard.services.through_gates(to_apply, by, why))
    return order_of(to_apply, plan, by)


def _carried(wizard: PlainWizard, order: Order) -> None:
    """Watch it, and say how it ended; another who holds the site can be taken over from."""
    from installer.record.site_lock import Locked

    talk, memory = wizard.dialogue, wizard.memory
    before, works = memory.changed, list["Installing"]()
    outcome: Outcome | None = None

    def begun(work: Installing) -> None:
        works.append(work)
        memory.changed = Touched(Changed.NOW, order.by)
        talk.say(record_words(work.run.folder))
        talk.say(f"Ctrl-C stops watching it. {LEAVING}")

    try:
        outcome = wizard.wait(watched(wizard, order, begun))
    except Locked as problem:
        talk.problem(problem)
        about = "Take this site over? Theirs stops before its next step. Type take over"
        if not order.take_over and talk.ask(about, "no").lower() == "take over":
            _carried(wizard, replace(order, take_over=True))
        return
    except Problem as problem:
        talk.problem(problem)
    finally:
        state = works[-1].engine.state if works else None
        changed = state is not None and bool(state.changed)
        now = wizard.services.now()
        memory.changed = Touched(Changed.DONE, order.by, now) if changed else before
    talk.say()
    talk.say(ended_words(order.plan, state, outcome))
    if works:
        talk.say(record_words(works[-1].run.folder))
