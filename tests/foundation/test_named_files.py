"""What a person names is written there, and nothing of somebody else's is lost by it."""

from __future__ import annotations

import ast
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.named_files import check_named, write_named
from foundation.paths import state_folder
from foundation.problems import ExitCode, InputProblem
from installer import cli

ROOT = Path(__file__).parent.parent.parent


def test_a_file_is_made_anew_as_often_as_it_is_ours(tmp_path: Path) -> None:
    """The second report goes over the first; the mode is the one that is asked for."""
    file = tmp_path / "report.txt"
    for text in ("one\n", "two\n", "three\n"):
        write_named(file, text, mode=0o600)
        assert file.read_text() == text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_in_pieces_it_is_the_same_file_and_half_of_it_is_none(tmp_path: Path) -> None:
    """It is known again as ours by all of its pieces; where one does not come, nothing is left."""
    file = tmp_path / "report.json"
    write_named(file, iter(["é\n", "two\n"]))
    assert file.read_text(encoding="utf-8") == "é\ntwo\n"
    write_named(file, b"\xff")
    assert file.read_bytes() == b"\xff"

    def broken() -> Iterator[str]:
        yield "half"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_named(file, broken())
    assert file.read_bytes() == b"\xff"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("made", ["theirs", "changed", "link", "link away"])
def test_what_is_somebody_else_s_is_left_as_it_is(made: str, tmp_path: Path) -> None:
    """A file of others, one of ours that somebody worked on, a link to either."""
    file, other = tmp_path / "id_ed25519", tmp_path / "other"
    if made == "changed":
        write_named(file, "ours\n")
        file.write_text("ours, and three hours of notes\n")
    elif made == "theirs":
        file.write_text("KEY\n")
    else:
        write_named(other, "ours\n") if made == "link" else None
        file.symlink_to(other)
    before = file.read_text() if file.exists() else None
    with pytest.raises(InputProblem, match="left as it is") as caught:
        write_named(file, "a report\n")
    assert "--overwrite" in (caught.value.remedy or "")
    assert (file.read_text() if file.exists() else None) == before
    assert file.is_symlink() == made.startswith("link")
    write_named(file, "a report\n", overwrite=True)
    assert file.read_text() == "a report\n"
    assert not file.is_symlink()
    write_named(file, "another\n")


def test_a_memory_that_is_lost_or_broken_makes_nothing_ours(tmp_path: Path) -> None:
    file = tmp_path / "report.txt"
    write_named(file, "one\n")
    for text in ("{", "[]", '{"a": '):
        (state_folder() / "written.json").write_text(text)
        with pytest.raises(InputProblem, match="left as it is"):
            check_named(file)


def test_a_pipe_is_written_into_and_a_folder_is_none(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_named(pipe, "text\n")
        assert os.read(reader, 100) == b"text\n"
    finally:
        os.close(reader)
    with pytest.raises(InputProblem, match="cannot be written"):
        write_named(tmp_path, "text\n")
    with pytest.raises(InputProblem, match="cannot be written"):
        write_named(tmp_path / "no" / "file", "text\n")


@pytest.mark.parametrize(
    "words",
    [
        ["solutions", "--output"],
        ["preflight", "--solution", "pm4ml", "192.0.2.1", "--output"],
        ["preflight", "--solution", "pm4ml", "192.0.2.1", "--save-facts"],
        ["facts", "192.0.2.1", "--output"],
        ["bundle", "create", "--recipe", "r", "--output", "d", "--write-lock"],
        ["bundle", "create", "--recipe", "r", "--output", "d", "--one-file"],
    ],
)
def test_a_command_does_no_work_before_it_knows_that_it_may_write(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No machine is asked, no image fetched; the file of others is as it was."""
    file = tmp_path / "notes.txt"
    file.write_text("theirs\n")
    assert cli.main([*words, str(file)]) == ExitCode.USAGE
    assert "--overwrite" in capsys.readouterr().err
    assert file.read_text() == "theirs\n"


def test_a_result_is_made_again_over_itself(tmp_path: Path) -> None:
    file = tmp_path / "solutions.json"
    words = ["solutions", "--format", "json", "--output", str(file)]
    assert [cli.main(words) for _ in range(2)] == [0, 0]
    file.write_text("theirs\n")
    assert cli.main(words) == ExitCode.USAGE
    assert cli.main([*words, "--overwrite"]) == 0


def test_no_command_writes_a_file_in_another_way() -> None:
    """`export` writes into a folder that it made; what is ours goes through foundation.paths."""
    wrong = []
    for path in sorted((ROOT / "installer" / "commands").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr in ("write_text", "write_bytes"):
                wrong.append(path.name)
            if isinstance(node, ast.Name) and node.id == "write_whole":
                wrong.append(path.name)
    assert wrong == ["export.py"]
