"""Matrix: which version of what fits which Kubernetes, and who says so."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from foundation.documents import load_yaml
from foundation.problems import InputProblem


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _as_date(value: object) -> object:
    return datetime.date.fromisoformat(value) if isinstance(value, str) else value


Minor = Annotated[str, Field(pattern=r"^1\.[0-9]{1,2}$")]
Day = Annotated[datetime.date, BeforeValidator(_as_date)]


class Release(_Data):
    """A minor version of Kubernetes, and until when its makers mend it."""

    minor: Minor
    ends: Day
    source: str


class Fit(_Data):
    """A version of a component, and the versions of Kubernetes that it is for."""

    version: str
    first: Minor
    last: Minor
    basis: Literal["tested", "floor", "unproven"]
    """Its makers tested it with these; they name only the oldest; or nobody says anything."""
    source: str
    looked: str
    """What of our values was held against its own files, and what was not."""


class Component(_Data):
    """A chart, or a folder of manifests in a Git repository, by its makers."""

    name: str
    repository: str
    chart: str = ""
    """Empty for a folder of a Git repository."""
    path: str = ""
    versions: tuple[Fit, ...]


class Matrix(_Data):
    """`versions.yaml` of a starter."""

    kubernetes: tuple[Release, ...]
    components: tuple[Component, ...]

    def release(self, minor: str) -> Release | None:
        """What is known of a minor version of Kubernetes."""
        return next((one for one in self.kubernetes if one.minor == minor), None)

    def chosen(self, minor: str) -> dict[str, tuple[Component, Fit]]:
        """The first version of each component that is for this Kubernetes; raises InputProblem."""
        found: dict[str, tuple[Component, Fit]] = {}
        missing = []
        for component in self.components:
            fit = next((one for one in component.versions if _fits(one, minor)), None)
            if fit is None:
                missing.append(component.name)
            else:
                found[component.name] = (component, fit)
        if missing:
            raise InputProblem(
                f"no version of {', '.join(missing)} is known that is for Kubernetes {minor}",
                where="microk8s_channel",
                remedy="Name one of these in the site file: "
                f"{', '.join(f'{one.minor}/stable' for one in self.whole())}.",
            )
        return found

    def whole(self) -> list[Release]:
        """The versions of Kubernetes for which there is a version of everything."""
        return [
            release
            for release in self.kubernetes
            if all(
                any(_fits(fit, release.minor) for fit in component.versions)
                for component in self.components
            )
        ]


def _number(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split("."))


def _fits(fit: Fit, minor: str) -> bool:
    return _number(fit.first) <= _number(minor) <= _number(fit.last)


def minor_of(channel: str) -> str:
    """The version of Kubernetes that a channel of MicroK8s brings: "1.31" of "1.31/stable"."""
    found = re.match(r"1\.[0-9]+", channel)
    return found[0] if found else channel


def load_matrix(folder: Path) -> Matrix:
    """The matrix of a starter; raises InputProblem."""
    return load_yaml(Matrix, folder / "versions.yaml")


def said_of_end(folder: Path, channel: str, today: datetime.date) -> str:
    """That a channel's Kubernetes is mended no more, and what to choose instead; else "".

    Nothing is said of a version that the matrix does not know.
    """
    matrix = load_matrix(folder)
    release = matrix.release(minor_of(channel))
    if release is None or today <= release.ends:
        return ""
    later = [one for one in matrix.whole() if one.ends > release.ends]
    best = max(later, key=lambda one: one.ends, default=None)
    instead = (
        f" With microk8s_channel: {best.minor}/stable there are versions of everything too, and it"
        f" is mended until {best.ends}."
        if best and best.ends >= today
        else ""
    )
    return (
        f"Kubernetes {release.minor} has been mended by nobody since {release.ends} "
        f"({release.source}).{instead}"
    )
