"""Identity: which record a site has here, whatever became of its machines since.

A record is made once and keeps its key: the name of its folder, which stands in its journals, in
the locks and in the marks on its machines. A site is of the record with which it shares machines,
each known by its address and the way to it; so one that is added, removed or moved to another
address leaves the record where it is, and two sites that share no machine are never one. Where a
person must say which is meant, they write it into the site file (`record:`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from foundation.hosts import machine_lock
from foundation.problems import ConnectionProblem, InputProblem, Refused, Unreachable
from foundation.wording import counted, listed
from installer.events import Outcome
from installer.record.journal_lines import BrokenJournal
from installer.record.other_hands import mark_from_text
from installer.record.runs import SITE_KEY, Run, all_sites, latest_run, runs_of, site_of
from installer.record.state import DECIDED, Key
from installer.sites.site import Site, load_site
from installer.sites.ways import masked_program

if TYPE_CHECKING:
    from foundation.hosts.connection import Connection
    from foundation.hosts.model import Host
    from installer.sites.site import SiteHost

_FEWEST_CHARACTERS: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_SAID: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}-[0-9a-f]{10}(-[a-z-]{1,40})?")
"""What a machine may say of a record: it becomes the name of a folder."""


class WhichRecord(Refused):
    """A site that may be of more than one record, or of one that knows most other machines."""

    code = "which-record"
    title = "It is not certain which site this is"


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that lies here, of the same solution and environment as the site in question."""

    key: str
    machines: frozenset[str]
    """Those of its last run, as `machines_of` tells them."""
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """The record of a site."""

    key: str
    known: bool
    """Whether a record that lies here shares machines with the site."""


def machines_of(site: Site) -> frozenset[str]:
    """The machines of a site, each by its address, its port and the way to it.

    One address may be there twice: behind two bastions, or through two programs. A password in a
    program tells no two machines apart, and has no part in what others see.
    """
    port = site.ssh.port or 22
    found = set()
    for host in site.hosts:
        way = f"{host.address.lower()}:{host.port or port}{_by(host.proxy_command)}"
        bastion = host.bastion_of(site.ssh.bastion)
        found.add(f"{way} behind {bastion}" if bastion else way)
    return frozenset(found)


def same_machines(before: Site, now: Site) -> frozenset[str]:
    """The names that mean the same machine in both: one that was replaced is another."""
    then = {host.name: machines_of(_alone(before, host)) for host in before.hosts}
    return frozenset(
        host.name for host in now.hosts if then.get(host.name) == machines_of(_alone(now, host))
    )


def way_of(site: Site, name: str) -> str:
    """What tells a machine of a site from every other; "" for one that it does not name."""
    found = (machines_of(_alone(site, host)) for host in site.hosts if host.name == name)
    return next((way for one in found for way in one), "")


def _alone(site: Site, host: SiteHost) -> Site:
    return site.model_copy(update={"hosts": (host,)})


def machines_pin(site: Site | None) -> str:
    """A digest of the machines of a site and its environment; "" where no site is known.

    A run's journal keeps it, so that the run is gone on with on its own machines alone, whatever
    is written into the site file beside it.
    """
    if site is None:
        return ""
    text = json.dumps([*_sort(site), sorted(machines_of(site))])
    return hashlib.sha256(text.encode()).hexdigest()


def begun_on(run: Run, site: Site) -> bool:
    """Whether a run was begun on the machines of this site, reached alike.

    Runs of earlier versions have no pin: their record's key was made of their machines.
    """
    started = run.started()
    if started is not None and (pinned := started.data.get("machines")):
        return pinned == machines_pin(site)
    found = SITE_KEY.fullmatch(run.site_key)
    return found is None or found[1] in _first_keys(site)


def site_key(site: Site) -> str:
    """The key of a site's record: the folder of its runs, its lock, what is remembered of it.

    Raises WhichRecord where only a person can tell, InputProblem where `record` cannot be.
    """
    return identity_of(site).key


def identity_of(site: Site) -> Identity:
    """The record of a site, by what lies here; raises as `site_key`."""
    machines = machines_of(site)
    kept = _kept(site)
    sharing = [one for one in kept if one.machines & machines]
    if site.record is not None:
        if not site.record.startswith(f"{_slug(site)}-"):
            raise InputProblem(
                f"the record {site.record} is of no {' '.join(filter(None, _sort(site)))}",
                where="record of the site file",
                remedy="Name the record of this solution and environment, as `sitewright status` "
                "lists it, or leave the line out.",
            )
        return Identity(site.record, any(one.key == site.record for one in sharing))
    new = _new_key(site, kept)
    same = [one for one in sharing if one.machines == machines]
    if not sharing:
        return Identity(new, known=False)
    if len(same) == 1:
        return Identity(same[0].key, known=True)
    # Half of a record's machines may change between two runs; with fewer left it may be a machine
    # that was taken out of one site and serves in another now.
    if len(sharing) == 1 and 2 * len(sharing[0].machines & machines) >= len(sharing[0].machines):
        return Identity(sharing[0].key, known=True)
    raise WhichRecord(
        "; ".join(
            f"{counted(len(one.machines & machines), 'machine')} of this site "
            f"{'is' if len(one.machines & machines) == 1 else 'are'} among the {len(one.machines)} "
            f"of the record {one.key} ({listed(one.names)})"
            for one in sharing
        ),
        where="the site file",
        remedy="Say in the site file which is meant. "
        + " ".join(f"It is that site, changed: record: {one.key}." for one in sharing)
        + f" It is a site of its own: record: {new}.",
    )


def as_machines_say(site: Site, said: Mapping[str, str | None]) -> Site:
    """The site as it is known after its machines were asked, for one that has no record here.

    `said` is the record of which each machine keeps a mark, None for one that did not answer. On a
    computer that was installed anew the site gets the record that they remember. Raises
    WhichRecord, and Unreachable where what a silent machine remembers would decide.
    """
    identity = identity_of(site)
    slug = f"{_slug(site)}-"
    told = {name: site_of(key) for name, key in said.items() if key and key.startswith(slug)}
    silent = sorted(name for name, key in said.items() if key is None)
    keys = sorted(set(told.values()))
    if identity.known:
        return site
    if site.record is not None and not site.hosts:
        return site  # what it is about is no machine, so nobody else could say
    here = {one.key: one for one in _kept(site)}
    if site.record is not None:
        # A key that is made of these very machines is no other site's; the question offers it.
        if keys == [site.record] or site.record in set(_first_keys(site)) - here.keys():
            return site
        if site.record not in here:
            raise WhichRecord(
                f"the record {site.record} is named, it is not on this computer, and the machines "
                f"do not say that they are of it. {_as_told(told, silent)}",
                where="record of the site file",
                remedy=f"Leave the line out, or say which is meant. It is a site of its own: "
                f"record: {_new_key(site, here.values())}.",
            )
        if keys != [site.record]:
            names = listed(here[site.record].names)
            raise WhichRecord(
                f"the record {site.record} is named, and it knows none of these machines at their "
                f"addresses; its own are {names}. {_as_told(told, silent)}",
                where="record of the site file",
                remedy="Name the record of this site, or leave the line out for one of its own. "
                "Where every address changed, the machines themselves have to say that they are "
                "of this record: see that they answer.",
            )
        return site
    if keys == [identity.key] or (not keys and not silent):
        return site
    # Fewer may have been taken out of that site, and serve in this one now.
    most = 2 * len(told) >= len(site.hosts)
    if len(keys) == 1 and keys[0] not in here and most:
        return site.model_copy(update={"record": keys[0]})
    if silent:
        raise Unreachable(
            "no record on this computer has these machines at their addresses, and not all of them "
            f"say which site they are of. {_as_told(told, silent)}",
            where=listed(silent),
            remedy="See that it answers, and give the same command again. If you know that it is a "
            f"site of its own, say so in the site file: record: {identity.key}.",
        )
    raise WhichRecord(
        "no record on this computer has these machines at their addresses. "
        + _as_told(told, silent),
        where="the site file",
        remedy="Say in the site file which is meant. "
        + " ".join(f"It is that site: record: {key}." for key in keys)
        + f" It is a site of its own: record: {identity.key}.",
    )


def _as_told(told: Mapping[str, str], silent: Sequence[str]) -> str:
    by_key: dict[str, list[str]] = {}
    for name, key in sorted(told.items()):
        by_key.setdefault(key, []).append(name)
    said = [
        f"{listed(names)} {'remembers' if len(names) == 1 else 'remember'} the record {key}"
        for key, names in by_key.items()
    ] or [
        "The machines that answer remember no site" if silent else "The machines remember no site"
    ]
    return "; ".join([*said, *([f"{listed(silent)} did not answer"] if silent else [])])


async def asked_of_machines(
    hosts: Iterable[Host], connect: Callable[[Host], Awaitable[Connection]]
) -> dict[str, str | None]:
    """The record of which each machine keeps a mark; None for a machine that did not answer.

    Nothing is believed of it but a key that is one. One that keeps no mark is not there.
    """
    found: dict[str, str | None] = {}

    async def one(host: Host) -> None:
        found[host.name] = None
        with contextlib.suppress(ConnectionProblem):
            mark = mark_from_text((await machine_lock.around(await connect(host))).mark)
            del found[host.name]
            if mark is not None and _SAID.fullmatch(mark.site):
                found[host.name] = mark.site

    await asyncio.gather(*(one(host) for host in hosts if not host.local))
    return found


def done_before(run: Run) -> frozenset[Key]:
    """The steps that other runs of the same site did, on the same machines, and did not take back.

    A later run finds them done, and they are ours to take back all the same. Runs whose journal
    cannot be read tell nothing; a machine that another stood in for since did none of it.
    """
    now = site_of_run(run)
    states = []
    for other in _of_the_same(run):
        with contextlib.suppress(BrokenJournal, OSError):
            states.append((other.state(), site_of_run(other)))
    decided: dict[Key, Outcome] = {}
    for state, then in sorted(states, key=lambda one: one[0].last_time, reverse=True):
        replaced: set[str] = set()
        if now is not None and then is not None:
            replaced = {host.name for host in now.hosts} - same_machines(then, now)
        for key, standing in state.steps.items():
            if key[2] in replaced:
                continue
            if standing.running:
                decided.setdefault(key, Outcome.STOPPED)
            elif standing.outcome in DECIDED:
                decided.setdefault(key, standing.outcome)
    return frozenset(key for key, outcome in decided.items() if outcome is not Outcome.UNDONE)


def _of_the_same(run: Run) -> Iterator[Run]:
    """The other runs that count for this one: an operation may be of one machine.

    Its steps are done on others, and are called alike for each machine that is taken out. With
    its end the machine is gone, and one that came back has had nothing done.
    """
    mine = _leaving(run)
    for other in runs_of(run.site_key):
        with contextlib.suppress(BrokenJournal, OSError):
            if other == run or _leaving(other) != mine:
                continue
            if mine and other.complete:
                return
            yield other


def _leaving(run: Run) -> str:
    """What tells the machine that a run takes out from every other; "" where it takes none out."""
    try:
        name = run.plan().leaving
    except InputProblem:
        return ""
    site = site_of_run(run)
    return "" if not name else name if site is None else way_of(site, name)


# ---- the records that lie here


def _kept(site: Site) -> list[Kept]:
    """The records of the same solution and environment, the latest used first."""
    slug = f"{_slug(site)}-"
    found = []
    for key in dict.fromkeys(map(site_of, all_sites())):
        if not key.startswith(slug):
            continue
        last = last_site(key)
        if last is None or _is_anothers(key):
            # It is still the record of the machines that its name was made of: whoever opens it is
            # told what is wrong with it.
            if key in _first_keys(site):
                found.append(_of(key, site))
        elif _sort(last) == _sort(site):
            found.append(_of(key, last))
    return found


def _of(key: str, site: Site) -> Kept:
    return Kept(key, machines_of(site), tuple(host.name for host in site.hosts))


def _is_anothers(key: str) -> bool:
    """Whether the last run in a record's folder tells of another one: somebody put it there."""
    last = latest_run(key)
    if last is None:
        return False
    try:
        started = last.started()
    except (BrokenJournal, OSError):
        return False
    return started is not None and started.data.get("site") not in (None, "", key)


def last_site(key: str, *, reviewed: bool = False) -> Site | None:
    """The site file of the last run of a record that can be read, whatever the run was for.

    `reviewed`: only of runs of this computer, since a site says which programs reach its machines.
    """
    for run in runs_for(key):
        if reviewed and run.brought:
            continue
        if (site := site_of_run(run)) is not None:
            return site
    return None


def runs_for(key: str) -> list[Run]:
    """The runs of a record, whatever they were for, the latest first."""
    runs = [run for one in _with_errands(key) for run in runs_of(one)]
    return sorted(runs, key=lambda run: run.id, reverse=True)


def site_of_run(run: Run) -> Site | None:
    """The site of which a run was made, or None where its file cannot be read."""
    if not run.site_file.is_file():
        return None
    try:
        return load_site(run.site_file)
    except InputProblem:
        return None


def _with_errands(key: str) -> list[str]:
    return [one for one in all_sites() if site_of(one) == key]


# ---- the key of a new record


def _new_key(site: Site, kept: Iterable[Kept]) -> str:
    """The key of a record that is yet to be made; the same until it is, for locks hang on it."""
    taken = {one.key for one in kept}
    return next(key for key in _first_keys(site) if key not in taken)


def _first_keys(site: Site) -> tuple[str, ...]:
    """The keys that a record made of these machines may have, the likeliest first.

    Those of earlier versions are among them: a machine's own bastion had no part in it once. A key
    whose record has other machines by now is another site's, and the next one is taken.
    """
    slug = _slug(site)
    texts = [_text(site, own_bastions=True), _text(site, own_bastions=False)]
    texts += [f"{texts[0]} {number}" for number in range(2, 100)]
    return tuple(f"{slug}-{hashlib.sha256(one.encode()).hexdigest()[:10]}" for one in texts)


def _text(site: Site, *, own_bastions: bool) -> str:
    port = site.ssh.port or 22
    machines = sorted(
        f"{host.address.lower()}:{host.port or port}{_by(host.proxy_command)}"
        + (_beyond(host.bastion, site.ssh.bastion) if own_bastions else "")
        for host in site.hosts
    )
    solution, environment = _sort(site)
    return json.dumps([solution, environment, site.ssh.bastion, machines])


def _slug(site: Site) -> str:
    words = "-".join(word for word in _sort(site) if word) or "site"
    return _FEWEST_CHARACTERS.sub("-", words).strip("-.").lower()[:60] or "site"


def _sort(site: Site) -> tuple[str | None, str | None]:
    """The solution and the environment of a site, that which it means where it names none."""
    return site.solution, site.environment or _default_environment(site.solution)


def _beyond(bastion: str | None, shared: str | None) -> str:
    return f" behind {bastion}" if bastion and bastion != shared else ""


def _by(program: str | None) -> str:
    return "" if program is None else f" by {masked_program(program)}"


def _default_environment(solution: str | None) -> str | None:
    """The environment that a site file means which names none, or None for a strange solution.

    The same site must have one key, whether its file says it or not: its lock hangs on it.
    """
    if solution is None:
        return None
    from installer.catalogue.solution import load_solution

    try:
        return load_solution(solution).default_environment.id
    except InputProblem:
        return None
