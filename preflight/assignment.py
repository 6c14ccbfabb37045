"""Assignment: which machine can play which role, and what those that cannot are short of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.wording import how_many, listed
from preflight.assessment import Seen
from preflight.checks.case import Case
from preflight.checks.disk import asked_noun
from preflight.checks.disk_matching import Fit, match_disks
from preflight.checks.memory import enough_memory
from preflight.checks.nic import real_nics, serving
from preflight.checks.registry import SHAPE_CHECKS
from preflight.checks.wording import GIB, disk_gb, plain, role_phrase
from preflight.facts import known
from preflight.findings import Severity
from preflight.judge import case_of
from preflight.needs import MachineKind, RoleNeed, SizingTable, SolutionNeeds

_COSTS: Final = {
    Severity.PASS: 0,
    Severity.WARN: 100,
    Severity.UNKNOWN: 300,
    Severity.FAIL: 100_000,
}
_MISFIT: Final = _COSTS[Severity.FAIL]


@dataclass(frozen=True, slots=True)
class Assignment:
    """Machines with their roles, and what is missing, in sentences."""

    roles: dict[str, tuple[str, ...]]
    """By the machine's name; none for one that is left over or was not seen."""
    shortfalls: tuple[str, ...] = ()
    """What stands against it, one sentence each."""

    @property
    def complete(self) -> bool:
        """Whether every role has its machines and each machine fits."""
        return not self.shortfalls


@dataclass(frozen=True, slots=True)
class Post:
    """Roles that one machine plays together, and how many machines should."""

    roles: tuple[str, ...]
    least: int
    most: int | None
    odd: bool
    optional: bool


def posts_of(table: SizingTable) -> tuple[Post, ...]:
    """The posts of a table: one for each role, and one for roles that it expects together."""
    rows = [row for row in table.roles if not _is_external(row)]
    posts: list[Post] = []
    done: set[str] = set()
    for row in rows:
        if row.role in done:
            continue
        together = next((s for s in table.combined if row.role in s), frozenset({row.role}))
        members = [other for other in rows if other.role in together]
        roles = tuple(role for other in members for role in other.role.split("+"))
        done.update(other.role for other in members)
        upper = [other.count.max for other in members if other.count.max is not None]
        posts.append(
            Post(
                roles,
                least=max(other.count.min for other in members),
                most=min(upper) if upper else None,
                odd=any(other.count.odd for other in members),
                optional=all(other.may_lack for other in members),
            )
        )
    return tuple(posts)


def _is_external(row: RoleNeed) -> bool:
    return all(shape.machine is MachineKind.EXTERNAL for shape in row.shapes)


def assign(seen: Sequence[Seen], needs: SolutionNeeds) -> Assignment:
    """Give roles to machines so that as few as possible do not fit, keeping roles that are given.

    The least count of every role is filled first, at the least total cost: misfits cost most, then
    what cannot be told, then warnings, then size that a smaller role would waste. Machines left
    over take an optional role that is open, or strengthen a role without an upper bound, if they
    fit it.
    """
    posts = posts_of(needs.sizing)
    roles = {one.host.name: one.host.roles for one in seen}
    if needs.single_machine:
        every = tuple(role for post in posts for role in post.roles)
        return Assignment({name: given or every for name, given in roles.items()})
    free = [one for one in seen if one.facts is not None and not one.host.roles]
    filled = [sum(set(post.roles) <= set(given) for given in roles.values()) for post in posts]
    costs = [[cost_of(one, post, needs) for post in posts] for one in free]
    open_places = [
        0 if post.optional else max(0, post.least - number)
        for post, number in zip(posts, filled, strict=True)
    ]
    chosen = cheapest(costs, open_places)
    for at, one in enumerate(free):
        if chosen[at] is None:
            chosen[at] = _further(costs[at], posts, filled, chosen)
        post_at = chosen[at]
        if post_at is not None:
            roles[one.host.name] = posts[post_at].roles
    shortfalls = [
        f"{free[at].host.name} is short of {short} to be {role_phrase(posts[post_at].roles)}."
        for at, post_at in enumerate(chosen)
        if post_at is not None
        and costs[at][post_at] >= _MISFIT
        and (short := short_of(free[at], posts[post_at].roles, needs))
    ]
    shortfalls += _missing(posts, roles)
    shortfalls += [
        f"{one.host.name} was not seen, so it was given no role."
        for one in seen
        if one.facts is None and not one.host.roles
    ]
    return Assignment(roles, tuple(shortfalls))


def cost_of(one: Seen, post: Post, needs: SolutionNeeds) -> int:
    """What it costs to give a machine a post: misfits far above all else, waste last."""
    case = case_of(one, post.roles, needs)
    if case is None:
        return 100 * _MISFIT
    cost = sum(_COSTS[f.severity] for check in SHAPE_CHECKS for f in check.run(case))
    return cost + _waste(case)


def _waste(case: Case) -> int:
    """How much larger than needed a machine is, 0 to 90: doublings of CPU, memory and disks."""
    doublings = 0.0
    cpus, memory = known(case.facts.cpu.logical), known(case.facts.memory.total_bytes)
    disks = known(case.facts.disks) or ()
    asked = sum(need.count for need in case.demand.disks)
    for have, need in (
        (cpus, case.demand.cpu),
        (memory, (case.demand.memory_gb or 0) * GIB),
        (len(disks), asked),
    ):
        if have and need and have > need:
            doublings += math.log2(have / need)
    return min(90, int(10 * doublings))


def cheapest(costs: Sequence[Sequence[int]], places: Sequence[int]) -> list[int | None]:
    """For each machine its post, filling as many places as there are machines at the least cost.

    Machines are taken in one after another; each time the cheapest chain of moves between posts
    that ends at an open place is made (successive shortest paths, which is optimal at every
    number of machines). A machine that would only make others worse waits outside, as does one
    for which no place is left. Machines of equal cost are one class, so that 500 take no longer.
    """
    posts = range(len(places))
    classes = Counter(tuple(row) for row in costs)
    holding: list[Counter[tuple[int, ...]]] = [Counter() for _ in posts]
    waiting = classes.copy()
    for _ in range(min(len(costs), sum(places))):
        move = _best_chain(waiting, holding, places)
        if move is None:
            break
        kind, chain = move
        waiting[kind] -= 1
        for at, post in enumerate(chain):
            holding[post][kind] += 1
            if at + 1 < len(chain):
                kind = _mover(holding[post], post, chain[at + 1])
                holding[post][kind] -= 1
    chosen: list[int | None] = []
    for row in costs:
        kind = tuple(row)
        place = next((post for post in posts if holding[post][kind] > 0), None)
        if place is not None:
            holding[place][kind] -= 1
        chosen.append(place)
    return chosen


def _mover(held: Counter[tuple[int, ...]], start: int, end: int) -> tuple[int, ...]:
    """Of the machines at a post, the class that another post suits best by comparison."""
    return min((kind for kind, n in held.items() if n > 0), key=lambda k: (k[end] - k[start], k))


def _best_chain(
    waiting: Counter[tuple[int, ...]],
    holding: Sequence[Counter[tuple[int, ...]]],
    places: Sequence[int],
) -> tuple[tuple[int, ...], list[int]] | None:
    """The cheapest way to take one more machine in: who, and through which posts others move."""
    posts = range(len(places))
    distance: list[float] = [math.inf for _ in posts]
    entry: list[tuple[int, ...]] = [() for _ in posts]
    before: list[int | None] = [None for _ in posts]
    for kind, number in waiting.items():
        if number > 0:
            for post in posts:
                if kind[post] < distance[post]:
                    distance[post], entry[post] = kind[post], kind
    moves = {
        (start, end): min(
            (kind[end] - kind[start] for kind, n in holding[start].items() if n > 0),
            default=math.inf,
        )
        for start in posts
        for end in posts
        if start != end
    }
    for _ in posts:  # Bellman-Ford: moves may save, and there are few posts
        for (start, end), cost in moves.items():
            if distance[start] + cost < distance[end]:
                distance[end], before[end] = distance[start] + cost, start
    open_posts = [post for post in posts if holding[post].total() < places[post]]
    if not open_posts:
        return None
    end = min(open_posts, key=lambda post: distance[post])
    if distance[end] == math.inf:
        return None
    chain = [end]
    while (previous := before[chain[0]]) is not None:
        chain.insert(0, previous)
    return entry[chain[0]], chain


def _further(
    costs: Sequence[int],
    posts: Sequence[Post],
    filled: Sequence[int],
    chosen: Sequence[int | None],
) -> int | None:
    """A post for a machine that is left over: an open optional one, or one to strengthen."""
    taken = Counter(chosen)
    fitting = [at for at in range(len(posts)) if costs[at] < _MISFIT]
    for at in fitting:
        if posts[at].optional and filled[at] + taken[at] < posts[at].least:
            return at
    able = [at for at in fitting if posts[at].most is None and not posts[at].odd]
    able = [at for at in able if not posts[at].optional]
    return min(able, key=lambda at: costs[at], default=None)


def short_of(one: Seen, roles: tuple[str, ...], needs: SolutionNeeds) -> str:
    """What a machine lacks to play roles, as a phrase: "1 NVMe disk and 16 GB of memory"."""
    case = case_of(one, roles, needs)
    if case is None:
        return "an answer"
    demand, lacks = case.demand, []
    cpus = known(case.facts.cpu.logical)
    if demand.cpu and cpus is not None and cpus < demand.cpu:
        lacks.append(how_many(demand.cpu - cpus, "CPU"))
    installed = known(case.facts.memory.installed_bytes)
    total = known(case.facts.memory.total_bytes)
    if demand.memory_gb and enough_memory(demand.memory_gb, installed, total) is False:
        have = (installed or total or 0) / GIB
        lacks.append(f"{plain(max(1.0, demand.memory_gb - round(have)))} GB of memory")
    disks = known(case.facts.disks)
    for share in match_disks(disks, demand.disks) if disks is not None else ():
        if share.fit is not Fit.NO:
            continue
        if share.need.total:
            lacks.append(f"{disk_gb(share.need.size_gb)} of disks for {share.need.purpose}")
            continue
        missing = share.need.count - len(share.certain) - len(share.possible)
        lacks.append(how_many(missing, asked_noun(share.need)))
    for need in demand.nics:
        have_nics = len(serving(need, real_nics(case.facts)))
        if known(case.facts.network.nics) is not None and have_nics < need.count:
            lacks.append(how_many(need.count - have_nics, "network interface"))
    if not lacks:
        failed = (f for check in SHAPE_CHECKS for f in check.run(case))
        lacks = [f.expected for f in failed if f.severity is Severity.FAIL]
    return listed(lacks)


def _missing(posts: Iterable[Post], roles: Mapping[str, tuple[str, ...]]) -> list[str]:
    sentences = []
    for post in posts:
        number = sum(set(post.roles) <= set(given) for given in roles.values())
        if number < post.least and not post.optional:
            noun = f"{listed(role.replace('-', ' ') for role in post.roles)} machine"
            sentences.append(
                f"The site is short of {how_many(post.least - number, noun)}:"
                f" {post.least} {'is' if post.least == 1 else 'are'} needed."
            )
    return sentences
