"""Questions on the terminal: asked again until they are answered, and by nobody's typing ahead."""

from __future__ import annotations

import io
import os
import sys

import pytest

from installer.commands.asking import choose


@pytest.mark.parametrize(
    ("typed", "whole", "word"),
    [
        ("yes\n", False, "yes"),
        ("Y\n", False, "yes"),
        ("n\n", False, "no"),
        ("perhaps\n\nno\n", False, "no"),
        ("y\nyes\n", True, "yes"),
        ("y\n", True, "no"),
        ("", False, "no"),
        ("all\n", False, "all"),
    ],
)
def test_a_word_is_asked_for_until_it_is_one_of_them(
    typed: str, whole: bool, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert choose("Trust m1?", ("yes", "no", "all (these 3)"), whole=whole) == word


def test_what_is_none_of_the_words_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\nyes\n"))
    assert choose("Begin? Type", whole=True) == "yes"
    told = capsys.readouterr().err
    assert told == 'Begin? Type yes or no: "y" is none of them.\nBegin? Type yes or no: '


def test_what_was_typed_ahead_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key is not trusted by what was typed while the machines were still asked."""
    ours, theirs = os.openpty()
    try:
        with os.fdopen(theirs, "r") as terminal:
            monkeypatch.setattr(sys, "stdin", terminal)
            os.write(ours, b"all\n")

            class AskedThenTyped(io.StringIO):
                def flush(self) -> None:
                    os.write(ours, b"no\n")

            monkeypatch.setattr(sys, "stderr", AskedThenTyped())
            assert choose("Trust m1?", ("yes", "no", "all (these 3)")) == "no"
    finally:
        os.close(ours)
