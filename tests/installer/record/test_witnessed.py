"""A note of ours that is deleted, cut or put back to an earlier one never says "there was none"."""

from __future__ import annotations

import ast
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bundles.read.age import Stamp
from foundation.paths import data_folder, state_folder, write_private
from foundation.problems import Problem
from foundation.secrets import MASK, Secret, redact
from installer import cli
from installer.acceptance.hub_file import Drill
from installer.acceptance.left_faults import left_faults, note, notes_folder, require_none_left
from installer.record import witnessed
from installer.record.journal_lines import BrokenJournal
from installer.record.kept_runs import counted_runs, kept_runs
from installer.record.other_hands import Mark
from installer.record.record_check import check_record, note_end, refuse_gone
from installer.record.runs import Run, create_run, runs_folder
from installer.record.witnessed import drop_note, gone_notes, read_note, witness_of, write_note
from installer.running import earlier_secrets
from installer.sites.site import Site, load_site
from installer.sites.site_updates import Updates
from installer.supply.bundle_order import refuse_older, remember
from installer.supply.own_versions import Versions, read_versions, versions_folder
from installer.supply.supplies import refuse_for_site
from installer.updates.alerts import _last
from installer.updates.applying.gates import approvals_file, approve, check_approvals
from tests.installer.engine_site import a_failed_run, plan, step
from tests.installer.running.test_earlier_secrets import another_process, forget

__all__ = ["another_process"]  # what this process knows of secrets is forgotten around each test

ROOT = Path(__file__).resolve().parents[3]
SITE = "solution: pm4ml\nhosts: [{name: local, address: local, roles: [master]}]\n"
NEWER = Stamp("pm4ml", "default", "2", "2026-02-02T00:00:00+00:00", "sha256:" + "2" * 64)
OLDER = Stamp("pm4ml", "default", "1", "2026-01-01T00:00:00+00:00", "sha256:" + "1" * 64)


def told(asked: Callable[[], object]) -> str:
    """What is said of it: a problem's words, else what is answered; "" for nothing."""
    try:
        return str(asked() or "")
    except Problem as problem:
        return problem.sentence


@dataclass
class Noted:
    """A note of ours: what makes it, and what is said by it."""

    file: Path
    first: Callable[[], object]
    """Makes an earlier state of it."""
    then: Callable[[], object]
    asked: Callable[[], str]
    """What is said, and would be "" where nobody knew anything."""


def given_out() -> Noted:
    memory = state_folder() / "bundles" / "served+pm4ml+default.json"
    return Noted(
        memory,
        lambda: remember(OLDER, memory),
        lambda: remember(NEWER, memory),
        lambda: told(lambda: refuse_older(OLDER, memory, "here", "the one before")),
    )


def bundle_of_a_site() -> Noted:
    from installer.supply.supplies import _memory

    site = _site()
    return Noted(
        _memory(site),
        lambda: remember(OLDER, _memory(site)),
        lambda: remember(NEWER, _memory(site)),
        lambda: told(lambda: refuse_for_site(site, OLDER, "here")),
    )


def fault_that_is_set() -> Noted:
    def made() -> None:
        note(Drill(name="drain", command=("true",), undo=("true",))).leave()

    def then() -> None:
        (file,) = notes_folder().iterdir()
        write_note(file, json.dumps({"drill": "drain", "undo": ["sh", "-c", "true"]}))

    return Noted(notes_folder(), made, then, lambda: told(require_none_left))


def approval() -> Noted:
    site = _site().model_copy(
        update={"updates": Updates(approvals=1, approvers=("Ma Ma", "Ko Ko"))}
    )
    made = plan(step("a"))
    return Noted(
        approvals_file(site),
        lambda: approve(site, made, "Ma Ma"),
        lambda: approve(site, replace(made, notes=("another",)), "Ko Ko"),
        lambda: told(lambda: check_approvals(site, replace(made, notes=("?",)), again="it")),
    )


def told_to_a_webhook() -> Noted:
    file = data_folder() / "updates" / "told-1.json"
    return Noted(
        file,
        lambda: write_note(file, '{"told": "before"}'),
        lambda: write_note(file, '{"told": "now"}'),
        lambda: "told again" if _last(file) != "before" else "",
    )


def own_versions() -> Noted:
    file = versions_folder() / "versions.json"

    def with_(*names: str) -> str:
        return json.dumps({"front": "/f", "programs": {name: f"/{name}" for name in names}})

    def asked() -> str:
        found = read_versions()
        return "" if found == Versions() or "2" not in found.programs else "known"

    return Noted(
        file,
        lambda: write_note(file, with_("1")),
        lambda: write_note(file, with_("1", "2")),
        lambda: told(asked),
    )


def secrets_of_a_session() -> Noted:
    folder = runs_folder() / "site" / "20260101-000000-0000"
    folder.mkdir(parents=True)

    def asked() -> str:
        said = earlier_secrets.remember(folder, {"db": Secret("yet-another-one")})
        known = redact("the-second-one") == MASK
        return " ".join(said) or ("masked" if known else "")

    return Noted(
        folder / earlier_secrets.FILE,
        lambda: earlier_secrets.remember(folder, {"db": Secret("the-first-one")}),
        lambda: earlier_secrets.remember(folder, {"db": Secret("the-second-one")}),
        lambda: told(asked),
    )


NOTES = (
    given_out, bundle_of_a_site, fault_that_is_set, approval, told_to_a_webhook, own_versions,
    secrets_of_a_session,
)  # fmt: skip


def deleted(files: list[Path], _: list[bytes]) -> None:
    for file in files:
        file.unlink()


def shortened(files: list[Path], _: list[bytes]) -> None:
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(files: list[Path], _: list[bytes]) -> None:
    for file in files:
        file.write_bytes(b"")


def put_back(files: list[Path], before: list[bytes]) -> None:
    for file, raw in zip(files, before, strict=True):
        file.write_bytes(raw)


def folder_deleted(files: list[Path], _: list[bytes]) -> None:
    for folder in {file.parent for file in files}:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "harm", [deleted, shortened, emptied, put_back, folder_deleted], ids=lambda one: one.__name__
)
@pytest.mark.parametrize("noted", NOTES, ids=lambda one: one.__name__)
def test_no_harm_to_a_note_reads_as_never(
    noted: Callable[[], Noted],
    harm: Callable[[list[Path], list[bytes]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = noted()
    one.first()
    files = sorted(one.file.iterdir()) if one.file.is_dir() else [one.file]
    before = [file.read_bytes() for file in files]
    one.then()
    assert [file.read_bytes() for file in files] != before
    harm(files, before)
    forget(monkeypatch)
    assert one.asked()


@pytest.mark.parametrize("noted", [one for one in NOTES if one is not approval
                                   and one is not told_to_a_webhook],
                         ids=lambda one: one.__name__)  # fmt: skip
def test_what_never_was_is_not_told(noted: Callable[[], Noted]) -> None:
    """Those two ask again, which is no word that something was there."""
    assert noted().asked() == ""


def test_without_the_key_nobody_says_that_earlier_secrets_are_masked(tmp_path: Path) -> None:
    earlier_secrets.remember(tmp_path, {"db": Secret("the-first-one")})
    (data_folder() / "secrets.key").unlink()
    (said,) = earlier_secrets.remember(tmp_path, {"db": Secret("the-first-one")})
    assert "The key with which earlier sessions" in said
    assert earlier_secrets.remember(tmp_path, {"db": Secret("the-first-one")}) == []


def test_a_fault_whose_note_is_gone_is_undone_by_its_witness() -> None:
    note(Drill(name="drain", command=("true",), undo=("true",))).leave()
    shutil.rmtree(notes_folder())
    (fault,) = left_faults()
    assert fault.undo == ("true",)
    assert cli.main(["accept", "--undo-left"]) == 0
    assert left_faults() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")
@pytest.mark.parametrize("gone", ["the run", "the site", "every run"])
def test_a_record_that_is_gone_is_told_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gone: str
) -> None:
    run = a_failed_run(plan(step("a", script="exit 3")), SITE, tmp_path)
    site = str(tmp_path / "site.yaml")
    assert cli.main(["status", "--site", site]) == 0
    capsys.readouterr()
    shutil.rmtree({"the run": run.folder, "the site": run.folder.parent}.get(gone, runs_folder()))
    for words in (
        ["status"], ["status", "--site", site], ["status", "--format", "json"],
        ["report"], ["report", "--site", site], ["report", run.id],
        ["replay", "--lines"], ["replay", "--site", site, "--lines"],
        ["resume", "--yes"], ["resume", "--site", site, "--yes"],
        ["undo", "one", "--site", site, "--yes"],
    ):  # fmt: skip
        code = cli.main(words)
        out, err = capsys.readouterr()
        said = " ".join((out + err).split())
        assert code == 7, (words, said)
        assert f"the run {run.id} worked on this site, and the folder of every run" in said, words
        for untrue in ("no run on this machine", "has no run", "nothing was changed", "Begin one"):
            assert untrue not in said, words
    (row,) = kept_runs().runs
    assert (row.site, row.stands, row.open) == (run.site_key, "its record is gone", False)
    assert counted_runs().runs == 1


def test_what_was_removed_on_purpose_is_told_no_more() -> None:
    run = _noted_run()
    shutil.rmtree(run.folder)
    with pytest.raises(BrokenJournal, match="the folder of every run of it is gone") as caught:
        refuse_gone()
    files = [word for word in str(caught.value.remedy).split() if word.startswith("/")]
    assert len(files) == 2
    for file in files:
        Path(file).unlink()
    refuse_gone()


def test_a_note_of_an_end_that_was_exchanged_is_no_word_of_the_end() -> None:
    run = _noted_run()
    note_of_it = run.folder.parent / "ends" / f"{run.id}.json"
    note_of_it.write_text(note_of_it.read_text().replace('"events": 4', '"events": 3'))
    with pytest.raises(BrokenJournal, match="is another than what was written"):
        check_record(run)


def test_who_is_killed_while_a_note_is_written_has_left_one_or_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = state_folder() / "bundles" / "a.json"
    writes = write_private
    for before in ("", "one"):
        for at in range(3):
            shutil.rmtree(state_folder(), ignore_errors=True)
            shutil.rmtree(data_folder(), ignore_errors=True)
            if before:
                write_note(file, before)
            left = [at]

            def killed(path: Path, text: str, left: list[int] = left) -> None:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                writes(path, text)

            with monkeypatch.context() as patched:
                patched.setattr(witnessed, "write_private", killed)
                with pytest.raises(KeyboardInterrupt):
                    write_note(file, "two")
            found = read_note(file)
            assert (found.text, found.wrong) in ((before or None, ""), ("two", ""))
            write_note(file, "three")
            assert read_note(file).text == "three"


def test_a_witness_of_another_place_is_nobodys() -> None:
    """A name in it leads nowhere: it is what the note's own path makes of it."""
    file = data_folder() / "acceptances" / "not-undone" / "a.json"
    write_note(file, "{}")
    witness = witness_of(file)
    assert witness is not None
    file.unlink()
    assert gone_notes(file.parent) == [file]
    told_of = json.loads(witness.read_text())
    for name in ("data/acceptances/not-undone/../../../x", "data/acceptances/not-undone/b", "x"):
        witness.write_text(json.dumps({**told_of, "note": name}))
        assert gone_notes(file.parent) == []
    drop_note(file)
    assert not witness.exists()


PLAIN = {
    "acceptance/carried.py": "pages for a person; nothing is said by them",
    "commands/which_site.py": "a site's answers, which are shown before anything is done",
    "opentofu/saved.py": "a plan that is gone is planned anew",
    "opentofu/workplace.py": "settings of a program, written before each start",
    "steps/opentofu.py": "a file for a program, in its own folder",
    "record/runs.py": "files of a run, held by its journal and by what is noted beside the runs",
    "record/site_lock.py": "who has no word of their own is another laptop",
    "record/witnessed.py": "the mechanism",
    "supply/opened_before.py": "where it is gone the sentence is said again",
    "updates/memory.py": "what can be had again",
}


def test_every_note_has_a_witness() -> None:
    """What is written privately by other means has its reason here."""
    found = set()
    for path in (ROOT / "installer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Name) and node.id == "write_private":
                found.add(str(path.relative_to(ROOT / "installer")))
    assert found == set(PLAIN)


def _site() -> Site:
    file = data_folder().parent / "site.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(SITE)
    return load_site(file)


def _noted_run() -> Run:
    run = create_run("pm4ml-dev-0123456789", plan(step("a")))
    run.note_begun()
    mark = Mark(run.id, run.site_key, "b", "u", "h", "l", "2026-01-01T00:00:00+00:00", "", 4, "0")
    note_end(run, mark)
    return run
