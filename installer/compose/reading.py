"""Reading: a Compose project as one look at its machine shows it, files and containers both."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from foundation.hosts.connection import Completed
from installer.compose.containers import Container, containers_of
from installer.compose.project import Project, project_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What `scripts.READ` told."""

    seen: Completed
    """All that it wrote, for Compose's own words where the files cannot be read."""
    project: Project | None
    """None where Compose cannot read the files."""
    config: str = ""
    """What tells these files, with all that they take in, from others: a hash."""
    containers: tuple[Container, ...] | None = None
    """None where Docker does not answer."""
    ids: tuple[tuple[str, str], ...] = ()
    """Each container's id and service."""
    marked: tuple[str, ...] = ()
    """What was written down when the project last stood; nothing where it never did."""

    def unchanged(self, services: Collection[str]) -> bool:
        """Whether files and containers are those of when these services last stood."""
        mine = (f"container {service} {one}" for one, service in self.ids if service in services)
        return self.marked == (f"config {self.config}", *sorted(mine))


def reading_of(seen: Completed) -> Reading:
    """The words of `scripts.READ`; whatever is not of their form is passed over."""
    head, config, text = (b"\n" + seen.stdout).partition(b"\n@config\n")
    found: dict[str, list[str]] = {"@docker": [], "@id": [], "@state": [], "@mark": []}
    answers = False
    for line in head.decode("utf-8", "replace").splitlines():
        word, _, rest = line.partition(" ")
        answers = answers or word == "@docker"
        if word in found:
            found[word].append(rest)
    ids = [(one, service) for one, _, service in (line.partition(" ") for line in found["@id"])]
    return Reading(
        seen,
        project_of(text.decode("utf-8", "replace")) if config and seen.status == 0 else None,
        hashlib.sha256(text).hexdigest(),
        containers_of("\n".join(found["@state"])) if answers else None,
        tuple(ids),
        tuple(found["@mark"]),
    )
