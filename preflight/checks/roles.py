"""Checks of the roles: known, given, enough of each, and together only where a table allows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from foundation.wording import counted, listed
from preflight.checks.case import Case, SiteCase, sizing_source
from preflight.checks.check import FAIL, PASS, WARN, Say, check
from preflight.findings import Finding
from preflight.needs import MachineKind, RoleNeed

SITE_FILE = "sitewright preflight --site FILE (under hosts, roles)"


@check("role.known", title="Roles of the machine", severities=(PASS, WARN, FAIL))
def known_roles(case: Case, say: Say) -> Iterator[Finding]:
    """Whether the machine has roles, and the sizing table a row for each."""
    if case.needs.single_machine:
        return
    names = [row.role for row in case.needs.sizing.roles]
    strange = [role for role in case.roles if case.needs.sizing.role(role) is None]
    strange = [r for r in strange if not any(r in name.split("+") for name in names)]
    severity, title = PASS, f"{case.name} is meant to be {case.who}."
    if not case.roles:
        severity = WARN
        title = f"{case.name} has no role, so its size and its ports were not judged."
    elif strange:
        severity = FAIL
        title = (
            f"{case.name} has the role {listed(strange)}, which {case.needs.title} does not have."
        )
    yield say.at(
        severity,
        title,
        expected=f"one of {listed(names, 'or')}",
        actual=listed(case.roles) or "none",
        source=case.sizing_source,
        evidence=SITE_FILE,
        remedy=f"Give {case.name} a role in the site file: {listed(names, 'or')}.",
        undo="Put the old line back into the site file.",
    )


@check("role.combined", title="Roles on one machine", severities=(PASS, WARN, FAIL))
def combined(case: Case, say: Say) -> Iterator[Finding]:
    """Several roles on one machine, which a table expects, forbids without a word, or accepts
    only as a formal risk."""
    roles = frozenset(case.roles)
    table = case.needs.sizing
    if len(roles) < 2 or case.needs.single_machine:
        return
    together = listed(sorted(roles))
    risky = [pair for pair in table.risk_acceptance if pair <= roles]
    expected_sets = [allowed for allowed in table.combined if roles <= allowed]
    own_row = any(frozenset(row.role.split("+")) == roles for row in table.roles)
    source = case.sizing_source
    remedy = "Use a machine of its own for each role."
    if risky:
        names = listed(sorted(risky[0]))
        severity = FAIL
        title = f"{case.name} is {names} at once, which needs a formal risk acceptance."
        source = (
            f"{source}; PM4ML on-premise guide, §4.4" if "pm4ml" in case.needs.solution else source
        )
        remedy = (
            f"Use machines of their own for {names}. Otherwise record the formal risk acceptance as"
            " a waiver of role.combined that names who accepts, until when, and that these are"
            " understood: resource contention, less stability under load, a larger blast radius,"
            " difficult capacity planning, effects on the Kubernetes API."
        )
    elif expected_sets or own_row:
        severity, title = PASS, f"{case.name} is {together} at once, as the sizing table expects."
    else:
        severity = WARN
        title = (
            f"{case.name} is {together} at once; the sizing table gives each a machine, so their"
            " needs were added up."
        )
    yield say.at(
        severity,
        title,
        expected="a machine for each role"
        if not (expected_sets or own_row) or risky
        else "together on one machine",
        actual=together,
        source=source,
        evidence=SITE_FILE,
        remedy=remedy,
        undo="Take the waiver out, or put the old roles back into the site file.",
    )


def _count_words(row: RoleNeed) -> str:
    few, most = row.count.min, row.count.max
    return str(few) if most == few else f"{few} to {most}" if most else f"{few} or more"


@check("role.count", "role.external", title="Machines of each role", severities=(PASS, WARN, FAIL))
def counts(site: SiteCase, say: Say) -> Iterator[Finding]:
    """Enough machines of every role, an odd number where a quorum votes."""
    if site.needs.single_machine:
        return
    table = site.needs.sizing
    have = Counter(role for roles in site.roles.values() for role in set(roles))
    for row in table.roles:
        title = row.title or row.role
        number = have[row.role]
        if "+" in row.role:
            whole = set(row.role.split("+"))
            number = sum(whole <= set(roles) for roles in site.roles.values())
        if all(shape.machine is MachineKind.EXTERNAL for shape in row.shapes):
            yield say.at(
                WARN,
                f"The sizing table asks for a {row.role} outside the machines ({title}); nobody"
                " can see it from here.",
                id="role.external",
                subject=row.role,
                expected=title,
                actual="not seen",
                source=sizing_source(table),
                evidence="none: look at the device itself",
                remedy="Have it confirmed, and record that as a waiver of role.external with the"
                " name of who confirmed it.",
                undo="Take the waiver out of the site file.",
            )
            continue
        if row.not_asked:
            yield say.at(
                PASS,
                f"The site needs no {row.role.replace('-', ' ')}, since {row.setting} is no.",
                subject=row.role,
                expected=f"any number, while {row.setting} is no",
                actual=str(number),
                source=sizing_source(table),
                evidence=f"sitewright preflight --site FILE (under settings, {row.setting})",
            )
            continue
        if row.optional and not number:
            continue
        if row.of_cluster:
            yield say.at(
                PASS,
                f"Whether the cluster has {_count_words(row)} {row.role.replace('-', ' ')} nodes"
                " is judged of the cluster; the site need not name them.",
                subject=row.role,
                expected="any number: they are nodes of a cluster that is there already",
                actual=str(number),
                source=sizing_source(table),
                evidence=f"sitewright preflight --cluster --solution {site.needs.solution}",
            )
            continue
        short = number < row.count.min
        even = row.count.odd and number > 0 and number % 2 == 0
        many = row.count.max is not None and number > row.count.max
        noun = row.role.replace("-", " ")
        words = counted(number, f"{noun} machine") if number else f"no {noun}"
        wanted = _count_words(row)
        odd = ", an odd number" if row.count.odd else ""
        text = f"The site has {words}; {wanted} {'is' if wanted == '1' else 'are'} needed{odd}."
        if even and not short:
            text = (
                f"The site has {words}; an even number withstands no more failures than one less."
            )
        yield say.at(
            FAIL if short else WARN if even or many else PASS,
            text,
            subject=row.role,
            expected=wanted + odd,
            actual=str(number),
            source=sizing_source(table),
            evidence=SITE_FILE,
            remedy=f"Add machines with the role {row.role} to the site file."
            if short
            else f"Give the role {row.role} to one machine more or less."
            if even
            else f"Take the role {row.role} from {number - (row.count.max or 0)} machines.",
            undo="Put the old line back into the site file.",
        )
