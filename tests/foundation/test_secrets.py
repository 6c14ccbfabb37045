"""Secrets: they show as stars everywhere, and are found in any text."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from foundation import secrets
from foundation.hosts.connection import Credentials
from foundation.problems import InputProblem
from foundation.secrets import (
    MASK,
    Secret,
    _begun_at_the_end,
    _ended_at_the_begin,
    redact,
    secret_from_environment,
    secret_from_file,
    taken_from_environment,
)
from foundation.terminal import clean_line, visible

VALUE = "correct-horse-battery"


def only_known(value: str) -> None:
    """Let this be the only secret: of hundreds of examples one is part of another's words."""
    for kept in (secrets._values, secrets._known, secrets._encoded, secrets._hidden):
        kept.clear()
    Secret(value)


@dataclass
class Holder:
    """Something that holds a secret."""

    secret: Secret


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_secret_that_goes_on_on_the_next_line_is_hidden(end: str) -> None:
    """As a shell reads it: a backslash before the end of a line takes both away."""
    Secret("pa$$!word-of-the-site")
    hidden = redact(f"said: pa$$!\\{end}word-of-the-site .")
    assert "word-of-the-site" not in hidden
    assert MASK in hidden


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
    only_known(value)
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


def written_in_ways_that_no_list_has(value: str) -> dict[str, str]:
    """A secret as programs of the trade write it where they escape more than they must."""
    import quopri

    raw = value.encode()
    every_percent = "".join(f"%{byte:02X}" for byte in raw)
    units = [value.encode("utf-16-be")[at : at + 2].hex() for at in range(0, 2 * len(value), 2)]
    go = json.dumps(value)
    for sign in "<>&":
        go = go.replace(sign, f"\\u{ord(sign):04x}")
    return {
        "each character percent": every_percent,
        "percent in small letters": every_percent.lower(),
        "percent twice": every_percent.replace("%", "%25"),
        "JSON of Go": go,
        "JSON of Go in JSON": json.dumps(go),
        "JSON with escapes for all": "".join(f"\\u{one}" for one in units),
        "JSON with capital escapes": "".join(f"\\u{one.upper()}" for one in units),
        "Python's bytes": "".join(f"\\x{byte:02x}" for byte in raw),
        "octal of a shell": "$'" + "".join(f"\\{byte:03o}" for byte in raw) + "'",
        "decimal entities": "".join(f"&#{ord(c)};" for c in value),
        "hexadecimal entities": "".join(f"&#x{ord(c):X};" for c in value),
        "entities twice": "".join(f"&amp;#{ord(c)};" for c in value),
        "a backslash each": "".join(f"\\{c}" if not c.isalnum() else c for c in value),
        "single quotes": "'" + value.replace("'", "'\"'\"'") + "'",
        "YAML in YAML": "'" + value.replace("'", "''''") + "'",
        "CSV in CSV": '"' + value.replace('"', '""""') + '"',
        "quoted-printable": quopri.encodestring(raw).decode(),
        "a dump of bytes": " ".join(f"0x{byte:02X}," for byte in raw),
        "bytes with commas": ",".join(f"{byte:02x}" for byte in raw),
        "xxd": " ".join(raw.hex()[at : at + 4] for at in range(0, 2 * len(raw), 4)),
        "a Makefile": value.replace("\\", "\\\\").replace("$", "\\$"),
    }


@example('pass\'word""of')
@example("pass\"word''of")
@given(TYPED)
def test_a_secret_is_found_however_much_of_it_is_escaped(value: str) -> None:
    only_known(value)
    for way, text in written_in_ways_that_no_list_has(value).items():
        hidden = redact(f"said: {text} .")
        assert MASK in hidden, way
        assert len(hidden) < len(text) + 12, way


EACH: dict[str, Callable[[str], str]] = {
    "percent": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
    "entities": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "JSON": lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
    "bytes": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "octal": lambda text: "".join(f"\\{byte:03o}" for byte in text.encode()),
    "a backslash": lambda text: "".join(f"\\{c}" if not c.isalnum() else c for c in text),
    "bytes apart": lambda text: " ".join(f"0x{byte:02X}," for byte in text.encode()),
}
"""Ways to escape each character, of which any may stand in any other."""


@pytest.mark.parametrize("outer", EACH)
@pytest.mark.parametrize("inner", EACH)
def test_a_secret_is_found_whatever_is_escaped_in_whatever(inner: str, outer: str) -> None:
    only_known(VALUE)
    text = EACH[outer](EACH[inner](VALUE))
    assert redact(f"it: <{text}> .").startswith(f"it: <{MASK}"), text


@pytest.mark.parametrize("inner", EACH)
def test_a_secret_is_found_in_escapes_that_a_mail_quotes(inner: str) -> None:
    only_known(VALUE)
    text = "".join(f"={byte:02X}" for byte in EACH[inner](VALUE).encode())
    assert redact(f"it: {text} .") == f"it: {MASK} ."


def test_a_phrase_in_json_is_found_in_a_form() -> None:
    import urllib.parse

    phrase = 'correct "horse" + battery'
    only_known(phrase)
    text = urllib.parse.urlencode({"payload": json.dumps({"p": phrase})})
    assert redact(text) == f"payload=%7B%22p%22%3A+%22{MASK}%22%7D"


@given(TYPED, ANY, ANY, st.sampled_from([64, 76]), st.sampled_from(["\n", "\r\n", "\\n"]))
def test_base64_that_is_broken_into_lines_is_found_in_one_text_and_in_each_line(
    value: str, before: str, after: str, width: int, end: str
) -> None:
    import base64

    only_known(value)
    text = base64.b64encode(f"{before * 3}:{value}{after * 3}".encode()).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    assert MASK in redact(end.join(lines))
    # Each line alone leaves less than half of what the secret is encoded to.
    left = "".join(redact(line) for line in lines).replace(MASK, "")
    assert len(left) <= len(text) - len(value) * 4 // 3 + 14


def test_what_the_end_of_a_line_cuts_off_is_masked() -> None:
    only_known(VALUE)
    said = f"password={VALUE[:9]} … [1200 bytes more]"
    assert redact(said) == f"password={MASK} … [1200 bytes more]"


@given(st.text("AB", min_size=1, max_size=14), st.text("AB", max_size=14), st.integers(1, 6))
def test_the_longest_part_of_a_value_is_found(value: str, text: str, shortest: int) -> None:
    lengths = range(shortest, min(len(value) - 1, len(text)) + 1)
    begun = [length for length in lengths if text.endswith(value[:length])]
    ended = [length for length in lengths if text.startswith(value[-length:])]
    assert _begun_at_the_end(text, value, shortest) == max(begun, default=0)
    assert _ended_at_the_begin(text, value, shortest) == max(ended, default=0)


@pytest.mark.parametrize(
    "line",
    ["downloading", "Q" * 60, 'a: "' + "Q" * 60 + '"', "a\\tb", "half a word … [9 bytes more]"],
)
def test_a_long_secret_is_not_taken_apart_for_each_line(line: str) -> None:
    """What a line costs is counted in calls, and grows with a secret's forms, not its length."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    only_known("".join(chr(33 + n * n % 89) for n in range(6000)))
    sys.setprofile(count)
    try:
        said = redact(line)
    finally:
        sys.setprofile(None)
    assert said == line
    assert calls < 20 * len(secrets._known)


@pytest.mark.parametrize(
    "said",
    [
        "correct-\x1b[01;31mhorse\x1b[m\x1b[K-battery", "correct-\x1b]0;title\x07horse-battery",
        "".join(f"{sign}\b{sign}" for sign in VALUE), "correct-\x9b31mhorse\x1b[0m-battery \x1b[1m",
    ],
)  # fmt: skip
def test_a_secret_is_masked_as_a_terminal_would_show_it(said: str) -> None:
    """Whoever is asked first, the redactor or the gate: colours in a secret do not hide it."""
    only_known(VALUE)
    assert VALUE not in visible(redact(said))
    assert VALUE not in redact(visible(said))
    assert MASK in redact(said)


@pytest.mark.parametrize(
    "value", ["pass\tword-of-it", "pass\x07word-of-it", "pass\u200bword-of-it"]
)
def test_a_secret_that_the_gate_shows_otherwise_is_masked_behind_it(value: str) -> None:
    only_known(value)
    assert redact(clean_line(f"it: {value} .")) == f"it: {MASK} ."
    assert redact(f"it: {value} .") == f"it: {MASK} ."


def test_what_says_nothing_else_than_it_seems_stays_as_it_is() -> None:
    only_known(VALUE)
    for text in (
        "100% of C:\\new\\table & more; it''s 'so' 3+4 a=3D 00:1a:2b:3c:4d:5e", "Installing",
        "%zz &nosuch; \\", "\\" * 70, "%25" * 60, "a\nb\n", "\\ud800\\udfff \\U00110000 &#x110000;",
    ):  # fmt: skip
        assert redact(text) == text


def test_nothing_is_cut_before_it_is_searched() -> None:
    """A part of a secret is no secret that anybody knows."""
    root = Path(__file__).parents[2]
    wrong = []
    for floor in ("foundation", "preflight", "bundles", "installer", "screens"):
        for path in sorted((root / floor).rglob("*.py")):
            text = path.read_text("utf-8")
            for node in ast.walk(ast.parse(text)) if "redact(" in text else ():
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "redact":
                    cut = any(isinstance(part, ast.Slice) for part in ast.walk(node))
                    wrong += [f"{path.relative_to(root)}:{node.lineno}"] if cut else []
    assert wrong == []


@pytest.mark.parametrize("turn", ["first", "second"])
def test_what_one_test_makes_known_hides_no_words_of_the_next(turn: str) -> None:
    said = f"of monitors, managers and others ({turn})"
    assert redact(said) == said
    Secret("managers")
    assert redact(said) != said
