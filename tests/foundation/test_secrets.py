"""Secrets: they show as stars everywhere, and are found in any text."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from foundation import secrets
from foundation.hosts.connection import Credentials
from foundation.problems import InputProblem
from foundation.secrets import (
    MASK,
    Secret,
    redact,
    secret_from_environment,
    secret_from_file,
    taken_from_environment,
)

VALUE = "correct-horse-battery"


@pytest.fixture(autouse=True, scope="module")
def known_here_alone() -> Iterator[None]:
    """What these tests make known is not looked for in the tests after them."""
    values, known = set(secrets._values), dict(secrets._known)
    yield
    for kept, before in ((secrets._values, values), (secrets._known, known)):
        kept.clear()
        kept.update(before)  # type: ignore[arg-type]  # each is given back its own


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


TYPED = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40)
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def encoded_in_the_ways_of_the_trade(value: str, before: str, after: str) -> dict[str, str]:
    """A secret as programs print it; each made by other means than ours."""
    import base64
    import html
    import shlex
    import urllib.parse

    import yaml

    raw = f"{before}:{value}{after}".encode()
    return {
        "basic": base64.b64encode(raw).decode(),
        "base64": base64.b64encode(value.encode()).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(raw).decode(),
        "hexadecimal": raw.hex(),
        "HEXADECIMAL": raw.hex().upper(),
        "URL": f"https://u:{urllib.parse.quote(value, safe='')}@x",
        "form": urllib.parse.urlencode({"p": value}),
        "JSON": json.dumps({"p": value}),
        "JSON as it is": json.dumps({"p": value}, ensure_ascii=False),
        "JSON in JSON": json.dumps(json.dumps({"p": value})),
        "shell": shlex.join(["--password", value]),
        "Python": repr({"p": value}),
        "HTML": html.escape(f"<p>{value}</p>"),
        "YAML": yaml.safe_dump({"p": value}, width=10_000),
    }


@given(TYPED, ANY, ANY)
def test_a_secret_is_found_in_the_encodings_of_the_trade(
    value: str, before: str, after: str
) -> None:
    Secret(value)
    for way, text in encoded_in_the_ways_of_the_trade(value, before, after).items():
        assert MASK in redact(text), way
        # What is left over is less than would give the secret away.
        hidden = redact(text)
        assert len(hidden.replace(MASK, "")) <= len(text) - len(value) + 4, way


def test_a_key_of_many_lines_is_found_in_base64_of_many_lines() -> None:
    import base64

    key = "\n".join(f"line {n} of a private key, with more of it" for n in range(8)) + "\n"
    Secret(key)
    for width in (76, 64):
        text = base64.b64encode(key.encode()).decode()
        lines = [text[at : at + width] for at in range(0, len(text), width)]
        assert all(redact(line) == MASK for line in lines[:-1])
    assert redact(base64.encodebytes(key.encode()).decode()).count(MASK) >= len(key) // 57


def test_secrets_of_the_environment_are_taken_out_of_it_and_still_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os
    import subprocess

    monkeypatch.setenv("SITEWRIGHT_SUDO_PASSWORD", VALUE)
    monkeypatch.setenv("SITEWRIGHT_SECRET_TOKEN", "token-of-the-site")
    monkeypatch.setenv("SITEWRIGHT_VENV", "/somewhere")
    with taken_from_environment():
        assert secret_from_environment("SITEWRIGHT_SUDO_PASSWORD") == Secret(VALUE)
        assert secret_from_environment("SITEWRIGHT_SECRET_TOKEN") == Secret("token-of-the-site")
        assert redact("token-of-the-site") == MASK
        inherited = subprocess.run(["env"], capture_output=True, text=True, check=True).stdout
        assert VALUE not in inherited
        assert "token-of-the-site" not in inherited
        assert os.environ["SITEWRIGHT_VENV"] == "/somewhere"
    assert secret_from_environment("SITEWRIGHT_SUDO_PASSWORD") is None
