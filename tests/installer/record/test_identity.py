"""The record of a site stays its own whatever becomes of its machines, and never another's."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest

from foundation.hosts import machine_lock
from foundation.hosts.connection import Connection
from foundation.hosts.machine_lock import Around
from foundation.hosts.model import Host
from foundation.problems import InputProblem, Unreachable
from installer import cli
from installer.catalogue.solution import load_solution
from installer.events import Event, Kind, Outcome
from installer.record import identity, site_lock
from installer.record.errand import Errand
from installer.record.identity import (
    WhichRecord,
    as_machines_say,
    asked_of_machines,
    begun_on,
    done_before,
    identity_of,
    site_key,
)
from installer.record.journal import Journal
from installer.record.other_hands import new_mark
from installer.record.runs import Run, create_run, runs_folder, runs_of, site_of
from installer.record.site_lock import holder_of, laptop, this_holder
from installer.running import begin
from installer.running.begin import Occasion, begun
from installer.running.order import Order
from installer.sites.site import Site, SiteHost, dump_site
from installer.supply.supplies import _memory
from tests.installer.engine_site import nobody, plan, step

PLAN = replace(plan(step("a", "w1"), step("b", "w2")), solution="pm4ml")
KNOWN_NOW = "pm4ml-production-e5939c05ee"
"""What earlier versions called the site of w1, w2 and w3; it must be found again."""


def site(**machines: str) -> Site:
    """A site of machines by their names: w1="10.0.0.1"."""
    hosts = tuple(
        SiteHost(name=name, address=address, roles=("worker",))
        for name, address in machines.items()
    )
    return Site(solution="pm4ml", environment="production", hosts=hosts)


THREE = {"w1": "10.0.0.1", "w2": "10.0.0.2", "w3": "10.0.0.3"}


_SECONDS = count(1)


def recorded(of: Site, key: str = "") -> Run:
    """A run of a site that began, in its record."""
    made = create_run(key or site_key(of), PLAN, site_text=dump_site(of))
    # Runs of one second are in no order; these were begun one after the other.
    run = Run(made.folder.rename(made.folder.parent / f"20261121-{next(_SECONDS):06d}-1f3a"))
    run.note_begun()
    return run


def test_a_new_site_is_called_as_earlier_versions_called_it() -> None:
    assert site_key(site(**THREE)) == KNOWN_NOW


@pytest.mark.parametrize(
    "now",
    [
        {**THREE, "w4": "10.0.0.4"},
        {"w1": "10.0.0.1", "w2": "10.0.0.2"},
        {**THREE, "w3": "10.9.9.9"},
        {**THREE, "w2": "10.9.9.8", "w4": "10.0.0.4"},
        {"another-name": "10.0.0.1", "w2": "10.0.0.2", "w3": "10.0.0.3"},
    ],
)
def test_a_machine_added_removed_or_moved_leaves_the_record_where_it_is(
    now: dict[str, str],
) -> None:
    """Of all: its runs, its lock, what is remembered of its bundle, what verified it."""
    run = recorded(site(**THREE))
    assert site_key(site(**now)) == run.site_key
    assert _memory(site(**now)) == _memory(site(**THREE))
    recorded(site(**now))
    assert len(runs_of(run.site_key)) == 2
    # And from what it is now: each step of a long way.
    assert site_key(site(**{**now, "w9": "10.0.0.9"})) == run.site_key


def test_a_whole_site_may_be_replaced_one_machine_after_the_other() -> None:
    machines = dict(THREE)
    first = recorded(site(**machines)).site_key
    for number, name in enumerate(THREE):
        machines[name] = f"10.9.9.{number}"
        assert site_key(site(**machines)) == first
        recorded(site(**machines))
    # Its old machines serve in another site now, though its record was once made of them.
    other = site_key(site(**THREE))
    assert other != first
    recorded(site(**THREE))
    assert site_key(site(**THREE)) == other
    assert site_key(site(**machines)) == first


def test_two_sites_that_share_no_machine_are_never_one_whatever_their_names() -> None:
    one, other = site(**THREE), site(w1="10.7.0.1", w2="10.7.0.2", w3="10.7.0.3")
    recorded(one)
    assert not identity_of(other).known
    assert site_key(other) != site_key(one)
    staging = one.model_copy(update={"environment": "staging"})
    assert site_key(staging) != site_key(one)
    assert site_key(staging).startswith("pm4ml-staging-")


def test_two_records_that_may_be_meant_are_told_and_asked() -> None:
    """An earlier version made a second record of the same site when a machine came."""
    one = recorded(site(**THREE))
    grown = site(w1="10.0.0.1", w2="10.0.0.2", w4="10.0.0.4")
    other = recorded(grown, "pm4ml-production-0123456789")
    # Each is its own as long as nothing changes.
    assert site_key(site(**THREE)) == one.site_key
    assert site_key(grown) == other.site_key
    between = site(w1="10.0.0.1", w2="10.0.0.2")
    with pytest.raises(WhichRecord) as caught:
        site_key(between)
    for key in (one.site_key, other.site_key):
        assert key in caught.value.cause
        assert f"record: {key}" in caught.value.remedy
        assert site_key(between.model_copy(update={"record": key})) == key


def test_one_machine_of_many_does_not_make_it_the_same_site() -> None:
    """It may have been taken out there, and serve here now."""
    run = recorded(site(**THREE))
    here = site(w3="10.0.0.3", n1="10.5.0.1", n2="10.5.0.2")
    with pytest.raises(WhichRecord) as caught:
        site_key(here)
    assert "1 machine of this site is among the 3" in caught.value.cause
    own = caught.value.remedy.rpartition("record: ")[2].rstrip(".")
    named = here.model_copy(update={"record": own})
    assert site_key(named) == own != run.site_key
    recorded(named)
    assert site_key(here) == own  # its machines are known now
    assert site_key(site(**THREE)) == run.site_key


def test_status_tells_of_the_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(site(**THREE))
    file = tmp_path / "site.yaml"
    file.write_text(dump_site(site(w3="10.0.0.3", n1="10.5.0.1")))
    assert cli.main(["status", "--site", str(file)]) != 0
    assert "record: pm4ml-production-" in " ".join(capsys.readouterr().err.split())


def test_a_record_of_another_solution_cannot_be_named() -> None:
    with pytest.raises(InputProblem, match="of no pm4ml production"):
        site_key(site(**THREE).model_copy(update={"record": "mosip-production-0123456789"}))


def test_a_record_whose_site_file_is_gone_is_found_by_what_it_was_made_of() -> None:
    run = recorded(site(**THREE))
    run.site_file.unlink()
    assert identity_of(site(**THREE)) == identity.Identity(run.site_key, known=True)


def test_a_run_goes_on_on_its_own_machines_alone_though_the_record_is_found() -> None:
    run = recorded(site(**THREE))
    with Journal(run.journal) as journal:
        pin = identity.machines_pin(site(**THREE))
        journal.append(Event(Kind.RUN_STARTED, 1.0, data={"run": run.id, "machines": pin}))
    assert begun_on(run, site(**THREE))
    assert not begun_on(run, site(**THREE, w4="10.0.0.4"))
    assert not begun_on(run, site(**{**THREE, "w3": "10.9.9.9"}))


def test_a_machine_that_was_replaced_has_nothing_done_on_it() -> None:
    """Undo would else take back, on the new one, what was there before us."""
    run = recorded(site(w1="10.0.0.1", w2="10.0.0.2"))
    with Journal(run.journal) as journal:
        journal.append(Event(Kind.RUN_STARTED, 1.0, data={"run": run.id}))
        for stage, name, host in (("one", "a", "w1"), ("one", "b", "w2")):
            journal.append(Event(Kind.STEP_FINISHED, 2.0, stage, name, host,
                                 {"outcome": Outcome.DONE.value}))  # fmt: skip
    same = recorded(site(w1="10.0.0.1", w2="10.0.0.2"))
    assert done_before(same) == {("one", "a", "w1"), ("one", "b", "w2")}
    replaced = recorded(site(w1="10.0.0.1", w2="10.9.9.9"))
    assert replaced.site_key == run.site_key
    assert done_before(replaced) == {("one", "a", "w1")}


# ---- what the machines remember


def mark_of(key: str) -> str:
    mark = new_mark(this_holder("Ma Ma"), "20261121-042406-1f3a", key, "done", 3, "0" * 64)
    return mark.as_text()


def test_a_computer_installed_anew_finds_the_site_that_its_machines_remember() -> None:
    now = site(**THREE, w4="10.0.0.4")
    key = "pm4ml-production-0123456789"
    said = {"w1": key, "w2": f"{key}-stop"}
    found = as_machines_say(now, said)
    assert found.record == key
    assert site_key(found) == key
    recorded(found)
    assert site_key(now) == key  # by its machines, though its own file does not say it
    assert as_machines_say(now, {"w1": "mosip-production-0123456789"}) == now
    assert as_machines_say(now, {}) == now


def test_one_machine_of_many_that_remembers_a_site_is_asked_about() -> None:
    """It was taken out there, and keeps the name; on this computer nobody knows that site."""
    now = site(**THREE)
    with pytest.raises(WhichRecord, match="w3 remembers the record pm4ml-production-0123456789"):
        as_machines_say(now, {"w3": "pm4ml-production-0123456789"})
    named = now.model_copy(update={"record": site_key(now)})
    assert as_machines_say(named, {"w3": "pm4ml-production-0123456789"}) == named


def test_a_machine_that_did_not_answer_has_not_said_that_it_is_of_no_site() -> None:
    """The one that is away for a moment may be the one that remembers."""
    now = site(**THREE)
    key = "pm4ml-production-0123456789"
    for said in ({"w1": None}, {"w1": None, "w2": key}):
        with pytest.raises(Unreachable, match="w1 did not answer") as caught:
            as_machines_say(now, said)
        assert f"record: {site_key(now)}" in str(caught.value.remedy)
    assert as_machines_say(now, {"w1": None, "w2": key, "w3": key}).record == key
    named = now.model_copy(update={"record": site_key(now)})
    assert as_machines_say(named, {"w1": None}) == named


def test_a_record_that_is_named_and_not_here_is_taken_where_the_machines_confirm_it() -> None:
    """A file that was copied for another site names the first one's, on a new computer too."""
    key = "pm4ml-production-0123456789"
    copied = site(**THREE).model_copy(update={"record": key})
    assert as_machines_say(copied, {"w1": key}) == copied
    other = "pm4ml-production-9876543210"
    for said in ({}, {"w1": None}, {"w1": other, "w2": other}):
        with pytest.raises(WhichRecord, match="do not say that they are of it") as caught:
            as_machines_say(copied, said)
        assert f"record: {site_key(site(**THREE))}" in caught.value.remedy


async def test_a_record_that_another_began_meanwhile_is_gone_into_under_its_own_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two site files of one site, both new: the first to begin makes the record of both."""
    now, more = site(**THREE), site(**THREE, w4="10.0.0.4")
    theirs = site_key(more)

    async def looked(*_: object) -> tuple[str, None]:
        recorded(more)
        return "", None

    monkeypatch.setattr(begin._Beginning, "looked", looked)
    occasion = Occasion(site=now, base=Path("/srv"), solution=load_solution("pm4ml"),
                        inventory=now.inventory(Path("/srv")))  # fmt: skip
    async with begun(Order(plan=PLAN), occasion, nobody) as ready:
        assert ready.run.site_key == theirs
        assert holder_of(theirs) is not None
        assert holder_of(KNOWN_NOW) is None


def test_machines_of_two_sites_are_told_and_asked() -> None:
    now = site(**THREE)
    keys = ("pm4ml-production-0123456789", "pm4ml-production-9876543210")
    with pytest.raises(WhichRecord) as caught:
        as_machines_say(now, {"w1": keys[0], "w2": keys[0], "w3": keys[1]})
    assert f"w1 and w2 remember the record {keys[0]}" in caught.value.cause
    assert all(f"record: {key}" in caught.value.remedy for key in keys)


def test_a_site_whose_every_address_changed_is_asked_for_and_the_machines_confirm_it() -> None:
    key = recorded(site(**THREE)).site_key
    moved = site(w1="10.7.0.1", w2="10.7.0.2", w3="10.7.0.3")
    with pytest.raises(WhichRecord, match=key):
        as_machines_say(moved, {"w1": key})
    named = moved.model_copy(update={"record": key})
    assert site_key(as_machines_say(named, {"w1": key})) == key
    # A copied file that names the record of another site: none of its machines know it.
    for said in ({}, {"w1": "pm4ml-production-9876543210"}):
        with pytest.raises(WhichRecord, match="knows none of these machines"):
            as_machines_say(named, said)


async def test_nothing_of_what_a_machine_says_becomes_a_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = {
        "good": mark_of("pm4ml-production-0123456789"),
        "path": mark_of("pm4ml-production-/../../x-0123456789"),
        "none": "",
        "noise": "\x00{",
    }

    async def around(connection: Connection) -> Around:
        name = cast(Any, connection)
        if name == "away":
            raise Unreachable("nobody answers", where=name)
        return Around(mark=said[name])

    async def connect(host: Host) -> Connection:
        return cast(Connection, host.name)

    monkeypatch.setattr(machine_lock, "around", around)
    hosts = [Host(name, "10.0.0.1") for name in (*said, "away")]
    assert await asked_of_machines(hosts, connect) == {
        "good": "pm4ml-production-0123456789",
        "away": None,
    }


@pytest.mark.parametrize("errand", [Errand.INSTALL, Errand.VERIFY])
async def test_a_run_begun_on_a_new_computer_goes_into_the_record_that_is_remembered(
    monkeypatch: pytest.MonkeyPatch, errand: Errand
) -> None:
    key = "pm4ml-production-0123456789"

    async def looked(*_: object) -> tuple[str, None]:
        return "", None

    async def asked(*_: object) -> dict[str, str]:
        return {"w1": key, "w3": key}

    monkeypatch.setattr(begin._Beginning, "looked", looked)
    monkeypatch.setattr(begin, "asked_of_machines", asked)
    told: list[str] = []
    now = site(**THREE)
    occasion = Occasion(site=now, base=Path("/srv"), solution=load_solution("pm4ml"),
                        inventory=now.inventory(Path("/srv")), errand=errand)  # fmt: skip
    async with begun(Order(plan=PLAN), occasion, nobody, tell=told.append) as ready:
        assert site_of(ready.run.site_key) == key
        assert holder_of(ready.run.site_key) is not None
        assert holder_of(f"{KNOWN_NOW}-verify") is None
        assert holder_of(KNOWN_NOW) is None
        ready.run.note_begun()
    assert any(f"remember the site {key}" in text for text in told)
    assert site_key(now) == key
    # The second time it lies here, and nobody is asked.
    monkeypatch.setattr(begin, "asked_of_machines", None)
    async with begun(Order(plan=PLAN), occasion, nobody) as ready:
        assert site_of(ready.run.site_key) == key


def test_a_copied_home_is_the_same_site_and_another_laptop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would else take the lock of the other for its own that was left behind."""
    machine = tmp_path / "machine-id"
    machine.write_text("1" * 32)
    monkeypatch.setattr(site_lock, "_MACHINE_ID", machine)
    run, ours = recorded(site(**THREE)), laptop()
    assert laptop() == ours
    data = runs_folder().parent
    copied = tmp_path / "copied" / "sitewright"
    shutil.copytree(data, copied)
    monkeypatch.setenv("XDG_DATA_HOME", str(copied.parent))
    assert runs_folder().is_relative_to(copied)
    assert laptop() == ours  # a home that was only moved
    machine.write_text("2" * 32)
    theirs = laptop()
    assert theirs != ours
    assert laptop() == theirs
    assert site_key(site(**THREE)) == run.site_key


def test_machines_that_share_a_home_keep_a_word_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word that changes while a run is at work makes its own locks those of somebody else."""
    machine = tmp_path / "machine-id"
    monkeypatch.setattr(site_lock, "_MACHINE_ID", machine)
    words = {}
    for number in ("1", "2", "3"):
        machine.write_text(number * 32)
        words[number] = laptop()
    assert len(set(words.values())) == 3
    for number, word in words.items():
        machine.write_text(number * 32)
        assert laptop() == word


def test_a_word_of_an_earlier_version_is_kept_and_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = tmp_path / "machine-id"
    monkeypatch.setattr(site_lock, "_MACHINE_ID", machine)
    word = laptop()  # of a machine without an id, as earlier versions wrote it
    (runs_folder().parent / "laptop").write_text(word + "\n")
    assert laptop() == word
    machine.write_text("1" * 32)
    assert laptop() == word
    machine.write_text("2" * 32)
    assert laptop() != word
