"""`sitewright undo` on this machine, for a plan whose other stages have secrets."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.secrets import Secret
from installer import cli
from installer.catalogue.solution import load_solution
from installer.commands.plan import plan_text
from installer.events import Outcome
from installer.plans.plan import Plan
from installer.record.identity import site_key
from installer.record.runs import Run, create_run
from installer.sites.site import load_site
from installer.steps.stage_files import load_stages
from tests.installer.engine_site import engine, once, plan, step, words

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")

SITE = "solution: pm4ml\nhosts: [{name: local, address: local, roles: [master]}]\n"


def with_secrets(folder: Path) -> Plan:
    """A stage without a secret, one that uses one, one that uses another to be taken back."""
    undo = {"script": f"rm {folder}/log"}
    made = plan(
        step("plain", **once(folder / "log", "plain"), undo=undo),
        step("keyed", stage="two", script='test -n "$token"', secrets=["token"]),
        step("vault", stage="three", kind="playbook", playbook="x.yml", secrets=["vault_token"]),
    )
    return replace(made, secrets=("token", "vault_token"))


@pytest.fixture
async def run(tmp_path: Path) -> Run:
    """The two first stages done."""
    (tmp_path / "site.yaml").write_text(SITE)
    made = with_secrets(tmp_path)
    begun = create_run(site_key(load_site(tmp_path / "site.yaml")), made)
    secrets = {name: Secret("s3cret-s3cret") for name in made.secrets}
    assert await engine(made, begun, secrets=secrets, until="two").run() is Outcome.DONE
    assert words(tmp_path / "log") == ["plain"]
    return begun


@pytest.mark.processes
def test_a_stage_is_taken_back_without_the_secrets_of_others(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = str(tmp_path / "site.yaml")
    assert cli.main(["undo", "one", "--site", site, "--by", "Ma Ma"]) == 0
    assert words(tmp_path / "log") == []
    out, err = capsys.readouterr()
    assert "It was taken back" in out + err
    assert run.state().of(("one", "plain", "local")).outcome is Outcome.UNDONE
    assert cli.main(["undo", "two", "--site", site]) == 2
    told = capsys.readouterr().err
    assert "--secret-file token=FILE" in told
    assert "vault" not in told


@pytest.mark.processes
def test_a_secret_that_the_stage_needs_is_taken_from_where_install_takes_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = str(tmp_path / "site.yaml")
    monkeypatch.setenv("SITEWRIGHT_SECRET_TOKEN", "s3cret-s3cret")
    assert cli.main(["undo", "two", "--site", site]) == 5
    assert "its steps do not say how" in capsys.readouterr().err


@pytest.mark.processes
def test_what_goes_for_good_is_said_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the plan, and before the undo begins; without a terminal and a yes nothing goes."""
    (tmp_path / "site.yaml").write_text(SITE)
    undo = {"script": f"test -e {tmp_path}/log && rm {tmp_path}/log"}
    made = plan(
        step("plain", **once(tmp_path / "log", "plain"), undo=undo, undo_loses="All the data.")
    )
    begun = create_run(site_key(load_site(tmp_path / "site.yaml")), made)
    assert asyncio.run(engine(made, begun).run()) is Outcome.DONE
    assert "to take it back LOSES: All the data." in plan_text(made, 80)
    begin = ["undo", "one", "--site", str(tmp_path / "site.yaml"), "--by", "Ma Ma"]
    assert cli.main(begin) == 7
    said = capsys.readouterr().err
    assert "All the data." in said
    assert "add --yes" in said
    assert (tmp_path / "log").exists()
    assert cli.main([*begin, "--yes"]) == 0
    said = capsys.readouterr().err
    assert "What cannot be had back afterwards:" in said
    assert "All the data." in said
    assert not (tmp_path / "log").exists()


def test_a_playbook_that_removes_says_what_goes() -> None:
    """Every undo of PM4ML that purges or deletes is told before."""
    for stage in load_stages(load_solution("pm4ml")):
        for each in stage.steps:
            if each.undo is None or each.undo.command[:1] != ("ansible-playbook",):
                continue
            text = (load_solution("pm4ml").folder / "playbooks" / each.undo.command[1]).read_text()
            loses = "--purge" in text or "delete," in text or ".key" in text
            assert bool(each.undo_loses) == loses, each.id
