"""Secrets: they show as stars everywhere, and are found in any text."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from foundation.hosts.connection import Credentials
from foundation.problems import InputProblem
from foundation.secrets import (
    MASK,
    Secret,
    redact,
    secret_from_environment,
    secret_from_file,
)

VALUE = "correct-horse-battery"


@dataclass
class Holder:
    """Something that holds a secret."""

    secret: Secret


def test_no_text_form_shows_the_value() -> None:
    secret = Secret(VALUE)
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>40}", f"{secret!s} {secret!r}"]
    shown += [repr(Holder(secret)), repr(Credentials(password=secret)), repr([secret])]
    for text in shown:
        assert VALUE not in text
        assert MASK in text
    assert secret.reveal() == VALUE


def test_a_secret_is_neither_pickled_nor_made_json() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(Secret(VALUE))
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(VALUE))
    with pytest.raises(TypeError):
        json.dumps(Secret(VALUE))


def test_a_secret_has_no_place_in_a_model() -> None:
    with pytest.raises(TypeError):

        class Wrong(BaseModel):
            model_config = ConfigDict(arbitrary_types_allowed=True)
            secret: Secret


def test_secrets_compare_by_value_and_an_empty_one_is_false() -> None:
    assert Secret("a value") == Secret("a value")
    assert Secret("a value") != Secret("another")
    assert Secret("a value") != "a value"
    assert len({Secret("a value"), Secret("a value")}) == 1
    assert not Secret("")


@given(st.text(min_size=4, max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_a_known_secret_is_found_in_any_text(value: str, before: str, after: str) -> None:
    secret = Secret(value)
    hidden = redact(before + secret.reveal() + after)
    assert value in MASK or value not in hidden


def test_the_longer_secret_is_masked_whole() -> None:
    Secret("longer-than")
    Secret("longer-than-that")
    assert redact("x longer-than-that y") == f"x {MASK} y"


def test_each_line_of_a_secret_is_masked() -> None:
    Secret("first line of it\nsecond line of it\n")
    assert redact("a second line of it b") == f"a {MASK} b"


def test_a_short_secret_does_not_make_text_unreadable() -> None:
    Secret("a")
    assert redact("a cat") == "a cat"


def test_a_private_file_gives_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{VALUE}\r\nmore\n")
    file.chmod(0o600)
    assert secret_from_file(file).reveal() == VALUE
    file.chmod(0o640)
    with pytest.raises(InputProblem) as caught:
        secret_from_file(file)
    assert caught.value.remedy == f"Run: chmod 600 {file}"
    assert VALUE not in str(caught.value)
    with pytest.raises(InputProblem):
        secret_from_file(tmp_path / "none")
    file.write_bytes(b"\xff\xff")
    file.chmod(0o600)
    with pytest.raises(InputProblem):
        secret_from_file(file)


def test_the_environment_gives_a_secret_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITEWRIGHT_TEST", VALUE)
    assert secret_from_environment("SITEWRIGHT_TEST") == Secret(VALUE)
    monkeypatch.setenv("SITEWRIGHT_TEST", "")
    assert secret_from_environment("SITEWRIGHT_TEST") is None
    monkeypatch.delenv("SITEWRIGHT_TEST")
    assert secret_from_environment("SITEWRIGHT_TEST") is None
