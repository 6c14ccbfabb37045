"""`sitewright checks` leaves out nothing that preflight can find."""

from __future__ import annotations

import ast
import fnmatch
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.catalogue.solution import load_solution, solution_ids
from installer.cli import main
from installer.commands.checks import every
from installer.steps.stage_files import load_stages

ROOT = Path(__file__).parents[3]
SAYS = {"Finding": 0, "Say": 0, "_about": 1, "at": 99, "unknown": 99}
"""What makes a finding, and the place of its id among the arguments."""
PASSED_ON = {
    ("preflight/checks/check.py", "id or self.id"),  # of the check that speaks
    ("preflight/checks/check.py", "self.ids[0]"),
    ("installer/planning/release_lines.py", "ENDS"),  # that of kubernetes_end
    ("installer/supply/judged_bundle.py", "OLDER"),  # that of bundle_order
    ("preflight/checks/disk.py", "kind_id"),  # a member of the check's own family, as the next two
    ("preflight/checks/kernel.py", "find"),
    ("preflight/checks/consistency.py", "check_id"),
    ("preflight/report/junit.py", "UNREACHED"),  # host.reachable, of a report
    ("preflight/waivers.py", "check_id"),  # given to _about, which is read too
    ("installer/planning/release_lines.py", "ENDS"),  # of kubernetes_end, which is read too
    ("installer/planning/demands.py", "demand.check"),  # stands beside the setting
}


def ids_in(path: Path) -> Iterator[tuple[str, str]]:
    """Each id with which a module makes a finding, as a pattern; "" and the words if it is none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in tree.body
        for target in _targets(node)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name not in SAYS:
            continue
        given = [one.value for one in node.keywords if one.arg == "id"] or (
            node.args[SAYS[name] : SAYS[name] + 1]
        )
        for value in given:
            yield from _patterns(value, constants)


def _targets(node: ast.stmt) -> list[ast.Name]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [one for one in targets if isinstance(one, ast.Name)]


def _patterns(value: ast.expr, constants: dict[str, ast.expr]) -> Iterator[tuple[str, str]]:
    if isinstance(value, ast.Name) and value.id in constants:
        value = constants[value.id]
    if isinstance(value, ast.IfExp):
        yield from _patterns(value.body, constants)
        yield from _patterns(value.orelse, constants)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value, ""
    elif isinstance(value, ast.JoinedStr) and isinstance(value.values[0], ast.Constant):
        yield f"{value.values[0].value!s}*", ""
    else:
        yield "", ast.unparse(value)


def test_what_makes_a_finding_stands_in_the_list() -> None:
    listed = every()
    ids = [name for one in listed for name in one.ids]
    seen, lost, unread = set(), set(), set()
    for folder in ("preflight", "installer"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "acceptance" in path.parts:  # what is found there is of a hub's load, and no check's
                continue
            place = path.relative_to(ROOT).as_posix()
            for name, words in ids_in(path):
                if not name:
                    unread.add((place, words))
                    continue
                seen.add(name)
                if not any(fnmatch.fnmatchcase(one, name) for one in ids) and not any(
                    one.covers(name) for one in listed
                ):
                    lost.add((place, name))
    assert {"disk.by-serial", "host.reachable", "egress.*", "mesh.reach", "waiver.unused"} <= seen
    assert lost == set()
    assert unread <= PASSED_ON, "say how these come into the list"


def test_a_stage_looks_again_only_at_what_stands_in_the_list() -> None:
    ids = [name for one in every() for name in one.ids]
    for solution in map(load_solution, solution_ids()):
        for stage in load_stages(solution):
            for pattern in stage.recheck:
                assert any(
                    fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(pattern, name)
                    for name in ids
                ), (solution.id, stage.id, pattern)


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_each_form_has_all_of_them(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checks", "--format", form]) == 0
    told = capsys.readouterr().out
    ids = [name for one in every() for name in one.ids]
    assert len(set(ids)) == len(ids)
    assert {"disk.by-serial", "disk.local-volumes", "firewall.ssh-networks"} <= set(ids)
    assert [name for name in ids if name not in told] == []
    if form == "json":
        rows = {tuple(one["ids"]): one for one in json.loads(told)}
        assert rows["disk.by-serial",]["severities"] == ["pass", "warn", "fail", "unknown"]
        assert rows["host.reachable",]["waivable"] is False
