"""A control centre and its environments as files, and what stands against working on one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from foundation.problems import InputProblem, Refused
from installer.environments.begin import begin
from installer.environments.centre import Environment, names, read_environment
from installer.environments.judged import (
    judge,
    modules_from_outside,
    of_this_environment,
)
from installer.environments.lines import numbers
from installer.environments.listing import entries
from installer.opentofu.program import StateProblem, Tool
from installer.opentofu.saved import Kept
from installer.opentofu.states import Head

TOFU = Tool("/usr/bin/tofu", "OpenTofu", "1.12.6")
KEPT = Kept("2026-11-30T08:00:00+00:00", "", "", "OpenTofu", "1.12.6", "aaaa", 3, "1 to be created")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """One that was just begun, with a configuration."""
    begin(tmp_path, "hub-a", line="iac-lite", kind="iac-lite-tps-1", version="v1")
    (tmp_path / "environments/hub-a/main.tf").write_text('variable "size" {}\n')
    return read_environment(tmp_path, "hub-a")


def _with(environment: Environment, text: str) -> Environment:
    (environment.folder / "environment.yaml").write_text(text)
    return read_environment(environment.roof, environment.name)


def test_what_begin_writes_can_be_worked_with_and_keeps_states_out_of_git(
    environment: Environment,
) -> None:
    judge(environment, TOFU)
    assert names(environment.roof) == ("hub-a",)
    assert "*.tfstate" in (environment.roof / ".gitignore").read_text()
    assert environment.applied() is None
    with pytest.raises(Refused):
        begin(environment.roof, "hub-a", line="", kind="hub", version="")


@pytest.mark.parametrize("name", ["..", "a/b", "", "Hub", "-x", "a" * 70])
def test_a_name_is_no_path(environment: Environment, name: str) -> None:
    with pytest.raises(InputProblem):
        read_environment(environment.roof, name)


@pytest.mark.parametrize(
    "text",
    [
        "environment: hub\nenvironment_secrets: [TF_CLI_ARGS]\n",
        "environment: hub\nenvironment_secrets: [LD_PRELOAD]\n",
        "environment: hub\nenvironment_secrets: [PATH]\n",
        "environment: hub\nanswers: {pw: x}\nsecrets: [pw]\n",
        "environment: hub\nno_such_key: 1\n",
    ],
)
def test_an_environment_file_that_cannot_be_is_told(environment: Environment, text: str) -> None:
    with pytest.raises(InputProblem):
        _with(environment, text)


def test_a_form_that_there_is_not_is_told_with_the_nearest(environment: Environment) -> None:
    with pytest.raises(InputProblem, match='did you mean "iac-lite-tps-1"'):
        judge(_with(environment, "environment: iac-lite-tps1\n"), TOFU)
    with pytest.raises(InputProblem, match="nothing that IaC Lite"):
        judge(_with(environment, "environment: pm4ml\n"), TOFU)


def test_a_terraform_that_is_too_old_for_the_line_is_told(environment: Environment) -> None:
    with pytest.raises(InputProblem, match=r"wants 1\.9 or newer"):
        judge(environment, Tool("/usr/bin/terraform", "Terraform", "1.8.5"))


def test_an_older_program_than_the_one_that_applied_is_refused(environment: Environment) -> None:
    applied = {"lineage": "aaaa", "serial": 3, "resources": 1, "at": "x", "by": "A. Name",
               "program": "OpenTofu", "version": "1.13.0"}  # fmt: skip
    (environment.folder / "applied.json").write_text(json.dumps(applied))
    with pytest.raises(StateProblem, match=r"1\.13\.0"):
        judge(environment, TOFU)
    judge(environment, Tool("/usr/bin/tofu", "OpenTofu", "1.13.1"))
    # What Terraform's numbers say of OpenTofu's nobody knows.
    judge(environment, Tool("/usr/bin/terraform", "Terraform", "1.9.0"))


def test_modules_that_would_be_fetched_are_told_also_those_of_modules_beside(
    environment: Environment,
) -> None:
    (environment.folder / "main.tf").write_text('module "a" {\n  source = "./a"\n}\n')
    inner = environment.folder / "a"
    inner.mkdir()
    (inner / "m.tf").write_text(
        'module "b" {\n  count = 1\n  source = "git::https://git.example/b"\n}\n'
        'module "c" {\n  source = "../a"\n}\n'
    )
    assert list(modules_from_outside(environment.folder)) == ["git::https://git.example/b"]
    with pytest.raises(Refused, match="git::"):
        judge(environment, TOFU)
    fetches = environment.centre.model_copy(update={"fetches": True})
    judge(dataclasses.replace(environment, centre=fetches), TOFU)


def test_a_state_of_another_or_one_that_moved_on_is_told(environment: Environment) -> None:
    with pytest.raises(StateProblem, match="older than the state"):
        of_this_environment(environment, Head("aaaa", 4), KEPT, again="plan")
    of_this_environment(environment, Head("aaaa", 3), KEPT, again="plan")
    applied = {"lineage": "bbbb", "serial": 3, "resources": 1, "at": "x", "by": "A. Name",
               "program": "OpenTofu", "version": "1.12.6"}  # fmt: skip
    (environment.folder / "applied.json").write_text(json.dumps(applied))
    with pytest.raises(StateProblem, match="not the one that this environment had"):
        of_this_environment(environment, Head("aaaa", 3), KEPT, again="plan")
    with pytest.raises(StateProblem, match="there is no state"):
        of_this_environment(environment, Head(), KEPT, again="plan")


def test_one_environment_that_cannot_be_read_leaves_the_others_told(
    environment: Environment,
) -> None:
    other = environment.roof / "environments/hub-b"
    other.mkdir()
    (other / "environment.yaml").write_text("environment: [\n")
    first, second = entries(environment.roof)
    assert (first.name, first.state, first.drift) == ("hub-a", "never applied", "never looked")
    assert second.problems


def test_two_environments_of_one_state_are_told(environment: Environment) -> None:
    begin(environment.roof, "hub-b", line="", kind="hub", version="")
    applied = {"lineage": "aaaa", "serial": 3, "resources": 1, "at": "x", "by": "A. Name",
               "program": "OpenTofu", "version": "1.12.6"}  # fmt: skip
    for name in ("hub-a", "hub-b"):
        folder = environment.roof / "environments" / name
        (folder / "applied.json").write_text(json.dumps(applied))
    first, second = entries(environment.roof)
    assert "the very state of hub-b" in first.problems[0]
    assert "the very state of hub-a" in second.problems[0]


def test_versions_are_compared_as_numbers() -> None:
    assert numbers("v1.12.6-dev") == (1, 12, 6)
    assert numbers("1.9") < numbers("1.10.0")
    assert numbers("none") == ()
