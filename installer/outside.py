"""What a run fetches from outside, tried before it changes anything: the places, and who asks them.

The solution's `internet` names the places, a setting of the site may name another in their stead,
and what a bundle brings is not asked. `preflight.egress_ways` does the trying.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from foundation.counting import are, counted
from foundation.problems import Problem
from preflight.egress import HERE, Destination, Egress, destinations, is_loopback

if TYPE_CHECKING:
    from bundles.completeness import Gap
    from installer.site import Site
    from installer.solution import Solution
    from preflight.assessment import Seen
    from preflight.egress_ways import Connector
    from preflight.findings import Waiver
    from preflight.needs import InternetKind, SolutionNeeds

Tell = Callable[[str], None]
"""Hears what is done, as a sentence."""
Count = Callable[[int, int], None]
"""Hears how many attempts are done, and of how many."""

_BROUGHT: Final[Mapping[str, InternetKind]] = {
    "image": "registry",
    "chart": "charts",
    "git": "git",
    "snap": "snaps",
    "deb": "packages",
    "file": "downloads",
}
"""What a bundle's item stands in for."""
_ALL: Final = ("egress.*", "egress.untried")


def accepted_untried(waivers: Iterable[Waiver], today: date) -> Waiver | None:
    """The waiver in force that accepts all of it, so that nothing is asked for nothing."""
    from preflight.waivers import in_force

    return next(
        (w for w in waivers if w.check in _ALL and w.host is None and in_force(w, today)), None
    )


def places_of(needs: SolutionNeeds, solution: Solution, site: Site | None) -> list[Destination]:
    """What is fetched where no bundle is: the solution's places, and those the settings name."""
    platform = needs.platform
    named = _named_by_settings(solution, site, platform.internet_settings)
    supplied = _named_by_supplies(site) if site is not None else []
    instead = {place.kind for name, place in named if name in platform.internet_settings}
    instead |= {place.kind for place in supplied}
    # A machine may have package sources of its own, which no solution can name.
    listed = [
        replace(place, soft=place.kind == "packages")
        for place in destinations(needs)
        if place.kind not in instead
    ]
    roles = platform.internet_roles
    own = [
        replace(place, roles=roles.get(place.kind, ()))
        for place in (*supplied, *(place for _, place in named))
    ]
    return list(dict.fromkeys((*listed, *own)))


def _named_by_supplies(site: Site) -> list[Destination]:
    """The site's own servers. They only warn: `bundle serve` has an authority of its own."""
    own = site.supplies
    named: tuple[tuple[InternetKind, str | None], ...] = (
        ("registry", own.registry),
        ("packages", own.apt),
        ("charts", own.charts),
        ("git", own.git),
        ("downloads", own.files),
    )
    return [Destination(kind, _address(kind, url), soft=True) for kind, url in named if url]


def _named_by_settings(
    solution: Solution, site: Site | None, kinds: Mapping[str, InternetKind]
) -> list[tuple[str, Destination]]:
    """The places that the settings in use name: a Git repository, a mirror, a chart repository."""
    from installer.settings import applies, load_settings, objection, typed_value

    given = site.settings if site is not None else {}
    values: dict[str, str | int | bool] = {}
    found = []
    for setting in load_settings(solution).settings:
        value = given.get(setting.name)
        if isinstance(value, bool):
            value = "yes" if value else "no"
        text = str(setting.default or "" if value is None else value).strip()
        wanted = applies(setting, values)
        # A mistyped number is told elsewhere.
        mistyped = setting.type == "number" and objection(setting, text)
        values[setting.name] = "" if mistyped else typed_value(setting, text)
        kind = kinds.get(setting.name)
        if not wanted or not text or (setting.type != "url" and kind is None):
            continue
        if kind is None:
            kind = "git" if text.endswith(".git") else "charts"
        place = Destination(kind, _address(kind, text), soft=_may_be_plain(kind, text))
        if place.url.startswith(("https://", "http://")) and place.host:
            found.append((setting.name, place))
    return found


def _address(kind: InternetKind, text: str) -> str:
    """Where to ask: a registry by its API, whatever form the setting has."""
    if kind != "registry":
        return text
    own = urlsplit(f"//{text}").hostname or ""
    # Docker asks its own machine without TLS too, and a server with TLS answers that with an error.
    url = text if "://" in text else f"{'http' if is_loopback(own) else 'https'}://{text}"
    return f"{url.rstrip('/')}/v2/"


def _may_be_plain(kind: InternetKind, text: str) -> bool:
    """Whether it is a registry of which nobody says that it speaks TLS: Docker may know better."""
    return kind == "registry" and "://" not in text


def beyond_the_bundle(
    places: Iterable[Destination], gaps: Iterable[Gap]
) -> tuple[Destination, ...]:
    """Of these places those of which the bundle lacks something.

    They only warn: whether the bundle is whole is judged on its own.
    """
    kinds = {_BROUGHT[gap.kind] for gap in gaps if gap.kind in _BROUGHT}
    return tuple(replace(place, soft=True) for place in places if place.kind in kinds)


async def try_outside(
    pool: Connector,
    seen: Sequence[Seen],
    needs: SolutionNeeds,
    *,
    solution: Solution,
    roles: Mapping[str, tuple[str, ...]],
    waivers: Iterable[Waiver] = (),
    site: Site | None = None,
    base: Path | None = None,
    today: date,
    tell: Tell = lambda _: None,
    count: Count = lambda _done, _all: None,
) -> Egress | None:
    """Try what an installation fetches; None where it fetches nothing.

    `base` is the folder of the site's file. What goes wrong is part of the result.
    """
    places: Sequence[Destination] = await asyncio.to_thread(places_of, needs, solution, site)
    if not places:
        return None
    waiver = accepted_untried(waivers, today)
    if waiver is not None:
        return Egress(untried=f"What is fetched was not tried: {waiver.by} accepted it untried.")
    skipped = ""
    if site is not None and base is not None and site.supplies.bundle is not None:
        try:
            places = await asyncio.to_thread(_lacking, places, site, base, solution)
        except (Problem, OSError) as problem:
            why = problem.cause if isinstance(problem, Problem) else str(problem)
            return Egress(untried=f"What the site's bundle brings could not be told: {why}.")
        skipped = "What the site's bundle brings was not tried."
        if not places:
            return Egress(skipped=skipped)
    hosts = [entry.host for entry in seen if entry.reachable]
    what = f"{counted(len(places), 'place')} that {are(len(places))} fetched from"
    tell(f"Trying {what}, from {counted(len(hosts), 'machine')} and from here …")
    try:
        measured = await _measured(
            pool, seen, places, roles=roles, site=site, base=base, count=count
        )
    except (Problem, OSError) as problem:
        why = problem.cause if isinstance(problem, Problem) else str(problem)
        return Egress(skipped=skipped, untried=f"What is fetched could not be tried: {why}.")
    return replace(measured, skipped=skipped)


def _lacking(
    places: Sequence[Destination], site: Site, base: Path, solution: Solution
) -> tuple[Destination, ...]:
    from installer.bundle_gaps import gaps_of_site

    return beyond_the_bundle(places, gaps_of_site(site, base / "site.yaml", solution))


async def _measured(
    pool: Connector,
    seen: Sequence[Seen],
    places: Sequence[Destination],
    *,
    roles: Mapping[str, tuple[str, ...]],
    site: Site | None,
    base: Path | None,
    count: Count,
) -> Egress:
    from preflight.egress_ways import measure
    from preflight.proxies import way_by, way_of
    from preflight.trust_stores import stores_of

    ways = {
        entry.host.name: way_of(entry.facts.identity.proxies)
        for entry in seen
        if entry.facts is not None
    }
    ways[HERE] = way_of(os.environ)
    # Its facts hide the login of its proxy; this machine's own environment has it.
    ways.update({entry.host.name: ways[HERE] for entry in seen if entry.host.local})
    trust, authorities = None, ""
    if site is not None and base is not None:
        from installer.way_out import trusting, way_out_of

        out = await asyncio.to_thread(way_out_of, site, base)
        trust, authorities = await asyncio.to_thread(trusting, out), out.authorities
        if out.proxy:
            # The plan gives it to the machines, which do not have it yet.
            ways = dict.fromkeys(ways, way_by(out.proxy, out.no_proxy))
    hosts = [entry.host for entry in seen if entry.reachable]
    remote = [host for host in hosts if not host.local]
    stores = await stores_of(pool, remote, authorities)
    return await measure(
        pool, hosts, places, roles=roles, ways=ways, trust=trust, stores=stores, count=count
    )
