"""What a run fetches from outside, tried before it changes anything: the places, and who asks them.

The solution's `internet` names the places, a setting of the site may name another in their stead,
and what a bundle brings is not asked. `preflight.egress_ways` does the trying.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from foundation.problems import InputProblem, Problem
from foundation.wording import are, counted
from preflight.egress import HERE, Destination, Egress, destinations, is_loopback

if TYPE_CHECKING:
    from bundles.read.completeness import Gap
    from foundation.hosts.connection import Connector
    from foundation.hosts.model import Host
    from installer.catalogue.solution import Solution
    from installer.sites.site import Site
    from preflight.apt_sources import AptSources
    from preflight.assessment import Seen
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
_SCP_LIKE: Final = re.compile(r"(?:[^@/:\s]+@)?([^@/:\s]+):(?!//)(\S+)")
"""How Git writes an address by SSH: git@git.example.org:pm4ml/site.git."""
_ALL: Final = ("egress.*", "egress.untried")


def accepted_untried(waivers: Iterable[Waiver], today: date) -> Waiver | None:
    """The waiver in force that accepts all of it, so that nothing is asked for nothing."""
    from preflight.waivers import in_force

    return next(
        (w for w in waivers if w.check in _ALL and w.host is None and in_force(w, today)), None
    )


def fetches_from_outside(solution: Solution, site: Site) -> bool:
    """Whether there is anything to try: places that are fetched from, which nobody accepted."""
    today = datetime.now(UTC).astimezone().date()
    if accepted_untried(site.waivers, today) is not None:
        return False
    return bool(places_of(solution.needs(site.environment, site.sizing), solution, site))


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
    from installer.catalogue.settings import applies, load_settings, objection, typed_value
    from installer.sites.site_words import addressable

    given = site.settings if site is not None else {}
    values: dict[str, str | int | bool] = {}
    found = []
    settings = load_settings(solution).settings
    # A solution without settings asks for none, and there is nothing that could name a place.
    if settings and (unknown := sorted(set(kinds) - {setting.name for setting in settings})):
        raise InputProblem(
            f'internet_settings names "{unknown[0]}", which is no setting: what is fetched from '
            "there would never be tried",
            where=str(solution.folder / "solution.yaml"),
            remedy="Mend the file.",
        )
    for setting in settings:
        value = given.get(setting.name)
        if isinstance(value, bool):
            value = "yes" if value else "no"
        text = str(setting.default or "" if value is None else value).strip()
        wanted = applies(setting, values)
        # What was mistyped is told where the settings are read.
        mistyped = bool(objection(setting, text))
        values[setting.name] = (
            "" if mistyped and setting.type == "number" else typed_value(setting, text)
        )
        kind = kinds.get(setting.name)
        if not wanted or not text or (setting.type != "url" and kind is None):
            continue
        if kind is None:
            kind = "git" if text.endswith(".git") else "charts"
        if (kind == "registry" or "://" in text) and not addressable(text):
            if mistyped:
                continue
            raise InputProblem(
                f"the setting {setting.name} names no place that can be asked: {text}",
                where="the site",
                remedy="Write a name or an address, with a port up to 65535 where it needs one.",
            )
        place = Destination(kind, _address(kind, text), soft=_may_be_plain(kind, text))
        if place.scheme in ("https", "http", "ssh") and place.host:
            found.append((setting.name, place))
    return found


def _address(kind: InternetKind, text: str) -> str:
    """Where to ask: a registry by its API, whatever form the setting has."""
    if kind == "git" and (by_ssh := _SCP_LIKE.fullmatch(text)):
        return f"ssh://{by_ssh[1]}/{by_ssh[2].lstrip('/')}"
    if kind != "registry":
        return text
    own = urlsplit(text if "://" in text else f"//{text}").hostname or ""
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
    whole: float | None = None,
) -> Egress | None:
    """Try what an installation fetches; None where it fetches nothing.

    `base` is the folder of the site's file. What goes wrong is part of the result.
    """
    places: Sequence[Destination]
    try:
        places = await asyncio.to_thread(places_of, needs, solution, site)
    except InputProblem as problem:
        return Egress(untried=f"What is fetched could not be tried: {problem.cause}.")
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
    own = counted(sum(not host.local for host in hosts), "machine")
    far = f"{own} and from here" if any(not host.local for host in hosts) else "here"
    tell(f"Trying {what}, from {far} …")
    try:
        measured = await _measured(
            pool, seen, places, roles=roles, site=site, base=base, count=count, whole=whole
        )
    except (Problem, OSError) as problem:
        why = problem.cause if isinstance(problem, Problem) else str(problem)
        return Egress(skipped=skipped, untried=f"What is fetched could not be tried: {why}.")
    return replace(measured, skipped=skipped)


def _lacking(
    places: Sequence[Destination], site: Site, base: Path, solution: Solution
) -> tuple[Destination, ...]:
    from installer.supply.bundle_gaps import gaps_of_site

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
    whole: float | None,
) -> Egress:
    from preflight.apt_sources import sources_of, with_programs
    from preflight.egress_ways import WHOLE_SECONDS, measure
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
        from installer.planning.way_out import trusting, way_out_of

        out = await asyncio.to_thread(way_out_of, site, base)
        trust, authorities = await asyncio.to_thread(trusting, out), out.authorities
        if out.proxy:
            # The plan gives it to the machines, which do not have it yet.
            ways = dict.fromkeys(ways, way_by(out.proxy, out.no_proxy))
    if site is not None and site.control is not None:
        from installer.plans.plan import CONTROL_HOST

        own_roles = roles.get(site.control, ())
        roles = {**roles, site.control: (*own_roles, CONTROL_HOST)}
    hosts = [entry.host for entry in seen if entry.reachable]
    remote = [host for host in hosts if not host.local]
    own: Mapping[str, AptSources] = {}
    if any(place.kind == "packages" for place in places) and not _named_packages(site):
        own = await sources_of(pool, hosts)
        places = with_own_sources(places, hosts, own)
    # The plan gives the site's proxy to apt too.
    by_site = site is not None and bool(site.proxy)
    apt = {} if by_site else {name: one.way for name, one in own.items() if one.way is not None}
    stores = await stores_of(pool, remote, authorities)
    measured = await measure(
        pool, hosts, places, roles=roles, ways=ways, trust=trust, stores=stores, apt=apt,
        count=count, whole=whole or WHOLE_SECONDS,
    )  # fmt: skip
    # Where the site has a proxy, the plan has apt ask no program.
    attempts = measured.attempts if by_site else with_programs(measured.attempts, own)
    return replace(measured, attempts=tuple(attempts))


def _named_packages(site: Site | None) -> bool:
    """Whether the site's supplies take the place of its machines' own package sources."""
    return site is not None and bool(site.supplies.apt or site.supplies.bundle)


def with_own_sources(
    places: Sequence[Destination], hosts: Sequence[Host], own: Mapping[str, AptSources]
) -> list[Destination]:
    """The places with the package sources that each machine really has.

    The solution's own list stays for machines whose sources could not be read.
    """
    unread = tuple(host.name for host in hosts if host.name not in own)
    kept = [
        replace(place, machines=unread if own and place.kind == "packages" else place.machines)
        for place in places
        if place.kind != "packages" or unread or not own
    ]
    by_url: dict[str, list[str]] = {}
    for name, sources in own.items():
        for url in sources.urls:
            by_url.setdefault(url, []).append(name)
    return [
        *kept,
        *(
            Destination("packages", url, soft=True, machines=tuple(names), own=True)
            for url, names in by_url.items()
        ),
    ]
