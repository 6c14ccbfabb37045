"""A secret that is another when a run is gone on with is told, and never written."""

from __future__ import annotations

from dataclasses import replace

from foundation.paths import data_folder
from foundation.secrets import Secret
from installer.events import Kind
from installer.runs import create_run
from installer.secrets_noted import noted_in, told_of_other_secrets
from tests.installer.engine_site import Watch, engine, plan, step


def test_only_another_value_of_the_same_name_is_told() -> None:
    run = create_run("site", plan(step("a")))
    first = {"token": Secret("s3cret-one"), "other": Secret("same")}
    assert told_of_other_secrets(run, first) == []
    assert told_of_other_secrets(run, first) == []
    assert told_of_other_secrets(run, {"token": Secret("s3cret-one")}) == []
    [said] = told_of_other_secrets(run, {**first, "token": Secret("s3cret-two")})
    assert "The secret token is another" in said
    # It is told once; from then on it is the one that the run works with.
    assert told_of_other_secrets(run, {**first, "token": Secret("s3cret-two")}) == []


def test_the_folder_of_a_run_alone_tells_nothing_of_a_short_password() -> None:
    """Equal values of two names differ, and the key lies outside."""
    run = create_run("site", plan(step("a")))
    told_of_other_secrets(run, {"a": Secret("pw"), "b": Secret("pw")})
    text = noted_in(run).read_text()
    assert "pw" not in text
    assert len(set(text.split('"')[3::4])) == 2
    assert noted_in(run).stat().st_mode & 0o077 == 0
    key = data_folder() / "secrets.key"
    assert key.stat().st_mode & 0o077 == 0
    assert key.parent not in (run.folder, run.folder.parent)
    noted_in(run).write_text("[rubbish")
    assert told_of_other_secrets(run, {"a": Secret("pw")}) == []


async def test_a_run_tells_it_in_its_record() -> None:
    made = replace(plan(step("a", script="exit 0")), secrets=("token",))
    run, watch = create_run("site", made), Watch()
    for value in ("s3cret-one", "s3cret-two"):
        given = {"token": Secret(value)}
        await engine(made, run, secrets=given, watch=watch).run()
    notes = [str(event.data["text"]) for event in watch.of(Kind.NOTE)]
    assert sum("The secret token is another" in note for note in notes) == 1
    assert "s3cret" not in run.journal.read_text()
