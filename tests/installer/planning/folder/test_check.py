"""A solution's folder checked: each slip is told with its file and line, and ours have none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.catalogue.solution import FOLDER, load_solution, solution_ids
from installer.cli import main
from installer.planning.folder.check import check_folder
from installer.planning.folder.trial import made_up
from installer.planning.make import make_plan
from tests.test_adding import code


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    """The worked example of docs/adding.md, as a folder."""
    folder = tmp_path / "echo"
    (folder / "stages").mkdir(parents=True)
    names = ("solution", "sizing", "ports", "settings", "stages/10-write")
    for name, text in zip(names, code("A solution", "yaml"), strict=True):
        (folder / f"{name}.yaml").write_text(text)
    return folder


def told(folder: Path) -> list[str]:
    """What is told of a folder, a line each."""
    return [f"{one.place}: {one.says}" for one in check_folder(folder)]


@pytest.mark.parametrize("name", solution_ids())
def test_nothing_is_wrong_in_ours(name: str) -> None:
    assert told(FOLDER / name) == []


MOSIP = load_solution("mosip")
MADE_UP = made_up(MOSIP, "on-clusters", full=False)
STAGE, SETTINGS = "stages/10-write.yaml", "settings.yaml"
MORE = "settings:\n  - {name: more, title: More, type: text, default: a}\n"
SPARE = "  - {id: spare, title: Spare, description: For nothing at all.}\nenvironments:\n"
NO_UNDO = '      undo: {script: "rm -f /tmp/echo"}\n'


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (STAGE, "why:", "wy:", ["4: there is no key \"stage.wy\"; did you mean \"why\"?",
                                "1: the key \"stage.why\" is missing"]),
        (STAGE, "on: [box]", "on: [bx]", ["7: there is no role \"bx\"; did you mean \"box\"?"]),
        (STAGE, "echo {{ word }}", "echo {{ wrd }}", ["11: \"wrd\" has no value"]),
        (STAGE, NO_UNDO, "", ["7: the step \"word\" does not say how it is taken back"]),
        (STAGE, "title: Write the word", "title: Write the word.",
         ["9: \"title\" is a title, and ends with a full stop"]),
        (STAGE, "why: It is all there is to it.", "why: It writes the word(s).",
         ["4: \"why\" makes a plural in brackets (\"d(s)\")"]),
        (STAGE, "why: It is all there is to it.", "why: It is all",
         ["4: \"why\" is no whole sentence: it lacks its end"]),
        (STAGE, "source: Echo handbook, 3", "source: ''", ["5: \"source\" names nobody"]),
        (STAGE, "script: echo {{ word }} > /tmp/echo", "file: scripts/word.sh",
         ["scripts/word.sh: there is no such file"]),
        (STAGE, "kind: script", "kind: skript", ["7: "]),
        (STAGE, "      on: [box]\n", "      on: [box]\n      when: wordd\n",
         ["11: there is no setting \"wordd\"; did you mean \"word\"?"]),
        (STAGE, "  id: write", "  id: other", [": the stage is \"other\" and its file is called"]),
        (SETTINGS, "settings:\n", MORE,
         ["2: the setting \"more\" is asked for, and nothing in the folder names it"]),
        (SETTINGS, "type: text", "type: texts", ["2: "]),
        ("sizing.yaml", "source: Echo handbook, 2.2", "source: ' '",
         ["5: \"source\" names nobody"]),
        ("sizing.yaml", "role: box", "role: bx", [": there is no role \"bx\""]),
        ("solution.yaml", "      architecture_source: Echo handbook, 2.1\n", "",
         ["23: \"architectures\" is asked for, and \"architecture_source\" does not say by whom"]),
        ("solution.yaml", "id: echo", "id: ecco",
         [": the id is \"ecco\" and the folder is called \"echo\""]),
        ("solution.yaml", "no_bundle: Nothing of it is fetched from anywhere.\n", "",
         ["4: it is said to be installable, and nothing says what a bundle of it holds"]),
        ("solution.yaml", "environments:\n", SPARE,
         ["10: the role \"spare\" is in no table of sizes or ports, and no step is done on it"]),
        ("ports.yaml", "tables: []", "tables: [", ["2: did not find expected node content"]),
    ],
)  # fmt: skip
def test_each_slip_is_told_where_it_stands(
    echo: Path, file: str, old: str, new: str, says: list[str]
) -> None:
    text = (echo / file).read_text()
    assert old in text
    (echo / file).write_text(text.replace(old, new, 1))
    found = told(echo)
    for words in says:
        assert any(words in line for line in found), found
    assert all(line.startswith((file, file.partition("/")[0], "scripts/")) for line in found)
    assert all(any(words in line for words in says) for line in found), found


def test_one_broken_file_hides_no_other(echo: Path) -> None:
    (echo / "solution.yaml").write_text("idd: echo\n")
    (echo / STAGE).write_text("stage: [\n")
    found = "\n".join(told(echo))
    assert 'solution.yaml:1: there is no key "idd"' in found
    assert f"{STAGE}:2: " in found


def test_every_contradiction_of_two_files_is_told(echo: Path) -> None:
    text = (echo / "sizing.yaml").read_text()
    text = text.replace("role: box", "role: bx").replace("single-box", "two-boxes")
    (echo / "sizing.yaml").write_text(text)
    found = "\n".join(told(echo))
    for words in ('no role "bx"', 'no environment "two-boxes"', "no table is for the environment"):
        assert words in found


def test_what_nobody_reads_or_names_is_told(echo: Path) -> None:
    (echo / "setings.yaml").write_text("settings: []\n")
    (echo / "stages" / "20-more.yml").write_text("stage: {}\n")
    (echo / "scripts").mkdir()
    (echo / "scripts" / "left.sh").write_text("true\n")
    found = {one.file: one for one in check_folder(echo)}
    assert found["stages/20-more.yml"].remedy == "Call it 20-more.yaml."
    (echo / "stages" / "20-more.yml").unlink()
    found = {one.file: one for one in check_folder(echo)}
    assert found["setings.yaml"].remedy == "Did you mean settings.yaml?"
    assert found["scripts/left.sh"].says == "no step and no other file names it"


def test_a_hardening_list_is_checked_too(echo: Path) -> None:
    check = (
        "checks:\n  - id: word\n    title: The word is there.\n    otherwise: It is not.\n"
        "    on: [box]\n    script: grep -q {{ word }} /tmp/echo && holds; fails no\n"
        "    expected: the word\n    see: cat /tmp/echo\n    remedy: Write it.\n    source: Echo\n"
    )
    (echo / "hardening.yaml").write_text(check)
    assert told(echo) == []
    for old, new, says in (
        ("on: [box]", "on: [bx]", 'hardening.yaml:2: there is no role "bx"'),
        ("{{ word }}", "{{ wrd }}", "hardening.yaml:2: the site does not say what it needs: "),
        ("source: Echo", "source: ''", 'hardening.yaml:10: "source" names nobody'),
        ("It is not.", "It is not", 'hardening.yaml:4: "otherwise" is no whole sentence'),
        ("    see: cat /tmp/echo\n", "", 'hardening.yaml:2: the key "checks[1].see" is missing'),
    ):
        copy = echo.parent / f"copy-{len(says)}" / "echo"
        shutil.copytree(echo, copy)
        (copy / "hardening.yaml").write_text(check.replace(old, new))
        assert any(line.startswith(says) for line in told(copy)), told(copy)


def test_a_playbook_that_is_missing_is_told_at_its_step(echo: Path) -> None:
    text = (echo / STAGE).read_text().replace("kind: script", "kind: playbook")
    text = text.replace("script: echo {{ word }} > /tmp/echo", "playbook: word.yml")
    (echo / STAGE).write_text(text)
    (line,) = [line for line in told(echo) if "playbook" in line]
    assert line.startswith(f'{STAGE}:7: there is no playbook "word.yml"')


def test_what_a_person_takes_back_is_said_and_stands_in_the_plan(echo: Path) -> None:
    text = (echo / STAGE).read_text()
    (echo / STAGE).write_text(text.replace(NO_UNDO, "      by_hand: with rm\n"))
    assert told(echo) == []
    solution = load_solution("echo", echo.parent)
    (step,) = make_plan(solution, made_up(solution, "single-box", full=False), ()).stages[0].steps
    assert step.by_hand == "by hand: with rm"
    (plain,) = [one for one in make_plan(MOSIP, MADE_UP, ()).stages if one.id == "ground"]
    assert "by_hand" not in plain.steps[0].spec
    assert plain.steps[0].by_hand == "by hand"


def test_the_command_says_so_by_its_exit_code(
    echo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["solutions", "check", str(echo)]) == 0
    assert capsys.readouterr().out == "Nothing is wrong in it.\n"
    (echo / STAGE).write_text((echo / STAGE).read_text().replace(NO_UNDO, ""))
    assert main(["solutions", "check", str(echo), "--format", "json"]) == 3
    value = json.loads(capsys.readouterr().out)
    assert (value["good"], [one["line"] for one in value["wrong"]]) == (False, [7])
    assert value["wrong"][0]["file"] == STAGE
    assert main(["solutions", "check", str(echo)]) == 3
    assert capsys.readouterr().out.endswith("1 thing to be mended.\n")
    for words in (["check"], ["check", str(echo / "none")], ["mosip", str(echo)]):
        assert main(["solutions", *words]) == 2


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputProblem, match="no such folder"):
        check_folder(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert [one.file for one in check_folder(tmp_path / "empty")] == [
        "ports.yaml", "sizing.yaml", "solution.yaml",
    ]  # fmt: skip
