"""Release lines: what is past its end or soon will be, and steps that skip one."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import pytest

from foundation.hosts.model import Host
from installer.catalogue.releases import (
    End,
    product,
    products,
    read_support,
    stands,
    told,
)
from installer.catalogue.settings import Value, load_settings
from installer.catalogue.solution import load_solution, solution_ids
from installer.cli import main
from installer.events import Event, Kind, Outcome
from installer.planning.release_lines import (
    PATH,
    SkippedStep,
    ends_of_lines,
    noted_lines,
    refuse_skipped,
    skipped_steps,
)
from installer.record.identity import site_key
from installer.record.journal import Journal
from installer.record.runs import Run, create_run
from installer.repository.matrix import load_matrix
from installer.sites.site import Site, SiteHost, dump_site
from preflight.assessment import Seen
from preflight.cluster.support import SOON_DAYS
from preflight.findings import Severity, Waiver
from tests.installer.engine_site import plan, step
from tests.preflight.facts_factory import changed, worker_facts

TODAY = date(2026, 11, 30)
_SECONDS = count(1)
BY_RECORD = "stands in this computer's record"
PLAN = plan(step("a", "w1"))


def one_machine(system: str, version: str) -> tuple[Seen, ...]:
    facts = changed(worker_facts(), os={"id": system, "version": version})
    return (Seen(Host("w1", "10.0.0.1"), facts, None),)


def test_every_line_has_a_source_and_the_lines_stand_in_their_order() -> None:
    assert len({one.id for one in products()}) == len(products())
    for one in products():
        assert one.source, one.id
        assert one.ends_source, one.id
        assert one.around or one.steps == "any", one.id
        places = [one.place_of(f"{line.line}.0") for line in one.lines]
        assert places == list(range(len(one.lines))), one.id
        for line in one.lines:
            assert line.longer is None or (line.by and line.ends and line.longer > line.ends)


@pytest.mark.parametrize("name", sorted(solution_ids()))
def test_what_a_solution_says_that_it_runs_is_there(name: str) -> None:
    """Its products are known, and what is named to choose a version chooses one that is."""
    solution = load_solution(name)
    support = read_support(solution.folder)
    if support is None:
        assert not solution.installable  # nothing is installed, so that nothing ends
        return
    settings = {one.name: one for one in load_settings(solution).settings}
    for runs in support.runs:
        known = product(runs.product)
        assert known is not None
        if runs.setting:
            assert known.line_of(settings[runs.setting].default or "") is not None, runs
        else:
            matrix = load_matrix(solution.folder / "repository")
            assert runs.component in {one.name for one in matrix.components}
        assert not runs.when or runs.when in settings


@pytest.mark.parametrize(
    ("days", "end"),
    [(SOON_DAYS + 1, End.MENDED), (SOON_DAYS, End.MENDED), (SOON_DAYS - 1, End.SOON),
     (0, End.SOON), (-1, End.PAST)],
)  # fmt: skip
def test_the_last_day_counts_and_an_end_that_is_near_is_told(days: int, end: End) -> None:
    mosip = product("mosip")
    assert mosip is not None
    line = mosip.line_of("1.2.0.2")
    assert line is not None
    assert line.ends is not None
    day = line.ends - timedelta(days=days)
    assert stands(line, day) is end
    assert (f"{days} day" in told(mosip, line, day)) == (end is End.SOON)


def test_others_may_mend_it_longer_than_its_makers() -> None:
    debian = product("debian")
    assert debian is not None
    line = debian.line_of("12")
    assert line is not None
    assert stands(line, TODAY) is End.MENDED
    assert told(debian, line, TODAY) == (
        "Debian 12 was mended by its makers until 2026-07-11, by Debian LTS until 2028-06-30."
    )
    assert stands(line, date(2028, 7, 1)) is End.PAST


@pytest.mark.parametrize(
    ("system", "version", "says"),
    [
        ("ubuntu", "20.04", "has been mended by nobody since 2025-05-31"),
        ("ubuntu", "19.10", "Nothing is known here of Ubuntu 19.10"),
        ("ubuntu", "24.04", ""),
        ("debian", "12", ""),
        ("rocky", "9.4", ""),
    ],
)
def test_the_system_of_a_machine_is_told_where_it_is_mended_no_more(
    system: str, version: str, says: str
) -> None:
    found = ends_of_lines(load_solution("miniloop"), {}, one_machine(system, version), TODAY)
    assert bool(found) == bool(says)
    for one in found:
        assert (one.severity, one.host) == (Severity.WARN, "w1")
        assert says in one.title
        assert "24.04" in one.remedy


def test_what_the_settings_choose_is_told_of_a_day_and_in_the_plan_of_none() -> None:
    pm4ml: dict[str, Value] = {
        "microk8s_channel": "1.31/stable", "argocd_version": "v2.14.20", "applications": True,
    }  # fmt: skip
    solution = load_solution("pm4ml")
    titles = [one.title for one in ends_of_lines(solution, pm4ml, (), TODAY)]
    assert [one.partition(" has ")[0] for one in titles] == ["Argo CD 2.14", "Istio 1.29"]
    noted = noted_lines(solution, pm4ml)
    assert noted[0].startswith("Argo CD 2.14 is mended by its makers until 2025-11-04. (endoflife")
    # Its own chart has no line that its makers publish: the plan says so, and by whose pages.
    assert noted[-1].startswith(
        "Until when The Helm chart of PM4ML 10 is mended is not known: its makers name no day."
    )
    assert "no release line and no support is published" in noted[-1]
    assert len(ends_of_lines(solution, {**pm4ml, "applications": False}, (), TODAY)) == 1
    # One of which its makers name no day: the plan says so, and nobody is warned of it.
    newest = {**pm4ml, "argocd_version": "v3.5.1", "applications": False}
    assert ends_of_lines(solution, newest, (), TODAY) == ()
    assert "its makers name no day" in noted_lines(solution, newest)[0]


def site(release: str, **more: str) -> Site:
    hosts = (SiteHost(name="w1", address="10.0.0.1", roles=("workstation",)),)
    return Site(solution="mosip", environment="on-clusters", hosts=hosts,
                settings={"mosip_release": release, **more})  # fmt: skip


def recorded(of: Site, *, outcome: Outcome | None, errand: str = "", **settings: str) -> Run:
    """A run in a site's record, of which the one step ended so."""
    made_of = replace(PLAN, solution=of.solution or "", settings=tuple(settings.items()))
    record = site_key(of) + (f"-{errand}" if errand else "")
    made = create_run(record, made_of, site_text=dump_site(of))
    run = Run(made.folder.rename(made.folder.parent / f"20261121-{next(_SECONDS):06d}-1f3a"))
    run.note_begun()
    journal = Journal(run.journal)
    journal.append(Event(Kind.RUN_STARTED, 1.0))
    if outcome is not None:
        key = (PLAN.stages[0].id, "a", "w1")
        journal.append(Event(Kind.STEP_STARTED, 2.0, *key))
        journal.append(Event(Kind.STEP_FINISHED, 3.0, *key, {"outcome": outcome.value}))
    journal.close()
    return run


def values_of(of: Site) -> dict[str, Value]:
    return {name: str(value) for name, value in of.settings.items()}


def skipped(of: Site) -> list[str]:
    solution = load_solution(of.solution or "")
    return [one.title for one in skipped_steps(solution, of, values_of(of))]


def test_a_step_that_is_none_is_refused_with_the_way_around() -> None:
    recorded(site("1.2.0.2"), outcome=Outcome.DONE, mosip_release="1.2.0.2")
    assert skipped(site("1.2.0.2")) == []
    assert skipped(site("1.2.0.5")) == []  # a patch of the same evolution
    after = site("1.2.1.0")
    assert skipped(after) == [
        (
            "MOSIP goes from 1.2.0 to 1.2.1 by the scripts of its makers, and not by itself; "
            f"that it has 1.2.0.2 {BY_RECORD}."
        )
    ]
    mosip = load_solution("mosip")
    with pytest.raises(SkippedStep) as caught:
        refuse_skipped(mosip, after, values_of(after), TODAY, where="site.yaml")
    assert "Carry out the migration" in caught.value.remedy
    assert PATH in caught.value.remedy
    word = Waiver(check=PATH, host=None, by="A. Name", reason="Migrated.", until=TODAY)
    waived = after.model_copy(update={"waivers": (word,)})
    refuse_skipped(mosip, waived, values_of(after), TODAY, where="site.yaml")
    with pytest.raises(SkippedStep):  # a word that ended says nothing
        refuse_skipped(
            mosip, waived, values_of(after), TODAY + timedelta(days=1), where="site.yaml"
        )


def test_what_was_never_done_or_was_taken_back_or_removed_is_no_step_from_it() -> None:
    before = site("1.2.0.2")
    recorded(before, outcome=None, mosip_release="1.2.0.2")
    assert skipped(site("1.2.1.0")) == []
    recorded(before, outcome=Outcome.UNDONE, mosip_release="1.2.0.2")
    assert skipped(site("1.2.1.0")) == []
    recorded(before, outcome=Outcome.DONE, mosip_release="1.2.0.2")
    assert skipped(site("1.2.1.0")) != []
    # What only looks at a site brings it nowhere, whatever its file says meanwhile.
    recorded(before, outcome=Outcome.DONE, errand="verify", mosip_release="1.2.1.0")
    assert skipped(site("1.2.1.0")) != []
    recorded(before, outcome=Outcome.FAILED, errand="remove", mosip_release="1.2.0.2")
    assert skipped(site("1.2.1.0")) != []
    recorded(before, outcome=Outcome.DONE, errand="remove", mosip_release="1.2.0.2")
    assert skipped(site("1.2.1.0")) == []


def test_a_run_that_failed_may_have_left_machines_anywhere_between() -> None:
    def pm4ml(channel: str) -> Site:
        hosts = (SiteHost(name="w1", address="10.0.0.1", roles=("worker",)),)
        return Site(solution="pm4ml", environment="staging", hosts=hosts,
                    settings={"microk8s_channel": channel})  # fmt: skip

    recorded(pm4ml("1.31/stable"), outcome=Outcome.DONE, microk8s_channel="1.31/stable")
    assert skipped(pm4ml("1.32/stable")) == []
    assert skipped(pm4ml("1.34/stable")) == [
        (
            "Kubernetes does not go from 1.31 to 1.34 but by 1.32 and 1.33; that it has "
            f"1.31/stable {BY_RECORD}."
        )
    ]
    here = pm4ml("1.32/stable")
    failed = {"microk8s_channel": "1.32/stable"}
    recorded(here, outcome=Outcome.FAILED, errand="upgrade", **failed)
    assert skipped(pm4ml("1.33/stable")) == [
        (
            "Kubernetes does not go from 1.31 to 1.33 but by 1.32; that it has 1.31/stable "
            f"{BY_RECORD}."
        )
    ]
    recorded(here, outcome=Outcome.DONE, errand="upgrade", **failed)
    assert skipped(pm4ml("1.33/stable")) == []


def test_plan_upgrade_and_preflight_refuse_the_same_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.installer.planning.test_kubernetes_end import SETTINGS

    roles = ("master", "worker", "load-balancer", "storage", "bastion")
    hosts = tuple(
        SiteHost(name=f"h{n}", address=f"10.10.0.{n}", roles=(role,))
        for n, role in enumerate(roles, 11)
    )
    before = Site(solution="pm4ml", environment="staging", hosts=hosts)
    file = tmp_path / "site.yaml"
    file.write_text(f"{dump_site(before)}{SETTINGS}  microk8s_channel: 1.34/stable\n")
    recorded(before, outcome=Outcome.DONE, microk8s_channel="1.31/stable")
    for words in (["plan"], ["upgrade"]):
        assert main([*words, "--site", str(file)]) == 7
        said = re.sub(r"\s+", " ", capsys.readouterr().err)
        assert "does not go from 1.31 to 1.34 but by 1.32 and 1.33" in said
        assert "one minor version at a time" in said
        assert f"that it has 1.31/stable {BY_RECORD}" in said
