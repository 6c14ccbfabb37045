"""What an update would do before it begins, how its gates stand, how it ended; for both faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from foundation.problems import Problem, as_sentence
from installer.events import Outcome
from screens.words.update_words import items_of

if TYPE_CHECKING:
    from pathlib import Path

    from installer.plans.plan import Plan
    from installer.record.state import RunState
    from installer.sites.site import Site
    from installer.updates.applying.gates import Gate
    from installer.updates.applying.prepared import Prepared

TITLE: Final = "Apply this update?"
GATES: Final = {
    "clock": "clock", "window": "window", "backup": "backup", "approvals": "approved",
}  # fmt: skip
"""How a gate is called in the list."""
UNDER_WAY: Final = (
    "The update is under way; s stops watching it. What was begun is brought to its end, or taken "
    "back, where it runs."
)
LEAVING: Final = (
    "An update is under way. What was begun is brought to its end, or taken back, where it runs; "
    "nobody watches it from here. The next update of this site sees it to its end first."
)
NOT_GONE_ON: Final = "It was left as it is; what was begun may still be under way where it runs."
MIXED: Final = (
    "Some of these are changed here, and some by a commit in their owner's repository: choose one "
    "kind at a time."
)
NOT_CHANGED: Final = "This line is not changed; the reason stands beside it."
CLONE: Final = (
    "What Argo CD or Flux owns is changed in the repository that they deploy from. A clone of it "
    "on this computer is read; its work tree stays as it is."
)
COMMIT: Final = "It is put on a new branch of the clone. Nothing is pushed."
WHICH_SITE: Final = (
    "An update stands in the record of its site, and the site file says when, by whom and after "
    "which backup one may begin."
)


def chosen_words(count: int) -> str:
    """How many lines were chosen to be applied together."""
    if not count:
        return "None is chosen; a plans the one under the cursor."
    if count == 1:
        return "1 is chosen; a plans it."
    return f"{count} are chosen; a plans them, one after another."


def review_entries(
    plan: Plan, prepared: Prepared | None, gates: Sequence[Gate], site: str
) -> list[tuple[str, str, bool]]:
    """The lines of the review: a label, a text, and whether it stands against beginning."""
    found: list[tuple[str, str, bool]] = []
    if prepared is None:
        found += [("what", stage.title, False) for stage in plan.stages]
        found += [("why", stage.why, False) for stage in plan.stages]
        words = "This one was begun and not seen to its end. It is seen to its end first, by the "
        found.append(("then", f"{words}plan that was reviewed; then others may begin.", False))
    else:
        items = [
            one
            for one in items_of(prepared.review, prepared.workloads, prepared.services)
            if one.chosen
        ]
        # What stands against beginning comes first: the rest may be out of sight.
        found += [_gate(one) for one in gates if one.shut is not None]
        for one in items:
            found.append(("what", one.key, False))
            found += [(label, text, False) for label, text in one.entries if label != "runs in"]
        found += [_gate(one) for one in gates if one.shut is None and one.name != "clock"]
        found.append(("then", _then(prepared), False))
    found.append(("site", site, False))
    return found


def _gate(gate: Gate) -> tuple[str, str, bool]:
    if gate.shut is None:
        return GATES[gate.name], gate.stands, False
    return GATES[gate.name], gate.shut.sentence, True


def _then(prepared: Prepared) -> str:
    watched = "It is watched until it stands."
    if prepared.due > 1:
        watched = "One after another: the next begins only when the one before stands."
        if prepared.migrates:
            return f"{watched} What changes its data is not taken back by itself."
        return f"{watched} Of one that does not, what ran before is put back; the rest is left."
    if prepared.migrates:
        return f"{watched} It is not taken back by itself: its data may be changed by then."
    return f"{watched} If it does not, what ran before is put back by itself."


def against(gates: Sequence[Gate], *, word: bool = False) -> Gate | None:
    """The first gate that is shut; with `word` none that a person's word opens."""
    shut = [one for one in gates if one.shut is not None]
    return next((one for one in shut if not (word and one.name == "backup")), None)


def by_word(site: Site) -> bool:
    """Whether a person's word opens the gate of the backup: the site itself asks for none."""
    return site.updates is None or site.updates.backup_within_hours is None


def ended_words(plan: Plan, state: RunState | None, outcome: Outcome | None) -> str:
    """How an update ended, in a sentence or two; no state for one that was not begun."""
    if state is None or outcome is None:
        return "It was not begun, and nothing was changed."
    told = []
    for stage in plan.stages:
        for step in stage.steps:
            for host in step.hosts:
                standing = state.of((stage.id, step.id, host))
                cause = str((standing.problem or {}).get("cause") or "")
                told.append(cause or standing.sentence)
    what = ". ".join(dict.fromkeys(one.rstrip(".") for one in told if one))
    match outcome:
        case Outcome.DONE | Outcome.ALREADY:
            return f"Updated: {what}."
        case Outcome.STOPPED:
            return (
                "It is not watched from here any more. What was begun is brought to its end, or "
                "taken back, where it runs; how that was is told when it is gone on with."
            )
        case _:
            return f"Not updated: {what or 'a step failed'}."


NOT_UPDATED: Final = "Not updated; why stands above."


def record_words(folder: Path) -> str:
    """Where the record of an update lies."""
    return f"The record of the update: {folder.absolute()}"


def problem_words(problem: Problem) -> str:
    """A problem in one paragraph: what, where, why, what to do."""
    where = f" ({problem.where})" if problem.where else ""
    cause = as_sentence(problem.cause).rstrip(".")
    return f"{problem.title}{where}: {cause}. {problem.remedy or ''}".rstrip()
