"""A record that is broken, shortened, missing or another's is told as such, by every command."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from installer import cli
from installer.events import Event, Kind, Outcome
from installer.hand_over.gather import gather
from installer.hand_over.text import render_text
from installer.record.identity import site_key
from installer.record.journal import read
from installer.record.journal_lines import FIRST, digest, encode
from installer.record.runs import Run, create_run
from installer.record.site_lock import Lock
from installer.sites.site import load_site
from tests.installer.engine_site import a_failed_run, engine, plan, step

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")

SITE = "solution: pm4ml\nhosts: [{name: local, address: local, roles: [master]}]\n"
MADE = plan(step("a", script="echo here"), step("b", stage="two", script="exit 3"))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose second stage failed, held by the lock of its site."""
    return a_failed_run(MADE, SITE, tmp_path)


@pytest.fixture
def of_pm4ml(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a solution that there is, so that they can be gone on with."""
    monkeypatch.setitem(globals(), "MADE", replace(MADE, solution="pm4ml"))


def written(run: Run, events: list[Event]) -> None:
    """These events as the journal, with a chain that is right in itself."""
    previous, lines = FIRST, []
    for event in events:
        lines.append(encode(event, previous))
        previous = digest(lines[-1][:-1])
    run.journal.write_bytes(b"".join(lines))


def broken(run: Run) -> None:
    lines = run.journal.read_bytes().splitlines(keepends=True)
    found = re.search(rb"[0-9a-f]{64}", lines[3])  # the hash of the line before
    assert found is not None
    digit = found.start()
    other = b"1" if lines[3][digit : digit + 1] == b"0" else b"0"
    lines[3] = lines[3][:digit] + other + lines[3][digit + 1 :]
    run.journal.write_bytes(b"".join(lines))


def shortened(run: Run) -> None:
    written(run, list(read(run.journal))[:-4])


def left_out(run: Run) -> None:
    events = list(read(run.journal))
    written(run, events[:5] + events[6:])


def missing(run: Run) -> None:
    run.journal.unlink()


def missing_with_what_was_noted(run: Run) -> None:
    run.journal.unlink()
    shutil.rmtree(run.folder.parent / "ends")


def emptied(run: Run) -> None:
    run.journal.write_bytes(b"")


def of_another_run(run: Run) -> None:
    shutil.rmtree(run.folder.parent / "ends")
    first, *rest = read(run.journal)
    written(run, [replace(first, data={**first.data, "run": "20200101-000000-0000"}), *rest])


def shortened_with_what_was_noted(run: Run) -> None:
    shutil.rmtree(run.folder.parent / "ends")
    shortened(run)


def gone_on_after_its_end(run: Run) -> None:
    """As if what failed had been done: the chain is right, and nobody noted it."""
    events = list(read(run.journal))
    failed = next(e for e in reversed(events) if e.kind is Kind.STEP_FINISHED)
    ended = next(e for e in reversed(events) if e.kind is Kind.RUN_FINISHED)
    done = [replace(e, data={**e.data, "outcome": "done"}) for e in (failed, ended)]
    written(run, [*events, *done])


def a_later_one_is_gone(run: Run) -> None:
    """Somebody removed the folder of the last run; what was noted of it is there."""
    later = f"{int(run.id[:4]) + 4}0228{run.id[8:]}"
    note = (run.folder.parent / "ends" / f"{run.id}.json").read_text()
    (run.folder.parent / "ends" / f"{later}.json").write_text(note.replace(run.id, later))


def a_pipe_for_a_journal(run: Run) -> None:
    run.journal.unlink()
    os.mkfifo(run.journal)


def a_link_for_its_site(run: Run) -> None:
    """To a file of this computer that would be shown and packed as the run's own."""
    behind = run.folder.parent / "another file"
    behind.write_text(f"{SITE}# what nobody else may read\n")
    run.site_file.unlink()
    run.site_file.symlink_to(behind)


HARMS: dict[Callable[[Run], None], str] = {
    broken: "line 4: it does not follow",
    shortened: "its end is gone",
    left_out: "its end is gone",
    missing: "it is missing, and the logs tell of work on local",
    missing_with_what_was_noted: "it is missing, and the logs tell of work on local",
    emptied: "it is empty, and the logs tell of work on local",
    shortened_with_what_was_noted: "how far it came is gone",
    gone_on_after_its_end: "more work was written behind that",
    a_later_one_is_gone: "came later, and its folder is gone",
    a_pipe_for_a_journal: "no ordinary file",
    a_link_for_its_site: "it is a link",
    of_another_run: "it is another's: it tells of the run 20200101-000000-0000",
}


@pytest.mark.parametrize("harm", HARMS, ids=lambda harm: harm.__name__)
def test_every_command_tells_it_with_an_exit_code(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], harm: Callable[[Run], None]
) -> None:
    site = str(tmp_path / "site.yaml")
    assert cli.main(["report", str(run.folder)]) == 0
    capsys.readouterr()
    harm(run)
    for words in (
        ["report", str(run.folder)],
        ["report", str(run.folder), "--format", "json"],
        ["status", "--site", site],
        ["status", "--format", "json"],
        ["replay", str(run.folder), "--lines"],
        ["resume", "--site", site, "--yes"],
    ):
        code = cli.main(words)
        out, err = capsys.readouterr()
        assert code == 7, (words, out, err)
        assert HARMS[harm] in " ".join((out + err).split()), (words, out, err)
        for untrue in ("nothing was changed", "NOT BEGUN", "Installed", "nothing is left to do",
                       "what nobody else may read"):  # fmt: skip
            assert untrue not in out + err, words
    cli.main(["report", str(run.folder), "--format", "json"])
    assert json.loads(capsys.readouterr().out)["complete"] is False


def test_a_run_of_another_site_is_none_of_this_one(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder, and what was noted of it, put among the runs of a site that has others."""
    file = tmp_path / "other.yaml"
    file.write_text(SITE.replace("local, address: local", "m1, address: 10.0.0.1"))
    there = run.folder.parent.parent / site_key(load_site(file))
    shutil.copytree(run.folder.parent, there)
    for words in (["status", "--site", str(file)], ["resume", "--site", str(file), "--yes"]):
        assert cli.main(words) == 7
        out, err = capsys.readouterr()
        assert f"it tells of the site {run.site_key}" in " ".join((out + err).split())


def test_a_run_is_gone_on_with_on_its_own_machines_alone(
    of_pm4ml: None, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever may write into the run's folder could else lead it to others, unreviewed."""
    before = run.journal.read_bytes()
    run.site_file.write_text(SITE.replace("address: local", "address: 10.0.0.9"))
    assert cli.main(["resume", "--yes"]) == 2
    out, err = capsys.readouterr()
    assert "names other machines than those" in " ".join((out + err).split())
    assert run.journal.read_bytes() == before


def test_a_run_that_was_never_begun_is_not_called_broken(tmp_path: Path) -> None:
    fresh = create_run("site", MADE)
    assert gather(fresh).record.problem == ""
    assert gather(fresh).sentence.startswith("NOT BEGUN")


def test_what_another_run_changed_later_is_told(run: Run) -> None:
    """A removal stands in a folder of its own, and the report of what it removed says so."""
    made = plan(step("gone", script="true"))
    removal = create_run(f"{run.site_key}-remove", made)

    async def carried() -> Outcome:
        with Lock(run.site_key, by="Ko Ko") as lock:
            return await engine(made, removal, lock=lock, by="Ko Ko").run()

    assert gather(run).later == ()
    assert asyncio.run(carried()) is Outcome.DONE
    told = f"Changed since by the run {removal.id} (remove), begun by Ko Ko."
    assert gather(run).later == (told,)
    assert "(remove), begun by Ko Ko" in render_text(gather(run))
    assert gather(removal).later == ()
