"""What a removal means for what comes after it: installations, other removals, undoing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from foundation.problems import ExitCode, Refused, Unreachable
from installer import cli
from installer.commands.machine import removal_plan
from installer.commands.undo import last_of
from installer.events import Outcome
from installer.record.identity import done_before, site_key
from installer.record.runs import runs_of
from installer.running import begin
from installer.running.taken_out import TakenOut, not_joining_again, taken_out
from installer.running.unfinished import cut_off
from tests.installer.pm4ml.machines.removals import begins, ran, whole, workers


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> None:
    async def looked(*_: object) -> tuple[str, None]:
        raise Unreachable("as far as the machines", where="w1")

    monkeypatch.setattr(begin._Beginning, "looked", looked)


@pytest.mark.usefixtures("reached")
async def test_a_machine_that_was_taken_out_joins_again_only_by_a_word(file: Path) -> None:
    """The site file names it as before, and `install` is what one types on the second day."""
    name = workers(file)[0]
    site, _, plan, operation = removal_plan(file, name)
    ran(site, whole(plan))
    with pytest.raises(Unreachable):
        await begins(site, whole(plan), file)
    removal = ran(site, plan, operation)
    with pytest.raises(Refused, match=f"{name} was taken out of this site by the run") as caught:
        await begins(site, whole(plan), file)
    assert f"sitewright machine add {name} --site {file}" in str(caught.value.remedy)
    assert "machine remove" not in str(caught.value.remedy)
    # Nor does one that was begun before go on with it.
    first = next(run for run in runs_of(site_key(site)))
    with pytest.raises(Refused, match=removal.id):
        await begins(site, whole(plan), file, run=first)
    # Out of the file, at another address, or by the word: nothing stands against it.
    rest = tuple(host for host in site.hosts if host.name != name)
    (host,) = (one for one in site.hosts if one.name == name)
    other = host.model_copy(update={"address": "10.88.0.1"})
    for hosts in (rest, (*rest, other)):
        with pytest.raises(Unreachable):
            await begins(site.model_copy(update={"hosts": hosts}), whole(plan), file)
    with pytest.raises(Unreachable):
        await begins(site, whole(plan), file, joins=name)
    # Brought in again, it is one of them.
    ran(site, whole(plan))
    with pytest.raises(Unreachable):
        await begins(site, whole(plan), file)


@pytest.mark.parametrize(
    ("ends", "out"), [("agreed", None), ("drain", False), ("leave", False), ("", True)]
)
def test_what_was_begun_and_ended_on_the_way_counts_from_what_cannot_be_had_back(
    file: Path, ends: str, out: bool | None
) -> None:
    name = workers(file)[0]
    site, _, plan, operation = removal_plan(file, name)
    run = ran(site, plan, operation, ends)
    found = taken_out(site_key(site), site)
    assert found == (() if out is None else (TakenOut(name, run.id, out),))
    if out is False:
        with pytest.raises(Refused, match="not to the end") as caught:
            not_joining_again(site_key(site), site, "", file=str(file))
        assert f"sitewright machine remove {name}" in str(caught.value.remedy)


def test_a_removal_that_was_given_up_leaves_the_machine_in(file: Path) -> None:
    site, _, plan, operation = removal_plan(file, workers(file)[0])
    ran(site, plan, operation, "drain", cordon=Outcome.UNDONE)
    assert taken_out(site_key(site), site) == ()


def test_the_same_command_goes_on_though_another_machine_was_taken_out_since(file: Path) -> None:
    """A new run would ask for a node that is gone, and the others would never be told."""
    one, other = workers(file)[:2]
    site, _, plan, operation = removal_plan(file, one)
    run = ran(site, plan, operation)
    _, _, second, _ = removal_plan(file, other)
    ran(site, second, operation, "fit")
    assert cut_off(site, operation, of=plan) == run


def test_a_removal_is_given_up_though_another_came_to_its_end_since(file: Path) -> None:
    """The machine that is out cannot be had back, and the one in the midst of it could never be."""
    one, other = workers(file)[:2]
    site, _, plan, operation = removal_plan(file, one)
    begun_first = ran(site, plan, operation, "cordon")
    _, _, second, _ = removal_plan(file, other)
    out = ran(site, replace(second, stages=second.stages[:1]), operation)
    assert last_of((out, begun_first), "remove-worker") == begun_first
    assert last_of((out,), "remove-worker") == out


def test_a_machine_that_was_taken_out_can_be_added_again(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = workers(file)[0]
    site, _, plan, operation = removal_plan(file, name)
    ran(site, plan, operation)
    assert cli.main(["machine", "add", name, "--site", str(file)]) == ExitCode.REFUSED
    said = " ".join(capsys.readouterr().err.split())
    assert "was in this site already" not in said
    assert f"{name} comes into the site" in said


def test_what_was_done_for_one_machine_is_not_taken_back_for_another(file: Path) -> None:
    """The cordon is done on the first master, whichever worker leaves: somebody's would go."""
    one, other = workers(file)[:2]
    site, _, first, operation = removal_plan(file, one)
    ran(site, first, operation, "drain")
    again = ran(site, first, operation, "program")
    cordon = next(step for step in first.stages[0].steps if step.id == "cordon")
    key = (cordon.stage, "cordon", cordon.hosts[0])
    assert key in done_before(again)  # the same machine, whose removal came to no end
    _, _, second, _ = removal_plan(file, other)
    assert key not in done_before(ran(site, second, operation, "program"))
    # Nor for the same one, once it was out and came back.
    ran(site, second, operation, "drain")
    alone = replace(second, stages=second.stages[:1])
    ran(site, alone, operation)
    assert key not in done_before(ran(site, second, operation, "program"))


def test_the_others_are_not_told_before_it_left(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Firewalls without a node of the cluster cut off the pods that still run there."""
    name = workers(file)[0]
    words = ["machine", "remove", name, "--site", str(file), "--yes", "--only", "firewall"]
    assert cli.main(words) == ExitCode.REFUSED
    assert f"{name} has not left yet" in " ".join(capsys.readouterr().err.split())
