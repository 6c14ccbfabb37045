"""Memory: what this session has learnt so far and does not write down."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.hosts.connection import Credentials
from screens.services.services import ClusterWay, ToUpdate

if TYPE_CHECKING:
    from foundation.hosts.openssh.ssh_files import Program
    from foundation.secrets import Secret
    from installer.acceptance.choice import Choice
    from installer.plans.plan import Plan
    from preflight.assessment import Assessment, Seen
    from preflight.egress import Egress
    from preflight.mesh import Mesh
    from screens.services.bundle_seen import BundleSeen
    from screens.services.services import (
        Assigned,
        Installing,
        Order,
        Question,
        SolutionChoice,
        Tried,
    )


class Changed(StrEnum):
    """What the first line of the screen says about the machines."""

    NOTHING = "Nothing has been changed on any machine"
    NOW = "Machines are being changed"
    DONE = "Machines were changed"


@dataclass(frozen=True, slots=True)
class Touched:
    """What became of the machines, as the record of the site has it."""

    state: Changed = Changed.NOTHING
    by: str = ""
    when: datetime | None = None
    run: Path | None = None
    """The folder of the run that changed them last."""

    @property
    def sentence(self) -> str:
        """Whether anything was changed, when, and by whom; without a full stop."""
        if self.state is Changed.NOTHING:
            return self.state.value
        by = f", by {self.by}" if self.by else ""
        if self.state is Changed.NOW:
            return self.state.value + by
        return self.short + by

    @property
    def short(self) -> str:
        """The same without the name, where there is little room."""
        if self.state is Changed.DONE and self.when is not None:
            return f"{self.state.value} on {self.when.day} {self.when:%b}"
        return self.state.value


@dataclass(slots=True)
class Memory:
    """Results and secrets of one session; a new start learns them anew."""

    credentials: Credentials = field(default_factory=Credentials)
    solutions: tuple[SolutionChoice, ...] = ()
    tried: dict[str, Tried] = field(default_factory=dict)
    """By the machine's name: the last try."""
    confirmed: set[str] = field(default_factory=set)
    """Machines whose offered key a person confirmed on the trust step."""
    consoles: str = ""
    """What the machines' consoles said of their keys, as it was pasted."""
    programs_left: set[tuple[Program, ...]] = field(default_factory=set)
    """Programs of a site's files that a person was asked about and left."""
    seen: dict[str, Seen] = field(default_factory=dict)
    """By the machine's name: the last look."""
    here: Seen | None = None
    """This machine, looked at for the advice on the goal."""
    goal_list: bool = False
    """Whether the goal is chosen from the list instead of the map."""
    question: Question | None = None
    mesh: Mesh | None = None
    egress: Egress | None = None
    """Whether what is fetched can be fetched, tried for `egress_of`."""
    egress_of: object = None
    """The answers that say what is fetched, as they were when it was tried; None where not."""
    assigned: Assigned | None = None
    assessment: Assessment | None = None
    secrets: dict[str, Secret] = field(default_factory=dict)
    """By name: the secrets that the solution asks for."""
    setting: str = ""
    """The setting that a person was led to, until the step of the settings shows it."""
    person: str = ""
    """Who sits here, for the record of an installation."""
    bundle: BundleSeen | None = None
    """The bundle that was read last."""
    plan: Plan | None = None
    first_time: tuple[str, ...] = ()
    """Sentences on what of the plan was never used here before."""
    older: dict[str, str] = field(default_factory=dict)
    """By the index of a bundle, who meant it, knowing that it is older than what was here."""
    order: Order | None = None
    """The installation that was confirmed, or that is to be gone on with."""
    installed: Installing | None = None
    """The installation of this session, under way or ended."""
    verified: Installing | None = None
    """The last verification of this session, after the installation."""
    cluster: ClusterWay = field(default_factory=ClusterWay)
    """The way to a cluster as it was typed last."""
    updates: ToUpdate = field(default_factory=ToUpdate)
    """Of which cluster newer images were asked for last, and how."""
    acceptance: Choice | None = None
    """What was chosen last to have proven of a hub."""
    changed: Touched = Touched()
    """What the record of the site says was done to its machines."""
    last_words: list[str] = field(default_factory=list)
    """What to print after the screen is gone: the files written, the command that repeats it."""

    def farewell(self, *, kept: bool) -> list[str]:
        """What is said once the wizard is left: what was written and where, and how to go on.

        `kept` says that there is a place to go on from.
        """
        go_on = " Your place is kept; go on with: sitewright" if kept else ""
        sentence = f"{self.changed.sentence}.{go_on}"
        words = [one for one in self.last_words if one != sentence]
        run = self.changed.run
        if run is not None and not any(str(run) in one for one in words):
            words.append(f"The record of what was changed last: {run}")
        return [*words, sentence]

    def forget_results(self) -> None:
        """Drop what was seen and judged, because the question or the machines changed."""
        self.seen.clear()
        self.plan = None
        self.order = None
        self.installed = None
        self.verified = None
        self.forget_judgement()

    def forget_unbegun(self, order: Order) -> None:
        """After a start that was refused, the next one asks for what this one did."""
        if self.installed is not None and not self.installed.begun:
            self.installed = None
            self.order = replace(order, take_over=False)

    def forget_judgement(self) -> None:
        """Drop what was judged, and keep what was seen."""
        self.question = None
        self.mesh = None
        self.egress_of = self.egress = None
        self.assigned = None
        self.assessment = None
