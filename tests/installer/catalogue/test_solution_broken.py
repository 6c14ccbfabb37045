"""Broken copies of the tables: each slip is one problem with the file, the line and the key."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.problems import InputProblem
from installer.catalogue.settings import load_settings
from installer.catalogue.solution import (
    FOLDER,
    ORDER,
    load_solution,
    single_machine_needs,
    solution_ids,
)
from installer.running.outside import places_of
from tests.installer.quick_yaml import LOADER

FILES = ("solution.yaml", "sizing.yaml", "ports.yaml")

UNREAD = shutil.ignore_patterns("playbooks", "repository", "scripts", "templates", "releases")
"""What lies beside the tables and is read by nobody here; most of a folder."""

FREE = ("playbook_variables", "internet_settings")
"""Keys below which things are named: no name there is a slip that could be known by this file."""


def _keys(node: yaml.Node | None, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    if id(node) in seen:  # an alias leads to a node that stood before
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            if key.value not in FREE:
                yield from _keys(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _keys(item, seen)


def _places() -> list[tuple[str, str, int, int, int, str]]:
    """Every key of every file: solution, file, line, where it begins and ends, its name."""
    places = []
    for name in solution_ids():
        for file in FILES:
            text = (FOLDER / name / file).read_text(encoding="utf-8")
            for key in _keys(yaml.compose(text, Loader=LOADER), set()):
                start, end = key.start_mark, key.end_mark
                places.append((name, file, start.line + 1, start.index, end.index, key.value))
    return places


PLACES = _places()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a copy of every solution, to be broken."""
    shutil.copytree(FOLDER, tmp_path / "solutions", ignore=UNREAD)
    return tmp_path / "solutions"


def _break(path: Path, old: str, new: str) -> int:
    """Replaces the first occurrence of a text and tells the line on which it stood."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text[: text.index(old)].count("\n") + 1


@settings(max_examples=30, deadline=None)
@given(place=st.sampled_from(PLACES))
def test_a_mistyped_key_is_named_with_its_line_and_the_right_one(
    place: tuple[str, str, int, int, int, str],
) -> None:
    """Whatever key of whatever file gets a letter too many."""
    name, file, line, start, end, key = place
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(FOLDER / name, root / name, ignore=UNREAD)
        text = (root / name / file).read_text(encoding="utf-8")
        broken = f'{text[:start]}"{key}x"{text[end:]}'
        (root / name / file).write_text(broken, encoding="utf-8")
        with pytest.raises(InputProblem) as caught:
            load_solution(name, root)
    assert caught.value.where == str(root / name / file)
    assert f"line {line}: there is no key" in caught.value.cause
    assert f'did you mean "{key}"?' in caught.value.cause


@pytest.mark.parametrize(
    ("file", "old", "key"),
    [
        ("solution.yaml", "title: Payment Manager for Mojaloop (PM4ML) on premises\n", "title"),
        ("sizing.yaml", "    source: PM4ML on-premise guide, §4.1\n", "tables[1].source"),
        (
            "ports.yaml",
            "        source: PM4ML on-premise guide, §1.3.1\n",
            "tables[1].ports[1].source",
        ),
    ],
)
def test_a_missing_key_is_named_with_its_place(copy: Path, file: str, old: str, key: str) -> None:
    """A table or a line without its source is no table and no line."""
    _break(copy / "pm4ml" / file, old, "")
    with pytest.raises(InputProblem) as caught:
        load_solution("pm4ml", copy)
    assert f'the key "{key}" is missing' in caught.value.cause
    assert caught.value.where == str(copy / "pm4ml" / file)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("solution.yaml", "default: true", "default: false", "none is"),
        ("sizing.yaml", "  - id: staging-earlier", "  - id: staging", "stands twice"),
        ("sizing.yaml", "- role: worker", "- role: wroker", '"worker" on one machine'),
        ("sizing.yaml", "      - role: worker", "      - role: master", "stands twice"),
        ("sizing.yaml", "- role: backup", "- role: bakcup", "bakcup"),
        ("sizing.yaml", "environment: staging", "environment: stagin", "stagin"),
        ("sizing.yaml", "memory_gb: 32", "memory_gb: lots", "memory_gb"),
        ("ports.yaml", "[load-balancer, bastion]", "[balancer]", "balancer"),
        ("ports.yaml", 'ports: ["16443"]', 'ports: ["16444"]', "has no line"),
        ("ports.yaml", 'corrects: "6443"', 'corrects: "6444"', "not there"),
        ("ports.yaml", 'port: "6443"', 'port: "66443"', "66443"),
        ("ports.yaml", "port: 6800-7300", "port: 7300-6800", "7300-6800"),
        ("ports.yaml", "  - id: on-premises", "  - id: on-premise", "on-premises"),
        ("solution.yaml", "platform: microk8s", "platform: microk9s", "microk9s"),
        ("solution.yaml", "kubernetes_roles: [master, worker]", "kubernetes_roles: [node]", "node"),
        ("solution.yaml", "installable: true", "installable: false", "why_not"),
        ("solution.yaml", "id: pm4ml", "id: payments", "payments"),
    ],
)
def test_what_contradicts_itself_is_refused(
    copy: Path, file: str, old: str, new: str, said: str
) -> None:
    """Each contradiction is one problem that names the file and what is wrong."""
    _break(copy / "pm4ml" / file, old, new)
    with pytest.raises(InputProblem) as caught:
        load_solution("pm4ml", copy)
    assert said in caught.value.cause
    assert '"":' not in caught.value.cause
    assert str(copy / "pm4ml") in (caught.value.where or "")


def test_a_key_given_twice_is_refused_with_its_line(copy: Path) -> None:
    """YAML would quietly take the second."""
    line = _break(
        copy / "pm4ml" / "sizing.yaml",
        "          - cpu: 16\n",
        "          - cpu: 16\n            cpu: 8\n",
    )
    with pytest.raises(InputProblem) as caught:
        load_solution("pm4ml", copy)
    assert f"line {line + 1}" in caught.value.cause
    assert "stands twice" in caught.value.cause


def test_a_missing_file_is_named(copy: Path) -> None:
    """A folder without ports is not a solution without ports."""
    (copy / "pm4ml" / "ports.yaml").unlink()
    with pytest.raises(InputProblem) as caught:
        load_solution("pm4ml", copy)
    assert caught.value.where == str(copy / "pm4ml" / "ports.yaml")


def test_a_broken_solution_leaves_the_others_whole(copy: Path) -> None:
    """Only the one that is asked for is read."""
    (copy / "pm4ml" / "sizing.yaml").write_text("tables: [", encoding="utf-8")
    assert load_solution("mosip", copy).id == "mosip"


def test_a_new_system_is_a_new_folder(copy: Path) -> None:
    """Nothing in the code knows the names of the folders; a further one comes last."""
    shutil.copytree(copy / "core-test-harness", copy / "another")
    _break(copy / "another" / "solution.yaml", "id: core-test-harness", "id: another")
    assert solution_ids(copy).index("another") >= len(ORDER)
    assert load_solution("another", copy).needs().solution == "another"
    assert "another" in {needs.solution for needs in single_machine_needs(copy)}


@pytest.mark.parametrize("name", solution_ids())
def test_what_is_fetched_hangs_on_settings_that_there_are(name: str) -> None:
    solution = load_solution(name)
    known = {setting.name for setting in load_settings(solution).settings}
    for platform in solution.file.platforms:
        assert set(platform.needs.internet_settings) <= known


def test_what_is_fetched_hangs_on_no_setting_that_there_is_not(copy: Path) -> None:
    """It would be passed over, and with it what machines fetch from where it names."""
    _break(copy / "pm4ml" / "solution.yaml", "git_url: git", "git_ulr: git")
    solution = load_solution("pm4ml", copy)
    with pytest.raises(InputProblem, match='names "git_ulr", which is no setting'):
        places_of(solution.needs(), solution, None)
