"""Documents: strict YAML, and mistakes told by file, line, key and nearest key."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from foundation import documents, yaml_depth
from foundation.documents import SIZE_LIMIT, dump_yaml, load_yaml, parse_yaml, read_text, validate
from foundation.problems import InputProblem
from tests.forked import forked


class Disk(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(extra="forbid")
    size: int
    kind: str = "ssd"


class Document(BaseModel):
    """A document."""

    model_config = ConfigDict(extra="forbid")
    name: str
    disks: list[Disk] = []


def mistake(folder: Path, text: str) -> InputProblem:
    """The problem with a file of some text."""
    file = folder / "d.yaml"
    file.write_text(text)
    with pytest.raises(InputProblem) as caught:
        load_yaml(Document, file)
    assert caught.value.where == str(file)
    assert caught.value.remedy
    return caught.value


def test_a_good_document_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "d.yaml"
    file.write_text("name: a\ndisks:\n  - &d {size: 1}\n  - {<<: *d, kind: nvme}\n")
    document = load_yaml(Document, file)
    assert document == Document(name="a", disks=[Disk(size=1), Disk(size=1, kind="nvme")])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nam: a\n", ["line 1", '"nam"', 'did you mean "name"']),
        ("name: a\ndisks:\n  - {size: 1}\n  - {sice: 2}\n", ["line 4", '"disks[2].sice"', "size"]),
        ("name: a\ndisks:\n  - {size: big}\n", ["line 3", '"disks[1].size"', "'big'"]),
        ("name: a\nzzz: 1\n", ["line 2", "the keys are name, disks"]),
        ("disks: []\n", ['the key "name" is missing']),
        ("name: a\nname: b\n", ["line 2", "twice", "first in line 1"]),
        ("name: a\ndisks: [{size: 1, size: 2}]\n", ["line 2", "twice"]),
        ("name: [a\n", ["line "]),
        ("\tname: a\n", ["line 1"]),
        ("name: !!python/object/apply:os.system [id]\n", ["line 1"]),
        ("just words\n", ["it is text"]),
        ("- a\n", ["it is a list"]),
        ("", ["it is empty"]),
        ("name: a\n---\nname: b\n", ["line 2"]),
    ],
)
def test_a_mistake_is_told_where_it_stands(tmp_path: Path, text: str, words: list[str]) -> None:
    problem = mistake(tmp_path, text)
    for word in words:
        assert word in problem.cause


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "large").write_bytes(b"#" * (SIZE_LIMIT + 1))
    for path, words in (
        (tmp_path / "none", "no such file"),
        (tmp_path / "binary", "not UTF-8"),
        (tmp_path / "large", "bytes"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(InputProblem) as caught:
            read_text(path)
        assert words in caught.value.cause
        assert caught.value.where == str(path)


def test_a_folder_that_lists_nothing_is_no_folder_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputProblem) as caught:
        read_text(tmp_path / "no" / "site.yaml")
    assert "There is no folder" in caught.value.remedy

    def refused(folder: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refused)
    with pytest.raises(InputProblem) as caught:
        read_text(tmp_path / "site.yaml")
    assert caught.value.remedy == "Check the name and the folder."


@given(st.text(max_size=200) | st.text("[]{}&*!|>-:?,#'\" \nab<1", max_size=80))
def test_any_text_is_a_document_or_one_problem(text: str) -> None:
    with contextlib.suppress(InputProblem):
        value = parse_yaml(text, where="x")
        validate(Document, value, where="x", text=text)


def test_a_deep_document_is_refused_and_does_not_break() -> None:
    with contextlib.suppress(InputProblem):
        parse_yaml("[" * 20_000, where="x")
    laughs = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    with pytest.raises(InputProblem, match="stand for more"):
        parse_yaml(laughs, where="x")
    # Fewer of them are read, and told in few words.
    value: Any = parse_yaml("\n".join(laughs.split("\n")[:14]), where="x")
    with pytest.raises(InputProblem) as caught:
        validate(Document, value, where="x", text=laughs)
    assert len(caught.value.cause) < 10_000


@pytest.mark.parametrize("word", [
    "0255", "0122", "00", "007", "1_000", "12:30", "190:20:30", "0b11", "1.10", "1e3", "+4420",
    "-0", "1.5e+2", "yes", "No", "on", "OFF", "y", "=", "2027-01-31", "123456789012345678.5",
    "1234567890123456789", "-" + "9" * 5000, "0x" + "1" * 5000, "0o" + "7" * 5000,
])  # fmt: skip
def test_words_that_yaml_1_1_takes_for_numbers_and_truth_stay_as_typed(word: str) -> None:
    assert parse_yaml(f"key: {word}", where="x") == {"key": word}
    # What is written for others is read by both kinds of readers as the same text.
    written = dump_yaml({"key": word})
    assert parse_yaml(written, where="x") == yaml.safe_load(written) == {"key": word}


@pytest.mark.parametrize(("word", "value"), [
    ("0", 0), ("-12", -12), ("0o17", 15), ("0x1F", 31), ("1.5", 1.5), ("1.0", 1.0),
    (".inf", float("inf")), ("true", True), ("False", False), ("~", None), ("", None),
    ("1.0e+16", 1e16), ("-1.5e-07", -1.5e-7),
])  # fmt: skip
def test_words_of_the_core_schema_are_its_values(word: str, value: object) -> None:
    read = parse_yaml(f"key: {word}", where="x")["key"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize("word", ["0o17", "0x1F", "1.5", "true", "12", "0255", "~"])
def test_a_text_that_looks_like_something_else_is_written_in_quotes(word: str) -> None:
    assert parse_yaml(dump_yaml([word, {"k": word}]), where="x") == [word, {"k": word}]


@pytest.mark.parametrize("word", ["7", "007", "1.10", "1.1", "1e3", "12:30", "0o17", "no", "-5"])
def test_a_number_where_text_is_meant_is_the_text_that_was_typed(tmp_path: Path, word: str) -> None:
    file = tmp_path / "d.yaml"
    file.write_text(f"name: {word}\ndisks: [{{size: 1, kind: {word}}}, {{size: 2}}]\n")
    document = load_yaml(Document, file)
    assert (document.name, document.disks[0].kind) == (word, word)
    assert [disk.size for disk in document.disks] == [1, 2]


def test_a_text_of_digits_where_a_number_is_meant_is_decimal(tmp_path: Path) -> None:
    file = tmp_path / "d.yaml"
    file.write_text("name: a\ndisks: [{size: 0122}]\n")
    assert load_yaml(Document, file).disks == [Disk(size=122)]
    assert "true" in mistake(tmp_path, "name: true\n").cause.lower()


def bomb(first: str, line: str, levels: int) -> str:
    """Aliases of aliases, ten at each level."""
    lines = [f"a0: &a0 {first}"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} " + line.format(", ".join([f"*a{level - 1}"] * 10)))
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text", [bomb("[x]", "[{}]", 12), bomb("{k: 1}", "{{<<: [{}]}}", 12)], ids=["lists", "merges"]
)
def test_aliases_of_aliases_are_refused_at_once(text: str) -> None:
    """A few lines of merges took minutes; of lists, whatever looked into them did."""
    with pytest.raises(InputProblem, match="stand for more than a file can mean"):
        parse_yaml(text, where="site.yaml")


def test_a_file_of_too_many_values_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is made small here, for the real one takes a second to reach."""
    monkeypatch.setattr(yaml_depth, "MOST_NODES", 50)
    for text in ("- 1\n" * 51, "- &a 1\n- *a\n" + "- 1\n" * 60):
        with pytest.raises(InputProblem) as caught:
            parse_yaml(text, where="site.yaml")
        assert caught.value.cause == "it holds more than 50 values"
        assert "this is the file" in (caught.value.remedy or "")
    assert len(parse_yaml("- 1\n" * 40 + "- &a 1\n- *a\n", where="site.yaml")) == 42
    with pytest.raises(InputProblem, match="aliases stand for more"):
        parse_yaml("- &a [1, 2, 3, 4, 5, 6, 7]\n" + "- *a\n" * 8, where="site.yaml")


def test_what_holds_itself_is_refused() -> None:
    with pytest.raises(InputProblem, match="recursive"):
        parse_yaml("a: &a [*a]\n", where="site.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "1: a\n0x1: b\n",
        "true: 1\nTrue: 2\n",
        "~: 1\nnull: 2\n",
        "1: x\n1.0: y\n",
        "1: x\ntrue: y\n",
    ],
)
def test_two_keys_of_one_value_are_refused_and_none_is_lost(text: str) -> None:
    with pytest.raises(InputProblem, match="same value in other words"):
        parse_yaml(text, where="site.yaml")


def test_a_merge_still_gives_way_to_what_stands_beside_it() -> None:
    text = "x: &x {a: 1, b: 1}\ny: {<<: *x, b: 2}\nz: {<<: [*x, *x], c: 3}\n"
    value = parse_yaml(text, where="site.yaml")
    assert (value["y"], value["z"]) == ({"a": 1, "b": 2}, {"a": 1, "b": 1, "c": 3})


def test_the_words_of_a_merge_are_text_where_they_are_no_key() -> None:
    assert parse_yaml("a: <<\nb: [<<, =]\n", where="x") == {"a": "<<", "b": ["<<", "="]}


@pytest.mark.parametrize("value", [
    "!!bool maybe", "!!bool yes", "!!bool on", "!!bool ''", "!!int 0255", "!!int 1_0", "!!int 0b11",
    "!!int 12:30", "!!int ''", "!!float 1_0.5", "!!float infinity", "!!float ''", "!!float .",
    "!!null x", "!!timestamp 2026-01-01", "!!binary aGk=", "!!set {a: }", "!!omap [a: 1]",
])  # fmt: skip
def test_a_tag_that_its_value_does_not_fit_is_a_problem_with_its_line(value: str) -> None:
    """As YAML 1.2 has tags: !!int 1_0 was read as 10, !!bool yes as true, !!null x as nothing."""
    with pytest.raises(InputProblem, match="line 2: the tag !!"):
        parse_yaml(f"b: 1\na: {value}\n", where="site.yaml")


@pytest.mark.parametrize(("value", "read"), [
    ("!!int +12", 12), ("!!int '7'", 7), ("!!int 0o17", 15), ("!!bool 'true'", True),
    ("!!float 3", 3.0), ("!!float 1e3", 1000.0), ("!!float .5", 0.5), ("!!float 1.", 1.0),
    ("!!float .inf", float("inf")), ("!!null ''", None), ("!!str 5", "5"), ("!!str yes", "yes"),
])  # fmt: skip
def test_a_tag_that_fits_makes_what_it_says(value: str, read: object) -> None:
    found = parse_yaml(f"a: {value}\n", where="site.yaml")["a"]
    assert (found, type(found)) == (read, type(read))


@pytest.mark.parametrize("sign", ["\x85", "\u2028", "\u2029"])
def test_the_line_ends_of_yaml_1_1_are_told_and_made_nothing_of(sign: str) -> None:
    """The library ends a line there, so that a text became another, or a second key."""
    with pytest.raises(InputProblem, match=f"line 2: it has the sign U.{ord(sign):04X}"):
        parse_yaml(f"a: 1\nb: x{sign}c: 2\n", where="site.yaml")
    assert parse_yaml(dump_yaml({"a": f"x{sign}y"}), where="x") == {"a": f"x{sign}y"}


@pytest.mark.parametrize(
    "head", ["%YAML 1.1\n", "\ufeff%YAML 1.1\r\n", "# a site\r\r%YAML\t1.1 # old\r", "%YAML 2.0\n"]
)
def test_a_file_that_says_it_is_of_another_yaml_is_refused(head: str) -> None:
    with pytest.raises(InputProblem, match=r"line \d: the file says that it is YAML [12]"):
        documents.parse_yaml(f"{head}---\nfirewall: no\n", where="x")
    assert documents.parse_yaml("%YAML 1.2\n---\na: no\n", where="x") == {"a": "no"}
    assert documents.parse_yaml("a: |\n  %YAML 1.1\n", where="x") == {"a": "%YAML 1.1\n"}


def test_a_second_document_is_told() -> None:
    with pytest.raises(InputProblem, match="line 2: a second document begins there"):
        parse_yaml("a: 1\n---\nb: 2\n", where="site.yaml")


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "a: {" * 100_000, "? " * 200_000])
def test_a_text_that_goes_too_deep_is_a_problem_and_ends_no_process(text: str) -> None:
    """In a process of its own: what is held here is that it goes on."""
    from bundles.manifests.yaml_documents import read_documents

    def both_read() -> None:
        assert read_documents(text).broken
        with pytest.raises(InputProblem, match=r"not YAML|line 1"):
            parse_yaml(text, where="x")

    assert forked(both_read) == 0


def test_a_text_of_many_brackets_that_is_not_deep_is_read() -> None:
    assert parse_yaml("[" + "[1]," * 1000 + "]", where="x") == [[1]] * 1000
    assert parse_yaml("x: " + "[" * 150 + "]" * 150, where="x")["x"]


def test_a_tag_that_means_nothing_here_is_told_as_one() -> None:
    with pytest.raises(InputProblem) as caught:
        parse_yaml("a: 1\nb: !vault |\n  x\n", where="x")
    assert caught.value.cause == "line 2: the tag !vault means nothing in this file"
    assert "tab" not in caught.value.remedy
