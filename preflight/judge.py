"""Judge: from what was seen of machines and what a solution needs to findings and a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from foundation.wording import how_many
from preflight.assessment import Assessment, Carries, HostResult, Seen
from preflight.checks.case import Case, SiteCase, demands_for, roles_for
from preflight.checks.machine import machine_kind
from preflight.checks.registry import CHECKS, SHAPE_CHECKS, SITE_CHECKS
from preflight.checks.wording import sentence
from preflight.findings import Finding, Severity, Verdict, Waiver
from preflight.needs import MachineKind, SolutionNeeds
from preflight.waivers import apply_waivers, judge_waivers

if TYPE_CHECKING:
    from preflight.egress import Egress
    from preflight.mesh import Mesh

_WEIGHTS = {Severity.PASS: 0, Severity.WARN: 1, Severity.UNKNOWN: 1_000, Severity.FAIL: 1_000_000}


def judge_host(
    seen: Seen,
    roles: tuple[str, ...],
    needs: SolutionNeeds,
    *,
    waivers: Sequence[Waiver] = (),
    today: date,
) -> HostResult:
    """One machine against the roles given, its own roles, or all of a single-machine solution."""
    roles = roles_for(seen.host, roles, needs)
    case = case_of(seen, roles, needs)
    findings = (unreachable(seen),) if case is None else tuple(_checked(case))
    return HostResult(seen, roles, apply_waivers(findings, waivers, today))


def case_of(seen: Seen, roles: tuple[str, ...], needs: SolutionNeeds) -> Case | None:
    """The machine before the checks, judged by the alternative of its role that it fits best."""
    if seen.facts is None:
        return None
    demands = demands_for(roles, needs.sizing)
    cases = [Case(seen.host, seen.facts, roles, needs, demand) for demand in demands]
    if len(cases) == 1:
        return cases[0]
    # A physical server must not pass by the looser terms of the virtual alternative.
    kind = machine_kind(seen.host, seen.facts)
    fitting = [case for case in cases if case.demand.machine in (kind, MachineKind.ANY)]
    return min(fitting or cases, key=_misfit)


def _misfit(case: Case) -> int:
    return sum(_WEIGHTS[f.severity] for check in SHAPE_CHECKS for f in check.run(case))


def _checked(case: Case) -> Iterable[Finding]:
    for check in CHECKS:
        yield from check.run(case)


def unreachable(seen: Seen) -> Finding:
    """The finding for a machine that could not be looked at."""
    problem = seen.problem
    cause = problem.cause if problem else "it was not asked"
    where = seen.host.endpoint
    return Finding(
        id="host.reachable",
        severity=Severity.UNKNOWN,
        title=sentence(f"{seen.host.name} could not be looked at: {cause}"),
        expected="the machine answers and lets Sitewright in",
        actual=f"{problem.title}: {cause}" if problem else cause,
        source="Sitewright: what was not seen is not called ready",
        host=seen.host.name,
        evidence=f"ssh -v -p {seen.host.port} {seen.host.address} true"
        if not seen.host.local
        else "sitewright preflight local",
        remedy=(problem.remedy if problem else "")
        or f"See that {where} answers from here, then look again.",
    )


def judge_between(
    results: Sequence[HostResult],
    needs: SolutionNeeds,
    *,
    waivers: Sequence[Waiver] = (),
    today: date,
    mesh: Mesh | None = None,
    egress: Egress | None = None,
    told: Sequence[Finding] = (),
) -> tuple[Finding, ...]:
    """The findings between machines: roles and their counts, what must be unique, skew, the mesh.

    Says also what is wrong with the waivers, since only here all findings are known.
    """
    cases = [case_of(result.seen, result.roles, needs) for result in results]
    site = SiteCase(
        cases=tuple(case for case in cases if case is not None),
        unseen=tuple(result.seen for result in results if not result.seen.reachable),
        roles={result.seen.host.name: result.roles for result in results},
        needs=needs,
    )
    findings = [finding for check in SITE_CHECKS for finding in check.run(site)]
    if mesh is not None:
        from preflight.mesh import judge_mesh

        findings.extend(judge_mesh(mesh))
    if egress is not None:
        from preflight.egress import judge_egress

        findings.extend(judge_egress(egress))
    findings.extend(told)
    everything = [*(f for result in results for f in result.findings), *findings]
    findings.extend(judge_waivers(everything, waivers, today))
    return apply_waivers(findings, waivers, today)


def assess(
    seen: Sequence[Seen],
    needs: SolutionNeeds,
    *,
    roles: Mapping[str, tuple[str, ...]] | None = None,
    waivers: Sequence[Waiver] = (),
    today: date,
    mesh: Mesh | None = None,
    egress: Egress | None = None,
    carries_for: Sequence[SolutionNeeds] = (),
    told: Sequence[Finding] = (),
) -> Assessment:
    """The whole result for a site; `carries_for` adds what its one machine could carry.

    `told` are findings on the site that were judged elsewhere, such as on its settings.
    """
    given = roles or {}
    results = tuple(
        judge_host(one, given.get(one.host.name, ()), needs, waivers=waivers, today=today)
        for one in seen
    )
    return Assessment(
        needs=needs,
        hosts=results,
        findings=judge_between(
            results, needs, waivers=waivers, today=today, mesh=mesh, egress=egress, told=told
        ),
        waivers=tuple(waivers),
        carries=carries(seen[0], carries_for, today=today) if len(seen) == 1 else (),
        made_at=datetime.now(UTC),
    )


def assess_alone(
    seen: Seen,
    candidates: Sequence[SolutionNeeds],
    *,
    waivers: Sequence[Waiver] = (),
    today: date,
) -> Assessment:
    """One machine against every solution that fits on one, given least demanding first.

    The findings are those of the most demanding one that it can carry, or of the least demanding
    if it can carry none.
    """
    verdicts = carries(seen, candidates, today=today)
    ready = (Verdict.READY, Verdict.READY_WITH_WARNINGS)
    able = [needs for needs, one in zip(candidates, verdicts, strict=True) if one.verdict in ready]
    needs = able[-1] if able else candidates[0]
    return assess([seen], needs, waivers=waivers, today=today, carries_for=candidates)


def carries(seen: Seen, candidates: Sequence[SolutionNeeds], *, today: date) -> tuple[Carries, ...]:
    """For each solution whether this machine alone can carry it, and why not in a sentence."""
    return tuple(_carried(seen, needs, today) for needs in candidates)


def _carried(seen: Seen, needs: SolutionNeeds, today: date) -> Carries:
    everything = tuple(row.role for row in needs.sizing.roles)
    result = judge_host(seen, everything, needs, today=today)
    return Carries(
        solution=needs.solution,
        environment=needs.environment,
        title=needs.title,
        verdict=result.verdict,
        sentence=in_one_sentence(result),
    )


_SHORTFALLS = {
    "cpu.count": "Not enough CPUs",
    "memory.size": "Not enough memory",
}


def in_one_sentence(result: HostResult) -> str:
    """Why a machine cannot carry something, or what to mind, in one sentence."""
    live = [f for f in result.findings if f.waiver is None]
    failed = [f for f in live if f.severity is Severity.FAIL]
    open_ones = [f for f in live if f.severity is Severity.UNKNOWN]
    warned = [f for f in live if f.severity is Severity.WARN]
    first = next(iter(failed or open_ones or warned), None)
    if first is None:
        return "Nothing stands against it."
    rest = len(failed or open_ones or warned) - 1
    more = f" And {how_many(rest, 'more problem' if failed else 'more question')}." if rest else ""
    if first in failed:
        short = _SHORTFALLS.get(first.id)
        if short:
            have, need = (text.partition(" (")[0] for text in (first.actual, first.expected))
            return f"{short}: {have}, {need} needed.{more}"
        return first.title + more
    if first in open_ones:
        return f"Not certain: {first.title}{more}"
    return f"It can, with {how_many(len(warned), 'warning')}: {first.title}"
