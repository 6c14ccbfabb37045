"""How a run ended: the exit code, said in one sentence on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from foundation.problems import ExitCode
from installer.events import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from installer.plan import Plan
    from installer.running.state import RunState

_AGAIN = "Go on with: sitewright resume"


def tell_ending(outcome: Outcome, plan: Plan, state: RunState, folder: Path, *, dry: bool) -> int:
    """Print how a run ended; the exit code."""
    sentence, code = ending(outcome, plan, state, folder, dry=dry)
    print(f"\n{sentence}", file=sys.stderr)
    return code


def ending(
    outcome: Outcome, plan: Plan, state: RunState, folder: Path, *, dry: bool
) -> tuple[str, ExitCode]:
    """How a run ended, in words, and the exit code."""
    match outcome:
        case Outcome.DONE | Outcome.ALREADY if dry:
            return _dry(state), ExitCode.DONE
        case Outcome.DONE | Outcome.ALREADY:
            return _done(outcome, plan, state), ExitCode.DONE
        case Outcome.UNDONE:
            return "It was taken back.", ExitCode.DONE
        case Outcome.STOPPED:
            return f"Stopped. What runs on the machines goes on there. {_AGAIN}", (
                ExitCode.INTERRUPTED
            )
        case _ if dry:
            return f"Dry run: nothing was changed, and a step would fail; see {folder}.", (
                ExitCode.STAGE_FAILED
            )
        case _:
            return f"A step failed; see above and {folder}. {_AGAIN}", ExitCode.STAGE_FAILED


def _done(outcome: Outcome, plan: Plan, state: RunState) -> str:
    from installer.running.state import keys_of

    left = list(dict.fromkeys(key[0] for key in keys_of(plan) if not state.finished(key)))
    if left:
        return f"What was asked for is done. Left: {', '.join(left)}. {_AGAIN}"
    if outcome is Outcome.ALREADY:
        return "Everything was done already; nothing was changed."
    skipped = _count(state, Outcome.SKIPPED)
    rest = f", but for {skipped} that were skipped by name" if skipped else ""
    return f"Done: every step was done and verified{rest}."


def _dry(state: RunState) -> str:
    would, already = _count(state, Outcome.SKIPPED), _count(state, Outcome.ALREADY)
    return f"Dry run: nothing was changed. {would} steps would be done, {already} are done already."


def _count(state: RunState, outcome: Outcome) -> int:
    steps: Iterable[Outcome | None] = (standing.outcome for standing in state.steps.values())
    return sum(one is outcome for one in steps)
