"""What each machine is doing, as a run's events tell it: Ansible's tasks, and how they ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from installer.events import Event, Kind

_BAD: Final = frozenset({"failed", "unreachable"})


@dataclass(slots=True)
class MachineTasks:
    """The last task of each machine in the step under way. Fed with every event, in order."""

    doing: dict[str, str] = field(default_factory=dict)
    """By machine: its last task, with a word where it did not go well."""
    failed: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    """By stage and step: the machines on which a task failed, with that task."""

    def take(self, event: Event) -> None:
        """One event."""
        if event.kind is Kind.TASK:
            self._task(event)
        elif event.kind is Kind.STEP_STARTED:
            self.doing.clear()
            self.failed.pop((event.stage, event.step), None)
        elif event.kind is Kind.STEP_FINISHED and event.data.get("outcome") != "failed":
            self.failed.pop((event.stage, event.step), None)

    def _task(self, event: Event) -> None:
        task, status = str(event.data.get("task")), str(event.data.get("status"))
        bad = status in _BAD
        self.doing[event.host] = f"{status}: {task}" if bad else task
        if bad:
            self.failed.setdefault((event.stage, event.step), {})[event.host] = task

    def machines_of(self, stage: str, step: str) -> tuple[str, ...]:
        """The machines on which a step failed, where its tasks say so."""
        return tuple(self.failed.get((stage, step), ()))

    @property
    def failed_machines(self) -> frozenset[str]:
        """Every machine on which a step has failed and was not done since."""
        return frozenset(host for hosts in self.failed.values() for host in hosts)
