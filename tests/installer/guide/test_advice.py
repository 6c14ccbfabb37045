"""Advice: what is recommended to whom, why, and what each alternative lacks here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.guide.advice import Advice, Fit, Purpose, Wishes, advise, measure_all, system_of
from installer.guide.guide import load_map
from installer.guide.option_files import Quality, State, System
from preflight.assessment import Seen
from preflight.recorded import load_facts

TODAY = date(2026, 11, 25)
RECORDED = Path(__file__).parent.parent.parent / "recorded"
CHART = load_map()
PLACES = [case.id for case in CHART.use_cases if case.group]

EXPERIMENTER = Wishes(purpose=Purpose.EXPERIMENT)


def seen(*names: str) -> list[Seen]:
    return [one for name in names for one in load_facts(RECORDED / f"{name}.json")]


def advice(wishes: Wishes, machines: Sequence[Seen] = (), *, named: bool = True) -> Advice:
    return advise(CHART, wishes, machines, named=named, today=TODAY)


def place_of(answer: Advice, option: str, way: str | None = None) -> int:
    return next(
        place
        for place, one in enumerate(answer.ranked)
        if one.option.id == option and way in (None, one.way.id)
    )


@pytest.mark.parametrize("purpose", [Purpose.EXPERIMENT, Purpose.DEVELOP, Purpose.CI])
def test_on_a_good_laptop_the_core_test_harness_is_taken(purpose: Purpose) -> None:
    """It is what document 001 names for each of them, and it is alive."""
    answer = advice(Wishes(purpose=purpose), seen("laptop"))
    assert answer.best is not None
    assert answer.best.option.id == "core-test-harness"
    assert answer.fits
    assert any("carries it" in reason for reason in answer.best.reasons)


def test_what_is_installed_from_here_comes_before_what_is_done_by_hand() -> None:
    """Of two ways to the charts on one machine the one that Sitewright carries out is first."""
    answer = advice(EXPERIMENTER)
    assert place_of(answer, "miniloop") < place_of(answer, "helm-local")


def test_a_machine_that_is_too_small_is_told_by_how_much() -> None:
    """The lack is a phrase with both numbers, not a verdict."""
    answer = advice(EXPERIMENTER, seen("small-vm"))
    best = answer.best
    assert best is not None
    assert not answer.fits
    assert "memory: 4 GB here, 8 GB needed" in best.lacks
    local = answer.ranked[place_of(answer, "helm-local")]
    assert "CPUs: 2 here, 4 needed" in local.lacks
    assert local.measured.fit is Fit.SHORT


def test_a_machine_of_another_architecture_cannot_be_mended() -> None:
    """The images are for x86-64."""
    harness = advice(EXPERIMENTER, seen("arm-board")).ranked
    found = next(one for one in harness if one.option.id == "core-test-harness")
    assert found.measured.fit is Fit.SHORT
    assert any("x86_64 needed" in lack for lack in found.lacks)


def test_missing_software_does_not_make_a_machine_too_small() -> None:
    """A worker of 64 GB without Docker can be made ready."""
    answer = advice(Wishes(purpose=Purpose.CI), seen("pm4ml-worker"))
    harness = answer.ranked[place_of(answer, "core-test-harness")]
    assert harness.measured.fit in (Fit.MENDABLE, Fit.READY, Fit.WARNINGS)


@pytest.mark.parametrize(
    ("system", "option"),
    [
        (System.PM4ML, "pm4ml-on-premises"),
        (System.MOSIP, "mosip-on-premises"),
    ],
)
def test_production_on_bare_metal(system: System, option: str) -> None:
    """Each system has its way, and what is not of production quality comes later and says so."""
    wishes = Wishes(Purpose.RUN, Quality.PRODUCTION, "bare-metal", system)
    answer = advice(wishes)
    assert answer.best is not None
    assert answer.best.option.id == option
    assert answer.best.way.quality is Quality.PRODUCTION
    later = [one for one in answer.ranked if one.way.quality is Quality.POC]
    assert later
    assert all("it is not of production quality" in one.lacks for one in later)


def test_a_hub_on_bare_metal_is_not_a_payment_manager() -> None:
    """Only what gives a hub is offered; the part of IaC that gives PM4ML is not."""
    answer = advice(Wishes(Purpose.RUN, Quality.PRODUCTION, "bare-metal", System.MOJALOOP))
    assert {system_of(one.option, one.way) for one in answer.ranked} == {System.MOJALOOP}
    assert answer.ranked[-1].way.only_part


def test_several_clouds_leave_the_charts() -> None:
    """Document 001 claims more than could be found; the charts run anywhere."""
    answer = advice(Wishes(Purpose.RUN, Quality.PRODUCTION, "several-clouds"))
    assert answer.best is not None
    assert (answer.best.option.id, answer.best.way.id) == ("helm-deploy", "production-readiness")


def test_what_cannot_be_found_is_never_the_best() -> None:
    """The Azure marketplace stands on the map and says what is wrong with it."""
    answer = advice(Wishes(Purpose.RUN, Quality.POC, "one-cloud"))
    azure = answer.ranked[place_of(answer, "azure-marketplace")]
    assert "nothing of it could be found" in azure.lacks
    assert place_of(answer, "azure-marketplace") > place_of(answer, "helm-deploy")


def test_without_the_internet_a_way_that_needs_none_comes_first() -> None:
    """And the others say that they need it."""
    answer = advice(Wishes(purpose=Purpose.EXPERIMENT, internet=False))
    assert answer.best is not None
    assert answer.best.option.id == "core-test-harness"
    helm = answer.ranked[place_of(answer, "helm-local")]
    assert any("the internet" in lack for lack in helm.lacks)


def test_named_machines_that_are_too_few_are_counted() -> None:
    """Two machines for a table of eleven lack nine."""
    wishes = Wishes(Purpose.RUN, Quality.PRODUCTION, "bare-metal", System.PM4ML)
    best = advice(wishes, seen("pm4ml-worker", "pm4ml-master")).best
    assert best is not None
    assert best.lacks == ("9 more machines: 11 asked for, 2 here",)


def test_this_machine_alone_is_not_blamed_for_being_one() -> None:
    """Whoever only asks on a laptop is told how many machines are asked for."""
    wishes = Wishes(Purpose.RUN, Quality.PRODUCTION, "bare-metal", System.PM4ML)
    best = advice(wishes, seen("laptop"), named=False).best
    assert best is not None
    assert best.lacks == ()
    assert "It asks for 11 machines." in best.reasons


def test_a_whole_site_is_measured() -> None:
    """Eleven recorded machines carry PM4ML; one taken for another role does not."""
    kinds = ["pm4ml-master"] * 3 + ["pm4ml-worker"] * 3 + ["pm4ml-load-balancer"] * 2
    machines = [
        renamed(one, f"{kind}-{number}")
        for number, kind in enumerate([*kinds, *["pm4ml-storage"] * 3])
        for one in seen(kind)
    ]
    wishes = Wishes(Purpose.RUN, Quality.PRODUCTION, "bare-metal", System.PM4ML)
    best = advice(wishes, machines).best
    assert best is not None
    assert best.measured.fit is Fit.READY
    short = [*machines[:-1], renamed(seen("small-vm")[0], "small")]
    found = advice(wishes, short).ranked
    production = next(one for one in found if one.way.id == "production")
    assert production.measured.fit is Fit.SHORT
    assert production.lacks


def renamed(one: Seen, name: str) -> Seen:
    from dataclasses import replace

    return replace(one, host=replace(one.host, name=name, roles=()))


def test_machines_that_are_measured_once_give_the_same_advice() -> None:
    """Whoever walks the map is not made to wait for every use case anew."""
    machines = seen("pm4ml-worker", "laptop", "small-vm")
    once = measure_all(CHART, machines, named=True, today=TODAY)
    for wishes in (EXPERIMENTER, Wishes(purpose=Purpose.RUN, where="bare-metal")):
        again = advise(CHART, wishes, machines, named=True, today=TODAY, measured=once)
        assert again == advice(wishes, machines)


wishes_of_any_kind = st.builds(
    Wishes,
    purpose=st.sampled_from([None, *Purpose]),
    quality=st.sampled_from([None, *Quality]),
    where=st.sampled_from([None, *PLACES]),
    system=st.sampled_from([None, *System]),
    internet=st.sampled_from([None, True, False]),
)


@given(wishes_of_any_kind)
def test_whatever_is_wished_for(wishes: Wishes) -> None:
    """The same wishes give the same order, every reason is a sentence, nothing is offered twice."""
    answer = advice(wishes)
    assert answer == advice(wishes)
    names = [(one.option.id, one.way.id) for one in answer.ranked]
    assert len(names) == len(set(names))
    for one in answer.ranked:
        assert one.reasons
        assert all(reason.endswith(".") for reason in one.reasons)
        assert not any(lack.endswith(".") for lack in one.lacks)
        if wishes.system is not None:
            assert system_of(one.option, one.way) is wishes.system
    whole = [one.way.only_part for one in answer.ranked]
    assert whole == sorted(whole)
    if answer.best is not None and len(answer.ranked) > 1 and wishes.quality is None:
        assert answer.best.option.file.state is not State.NOT_FOUND


def test_a_cluster_that_nobody_looked_at_fits_nobodys_machine() -> None:
    """The machine by which it is reached says nothing of the cluster itself."""
    answer = advice(Wishes(purpose=Purpose.RUN, where="bare-metal"), seen("small-vm"))
    ways = {(one.option.id, one.way.id): one for one in answer.ranked}
    for key in (("helm-deploy", "existing-cluster"), ("mosip-on-premises", "on-clusters")):
        assert ways[key].measured.fit is Fit.UNKNOWN
        assert "preflight --cluster" in ways[key].measured.minds[0]
    assert ways["helm-deploy", "production-readiness"].measured.asks == (
        "It asks for 1 machine, 1 cluster."
    )
