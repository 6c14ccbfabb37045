"""How a run ended: the exit code, said in one sentence on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from foundation.problems import ExitCode
from foundation.wording import are, counted
from installer.events import Outcome
from installer.plans.verification import STAGE

if TYPE_CHECKING:
    from pathlib import Path

    from installer.plans.plan import Plan
    from installer.record.state import RunState

AGAIN: Final = "sitewright resume"


def tell_ending(
    outcome: Outcome, plan: Plan, state: RunState, folder: Path, *, dry: bool, again: str = AGAIN
) -> int:
    """Print how a run ended; the exit code. `again` is the command that goes on with it."""
    sentence, code = ending(outcome, plan, state, folder, dry=dry, again=again)
    print(f"\n{sentence}", file=sys.stderr)
    return code


def ending(
    outcome: Outcome, plan: Plan, state: RunState, folder: Path, *, dry: bool, again: str = AGAIN
) -> tuple[str, ExitCode]:
    """How a run ended, in words, and the exit code."""
    go_on = f"Go on with: {again}"
    match outcome:
        case Outcome.DONE | Outcome.ALREADY if dry:
            return _dry(state), ExitCode.DONE
        case Outcome.DONE | Outcome.ALREADY:
            return _done(outcome, plan, state, go_on), ExitCode.DONE
        case Outcome.UNDONE:
            return "It was taken back.", ExitCode.DONE
        case Outcome.STOPPED:
            runs = any(standing.running for standing in state.steps.values())
            what = "What runs on the machines goes on there." if runs else "No step runs any more."
            return f"Stopped. {what} {go_on}", ExitCode.INTERRUPTED
        case _ if dry:
            return f"Dry run: nothing was changed, and a step would fail; see {folder}.", (
                ExitCode.STAGE_FAILED
            )
        case _:
            return f"A step failed; see above and {folder}. {go_on}", ExitCode.STAGE_FAILED


def _done(outcome: Outcome, plan: Plan, state: RunState, go_on: str) -> str:
    from installer.record.state import keys_of

    left = list(dict.fromkeys(key[0] for key in keys_of(plan) if not state.finished(key)))
    if left:
        return f"What was asked for is done. Left: {', '.join(left)}. {go_on}"
    if outcome is Outcome.ALREADY:
        if {stage.id for stage in plan.stages} == {STAGE}:
            return "Every check held; nothing was changed."
        return "Everything was done already; nothing was changed."
    skipped = _count(state, Outcome.SKIPPED)
    rest = f", but for {skipped} that {_were(skipped)} skipped by name" if skipped else ""
    return f"Done: every step was done and verified{rest}."


def _dry(state: RunState) -> str:
    would, already = _count(state, Outcome.SKIPPED), _count(state, Outcome.ALREADY)
    said = f"{counted(would, 'step')} would be done, {already} {are(already)} done already"
    return f"Dry run: nothing was changed. {said}."


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _count(state: RunState, outcome: Outcome) -> int:
    steps: Iterable[Outcome | None] = (standing.outcome for standing in state.steps.values())
    return sum(one is outcome for one in steps)
