"""YAML as Helm and kubectl read it: text stays text, and what is broken loses only itself."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundles.manifests.yaml_documents import helm_text, is_bomb, read_documents
from tests.lab.kubernetes import programs


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('enum: ["!=", =, "=~"]', {"enum": ["!=", "=", "=~"]}),
        ("a: !vault x\nb: !x [1]\nc: !y {z: 1}", {"a": "x", "b": [1], "c": {"z": 1}}),
        ("a: !!python/object:os.system x", {"a": "x"}),
        ("a: !!binary aGk=\nb: !!timestamp 2026-01-01", {"a": "aGk=", "b": "2026-01-01"}),
        ("a: 2026-01-01\nb: 12:30:45\nc: yes", {"a": "2026-01-01", "b": "12:30:45", "c": "yes"}),
        (
            "a: 0123\nb: 0x10\nc: 08\nd: 1_000\ne: 0o17",
            {"a": 83, "b": 16, "c": 8, "d": 1000, "e": 15},
        ),
        ("a: ~\nb: null\nc:\nd: True", {"a": None, "b": None, "c": None, "d": True}),
        ("x: &m {q: 1, r: 1}\ny: {<<: *m, r: 2}", {"x": {"q": 1, "r": 1}, "y": {"q": 1, "r": 2}}),
        ("y: {<<: [{q: 1}, {q: 2, s: 3}]}", {"y": {"q": 1, "s": 3}}),
        ("a: |\n  ---\n  b", {"a": "---\nb"}),
        ("? [a]\n: 1", {"['a']": 1}),
        ("a: &i x:1\nb: *i", {"a": "x:1", "b": "x:1"}),
        ("\ufeff%YAML 1.2\n--- # head\na: 1\n...\n", {"a": 1}),
    ],
)
def test_a_document_is_read(text: str, value: Any) -> None:
    found = read_documents(text.encode())
    assert found.values == (value,)
    assert not found.broken


def test_a_broken_document_loses_only_itself_and_is_told_with_its_line() -> None:
    found = read_documents("a: 1\n---\nb: c: d\n---\n{{- if .x }}\ne: [\n---\nf: 2\n")
    assert found.values == ({"a": 1}, {"f": 2})
    assert [(one.line, one.is_template) for one in found.broken] == [(3, False), (5, True)]


def test_what_unfolds_without_end_is_told_and_not_read() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))
    found = read_documents(f"l0: &l0 [x]\n{levels}\n---\nafter: 1\n")
    assert found.values == ({"after": 1},)
    assert "unfolds to too much" in found.broken[0].why
    assert not is_bomb({"a": [1, {"b": 2}]})


def test_keys_that_are_merged_again_and_again_do_not_double() -> None:
    levels = "\n".join(f"l{n}: &l{n} {{<<: [*l{n - 1}, *l{n - 1}]}}" for n in range(1, 60))
    found = read_documents(f"l0: &l0 {{x: 1}}\n{levels}\n")
    assert found.mapping["l59"] == {"x": 1}


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    read_documents(text)


TYPED = ("1.10", "20240101", "0123", "1e3", "12345678", "0x10", "1_000", "100000", "1000000",
         "08", "3.0", "0.00001", "1234567890123456789012", "-5", "0.001", "1.5e-7",
         "2024-01-01", "12:30:45", "=", "123456.7", "0", "on", "OFF", "yes", "No", "y", "N", "oN",
         "'on'", "tRUE")  # fmt: skip


def test_values_are_written_as_helm_writes_them(tmp_path: Path) -> None:
    """Held against the real Helm: a number or a yes is not always what was typed."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: c\nversion: 1.0.0\n")
    (tmp_path / "values.yaml").write_text("".join(f"v{n}: {v}\n" for n, v in enumerate(TYPED)))
    lines = "".join(f"v{n}: {{{{ .Values.v{n} | toString | quote }}}}\n" for n in range(len(TYPED)))
    (tmp_path / "templates" / "a.yaml").write_text(lines)
    done = subprocess.run(
        [programs.helm(), "template", "c", tmp_path], capture_output=True, text=True, check=True
    )
    rendered = read_documents(done.stdout).mapping
    mine = read_documents((tmp_path / "values.yaml").read_text(), by_helm=True).mapping
    assert {key: helm_text(value) for key, value in mine.items()} == rendered
