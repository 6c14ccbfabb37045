"""The Compose projects of a site's machines: by what its record says, and by what Docker has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from foundation.hosts.connection import Become
from foundation.problems import InputProblem
from foundation.terminal import clean_line
from installer.compose.found import LOOK, Projects, projects_of
from installer.record.identity import site_key
from installer.record.runs import runs_of
from installer.updates.running import Found, Place

if TYPE_CHECKING:
    from foundation.hosts.connection import Connection
    from installer.plans.plan import PlannedStep
    from installer.sites.site import Site

_LOOK_SECONDS: Final = 120.0
_SILENT: Final = 69


@dataclass(frozen=True, slots=True)
class Recorded:
    """A Compose project that a site's record says was brought up on a machine."""

    machine: str
    project: str
    directory: str
    files: tuple[str, ...]
    profiles: tuple[str, ...]


def recorded(site: Site) -> tuple[Recorded, ...]:
    """The Compose projects that the plan of the site's last run has; raises InputProblem."""
    run = next(iter(runs_of(site_key(site))), None)
    if run is None:
        return ()
    steps = [step for stage in run.plan().stages for step in stage.steps if step.kind == "compose"]
    known = {host.name for host in site.hosts}
    return tuple(
        dict.fromkeys(
            one for step in steps for name in step.hosts if name in known
            for one in (_recorded(name, step),)
        )
    )  # fmt: skip


def _recorded(machine: str, step: PlannedStep) -> Recorded:
    spec: Mapping[str, Any] = step.spec
    directory = str(spec.get("directory", ""))
    files = tuple(f"{directory}/{one}" for one in spec.get("files") or ())
    profiles = (part.strip() for one in spec.get("profiles") or () for part in str(one).split(","))
    named = tuple(dict.fromkeys(part for part in profiles if part))
    return Recorded(machine, str(spec.get("project", "")), directory, files, named)


async def read_projects(connection: Connection) -> Projects:
    """What a machine's Docker has of Compose projects; raises InputProblem where it is silent."""
    seen = await connection.run(("sh", "-c", LOOK), become=Become.IF_ALLOWED, timeout=_LOOK_SECONDS)
    if seen.status == _SILENT or seen.truncated:
        lines = [line for line in seen.stderr.decode("utf-8", "replace").splitlines() if line]
        said = f": {clean_line(lines[-1])}" if lines else ""
        raise InputProblem(
            f"Docker does not answer there{said}",
            where=connection.host.name,
            remedy="Look at it there: docker ps; systemctl status docker. A login that is in the "
            "group docker, or may become root, is needed.",
        )
    return projects_of(seen.stdout.decode("utf-8", "replace"))


def found_in(projects: Projects, machine: str, wanted: Collection[str] = ()) -> Found:
    """The images of a machine's projects, or of the `wanted` ones alone; each place names both."""
    found = Found()
    for name in sorted(set(wanted) - {one.project for one in projects.services}):
        found.tell(
            f"{machine}: the record says that the project {name} was brought up there, and none "
            "of its containers is there"
        )
    for one in projects.services:
        if wanted and one.project not in wanted:
            continue
        place = place_of(machine, one.project, one.name)
        if one.built:
            found.tell(f"{place.words()}: its image is built there, so no registry has it")
            continue
        found.add(one.image, place)
        if one.digest is not None:
            found.runs(one.image, one.digest)
        if not one.image_id:
            found.tell(f"{place.words()}: its containers do not all run the same image")
    return found


def place_of(machine: str, project: str, service: str) -> Place:
    """Where a service runs, for a person."""
    return Place("compose", f"{project}/{service}", machine)
