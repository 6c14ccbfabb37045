"""Kubernetes end: until when the Kubernetes of a site is mended, and what can be chosen instead.

Its makers mend a minor version for some fourteen months; what is found in it afterwards stays
open. Preflight says it of the day on which it looks, the plan says the day itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from foundation.wording import counted
from installer.repository.matrix import Matrix, instead, load_matrix, minor_of, tell_end
from preflight.cluster.support import SOON_DAYS
from preflight.findings import Finding, Severity

if TYPE_CHECKING:
    from datetime import date

    from installer.catalogue.settings import Value
    from installer.catalogue.solution import Solution

ID: Final = "software.end-of-life"
CHANNEL: Final = "microk8s_channel"


def end_of_kubernetes(
    solution: Solution, values: Mapping[str, Value], today: date
) -> tuple[Finding, ...]:
    """What is to be said of the channel of the settings, and of what goes with it, on a day."""
    matrix = matrix_of(solution)
    channel = str(values.get(CHANNEL) or "")
    if matrix is None or not channel:
        return ()
    return (_of_channel(matrix, channel, today), *_of_programs(matrix, channel, values))


def noted_end(solution: Solution, values: Mapping[str, Value]) -> tuple[str, ...]:
    """The same for whoever reviews a plan, which is the same plan on every day."""
    matrix = matrix_of(solution)
    channel = str(values.get(CHANNEL) or "")
    if matrix is None or not channel:
        return ()
    beside = tuple(one.title for one in _of_programs(matrix, channel, values))
    release = matrix.release(minor_of(channel))
    if release is None:
        return (_unknown(matrix, channel), *beside)
    # Of the day of its own end, so that what is chosen instead is the same on every day.
    end = tell_end(matrix, channel, release.ends)
    other = instead(matrix, end) if end is not None else ""
    told = f"Kubernetes {release.minor} is mended by its makers until {release.ends}"
    return (f"{told} ({release.source}). {other}".rstrip(), *beside)


def matrix_of(solution: Solution) -> Matrix | None:
    """The solution's table of what fits which Kubernetes; None where it has none."""
    folder = solution.folder / "repository"
    return load_matrix(folder) if (folder / "versions.yaml").is_file() else None


def _unknown(matrix: Matrix, channel: str) -> str:
    known = matrix.kubernetes
    return (
        f"Nothing is known here of Kubernetes {minor_of(channel)}: the table of what fits it goes"
        f" from {known[0].minor} to {known[-1].minor}."
    )


def _of_channel(matrix: Matrix, channel: str, today: date) -> Finding:
    end = tell_end(matrix, channel, today)
    remedy = f"Name one of these under `settings:`: {_whole(matrix)}."
    if end is None:
        return _found(
            Severity.WARN, _unknown(matrix, channel), "a version that the table knows", channel,
            f"{remedy} Or see what its makers and those of the applications say.",
            source="Sitewright: the table of versions of the repository to begin with",
        )  # fmt: skip
    release = end.release
    other = instead(matrix, end)
    days = (release.ends - today).days
    until = f"Kubernetes {release.minor} is mended by its makers until {release.ends}"
    if days >= SOON_DAYS:
        return _found(
            Severity.PASS, f"{until}.", "a version that is mended", channel, "",
            source=release.source,
        )  # fmt: skip
    return _found(
        Severity.WARN,
        f"Kubernetes {release.minor} has been mended by nobody since {release.ends}: what is found"
        " in it stays open."
        if end.past
        else f"{until}, {counted(days, 'day')} from now.",
        f"a version that is mended on {today}",
        f"{CHANNEL}: {channel}",
        f"{other or remedy} A cluster that runs is brought there one minor version at a time"
        " (sitewright upgrade). Or"
        f" have somebody accept it by name: a waiver of {ID}.",
        source=release.source,
    )


def _whole(matrix: Matrix) -> str:
    return ", ".join(f"{CHANNEL}: {one.minor}/stable" for one in matrix.whole())


def _of_programs(matrix: Matrix, channel: str, values: Mapping[str, Value]) -> Iterator[Finding]:
    minor = minor_of(channel)
    for one in matrix.programs:
        version = str(values.get(one.setting) or "")
        series, other = one.series_of(version), one.tested_with(minor)
        if not version or (series is not None and series.is_for(minor)):
            continue
        tested = (
            f"its makers test it with {series.first} to {series.last}"
            if series is not None
            else "with which its makers test it is not known here"
        )
        yield _found(
            Severity.WARN,
            f"{one.name} {version} is not tested with Kubernetes {minor}: {tested}.",
            f"a version that is tested with Kubernetes {minor}",
            f"{one.setting}: {version}",
            f"Name {one.setting}: {other.version}." if other else "See what its makers say.",
            source=series.source if series is not None else "Sitewright: the table of versions",
            subject=one.name,
        )


def _found(
    severity: Severity,
    title: str,
    expected: str,
    actual: str,
    remedy: str,
    *,
    source: str,
    subject: str = "Kubernetes",
) -> Finding:
    return Finding(
        id=ID,
        severity=severity,
        title=title,
        expected=expected,
        actual=actual,
        source=source,
        evidence="snap info microk8s",
        remedy=remedy,
        subject=subject,
    )
