"""Order: what a person, or a rule, asks of one run, and the tools with which an engine carries it
out.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from foundation.hosts.connection import Connector
from foundation.hosts.jobs import jobs as durable_jobs
from foundation.hosts.model import Inventory
from foundation.secrets import Secret
from installer.plans.plan import Plan
from installer.record.site_lock import Lock
from installer.running.levers import Control
from installer.running.shared import Jobs
from installer.running.stages import Recheck
from installer.steps.kind import Asker

Others = Callable[[str, Control], Awaitable[None]]
"""Shows a person what others do on the machines, and tells the levers what the person wants: to
wait, to end theirs, or to leave. It is cancelled where theirs ended meanwhile."""


class Machines(Connector, Protocol):
    """The machines of a site and the one connection to each, as foundation.hosts.pool.Pool."""

    inventory: Inventory

    @property
    def has_sudo_password(self) -> bool:
        """Whether a password for sudo was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be carried through, how far, and in whose name."""

    plan: Plan
    by: str = ""
    """For the record; empty for the user of this process."""
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    until: str = ""
    """The last stage to do; empty for all."""
    only: str = ""
    """The one stage to do; empty for all."""
    dry: bool = False
    """Whether it only asks and shows, and changes nothing."""
    interactive: bool = False
    """Whether a failure waits for a person's word; else it ends the run, which can be resumed."""
    take_over: bool = False
    """Whether the site is taken from whoever holds it; said knowingly, once."""
    any_version: bool = False
    """Whether a run that another version began is gone on with by this one; said knowingly."""
    end_theirs: bool = False
    """Whether what others began on the machines is ended; else it is waited for."""
    at_once: int = 16
    """Machines on which a step is done at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an engine works with."""

    machines: Machines
    ask: Asker
    """Puts a question to the person."""
    control: Control = field(default_factory=Control)
    jobs: Jobs = durable_jobs
    lock: Lock | None = None
    """The site's own lock; without it the machines are not locked either."""
    recheck: Recheck | None = None
    """Called before each stage that names checks."""
    looked: float | None = None
    """The monotonic time at which all of them held; None where they were not looked at."""
    expected: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """Seconds of (stage, step) from earlier runs."""
    begun: Callable[[], list[str]] = list
    """Called once the journal says that the run began, or goes on; sentences for the record."""
    others: Others | None = None
    """Asks a person what to do about work of others; it is waited for meanwhile."""
