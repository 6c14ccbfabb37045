"""The recipes of docs/adding.md, carried out from their own text."""

from __future__ import annotations

import ast
import os
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from foundation.hosts.model import LOCAL_ADDRESS
from installer.catalogue.solution import load_solution
from installer.events import Outcome
from installer.planning.folder.check import check_folder
from installer.planning.make import make_plan
from installer.sites.site import Site
from installer.steps.kind import KINDS, Traits, done_on
from preflight.checks.registry import CHECKS
from screens.answers.wizard import StepId
from tests.installer.engine_site import engine, plan, step
from tests.preflight.checks import test_checks_outcomes
from tests.preflight.facts_factory import case, changed, worker_facts

ROOT = Path(__file__).parent.parent
RECIPES = dict(
    re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", (ROOT / "docs/adding.md").read_text(), re.M | re.S)
)

DEFINED = (ast.FunctionDef, ast.AsyncFunctionDef)


def code(recipe: str, language: str) -> list[str]:
    """The pieces of a recipe that are in a language, in their order."""
    return re.findall(rf"```{language}\n(.*?)```", RECIPES[recipe], re.DOTALL)


def files(recipe: str) -> list[str]:
    """The files that a recipe says are touched."""
    return re.findall(r"^\| `([^`]+)` \|", RECIPES[recipe], re.MULTILINE)


def module(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A recipe's Python as the module that it would be."""
    bare = [
        one.name
        for one in ast.walk(ast.parse(text))
        if isinstance(one, DEFINED) and not one.returns
    ]
    assert bare == []  # which no recipe gets past the types with
    made = types.ModuleType(name)
    exec(compile(text, name, "exec"), made.__dict__)  # noqa: S102 - the recipe's own words
    monkeypatch.setitem(sys.modules, name, made)
    return made


def test_a_solution_is_a_folder_of_data(tmp_path: Path) -> None:
    solution, sizing, ports, settings, stage = code("A solution", "yaml")
    folder = tmp_path / "echo"
    (folder / "stages").mkdir(parents=True)
    (folder / "solution.yaml").write_text(solution)
    (folder / "sizing.yaml").write_text(sizing)
    (folder / "ports.yaml").write_text(ports)
    echo = load_solution("echo", tmp_path)
    assert echo.needs("single-box").sizing.id == "echo"
    (folder / "settings.yaml").write_text(settings)
    (folder / "stages" / "10-write.yaml").write_text(stage)
    assert check_folder(folder) == ()
    site = Site.model_validate(
        {"solution": "echo", "hosts": [{"name": "m1", "address": LOCAL_ADDRESS, "roles": "box"}]}
    )
    made = make_plan(load_solution("echo", tmp_path), site, ())
    (only,) = made.stages[0].steps
    assert done_on(only) == ("m1",)
    assert only.spec["script"] == "echo hello > /tmp/echo"


@pytest.mark.skipif(os.geteuid() != 0, reason="steps run as root; this is not root")
async def test_a_kind_of_step_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = code("A kind of step", "python")
    module("installer.steps.mention", text, monkeypatch)
    monkeypatch.setitem(KINDS, "mention", Traits("mention", changes=False))
    running = engine(plan(step("x", kind="mention", words="Hello")))
    assert await running.run() is Outcome.DONE
    assert "Hello: said on" in running.run_folder.journal.read_text()


def test_a_check_is_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    text, rows = code("A check", "python")
    check = module("preflight.checks.echo", text, monkeypatch).name
    usual = changed(worker_facts(), identity={"hostname": "ubuntu"})
    own = changed(worker_facts(), identity={"hostname": "w1"})
    found = [finding for facts in (usual, own) for finding in check.run(case(facts))]
    assert [finding.severity.value for finding in found] == ["warn", "pass"]
    assert type(check) is type(CHECKS[0])
    names = dict(vars(test_checks_outcomes))
    exec(rows, names)  # noqa: S102 - the recipe's own words
    for row in names["OUTCOMES"]:
        (finding,) = check.run(case(changed(worker_facts(), **row.change)))
        assert (finding.id, finding.severity) == (row.id, row.severity)
        assert row.says in finding.title


@pytest.mark.parametrize("recipe", [name for name in RECIPES if files(name)])
def test_the_files_of_a_recipe_are_there(recipe: str) -> None:
    for name in files(recipe):
        pattern = re.sub(r"<[a-z]+>", "*", name)
        assert list(ROOT.glob(pattern)), name


def test_a_source_is_a_file_and_a_line() -> None:
    from bundles.make.create import _SOURCES

    for line, (name, function) in _SOURCES.items():
        assert f"async def {function}(" in (ROOT / f"bundles/sources/{name}.py").read_text()
        assert line.__name__ in (ROOT / "bundles/format/recipe.py").read_text()


def test_a_step_of_the_wizard_has_its_places() -> None:
    from screens.shell.app import _SCREENS
    from screens.shell.help_texts import help_on

    for one in StepId:
        name, screen = _SCREENS[one]
        assert f"class {screen}(" in (ROOT / f"{name.replace('.', '/')}.py").read_text()
        assert help_on(one.value).paragraphs
