"""Windows by the clock on the wall, approvals of one very plan, a backup that was verified."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.plans.plan import Plan
from installer.record.identity import site_key
from installer.record.runs import runs_folder
from installer.sites.site import Site
from installer.sites.site_updates import Updates
from installer.updates.applying import gates
from installer.updates.applying.gates import NotNow
from installer.updates.applying.plans import Way, update_plan
from tests.installer.told_run import SITE, told, write_run

BERLIN = "Europe/Berlin"


def updates(**more: Any) -> Updates:
    return Updates.model_validate(more)


def window(*days: str, begins: str, ends: str, zone: str = BERLIN) -> Updates:
    return updates(zone=zone, windows=[{"days": days, "from": begins, "to": ends}])


def at(text: str, zone: str = BERLIN, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-27T21:59", False),  # Friday
        ("2026-11-27T22:00", True),
        ("2026-11-28T01:59", True),  # Saturday, still Friday's
        ("2026-11-28T02:00", False),
        ("2026-11-28T22:00", False),
    ],
)
def test_a_window_may_go_past_midnight(moment: str, is_open: bool) -> None:
    assert window("fri", begins="22:00", ends="02:00").open_at(at(moment)) is is_open


def test_an_hour_that_the_clock_skips_opens_nothing() -> None:
    """29 March 2026 in Berlin: after 01:59 comes 03:00."""
    sunday = window("sun", begins="02:00", ends="03:00")
    before = at("2026-03-29T01:59").astimezone(UTC)
    assert not any(sunday.open_at(before + timedelta(minutes=n)) for n in range(180))
    assert sunday.next_opening(before) == at("2026-04-05T02:00")
    until = window("sun", begins="01:00", ends="02:30")
    assert until.closing(at("2026-03-29T01:30")) == at("2026-03-29T03:00")


def test_an_hour_that_it_shows_twice_is_open_twice() -> None:
    """25 October 2026 in Berlin: after 02:59 comes 02:00 again."""
    sunday = window("sun", begins="02:00", ends="03:00")
    first = at("2026-10-25T02:00").astimezone(UTC)
    assert sum(sunday.open_at(first + timedelta(minutes=n)) for n in range(180)) == 120
    assert sunday.open_at(at("2026-10-25T02:30", fold=1))


def test_the_zone_counts_and_not_this_computer() -> None:
    nairobi = window("mon", begins="00:00", ends="01:00", zone="Africa/Nairobi")
    assert nairobi.open_at(datetime(2026, 11, 29, 21, 30, tzinfo=UTC))
    assert not nairobi.open_at(datetime(2026, 11, 30, 0, 30, tzinfo=UTC))


@example(["sun"], 180, 300, datetime(2026, 3, 29))  # noqa: DTZ001 - 02:59 is none that day
@given(
    st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1,
             max_size=3),
    st.integers(0, 1439),
    st.integers(0, 1440),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
)  # fmt: skip
def test_next_opening_is_the_first_open_minute(
    days: list[str], begins: int, ends: int, moment: datetime
) -> None:
    if begins == ends:
        return
    one = window(*days, begins=_clock(begins), ends=_clock(ends))
    now = moment.replace(tzinfo=UTC, second=0, microsecond=0)
    opens = one.next_opening(now)
    assert opens is not None
    assert one.open_at(opens)
    # In UTC, for on the wall the minute before may be one that the clock skips.
    opens = opens.astimezone(UTC)
    back = opens - timedelta(minutes=1)
    assert opens == now or not one.open_at(back) or back < now


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"windows": [{"days": ["sun"], "from": "02:00", "to": "02:00"}]}, "never opens"),
        ({"windows": [{"days": [], "from": "02:00", "to": "03:00"}]}, "at least 1 item"),
        ({"windows": [{"days": ["sun"], "from": "24:00", "to": "03:00"}]}, "never opens"),
        ({"windows": [{"days": ["sun"], "from": "2:00", "to": "3:00"}]}, "no time of day"),
        ({"zone": "Mars/Olympus"}, "no time zone"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"approvals": 2, "approvers": ["Ma Ma"]}, "no update could ever be approved"),
        ({"approvals": 1, "approvers": ["Ma Ma", "ma  ma"]}, "stands there twice"),
    ],
)
def test_what_could_never_be_is_refused_when_it_is_read(said: Any, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        updates(**said)


def test_yaml_reads_a_time_as_a_number() -> None:
    one = updates(windows=[{"days": ["sun"], "from": 1320, "to": 1380}])
    assert (one.windows[0].begins, one.windows[0].ends) == ("22:00", "23:00")


def test_a_closed_window_says_when_it_opens() -> None:
    with pytest.raises(NotNow) as caught:
        gates.check_window(window("sun", begins="02:00", ends="04:00"), at("2026-11-27T12:00"))
    assert caught.value.exit_code == 7
    assert "Sunday, 29 November 2026, 02:00 (Europe/Berlin)" in str(caught.value.remedy)
    gates.check_window(None)


BOX = {"name": "box", "address": "192.0.2.1", "roles": ["box"]}


def site(**more: Any) -> Site:
    return Site.model_validate({"solution": "miniloop", "hosts": [BOX], "updates": more or None})


def plan(of: Site, notes: tuple[str, ...] = ()) -> Plan:
    made = update_plan((), Way(), load_solution("miniloop"), of, Path("/"), within_minutes=1,
                       origin="x")  # fmt: skip
    return replace(made, notes=notes)


def test_as_many_as_are_asked_for_approve_this_very_plan() -> None:
    of = site(approvals=2, approvers=["Ma Ma", "U Ba", "Daw Hla"])
    this, other = plan(of), plan(of, ("another",))
    with pytest.raises(NotNow, match="nobody has yet"):
        gates.check_approvals(of, this, again="sitewright updates apply")
    gates.approve(of, this, "Ma Ma")
    gates.approve(of, this, "ma ma")
    gates.approve(of, other, "U Ba")
    with pytest.raises(NotNow) as caught:
        gates.check_approvals(of, this, again="sitewright updates apply --site s")
    assert "ma ma approved it" in str(caught.value)
    assert 'Of U Ba and Daw Hla, each: sitewright updates apply --site s --approve --by "NAME"' in (
        str(caught.value.remedy)
    )
    gates.approve(of, this, "U Ba")
    found = gates.check_approvals(of, this, again="")
    assert [one.person for one in found] == ["ma ma", "U Ba"]
    assert gates.approvals_file(of).stat().st_mode & 0o777 == 0o600


def test_an_approval_grows_old_and_a_stranger_gives_none() -> None:
    of = site(approvals=1, approvers=["Ma Ma"])
    gates.approve(of, plan(of), "Ma Ma", now=time.time() - 15 * 86400)
    with pytest.raises(NotNow, match="nobody has yet"):
        gates.check_approvals(of, plan(of), again="")
    with pytest.raises(NotNow, match="none of those who may approve"):
        gates.approve(of, plan(of), "Somebody")


def test_approvals_that_cannot_be_read_are_none() -> None:
    of = site(approvals=1, approvers=["Ma Ma"])
    gates.approve(of, plan(of), "Ma Ma")
    gates.approvals_file(of).write_text("{")
    with pytest.raises(NotNow, match="cannot be read"):
        gates.check_approvals(of, plan(of), again="")


def test_a_backup_must_have_been_verified_lately(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    from installer.sites.site import load_site

    bare = load_site(file)
    of = bare.model_copy(update={"updates": updates(backup_within_hours=24)})
    gates.check_backup(bare)
    with pytest.raises(NotNow, match="no backup of it was ever verified"):
        gates.check_backup(of)
    with pytest.raises(NotNow, match="for x changes data, and no backup"):
        gates.check_backup(bare, wanted=", for x changes data")
    folder = runs_folder() / f"{site_key(of)}-backup-verify"
    # It came to its end, and a step of it was passed over.
    write_run(folder, told(failed=False))
    with pytest.raises(NotNow, match="no backup of it was ever verified"):
        gates.check_backup(of)
    shutil.rmtree(folder)
    whole = [
        replace(one, data={**one.data, "outcome": "done"})
        if one.data.get("outcome") == "skipped"
        else one
        for one in told(failed=False)
    ]
    write_run(folder, whole)
    with pytest.raises(NotNow, match="the last was verified 24 November 2025"):
        gates.check_backup(of)


def test_a_verified_backup_counts_for_so_many_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    of, now = site(backup_within_hours=24), 1_800_000_000.0
    monkeypatch.setattr(gates, "last_verified", lambda _: now - 23 * 3600)
    gates.check_backup(of, now=now)
    with pytest.raises(NotNow, match=r"the last was verified .* ago"):
        gates.check_backup(of, now=now + 2 * 3600)
    with pytest.raises(NotNow, match="ahead of this computer's clock"):
        gates.check_backup(of, now=now - 30 * 3600)


def test_a_clock_that_was_put_back_opens_nothing(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    from installer.sites.site import load_site

    of = load_site(file)
    gates.check_clock(of, now=1.0)
    run = write_run(runs_folder() / f"{site_key(of)}-backup-verify", told(failed=False))
    written = run.journal.stat().st_mtime
    gates.check_clock(of, now=written - 600)
    gates.check_clock(of, now=written + 400 * 86400)
    with pytest.raises(NotNow, match=r"the site.s record was written at .* put back"):
        gates.check_clock(of, now=written - 2 * 86400)


def test_every_gate_tells_how_it_stands_and_the_first_that_is_shut_is_raised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stand(of: Site, *migrates: str, without: tuple[str, ...] = ()) -> dict[str, str]:
        found = gates.gates_of(of, plan(of), migrates, again="again", without=without)
        return {one.name: str(one.shut.cause) if one.shut else one.stands for one in found}

    bare = site()
    assert stand(bare) == {
        "clock": "It goes on from where the site's record was written.",
        "window": "It may begin at any time.",
        "backup": "None is asked for.",
        "approvals": "None is asked for.",
    }
    # A person's word stands for a backup where the site asks for none, and only there.
    word = gates.without_backup("Ma Ma", "it is a copy")
    assert "for x changes data" in stand(bare, "x")["backup"]
    assert stand(bare, "x", without=word)["backup"] == word[0]
    assert gates.through_gates(bare, plan(bare), ("x",), again="", without=word).notes == word
    assert gates.through_gates(bare, plan(bare), (), again="", without=word).notes == ()
    strict = site(approvals=1, approvers=["Ma Ma"], backup_within_hours=1)
    assert "is wanted, and no backup" in stand(strict, "x", without=word)["backup"]
    with pytest.raises(NotNow, match="backup verified within 1 hours"):
        gates.through_gates(strict, plan(strict), (), again="")
    monkeypatch.setattr(gates, "last_verified", lambda _: time.time())
    assert stand(strict)["backup"].startswith("Verified ")
    assert "nobody has yet" in stand(strict)["approvals"]
    gates.approve(strict, plan(strict), "Ma Ma")
    assert stand(strict)["approvals"].startswith("Approved by Ma Ma, ")
    (said,) = gates.through_gates(strict, plan(strict), (), again="").notes
    assert said == stand(strict)["approvals"]
    assert gates.without_backup("Ma Ma", " ") == ()
    with pytest.raises(InputProblem, match="nobody is named"):
        gates.without_backup("", "it is a copy")
