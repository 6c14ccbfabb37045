"""What can be done with a site later: all that its solution can, each by a command there is."""

from __future__ import annotations

import shlex

import pytest

from installer.catalogue.solution import load_solution, solution_ids
from installer.cli import build_parser
from installer.hand_over.later import BACK, GROUPS, LOOK, OPERATIONS, later_of
from installer.steps.stage_files import load_operations, operations_of_backup

SITE, RUN = "/srv/my sites/site.yaml", "/srv/runs/20261120-1f3a"


@pytest.mark.parametrize("name", solution_ids())
def test_everything_that_a_solution_can_is_told(name: str) -> None:
    solution = load_solution(name)
    found = later_of(solution, SITE, RUN, kubernetes=True)
    told = {one.short for one in found}
    for operation in {**load_operations(solution), **operations_of_backup(solution)}:
        assert OPERATIONS[operation][1] in told
    assert len(told) == len(found)
    assert [GROUPS.index(one.group) for one in found] == sorted(
        GROUPS.index(one.group) for one in found
    )


@pytest.mark.parametrize("name", solution_ids())
@pytest.mark.parametrize("bundle", [True, False])
def test_each_is_a_command_that_sitewright_takes(name: str, bundle: bool) -> None:
    for one in later_of(load_solution(name), SITE, RUN, kubernetes=True, bundle=bundle):
        program, *words = shlex.split(one.command)
        assert program == "sitewright"
        options = build_parser(words[0], alone=True).parse_args(words)
        assert str(getattr(options, "site", None) or SITE) == SITE


def test_nothing_is_told_that_a_solution_cannot() -> None:
    harness = {one.short for one in later_of(load_solution("core-test-harness"), SITE, RUN)}
    assert {"services", "stop", "remove --with-data"} <= harness
    assert not {"unseal", "backup make", "machine remove NAME", "updates --cluster"} & harness
    pm4ml = later_of(load_solution("pm4ml"), SITE, RUN)
    by_short = {one.short: one for one in pm4ml}
    assert {"unseal", "machine replace NAME --with NEW", "restore BACKUP"} <= set(by_short)
    assert by_short["verify"].group == LOOK
    assert by_short["undo STAGE"].group == BACK
    assert by_short["unseal"].command == f"sitewright unseal --site '{SITE}'"
