"""The notes of a plan: what whoever reviews it must know beside its steps."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from installer.catalogue.settings import load_settings
from installer.planning.kubernetes_end import noted_end
from installer.planning.release_lines import noted_lines

if TYPE_CHECKING:
    from installer.catalogue.settings import Answers
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site
    from installer.supply.supplies import Supplied


def accepted(site: Site) -> tuple[str, ...]:
    """What the site waives: somebody's word, which whoever reviews the plan must have read."""
    return tuple(
        f"{waiver.check} on {waiver.host or 'every machine'} is accepted whatever is found, by the "
        f"word of {waiver.by} until {waiver.until}: {waiver.reason}"
        for waiver in site.waivers
    )


def maintained(supplied: Supplied | None) -> tuple[str, ...]:
    """Until when the site's bundle is looked after, where its maker named a day.

    In words that are true on every day: a plan that is made again on another one is the same.
    """
    until = supplied.structure.index.maintained_until if supplied is not None else ""
    if not until:
        return ()
    day = date.fromisoformat(until)
    return (f"The bundle: the last day on which its maker looks after it is {day:%d %B %Y}.",)


def waived(site: Site) -> dict[str, dict[str, str]]:
    """What the site waives on every machine, for stages whose own questions a waiver answers.

    Each with its last day: a plan may be carried out, or gone on with, long after it was made, so
    whoever asks holds that day against the one that is.
    """
    return {
        waiver.check: {
            "by": waiver.by, "until": waiver.until.isoformat(), "reason": waiver.reason,
        }
        for waiver in sorted(site.waivers, key=lambda one: one.until)
        if waiver.host is None
    }  # fmt: skip


def lacking(solution: Solution, site: Site) -> tuple[str, ...]:
    """The clusters of which the site has no machine, where it should have several."""
    from preflight.sizing import lowered

    return tuple(
        f"The site lacks the {lowered(cluster.title)}. {cluster.why}"
        for cluster in solution.needs(site.environment, site.sizing).clusters
        if not any(cluster.has(host.roles) for host in site.hosts)
    )


def minds(solution: Solution, environment: str, site: Site, settled: Answers) -> tuple[str, ...]:
    """What a person must know of settings that stay empty, of what they choose, of the tables."""
    from preflight.sizing import table_notes

    left_open = [
        " ".join(setting.mind.split())
        for setting in load_settings(solution).settings
        if setting.mind and settled.holds(setting.when) and not settled.values.get(setting.name)
    ]
    return (
        *left_open,
        *noted_end(solution, settled.values),
        *noted_lines(solution, settled.values),
        *lacking(solution, site),
        *table_notes(solution.needs(environment, site.sizing), rows=False),
    )
