"""The rail of a run: steps that belong together are one row, unless one of them is at work."""

from __future__ import annotations

from typing import Any

import pytest

from installer.catalogue.solution import load_solution
from installer.events import Event, Json, Kind
from installer.planning.make import make_plan
from installer.plans.plan import Plan
from installer.record.progress import progress_of
from installer.record.state import RunState
from installer.sites.site import Site
from screens.run.rail import at_work, now_words, rail_rows
from tests.installer.planning.test_planning import site


def without_vault() -> Site:
    """A site whose applications are shown as they stand, with nothing in between."""
    here = site()
    return here.model_copy(update={"settings": {**here.settings, "vault_initialise": "no"}})


@pytest.fixture(scope="module")
def plan() -> Plan:
    """PM4ML's applications alone."""
    whole = make_plan(load_solution("pm4ml"), without_vault(), [])
    apps = tuple(each for each in whole.stages if each.id == "apps")
    return Plan("pm4ml", "production", apps, whole.hosts, whole.settings)


def at(plan: Plan, *done: str, now: str = "", failed: str = "") -> RunState:
    """A run of the stage of applications that stands there; a minute an application."""
    state, when = RunState(plan), 0.0

    def tell(kind: Kind, step: str = "", **data: Any) -> None:
        state.apply(Event(kind, when, "apps", step, "control" if step else "", data))

    tell(Kind.STAGE_STARTED, title="T")
    for name in (*done, *filter(None, (now or failed,))):
        tell(Kind.STEP_STARTED, name, attempt=1, title="T")
        when += 60
        if name != now:
            outcome = "failed" if name == failed else "done"
            tell(Kind.STEP_FINISHED, name, outcome=outcome, seconds=60.0, sentence="")
    return state


@pytest.mark.parametrize("how", ["now", "failed"])
def test_only_the_group_at_work_shows_its_applications(plan: Plan, how: str) -> None:
    """Of 24 the rail shows eleven groups, folded but for the one that moves or failed."""
    names = [each.id for each in plan.stages[0].steps]
    place = names.index("vault")
    state = at(plan, *names[:place], **{how: "vault"})
    progress = progress_of(plan, state, {}, now=60.0 * (place + 1))
    rows = rail_rows(progress, state, 60.0 * (place + 1))
    shown = [row.cells[1].text for row in rows]
    assert shown[1:] == [
        "  Deploy base-utils", "  Deploy storage-app", "  Certificate Management, 3 steps",
        "  Service Mesh, 3 steps", "  Deploy external-dns-app", "  Deploy consul-app",
        "  Deploy vault-app", "  Deploy vault", "  Deploy vault-config-operator",
        "  Deploy vault-pki-app", "  Stateful Resources, 2 steps", "  Monitoring Stack, 3 steps",
        "  Identity & Access Management, 4 steps", "  Deploy pm4ml",
    ]  # fmt: skip
    by_key = {row.key: [cell.text for cell in row.cells] for row in rows}
    assert len(by_key) == len(rows)
    assert by_key["apps/ Service Mesh, 3 steps"][2:] == ["3/3", "3 min of 10 min"]
    assert by_key["apps/ Monitoring Stack, 3 steps"] == [
        "waiting", "  Monitoring Stack, 3 steps", "0/3", "12 min"
    ]  # fmt: skip
    assert at_work(progress) == "apps/vault"


def test_in_a_short_list_the_one_at_work_stands_between_what_was_and_what_comes(
    plan: Plan,
) -> None:
    """Four rows, as an 80x24 window has: nobody has to scroll to see where it stands."""
    names = [each.id for each in plan.stages[0].steps]

    def shown(place: int, room: int) -> list[str]:
        state, now = at(plan, *names[:place], now=names[place]), 60.0 * (place + 1)
        rows = rail_rows(progress_of(plan, state, {}, now=now), state, now, room)
        return [f"{row.cells[0].text} {row.cells[1].text.strip()}" for row in rows]

    title = "running Deploy the applications"
    assert shown(11, 4) == [
        title, "done 11 steps before", "running Deploy vault", "waiting 12 steps after"
    ]  # fmt: skip
    assert shown(0, 4) == [
        title, "running Deploy base-utils", "waiting Deploy storage-app", "waiting 22 steps after"
    ]  # fmt: skip
    assert shown(23, 4) == [
        title, "done 19 steps before", "done Identity & Access Management, 4 steps",
        "running Deploy pm4ml",
    ]  # fmt: skip
    for room in range(4, 40):
        for place in range(24):
            rows = shown(place, room)
            assert len(rows) <= room or room > 20
            assert f"running Deploy {names[place]}" in rows


def test_what_was_left_for_later_is_not_taken_for_what_runs(plan: Plan) -> None:
    """A step waits, or its whole stage, and a later one is at work: that one stands in sight."""
    names = [each.id for each in plan.stages[0].steps]
    state, now = at(plan, *names[:4], *names[5:11], now=names[11]), 60.0 * 12
    progress = progress_of(plan, state, {}, now=now)
    assert at_work(progress) == f"apps/{names[11]}"
    assert now_words(progress) == "Now: Deploy vault."
    rows = rail_rows(progress, state, now, 4)
    assert f"running   Deploy {names[11]}" in [f"{r.cells[0].text} {r.cells[1].text}" for r in rows]

    whole = make_plan(load_solution("pm4ml"), without_vault(), [])
    state = at(whole, *names[:11], now=names[11])
    state.apply(Event(Kind.STAGE_STARTED, 0.0, "ceph", "", "", {"title": "T"}))
    data: dict[str, Json] = {"outcome": "done", "seconds": 1.0, "sentence": ""}
    state.apply(Event(Kind.STEP_STARTED, 0.0, "ceph", "disks-are-empty", "s1", {"attempt": 1}))
    state.apply(Event(Kind.STEP_FINISHED, 1.0, "ceph", "disks-are-empty", "s1", data))
    progress = progress_of(whole, state, {}, now=now)
    stands = {stage.id: stage.stand for stage in progress.stages}
    assert stands["ceph"] == stands["apps"] == "running"
    assert at_work(progress) == f"apps/{names[11]}"
