"""Matrix: which version of what fits which Kubernetes, and who says so."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from foundation.documents import load_yaml
from foundation.problems import InputProblem
from preflight.cluster import support


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Minor = Annotated[str, Field(pattern=r"^1\.[0-9]{1,2}$")]


class Release(_Data):
    """A minor version of Kubernetes, and until when its makers mend it."""

    minor: Minor
    ends: datetime.date
    source: str


def _released(value: object) -> object:
    """Releases by their minor versions; when each ends is told in one place for all."""
    if not isinstance(value, list):
        return value
    released = []
    for minor in map(str, value):
        ends = support.ENDS.get(support.minor_of(minor) or (0, 0))
        if ends is None:
            raise ValueError(f"until when Kubernetes {minor} is mended is not known")
        released.append(Release(minor=minor, ends=ends, source=support.SOURCE))
    return tuple(released)


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


class Series(_Data):
    """A version of a program, and with which Kubernetes its makers test its series."""

    version: str
    series: str
    """What the versions of its series begin with: "v2.14."."""
    first: Minor
    last: Minor
    source: str

    def is_for(self, minor: str) -> bool:
        """Whether it is tested with a Kubernetes."""
        return _fits(self, minor)


class Program(_Data):
    """What a setting of the site gives the version of, since the installation brings it."""

    name: str
    setting: str
    versions: tuple[Series, ...]

    def tested_with(self, minor: str) -> Series | None:
        """The first version that its makers test with a Kubernetes."""
        return next((one for one in self.versions if one.is_for(minor)), None)

    def series_of(self, version: str) -> Series | None:
        """What is known of the series of a version."""
        return next((one for one in self.versions if version.startswith(one.series)), None)


class Matrix(_Data):
    """`versions.yaml` of a starter."""

    kubernetes: Annotated[tuple[Release, ...], BeforeValidator(_released)]
    programs: tuple[Program, ...]
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


@dataclass(frozen=True, slots=True)
class End:
    """Until when a Kubernetes is mended."""

    release: Release
    instead: Release | None
    """The one that is mended longest, later than this one; None where none is."""
    past: bool


def _number(minor: str) -> tuple[int, ...]:
    return tuple(int(part) for part in minor.split("."))


def _fits(fit: Fit | Series, minor: str) -> bool:
    return _number(fit.first) <= _number(minor) <= _number(fit.last)


def minor_of(channel: str) -> str:
    """The version of Kubernetes that a channel of MicroK8s brings: "1.31" of "1.31/stable"."""
    found = re.match(r"1\.[0-9]+", channel)
    return found[0] if found else channel


def load_matrix(folder: Path) -> Matrix:
    """The matrix of a starter; raises InputProblem."""
    return load_yaml(Matrix, folder / "versions.yaml")


def tell_end(matrix: Matrix, channel: str, today: datetime.date) -> End | None:
    """Until when a channel's Kubernetes is mended, and what can be chosen instead.

    None where the matrix does not know it.
    """
    release = matrix.release(minor_of(channel))
    if release is None:
        return None
    later = [one for one in matrix.whole() if one.ends > max(release.ends, today)]
    return End(release, max(later, key=lambda one: one.ends, default=None), today > release.ends)


def said_of_end(folder: Path, channel: str, today: datetime.date) -> str:
    """That a channel's Kubernetes is mended no more, and what to choose instead; else "".

    Nothing is said of a version that the matrix does not know.
    """
    matrix = load_matrix(folder)
    end = tell_end(matrix, channel, today)
    if end is None or not end.past:
        return ""
    return (
        f"Kubernetes {end.release.minor} has been mended by nobody since {end.release.ends} "
        f"({end.release.source}). {instead(matrix, end)}".rstrip()
    )


def instead(matrix: Matrix, end: End) -> str:
    """Which settings bring a Kubernetes that is mended longer, a sentence; "" where none does."""
    if end.instead is None:
        return ""
    minor = end.instead.minor
    beside = "".join(
        f" and {one.setting}: {fit.version}"
        for one in matrix.programs
        if (fit := one.tested_with(minor)) is not None
    )
    return (
        f"With microk8s_channel: {minor}/stable{beside} there are versions of every application, "
        f"and it is mended until {end.instead.ends}."
    )
