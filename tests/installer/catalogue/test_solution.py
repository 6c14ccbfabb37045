"""Solutions: what can be asked of one, and how it is answered when the question is wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from foundation import documents
from foundation.problems import InputProblem
from installer.catalogue import solution
from installer.catalogue.solution import load_solution, single_machine_needs, solution_ids

IDS = ("pm4ml", "core-test-harness", "miniloop", "helm-deploy", "iac", "mosip")


def test_the_six_solutions_are_offered_in_order() -> None:
    """The ids are those of the design, the one most asked for first, and before any other."""
    assert solution_ids()[: len(IDS)] == IDS


def test_importing_the_module_reads_nothing_and_brings_no_models() -> None:
    """Whoever only names a solution does not wait for pydantic or YAML."""
    code = (
        "import sys, installer.catalogue.solution as s; s.solution_ids();"
        "print(sorted({'pydantic', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", IDS)
def test_every_file_is_parsed_once_however_often_it_is_asked_for(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A solution is three files, parsed at the first question and never again."""
    parsed: list[str] = []
    parse = documents.parse_yaml

    def counted(text: str, *, where: str) -> object:
        parsed.append(where.rpartition("/")[2])
        return parse(text, where=where)

    monkeypatch.setattr(documents, "parse_yaml", counted)
    solution._read.cache_clear()
    for _ in range(3):
        loaded = load_solution(name)
        for environment in loaded.environments:
            loaded.needs(environment.id)
    assert parsed == ["solution.yaml", "sizing.yaml", "ports.yaml"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [("pm4m", "pm4ml"), ("mini-loop", "miniloop"), ("core", "core-test-harness")],
)
def test_an_unknown_solution_is_answered_with_the_nearest(asked: str, meant: str) -> None:
    """The problem names what was probably meant, and the remedy everything there is."""
    with pytest.raises(InputProblem) as caught:
        load_solution(asked)
    assert f'did you mean "{meant}"?' in caught.value.cause
    assert caught.value.remedy is not None
    assert all(name in caught.value.remedy for name in IDS)


@pytest.mark.parametrize("asked", ["", "..", "../pm4ml", "/etc", "pm4ml/../pm4ml"])
def test_a_path_is_not_a_solution(asked: str) -> None:
    """A name is looked up among the folders and never joined to a path unseen."""
    with pytest.raises(InputProblem):
        load_solution(asked)


def test_an_unknown_environment_names_those_there_are() -> None:
    """Half a word is enough for the hint."""
    with pytest.raises(InputProblem) as caught:
        load_solution("pm4ml").needs("prod")
    assert 'did you mean "production"?' in caught.value.cause
    assert caught.value.remedy == "Choose one of: production, staging."


def test_an_unknown_sizing_names_those_of_the_environment() -> None:
    """A table of another environment is not offered."""
    with pytest.raises(InputProblem) as caught:
        load_solution("pm4ml").needs("staging", "production")
    assert caught.value.remedy == "Choose one of: staging, staging-earlier."
    assert caught.value.where == "solution pm4ml, environment staging"


def test_an_unknown_role_names_those_there_are() -> None:
    """The field's own words are the only ones."""
    with pytest.raises(InputProblem) as caught:
        load_solution("pm4ml").role("workers")
    assert 'did you mean "worker"?' in caught.value.cause


def test_a_table_that_is_named_is_used_and_the_others_stand_beside_it() -> None:
    """The report can name every table that disagrees with the one in use."""
    needs = load_solution("mosip").needs("sandbox", "tag-v1.2.0")
    assert needs.sizing.id == "tag-v1.2.0"
    assert [table.id for table in needs.other_sizings] == [
        "k8s-infra-1.2.1.2",
        "docs-1.2.0",
        "commit-5fbd942",
    ]


@pytest.mark.parametrize("name", IDS)
def test_needs_without_a_name_are_those_of_the_default_environment(name: str) -> None:
    """Every solution has one environment that is meant where none is named."""
    loaded = load_solution(name)
    assert loaded.needs() == loaded.needs(loaded.default_environment.id)


def test_what_cannot_be_installed_says_why_in_one_sentence() -> None:
    """The reason is there exactly where it is needed."""
    for loaded in map(load_solution, IDS):
        assert bool(loaded.why_not) is not loaded.installable
        assert loaded.installable or loaded.why_not.endswith(".")


def test_machines_on_their_own_are_judged_for_the_least_demanding_first() -> None:
    """Each environment of one machine is there, by rising memory."""
    needs = single_machine_needs()
    assert [(n.solution, n.environment) for n in needs if n.solution in IDS] == [
        ("core-test-harness", "single-box"),
        ("helm-deploy", "local-microk8s"),
        ("miniloop", "single-box"),
    ]
    memory = [n.sizing.roles[0].shapes[0].memory_gb or 0 for n in needs]
    assert memory == sorted(memory)
    assert all(n.single_machine and len(n.sizing.roles) == 1 for n in needs)
