"""The playbooks that a run keeps: pinned by its plan, copied at the start, played ever after."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.problems import InputProblem, Refused
from installer.catalogue.solution import load_solution
from installer.events import Kind, Outcome
from installer.planning.make import make_plan
from installer.plans.pinned_playbooks import (
    KEPT,
    SITE,
    SOLUTION,
    Place,
    check_kept,
    copy,
    digest,
    places,
    to_take_back,
    told_of_change,
)
from installer.plans.plan import Plan, Whose
from installer.record.runs import create_run, runs_of
from tests.installer.core_test_harness.test_harness import planned
from tests.installer.engine_site import Watch, engine, once, plan, step
from tests.installer.planning.test_planning import site

WRITES = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Write the {word} word
      ansible.builtin.copy:
        dest: "{{{{ folder }}}}/written"
        content: "{{{{ lookup('file', 'word') }}}}"
        mode: "0600"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A customer's playbook, which uses a file beside it."""
    made = tmp_path / "theirs"
    (made / "files").mkdir(parents=True)
    write(made, "old")
    return made


def write(folder: Path, word: str) -> None:
    """The playbook and its file, both with this word."""
    (folder / "write.yml").write_text(WRITES.format(word=word))
    (folder / "files" / "word").write_text(word)


def carried(folder: Path, name: Whose = SITE, **more: object) -> Plan:
    """A plan of a step before the playbook, and the playbook, in stages of their own."""
    made = plan(
        step("before", **once(folder.parent / "log", "before")),
        step(
            "play",
            stage="two",
            kind="playbook",
            playbook="write.yml",
            variables={"folder": str(folder.parent)},
            **more,
        ),
        playbooks=str(folder),
    )
    return replace(made, carries=((name, str(folder), digest(folder)),))


def test_what_counts_is_names_bytes_and_whether_it_is_executed(folder: Path) -> None:
    first = digest(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("x")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("x")
    (folder / "write.yml").chmod(0o640)
    assert digest(folder) == first
    (folder / "write.yml").chmod(0o755)
    executed = digest(folder)
    (folder / "files" / "word").rename(folder / "files" / "words")
    renamed = digest(folder)
    (folder / "files" / "words").write_text("")
    assert len({first, executed, renamed, digest(folder)}) == 4


def test_links_are_kept_as_what_they_lead_to(folder: Path) -> None:
    """A link that stays below is read as a file; a link in a circle is passed over."""
    shared = folder / "shared"
    shared.mkdir()
    (shared / "all.yml").write_text("a: 1\n")
    (folder / "group_vars").symlink_to("shared")
    (shared / "again.yml").symlink_to("../write.yml")
    (folder / "circle").symlink_to(folder)
    run = create_run("site", carried(folder))
    kept = run.folder / KEPT / SITE
    assert (kept / "group_vars" / "all.yml").read_text() == "a: 1\n"
    assert not (kept / "group_vars").is_symlink()
    assert not (kept / "group_vars" / "again.yml").is_symlink()
    names = sorted(path.name for path in kept.iterdir())
    assert names == ["files", "group_vars", "shared", "write.yml"]
    assert (kept / "write.yml").stat().st_mode == (folder / "write.yml").stat().st_mode


@pytest.mark.parametrize("way", ["file", "folder", "nowhere", "through", "git", "above"])
def test_a_link_that_leaves_the_folder_is_refused_by_name(
    folder: Path, tmp_path: Path, way: str
) -> None:
    """It would carry what it names, a private key say, to the control host and the machines."""
    private = tmp_path / "ssh"
    private.mkdir()
    (private / "id_ed25519").write_text("PRIVATE")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("url = https://user:word@example.org/")
    (folder / "out").symlink_to(private) if way == "through" else None
    (folder / "files" / "odd").symlink_to(
        {
            "file": private / "id_ed25519",
            "folder": private,
            "nowhere": tmp_path / "nothing",
            "through": Path("../out/id_ed25519"),
            "git": Path("../.git/config"),
            "above": tmp_path,
        }[way]
    )
    with pytest.raises(InputProblem) as refused:
        digest(folder)
    assert "files/odd -> " in refused.value.cause
    with pytest.raises(InputProblem):
        copy(folder, tmp_path / "copy")
    assert not [p for p in (tmp_path / "copy").rglob("*") if "PRIVATE" in p.read_text()]


def test_links_that_multiply_are_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of some folders holds two links to the next: few files, and no end of names."""
    for number in range(24):
        (folder / f"d{number}").mkdir()
        (folder / f"d{number}" / "x").write_text("x")
        for name in "ab" if number < 23 else "":
            (folder / f"d{number}" / name).symlink_to(f"../d{number + 1}")
    monkeypatch.setattr("installer.plans.pinned_playbooks.MOST_FILES", 200)
    with pytest.raises(InputProblem, match="more than 200 files"):
        digest(folder)


def test_what_changed_between_review_and_start_is_not_begun(folder: Path) -> None:
    made = carried(folder)
    write(folder, "other")
    with pytest.raises(InputProblem, match="changed since the plan was made") as caught:
        create_run("site", made)
    assert str(folder) in str(caught.value.where)
    assert runs_of("site") == ()


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_copy_that_is_not_the_reviewed_one_is_not_played(folder: Path, harm: str) -> None:
    made = carried(folder)
    run = create_run("site", made)
    check_kept(made, run.folder)
    if harm == "gone":
        shutil.rmtree(run.folder / KEPT)
    else:
        write(run.folder / KEPT / SITE, "other")
    with pytest.raises(Refused, match="not those that were reviewed"):
        check_kept(made, run.folder)


def test_a_plan_of_an_earlier_version_plays_in_place_and_says_so(folder: Path) -> None:
    made = replace(carried(folder), carries=())
    assert "carries" not in made.as_json()
    first, _ = places(made, folder / "run")
    assert (first.name, first.folder) == (SITE, folder)
    [told] = told_of_change(made)
    assert f"those in {folder} as they are now" in told


def test_the_plan_pins_each_folder_that_it_plays_from(tmp_path: Path) -> None:
    """The solution's own; beside a customer's six, both."""
    solution = load_solution("pm4ml")
    made = make_plan(solution, site(), [])
    own = str(solution.folder / "playbooks")
    assert [(name, folder) for name, folder, _ in made.carries] == [(SOLUTION, own)]
    for path in Path(own).glob("[0-9]*"):
        shutil.copy(path, tmp_path)
    both = make_plan(solution, site(), [], playbooks=tmp_path)
    assert [name for name, _, _ in both.carries] == [SITE, SOLUTION]
    run = create_run("site", both)
    assert run.plan() == both
    assert digest(run.folder / KEPT / SOLUTION) == digest(Path(own))


def test_what_takes_back_is_played_as_this_version_has_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate of an earlier version may let pass what ours holds back."""
    ours = tmp_path / "solutions" / "test" / "playbooks"
    shutil.copytree(folder, ours)
    monkeypatch.setattr("installer.plans.pinned_playbooks.FOLDER", tmp_path / "solutions")
    made = carried(ours, name=SOLUTION)
    run = create_run("site", made)
    assert to_take_back(made, run.folder) == ((Place(SOLUTION, ours, ours),), "")
    write(ours, "new")
    [place], told = to_take_back(made, run.folder)
    assert place.folder == ours
    assert "as this version of Sitewright has it" in told
    # Who takes a stage back is not told the contrary beside it; who goes on is told both.
    assert told_of_change(made, undo=True) == []
    [both] = told_of_change(made)
    assert "this run goes on with the copy" in both
    assert "What takes a step back is played as this version of Sitewright has it" in both
    [kept] = places(made, run.folder)
    assert kept.folder == run.folder / KEPT / SOLUTION
    theirs = carried(folder)
    run = create_run("site", theirs)
    assert to_take_back(theirs, run.folder) == (places(theirs, run.folder), "")
    write(folder, "newer")
    [said] = told_of_change(theirs, undo=True)
    assert "is taken back with the copy of those that were reviewed" in said


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")
async def test_a_step_is_taken_back_by_the_gate_of_this_version(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = tmp_path / "solutions" / "test" / "playbooks"
    (folder / "undo").mkdir()
    gate = "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.fail: {msg: WORD}}]\n"
    (folder / "undo" / "gate.yml").write_text("- hosts: all\n  tasks: []\n")
    shutil.copytree(folder, ours)
    monkeypatch.setattr("installer.plans.pinned_playbooks.FOLDER", tmp_path / "solutions")
    undo = {"command": ["ansible-playbook", "undo/gate.yml"]}
    made = carried(ours, name=SOLUTION, undo=undo)
    run = create_run("site", made)
    assert await engine(made, run).run() is Outcome.DONE
    (ours / "undo" / "gate.yml").write_text(gate)
    watch = Watch()
    assert await engine(made, run, watch=watch).undo("two", by="A. Name") is Outcome.FAILED
    assert any(
        "as this version of Sitewright has it" in str(event.data.get("text", ""))
        for event in watch.events
    )


def test_a_solution_without_playbooks_carries_none() -> None:
    assert planned().carries == ()


@pytest.mark.processes
@pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")
async def test_a_run_that_is_gone_on_with_plays_what_was_reviewed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it, then an upgrade of the installation, then the rest: the old one is played."""
    upgraded = tmp_path / "solutions" / "test" / "playbooks"
    shutil.copytree(folder, upgraded)
    monkeypatch.setattr("installer.plans.pinned_playbooks.FOLDER", tmp_path / "solutions")
    made = carried(upgraded, name=SOLUTION)
    run = create_run("site", made)
    assert await engine(made, run, until="one").run() is Outcome.DONE
    write(upgraded, "new")
    watch = Watch()
    assert await engine(run.plan(), run, watch=watch).run() is Outcome.DONE
    assert (upgraded.parent / "written").read_text() == "old"
    assert {e.data["task"] for e in watch.of(Kind.TASK)} == {"Write the old word"}
    notes = [str(event.data["text"]) for event in watch.of(Kind.NOTE)]
    assert any(str(upgraded) in note and "were changed since" in note for note in notes)
