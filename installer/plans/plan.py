"""Plan: what will run, where and in which order; made by a pure function, reviewed, then run.

The plan holds everything that the run will use, rendered: what is reviewed is what runs. It holds
no secret, only the names of those it needs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, Literal

from installer.events import Json

SCHEMA: Final = "sitewright.plan/1"

CONTROL_HOST: Final = "control"
"""What plans, journals and stage files call the machine on which Ansible, Helm and kubectl run."""


def told_host(host: str, control: str = "") -> str:
    """A machine as people are told of it, in every list, log and file.

    `control` is the plan's: the machine that the site names to run everything from. Where it names
    none it is called what it is: "here" would be another machine for whoever reads the record
    elsewhere. No machine can have that name, which holds a space.
    """
    return (control or "control host") if host == CONTROL_HOST else host


# How a field is written; `plan_files` reads by the same marks.
AS_MAP: Final[Mapping[str, bool]] = {"map": True}
"""Names and values in their order: written as one record."""
LATER: Final[Mapping[str, bool]] = {"later": True}
"""Left out where there is nothing, so that a plan of an earlier version stays the same."""
FROM_STAGE: Final[Mapping[str, bool]] = {"from stage": True}
"""Not written: it stands in the stage round it."""

Whose = Literal["solution", "site"]
Carry = tuple[Whose, str, str]
"""Whose folder of playbooks, the folder, and what tells it from others."""

_STRICT: Final[dict[str, str]] = {"extra": "forbid"}
"""For pydantic, which reads a plan back into these very types."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step on one set of machines, rendered."""

    __pydantic_config__: ClassVar = _STRICT

    stage: str = field(metadata=FROM_STAGE)
    id: str
    kind: str
    title: str
    hosts: tuple[str, ...]
    """Names of machines; the control host is "control"."""
    spec: dict[str, Json] = field(default_factory=dict)
    """The step's data with every template rendered, as plain JSON values."""
    files: tuple[tuple[str, str], ...] = ()
    """Rendered files (name, text) that it brings, for the review."""
    irreversible: str = ""
    expected_seconds: float = 60.0
    group: str = field(default="", metadata=LATER)
    """With which of the steps beside it it belongs together, as their document calls it; "" where
    it stands by itself."""

    @property
    def key(self) -> str:
        """stage/step, unique in the plan."""
        return f"{self.stage}/{self.id}"

    # What a step of every kind may say. The rest of `spec` is the kind's, and nobody else reads it.

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that it needs, by name."""
        return self._words("secrets")

    @property
    def follow(self) -> tuple[str, ...]:
        """Services whose journals are followed meanwhile, on its machines."""
        return self._words("follow")

    @property
    def rolling(self) -> int:
        """On how many machines it is done at a time; 0 for all."""
        said = self.spec.get("rolling")
        return said if isinstance(said, int) and said > 0 else 0

    @property
    def timeout_seconds(self) -> float:
        """How long a try of it may take."""
        said = self.spec.get("timeout_minutes")
        return float(said) * 60 if isinstance(said, (int, float)) else 1800.0

    @property
    def undo_loses(self) -> str:
        """What goes for good when it is taken back; "" for nothing."""
        return str(self.spec.get("undo_loses") or "")

    @property
    def by_hand(self) -> str:
        """How a person takes it back, where no step of ours does."""
        said = self.spec.get("by_hand")
        return f"by hand: {said}" if said else "by hand"

    @property
    def says_undo(self) -> bool:
        """Whether it says itself how it is taken back."""
        return bool(self.spec.get("undo"))

    @property
    def says_done(self) -> bool:
        """Whether it says itself how it is asked whether it is done."""
        return bool(self.spec.get("done"))

    @property
    def plays(self) -> bool:
        """Whether it plays what lies in the plan's folders of playbooks."""
        return bool(self.spec.get("playbook"))

    @property
    def retry(self) -> Json:
        """When it is tried again by itself, as its data say it."""
        return self.spec.get("retry")

    def _words(self, name: str) -> tuple[str, ...]:
        said = self.spec.get(name)
        return tuple(str(word) for word in said) if isinstance(said, list) else ()


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage with its steps."""

    __pydantic_config__: ClassVar = _STRICT

    id: str
    title: str
    why: str
    source: str
    needs: tuple[str, ...]
    recheck: tuple[str, ...]
    steps: tuple[PlannedStep, ...]

    @property
    def expected_seconds(self) -> float:
        """What its steps usually take together."""
        return sum(step.expected_seconds for step in self.steps)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an installation will do."""

    __pydantic_config__: ClassVar = _STRICT

    solution: str
    environment: str
    stages: tuple[PlannedStage, ...]
    hosts: tuple[tuple[str, tuple[str, ...]], ...]
    """Machine and roles, in the order of the site file."""
    settings: tuple[tuple[str, str], ...] = field(metadata=AS_MAP)
    """Settings as used, secrets left out."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that must be given before it runs."""
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Further groups of the inventory, beside those of the roles, with their machines."""
    variables: tuple[tuple[str, dict[str, str]], ...] = ()
    """Variables of single machines in the inventory."""
    playbooks: str = ""
    """The folder of playbooks: the solution's own, or the customer's repository."""
    carries: tuple[Carry, ...] = field(default=(), metadata=LATER)
    """Folders of playbooks of which the run keeps a copy: name, folder, what tells it from others;
    see installer.plans.pinned_playbooks. Empty in a plan of an earlier version."""
    control: str = field(default="", metadata=LATER)
    """The machine on which Ansible, Helm and kubectl run; "" for this one."""
    supplies: tuple[tuple[str, str], ...] = field(default=(), metadata={**AS_MAP, **LATER})
    """The bundle, the keys of its makers, and the digest of its index; empty without one."""
    pages: tuple[tuple[str, str], ...] = field(default=(), metadata=LATER)
    """What can be opened afterwards: title and address."""
    notes: tuple[str, ...] = field(default=(), metadata=LATER)
    """What was seen in the making and a person should know, a sentence each."""
    ways: tuple[str, ...] = field(default=(), metadata=LATER)
    """How the machines are reached, as far as the site says; see installer.sites.ways."""
    leaving: str = field(default="", metadata=LATER)
    """The machine that is taken out of the site; "" in every other plan."""

    def as_json(self) -> dict[str, Json]:
        """The plan as plain values, the same for the same plan."""
        return {"schema": SCHEMA, **_written(self)}

    @property
    def sha256(self) -> str:
        """What tells this plan from every other."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def _written(part: Plan | PlannedStage | PlannedStep) -> dict[str, Json]:
    """A part under the names of its fields, each as its mark says."""
    written: dict[str, Json] = {}
    for one in fields(part):
        value, marks = getattr(part, one.name), one.metadata.keys()
        if FROM_STAGE.keys() <= marks or (LATER.keys() <= marks and not value):
            continue
        written[one.name] = dict(value) if AS_MAP.keys() <= marks else _plain(value)
    return written


def _plain(value: Any) -> Any:
    if isinstance(value, PlannedStage | PlannedStep):
        return _written(value)
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value
