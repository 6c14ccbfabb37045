"""Plan: what will run, where and in which order; made by a pure function, reviewed, then run.

The plan holds everything that the run will use, rendered: what is reviewed is what runs. It holds
no secret, only the names of those it needs.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from installer.events import Json


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step on one set of machines, rendered."""

    stage: str
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

    @property
    def key(self) -> str:
        """stage/step, unique in the plan."""
        return f"{self.stage}/{self.id}"


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """A stage with its steps."""

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

    solution: str
    environment: str
    stages: tuple[PlannedStage, ...]
    hosts: tuple[tuple[str, tuple[str, ...]], ...]
    """Machine and roles, in the order of the site file."""
    settings: tuple[tuple[str, str], ...]
    """Settings as used, secrets left out."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that must be given before it runs."""
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Further groups of the inventory, beside those of the roles, with their machines."""
    variables: tuple[tuple[str, dict[str, str]], ...] = ()
    """Variables of single machines in the inventory."""
    playbooks: str = ""
    """The folder of playbooks: the solution's own, or the customer's repository."""
    carries: tuple[tuple[str, str, str], ...] = ()
    """Folders of playbooks of which the run keeps a copy: name, folder, what tells it from others;
    see installer.carried. Empty in a plan of an earlier version."""
    control: str = ""
    """The machine on which Ansible, Helm and kubectl run; "" for this one."""
    supplies: tuple[tuple[str, str], ...] = ()
    """The bundle, the keys of its makers, and the digest of its index; empty without one."""
    pages: tuple[tuple[str, str], ...] = ()
    """What can be opened afterwards: title and address."""
    notes: tuple[str, ...] = ()
    """What was seen in the making and a person should know, a sentence each."""
    ways: tuple[str, ...] = ()
    """How the machines are reached, as far as the site says; see installer.ways."""

    def as_json(self) -> dict[str, Json]:
        """The plan as plain values, the same for the same plan."""
        return {
            "schema": "sitewright.plan/1",
            "solution": self.solution,
            "environment": self.environment,
            "hosts": [[name, list(roles)] for name, roles in self.hosts],
            "settings": dict(self.settings),
            "secrets": list(self.secrets),
            "groups": [[name, list(hosts)] for name, hosts in self.groups],
            "variables": [[name, dict(values)] for name, values in self.variables],
            "playbooks": self.playbooks,
            # Left out where there is none, so that a plan of an earlier version stays the same.
            **({"carries": [list(one) for one in self.carries]} if self.carries else {}),
            **({"control": self.control} if self.control else {}),
            **({"supplies": dict(self.supplies)} if self.supplies else {}),
            **({"pages": [[title, url] for title, url in self.pages]} if self.pages else {}),
            **({"notes": list(self.notes)} if self.notes else {}),
            **({"ways": list(self.ways)} if self.ways else {}),
            "stages": [
                {
                    "id": stage.id,
                    "title": stage.title,
                    "why": stage.why,
                    "source": stage.source,
                    "needs": list(stage.needs),
                    "recheck": list(stage.recheck),
                    "steps": [
                        {
                            "id": step.id,
                            "kind": step.kind,
                            "title": step.title,
                            "hosts": list(step.hosts),
                            "spec": step.spec,
                            "files": [[name, text] for name, text in step.files],
                            "irreversible": step.irreversible,
                            "expected_seconds": step.expected_seconds,
                        }
                        for step in stage.steps
                    ],
                }
                for stage in self.stages
            ],
        }

    @property
    def sha256(self) -> str:
        """What tells this plan from every other."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
