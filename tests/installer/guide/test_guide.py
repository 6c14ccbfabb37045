"""The map: every use case and option of the documents, each statement with its source."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from foundation.problems import InputProblem
from installer.catalogue.solution import ORDER, load_solution
from installer.guide.chart import chart_of
from installer.guide.guide import FOLDER, Option, check_solution, load_map
from installer.guide.option_files import Quality, State

USE_CASES = {
    "Curious experimenter", "Developer, contributor", "CI environment",
    "Public cloud, one cloud", "Public cloud, several clouds", "Public cloud, cloud and own site",
    "On premises, private cloud", "On premises, bare metal", "On premises, own site and cloud",
}  # fmt: skip
"""Those of document 000, in the map's words."""

OPTIONS = load_map().options
BY_ID = [option.id for option in OPTIONS]


def test_every_use_case_of_the_document_is_there_with_its_qualities() -> None:
    """The nine of document 000; clouds and premises stand for both qualities."""
    cases = load_map().use_cases
    assert {case.name for case in cases} == USE_CASES
    assert all(len(case.qualities) == (2 if case.group else 1) for case in cases)


def test_every_use_case_is_served() -> None:
    """Nobody is left without an answer, and every quality that is asked for has one."""
    chart = load_map()
    for case in chart.use_cases:
        served = {way.quality for _, way in chart.serving(case.id)}
        assert set(case.qualities) <= served, case.id


@pytest.mark.parametrize("name", ORDER)
def test_every_environment_of_the_documents_is_on_the_map(name: str) -> None:
    """What the documents have, and can be aimed at in the list, can be found on the map."""
    on_map = {
        way.id
        for option in OPTIONS
        if option.solution is not None and option.solution.id == name
        for way in option.file.ways
    }
    assert on_map == {environment.id for environment in load_solution(name).environments}


def test_every_source_is_used_and_every_reference_resolves() -> None:
    """A source that nothing refers to is a leftover; a reference reads as title and place."""
    chart = load_map()
    references = [
        *(case.source for case in chart.use_cases),
        *(reference for option in OPTIONS for reference in option.file.references()),
    ]
    assert {source.id for source in chart.sources} == {r.partition(" ")[0] for r in references}
    assert chart.cite("doc-003 §4.1").endswith("§4.1")
    assert chart.cite("sitewright") == "Sitewright"


@pytest.mark.parametrize("option", OPTIONS, ids=BY_ID)
def test_every_solution_and_environment_that_is_named_is_there(option: Option) -> None:
    """The shipped map is not looked through at every start; here it is."""
    check_solution(option)


@pytest.mark.parametrize("option", OPTIONS, ids=BY_ID)
def test_an_option_that_sitewright_cannot_install_is_told_by_hand(option: Option) -> None:
    """Steps, verification and troubleshooting are there, whoever installs it."""
    file = option.file
    assert option.by() == ("Sitewright" if option.installable else "by hand")
    for way in file.ways:
        assert option.by(way) == ("Sitewright" if option.installs(way) else "by hand")
    assert file.steps
    assert file.verify
    assert len(file.troubleshooting) >= (1 if file.state is State.NOT_FOUND else 3)
    assert (file.solution is None) is all(way.machines for way in file.ways)


@pytest.mark.parametrize("option", OPTIONS, ids=BY_ID)
def test_the_document_and_today_are_both_told(option: Option) -> None:
    """What the documents say is cited from them, what is so today from elsewhere."""
    documents = {"doc-000", "doc-001", "doc-002", "doc-003"}
    assert {one.source.partition(" ")[0] for one in option.file.document} <= documents
    today = {one.source.partition(" ")[0] for one in option.file.today}
    assert today - documents


def test_the_chart_marks_what_is_served() -> None:
    """One word a cell, the same as the ways say."""
    table = chart_of(load_map())
    lines = {line.option.id: line.marks for _, part in table.sections for line in part}
    assert list(lines) == BY_ID
    places = {case.id: place for place, case in enumerate(table.columns)}
    assert lines["core-test-harness"][places["experimenter"]] == "PoC"
    assert lines["core-test-harness"][places["bare-metal"]] == ""
    assert lines["pm4ml-on-premises"][places["bare-metal"]] == "both"
    assert sum(number for _, number in table.groups) == len(table.columns)


def test_an_unknown_option_is_answered_with_the_nearest() -> None:
    """A slip of the pen is no dead end."""
    with pytest.raises(InputProblem, match='did you mean "core-test-harness"'):
        load_map().option("core-test-harnes")
    with pytest.raises(InputProblem, match='did you mean "bare-metal"'):
        load_map().use_case("baremetal")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": None}, '"title"'),
        ({"colour": "red"}, 'there is no key "colour"'),
        ({"production": {"text": "It is of production quality."}}, '"production.source" is miss'),
        ({"id": "another"}, 'the id is "another" and the file is called'),
        ({"maintained_by": {"text": "Somebody does.", "source": "nowhere §1"}}, "no source"),
        ({"solution": "pm4m"}, 'there is no solution "pm4m"'),
        ({"solution": "pm4ml"}, 'no environment "single-box"'),
        ({"ports": [{"port": "80", "purpose": "web", "source": "harness"}]}, "ports.yaml"),
    ],
)
def test_a_broken_file_is_one_problem_that_says_where(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    """Whoever writes an option is told the file and the mistake."""
    folder = tmp_path / "options"
    shutil.copytree(FOLDER, folder)
    path = folder / "core-test-harness.yaml"
    value = {**yaml.safe_load(path.read_text()), **change}
    path.write_text(yaml.safe_dump(value))
    with pytest.raises(InputProblem) as caught:
        load_map(folder)
    assert message in str(caught.value)


def test_a_use_case_that_is_not_there_is_found(tmp_path: Path) -> None:
    """A way that serves nobody on the map is a mistake in the file."""
    folder = tmp_path / "options"
    shutil.copytree(FOLDER, folder)
    path = folder / "miniloop.yaml"
    path.write_text(path.read_text().replace("[experimenter, developer, ci]", "[experimentor]"))
    with pytest.raises(InputProblem, match='no use case "experimentor"; did you mean "experiment'):
        load_map(folder)


def test_the_qualities_are_those_of_the_documents() -> None:
    """Nothing that is for one machine is called production."""
    for option in OPTIONS:
        for way in option.file.ways:
            if "experimenter" in way.serves:
                assert way.quality is Quality.POC
