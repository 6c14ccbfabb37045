"""Compose services to be changed: what stands against each and what it risks, and their plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bundles.format.reference import is_digest
from foundation.terminal import clean_line
from foundation.wording import counted
from installer.compose.found import FoundService, Projects
from installer.plans.plan import Plan
from installer.steps.compose_service import ComposeServiceStep
from installer.updates.applying.plans import framed, in_a_row
from installer.updates.applying.workloads import change_of
from installer.updates.in_docker import place_of
from installer.updates.review import Review
from installer.updates.steps import against_step, migration_of, said_of_release

if TYPE_CHECKING:
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site
    from installer.updates.applying.workloads import Change
    from installer.updates.in_docker import Recorded

_SOURCE: Final = "Docker Compose: docker compose up --no-deps, Merge Compose files"


@dataclass(frozen=True, slots=True)
class Service:
    """One service with its change, as it was when its machine was read."""

    machine: str
    found: FoundService
    change: Change
    files: tuple[str, ...]
    profiles: tuple[str, ...] | None = None
    risks: tuple[str, ...] = ()
    migrates: str = ""
    """What changes its data as it begins; "" where nothing says that anything does."""
    against: str = ""
    """Why it is left as it is; "" where nothing stands against it."""

    @property
    def words(self) -> str:
        """The service for a person."""
        return f"service {self.found.project}/{self.found.name} on {self.machine}"

    @property
    def names(self) -> tuple[str, str, str]:
        """What a person may call it by; the last one is no other's."""
        return names_of(self.machine, self.found)


def names_of(machine: str, one: FoundService) -> tuple[str, str, str]:
    """What a person may call a service by: SERVICE, PROJECT/SERVICE, MACHINE/PROJECT/SERVICE."""
    return one.name, f"{one.project}/{one.name}", f"{machine}/{one.project}/{one.name}"


def services_of(
    review: Review,
    machines: Mapping[str, Projects],
    known: Sequence[Recorded],
    chosen: Sequence[str] = (),
) -> tuple[Service, ...]:
    """Every service that runs what has something newer; `chosen` are its names, or all."""
    by_place = {
        place_of(machine, one.project, one.name): (machine, projects, one)
        for machine, projects in machines.items()
        for one in projects.services
    }
    found = []
    for judged in review.newer:
        for place in judged.running.places:
            if place not in by_place:
                continue
            machine, projects, one = by_place[place]
            if chosen and not set(names_of(machine, one)).intersection(chosen):
                continue
            recorded = next(
                (each for each in known if (each.machine, each.project) == (machine, one.project)),
                None,
            )
            change = change_of(place, judged)
            service = Service(
                machine,
                one,
                change,
                one.files or (recorded.files if recorded else ()),
                recorded.profiles if recorded else None,
                _risks(one),
                "what its command calls a migration"
                if one.migrates
                else migration_of(change.before, change.after),
            )
            found.append(replace(service, against=_against(service, projects)))
    return tuple(sorted(found, key=lambda one: (one.machine, one.found.project, one.found.name)))


def _against(service: Service, projects: Projects) -> str:
    found, change = service.found, service.change
    if not projects.compose:
        return "the machine has no docker compose (Compose 2)"
    if not projects.python:
        return "the machine has no python3, which watches it there: install it"
    if not found.image_id:
        return "its containers do not all run the same image"
    if found.running < found.containers:
        return (
            "it does not run now: what ran to its end is taken anew when it is next brought up, "
            "and what was stopped is started first"
        )
    if not service.files or not found.directory.startswith("/"):
        return "its containers do not say which files they were made from"
    if "@" not in change.after or not is_digest(change.after.partition("@")[2]):
        return f"which bytes {change.tag} leads to is not known"
    return against_step(change.before, change.after)


def _risks(one: FoundService) -> tuple[str, ...]:
    many = counted(one.containers, "container")
    what = "its one container is" if one.containers == 1 else f"its {many} are"
    risks = [f"{what} replaced, and what it does rests meanwhile"]
    if not one.health_check:
        risks.append("it has no health check, and is taken for standing as long as it runs")
    said = said_of_release(one.image)
    return tuple(clean_line(text) for text in (*risks, said) if text)


def service_plan(
    services: Sequence[Service],
    solution: Solution,
    site: Site,
    base: Path,
    *,
    within_minutes: float,
    origin: str,
) -> Plan:
    """What will be done, one service after another; raises InputProblem."""
    plan = framed(solution, site, base, _SOURCE)
    return in_a_row(
        plan,
        _SOURCE,
        (
            (
                ComposeServiceStep.model_validate(_values(one, site, within_minutes)),
                one.machine,
                _why(one, origin),
            )
            for one in services
        ),
    )


def _values(one: Service, site: Site, within: float) -> dict[str, Any]:
    found, migrates = one.found, one.migrates
    name = one.change.before.partition("@")[0]
    return {
        "id": "service",
        "kind": "compose-service",
        "title": f"Bring {one.words} to {one.change.tag}",
        "project": found.project,
        "directory": found.directory,
        "files": one.files,
        "env_files": found.env_files,
        "profiles": one.profiles,
        "service": found.name,
        "image": one.change.before,
        "becomes": one.change.after,
        "former": found.image_id,
        "pinned": f"{name}@{found.digest}" if found.digest else "",
        "containers": found.containers,
        "migrates": migrates,
        "irreversible": f"{migrates[0].upper()}{migrates[1:]} changes its data."
        if migrates
        else "",
        "updates": site.updates,
        "stands_within_minutes": within,
        "expected_minutes": 1,
        # Pulling it, bringing it there, and taking it back where it does not stand.
        "timeout_minutes": 2 * within + 140,
    }


def _why(one: Service, origin: str) -> str:
    change = one.change
    risks = list(one.risks)
    if one.migrates:
        risks.append(f"{one.migrates} changes its data, so it is not taken back by itself")
    return (
        f"{change.before} becomes {change.after.partition('@')[0]}, for {change.why} at {origin}. "
        f"Owner: the Compose project {one.found.project}, by a file beside the vendor's. "
        f"Risk: {'; '.join(risks)}."
    )
