"""Run folders and the lock of a site."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.paths import data_folder, write_private
from foundation.problems import InputProblem
from installer.events import Event, Json, Kind
from installer.record.identity import site_key
from installer.record.journal import Journal
from installer.record.runs import (
    Run,
    all_sites,
    create_run,
    earlier_seconds,
    errand_of,
    installed_sites,
    latest_run,
    log_line,
    open_run,
    runs_of,
    sweep_unbegun,
)
from installer.record.site_lock import Holder, Lock, Locked, holder_of
from installer.sites.site import Site, SiteHost, dump_site
from tests.installer.engine_site import plan, step

PLAN = plan(step("a", script="true"), step("b", "w1", "w2", stage="two", script="x", rolling=1))


def finished(run: Run, stage: str, name: str, host: str, seconds: float = 2.0) -> None:
    with Journal(run.journal) as journal:
        key = (stage, name, host)
        journal.append(Event(Kind.STEP_STARTED, 1.0, *key, {"title": "", "attempt": 1}))
        data: dict[str, Json] = {"outcome": "done", "seconds": seconds, "sentence": ""}
        journal.append(Event(Kind.STEP_FINISHED, 2.0, *key, data))


def begin(run: Run) -> None:
    with Journal(run.journal) as journal:
        journal.append(Event(Kind.RUN_STARTED, 1.0, data={"run": run.id}))


def test_a_run_folder_is_private_and_holds_what_it_starts_from() -> None:
    run = create_run("site", PLAN, site_text="solution: x\n", facts_text="{}")
    assert run.folder.is_relative_to(data_folder())
    for path in (run.folder, run.folder / "logs", run.folder.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(run.plan_file.stat().st_mode) == 0o600
    assert run.site_file.read_text() == "solution: x\n"
    assert run.plan() == PLAN
    assert run.plan().sha256 == PLAN.sha256


def test_a_run_that_was_refused_before_it_began_leaves_no_folder() -> None:
    run, noted, broken, begun = (create_run("site", PLAN) for _ in range(4))
    with Journal(noted.journal) as journal:
        journal.append(Event(Kind.NOTE, 1.0, data={"text": "A lock was left behind."}))
    broken.journal.write_bytes(b"{}\n")
    begin(begun)
    assert set(runs_of("site")) == {broken, begun}  # what cannot be read may have begun
    for one in (run, noted, broken, begun):
        one.forget_unbegun()
    assert not run.folder.exists()
    assert not noted.folder.exists()
    assert broken.folder.exists()
    assert begun.folder.exists()


def test_a_run_whose_journal_was_lost_stays_a_run() -> None:
    """Only the mark of its making says that a run never began; a lost journal is told."""
    run = create_run("site", PLAN)
    run.note_begun()
    assert latest_run("site") == run


def test_what_was_killed_in_its_beginning_is_swept() -> None:
    killed, dry, begun = (create_run("site", PLAN, dry=dry) for dry in (False, True, False))
    begin(begun)
    sweep_unbegun("site")
    assert not killed.folder.exists()
    assert dry.folder.exists()
    assert runs_of("site") == (begun,)


@pytest.mark.parametrize("at", ["facts.json", "plan.json"])
def test_a_folder_that_cannot_be_filled_goes_again(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full in the middle leaves nothing of the run."""

    def write(path: Path, text: str) -> None:
        if path.name == at:
            raise OSError(28, "No space left on device", str(path))
        write_private(path, text)

    monkeypatch.setattr("installer.record.runs.write_private", write)
    with pytest.raises(OSError, match="No space"):
        create_run("site", PLAN, facts_text="{}")
    assert list((data_folder() / "runs" / "site").iterdir()) == []


def test_a_plan_that_was_changed_by_hand_is_told_in_words() -> None:
    run = create_run("site", PLAN)
    value = json.loads(run.plan_file.read_text())
    value["stages"][0]["kond"] = 1
    run.plan_file.write_text(json.dumps(value))
    with pytest.raises(InputProblem, match="kond"):
        run.plan()
    run.plan_file.write_text("[")
    with pytest.raises(InputProblem, match="not JSON"):
        run.plan()


def test_the_latest_run_is_found_and_dry_runs_are_passed_over() -> None:
    assert latest_run("site") is None
    assert runs_of("nothing") == ()
    first = create_run("site", PLAN)
    assert latest_run("site") is None  # it has not begun
    begin(first)
    create_run("site", PLAN, dry=True)
    assert latest_run("site") == first
    assert len(runs_of("site", dry=True)) == 2
    assert open_run(first.folder) == first
    assert all_sites() == ("site",)
    with pytest.raises(InputProblem):
        open_run(first.folder / "logs")


def test_what_verifies_or_stops_is_no_installation_to_go_on_with() -> None:
    """Whoever says `resume` means the installation, whatever was asked of it since."""
    for key in ("pm4ml-production-0123456789", "pm4ml-production-0123456789-verify",
                "pm4ml-production-0123456789-remove-with-data", "site"):  # fmt: skip
        begin(create_run(key, PLAN))
    assert set(installed_sites()) == {"pm4ml-production-0123456789", "site"}
    assert errand_of("pm4ml-production-0123456789-remove-with-data") == "remove-with-data"
    assert errand_of("pm4ml-production-0123456789") == errand_of("site") == ""


def test_a_run_is_incomplete_until_every_step_is_finished_on_every_machine() -> None:
    run = create_run("site", PLAN)
    finished(run, "one", "a", "local")
    finished(run, "two", "b", "w1")
    assert not run.state().complete(PLAN)
    finished(run, "two", "b", "w2")
    assert run.state().complete(PLAN)


def test_earlier_runs_tell_how_long_a_step_takes() -> None:
    run = create_run("site", PLAN)
    for host, seconds in (("w1", 2.0), ("w2", 4.0), ("w3", 90.0)):
        finished(run, "two", "b", host, seconds)
    assert earlier_seconds()["two", "b"] == 4.0


def test_a_site_is_known_by_its_machines_whatever_file_names_them() -> None:
    hosts = (SiteHost(name="a", address="10.0.0.1"), SiteHost(name="b", address="10.0.0.2"))
    one = Site(solution="pm4ml", environment="production", hosts=hosts)
    other = Site(solution="pm4ml", environment="production", hosts=hosts[::-1],
                 settings={"domain": "x"})  # fmt: skip
    assert site_key(one) == site_key(other)
    assert site_key(one).startswith("pm4ml-production-")
    assert site_key(one) != site_key(Site(solution="pm4ml", hosts=hosts[:1]))
    # Who names the environment that is meant anyway, names the same site, and the same lock.
    assert site_key(one) == site_key(Site(solution="pm4ml", hosts=hosts))
    assert site_key(Site(solution="strange", hosts=hosts)).startswith("strange-")


def test_one_address_behind_two_programs_is_two_sites() -> None:
    """Two customers have 10.0.0.5: neither's run is gone on with on the machines of the other."""

    def key(program: str | None) -> str:
        host = {"name": "m1", "address": "10.0.0.5", "proxy_command": program}
        return site_key(Site.model_validate({"solution": "pm4ml", "hosts": [host]}))

    one, other = "connect -H u:{}@one:1 %h %p", "connect -H u:PW@other:1 %h %p"
    assert len({key(None), key(one.format("PW")), key(other)}) == 3
    assert key(one.format("PW")) == key(one.format("NEW"))  # a password is no other way


def test_one_address_behind_two_bastions_is_two_sites() -> None:
    """Its own bastion as the shared one; runs of before are found, and only theirs."""

    def of(bastion: str | None, shared: str | None = None) -> Site:
        host = {"name": "m1", "address": "10.0.0.5", "bastion": bastion}
        ssh = {"bastion": shared}
        return Site.model_validate({"solution": "pm4ml", "ssh": ssh, "hosts": [host]})

    one, other = of("ops@b1:22"), of("ops@b2:22")
    assert len({site_key(one), site_key(other), site_key(of(None))}) == 3
    assert site_key(of("b1", shared="b1")) == site_key(of(None, shared="b1"))
    # A version that did not look at it put the run of the first under what is now the key of none.
    before = site_key(of(None))
    create_run(before, PLAN, site_text=dump_site(one)).note_begun()
    assert site_key(one) == before
    assert site_key(other) != before
    create_run(site_key(other), PLAN, site_text=dump_site(other)).note_begun()
    assert site_key(one) == before


def test_logs_of_machines_with_odd_names_stay_in_their_folder() -> None:
    run = create_run("site", PLAN)
    paths = {run.log(name) for name in ("w1", "../x", "..", "a/b", "a_b", "")}
    assert len(paths) == 6
    assert {path.parent for path in paths} == {run.folder / "logs"}


def test_a_line_of_a_log_is_one_line_for_people() -> None:
    data = {"text": "hello", "stream": "stdout", "cursor": "1", "unit": "haproxy.service"}
    event = Event(Kind.LINE, 0.0, "s", "t", "w1", dict(data))
    assert log_line(event) == "1970-01-01 00:00:00Z haproxy.service: hello\n"


_HOLD = """
import sys
from installer.record.site_lock import Lock
lock = Lock("site", by="Ko Ko").acquire()
print("held", flush=True)
sys.stdin.readline()
print("lost" if lock.lost else "mine", flush=True)
lock.release()
"""


def hold() -> subprocess.Popen[str]:
    """Another process that holds the lock until it is spoken to."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD], cwd=Path(__file__).parents[3],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_and_told_who_holds_the_site() -> None:
    other = hold()
    with pytest.raises(Locked, match="Ko Ko") as caught:
        Lock("site").acquire()
    assert caught.value.holder is not None
    assert caught.value.holder.pid == other.pid
    assert f"process {other.pid}" in caught.value.cause
    assert caught.value.exit_code == 7
    assert holder_of("site") == caught.value.holder
    assert other.communicate("\n")[0] == "mine\n"
    with Lock("site") as lock:
        assert lock.stale is None


def test_a_lock_left_behind_by_a_killed_process_is_free_and_said() -> None:
    other = hold()
    other.send_signal(signal.SIGKILL)
    other.communicate()
    assert holder_of("site") is None
    with Lock("site") as lock:
        assert lock.stale is not None
        assert lock.stale.pid == other.pid


def test_a_lock_is_taken_over_knowingly_and_the_holder_sees_it() -> None:
    other = hold()
    with Lock("site", take_over=True) as lock:
        assert lock.taken_from is not None
        assert lock.taken_from.by == "Ko Ko"
        assert not lock.lost
        assert other.communicate("\n")[0] == "lost\n"
        holder = holder_of("site")
        assert holder is not None
        assert "Ko Ko" in holder.taken_from
        with pytest.raises(Locked):
            Lock("site").acquire()


def test_a_lock_of_another_machine_on_a_shared_home_is_not_taken_silently() -> None:
    Lock("site").acquire().release()
    path = Lock("site").path
    away = Holder("aye", "far.example", 7, "2026-11-21T00:00:00+00:00")
    path.write_text(
        json.dumps({"user": away.user, "host": away.host, "pid": 7, "since": away.since})
    )
    with pytest.raises(Locked, match=r"far\.example"):
        Lock("site").acquire()
    with Lock("site", take_over=True) as lock:
        assert lock.taken_from == away
    assert not path.exists()


def test_a_lock_file_with_rubbish_in_it_is_free() -> None:
    path = Lock("site").acquire().path
    path.unlink()
    path.write_bytes(os.urandom(100))
    with Lock("site") as lock:
        assert not lock.lost
