"""What a run has in memory between two questions: shares on their way to persons, and back.

It is kept by nobody else, and goes with the process. A step that fails in the middle and is tried
again in the same process goes on with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from foundation.secrets import Secret

_HELD: dict[str, Held] = {}


@dataclass(slots=True)
class Held:
    """The secrets of one run."""

    shares: list[Secret] = field(default_factory=list)
    """As Vault made them, until all of them are handed over."""
    handed: list[str] = field(default_factory=list)
    """Who has one of them, in their order, whether or not the cluster could note it."""
    root: Secret | None = None
    """The root token that came with them."""
    typed: list[Secret] = field(default_factory=list)
    """As many as open Vault, as persons typed them."""
    by: list[str] = field(default_factory=list)
    """Who typed them."""


def held(run_id: str) -> Held:
    """What a run holds."""
    return _HELD.setdefault(run_id, Held())


def let_go(run_id: str) -> None:
    """Forget it."""
    _HELD.pop(run_id, None)
