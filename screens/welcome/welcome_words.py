"""A saved place in words, for both faces."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from foundation.wording import how_many
from screens.answers.answers import Answers
from screens.answers.wizard import resume_at, step_of
from screens.services.services import Unfinished

if TYPE_CHECKING:
    from installer.record.kept_runs import RunCount


def saved_words(answers: Answers) -> str:
    """A saved place in a few words: which site, how many machines, which step."""
    count = len(answers.machines)
    alone = answers.only_this_machine or answers.carry
    machines = "" if alone else f", {how_many(count, 'machine')}"
    word = step_of(resume_at(answers)).word.lower()
    return f"{answers.name}{machines if count else ''}, at {word}"


def unfinished_words(run: Unfinished) -> str:
    """An unfinished installation in a few words."""
    return _under_way(run) or f"go on with {run.name}, {run.done} of {run.total} steps done"


def left_words(run: Unfinished) -> str:
    """An update that was not seen to its end, in a few words."""
    return _under_way(run) or f"{run.name}, left at {run.done} of {run.total} steps"


def _under_way(run: Unfinished) -> str:
    """Where somebody is at work on it, in another session."""
    return f"{run.name}, under way by {run.at_work}" if run.at_work else ""


def runs_words(count: RunCount) -> str:
    """The runs that are kept here, in a few words."""
    return f"{how_many(count.runs, 'run')} of {how_many(count.sites, 'site')}"


def said_when(then: datetime | None, now: datetime) -> str:
    """A moment as people say it: today and the time, or the day."""
    if then is None:
        return "some time ago"
    local = then.astimezone(now.tzinfo)
    if local.date() == now.date():
        return f"today {local:%H:%M}"
    return f"{local:%Y-%m-%d %H:%M}"
