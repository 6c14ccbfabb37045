"""`sitewright sizing`: the size of a site from its numbers a day."""

from __future__ import annotations

import json

import pytest

from installer.cli import main


def test_a_size_is_told_with_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = ["--registrations", "216000", "--authentications", "500000"]
    assert main(["sizing", "mosip", *numbers]) == 0
    text = capsys.readouterr().out
    assert "9 x IDA auth" in text
    assert "41 machines" in text
    assert "--sizing registrations-216000-authentications-500000" in text
    assert "say --population" in text
    assert main(["sizing", "mosip", *numbers, "--format", "json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["nodes"], value["bound_by"]) == (36, "CPUs")
    assert value["sizing"]["id"] == "registrations-216000-authentications-500000"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["mosip"], "nothing is to be reckoned with"),
        (["mosip", "--registrations", "-5"], "which no country has"),
        (["pm4ml", "--registrations", "5"], "nothing is published"),
        (["mosep", "--registrations", "5"], 'did you mean "mosip"'),
    ],
)
def test_wrong_words_are_told(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sizing", *words]) == 2
    assert told in capsys.readouterr().err
