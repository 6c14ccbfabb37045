"""A run that goes on with another value of a secret: the old one is found, and kept nowhere."""

from __future__ import annotations

import hashlib
import json
import stat
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation import secrets
from foundation.paths import data_folder
from foundation.secrets import MASK, Secret, redact
from installer.events import Kind, Outcome
from installer.running import earlier_secrets
from installer.running.earlier_secrets import FILE, remember
from tests.foundation.test_secrets import (
    encoded_in_the_ways_of_the_trade,
    written_in_ways_that_no_list_has,
)
from tests.installer.engine_site import Watch, engine, new_run, plan, step


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What this process knows of secrets, forgotten."""
    forget(monkeypatch)
    yield
    secrets._marks.clear()


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be another process, which knows no secret yet."""
    for name in ("_known", "_encoded", "_hidden", "_values", "_marks"):
        monkeypatch.setattr(secrets, name, type(getattr(secrets, name))())


def test_the_value_of_an_earlier_session_is_masked_by_a_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"db": Secret("old-password-1"), "key": Secret("line one of it\nline two of it\n")}
    remember(tmp_path, old)
    remember(tmp_path, old)
    forget(monkeypatch)
    assert redact("db=old-password-1") == "db=old-password-1"
    new = {"db": Secret("new-password-2"), "key": Secret("line one of it\nline 2 of it\n")}
    remember(tmp_path, new)
    assert redact("db=old-password-1; db=new-password-2;") == f"db={MASK}; db={MASK};"
    assert redact("x line two of it y") == f"x {MASK} y"
    forget(monkeypatch)
    remember(tmp_path, new)
    assert redact("old-password-1") == MASK  # in every later session


def test_an_earlier_value_is_masked_in_the_encodings_of_the_trade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = "old-päss'wörd&1"
    remember(tmp_path, {"db": Secret(old)})
    forget(monkeypatch)
    remember(tmp_path, {"db": Secret("another-one-2")})
    ways = {
        **encoded_in_the_ways_of_the_trade(old, "user", "@h"),
        **written_in_ways_that_no_list_has(old),
        "basic in JSON": json.dumps({"a": "Basic " + b64encode(f"u:{old}".encode()).decode()}),
        "base64 in base64": b64encode(b64encode(f"xy:{old}".encode())).decode(),
    }
    ways.pop("quoted-printable")  # of lines, and what has only a mark is known whole
    for way, text in ways.items():
        hidden = redact(f"said: {text} .")
        assert MASK in hidden, way
        assert len(hidden) < len(text) + 12, way
    assert redact("nothing of it: c29tZSB0ZXh0 %20 \\n") == "nothing of it: c29tZSB0ZXh0 %20 \\n"


def test_every_line_of_a_long_secret_is_kept_in_mind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain of certificates and its key have hundreds of lines, the key's are the last."""
    lines = [hashlib.sha512(str(number).encode()).hexdigest()[:64] for number in range(400)]
    remember(tmp_path, {"key": Secret("\n".join(lines))})
    forget(monkeypatch)
    assert remember(tmp_path, {"key": Secret("another-one-2")})
    for line in (lines[0], lines[150], lines[-1]):
        assert redact(f"said: {line} .") == f"said: {MASK} ."
        assert redact(f"said: {b64encode(line.encode()).decode()} .") == f"said: {MASK} ."


def test_what_is_too_long_to_be_kept_in_mind_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(earlier_secrets, "_MOST_MARKS", 50)
    lines = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(60)]
    [said] = remember(tmp_path, {"key": Secret("\n".join(lines)), "db": Secret("old-password-1")})
    assert "The secret key has 60 lines, more than this run's folder keeps marks of" in said
    forget(monkeypatch)
    remember(tmp_path, {"db": Secret("new-password-2")})
    assert redact("db=old-password-1") == f"db={MASK}"


def test_only_a_name_with_another_value_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(tmp_path, {"db": Secret("old-password-1"), "key": Secret("of-another-stage")})
    forget(monkeypatch)
    remember(tmp_path, {"db": Secret("old-password-1")})
    assert not secrets._marks  # so that no line is searched
    remember(tmp_path, {"db": Secret("new-password-2")})
    assert [length for _key, length in secrets._marks] == [len("old-password-1")]


def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Have two secrets of an earlier session; what is noted whenever a word is asked about."""
    remember(tmp_path, {"db": Secret("old-password-1"), "key": Secret("§ other_one 2")})
    forget(monkeypatch)
    remember(tmp_path, {"db": Secret("new-password-2"), "key": Secret("another")})
    asked: list[None] = []
    hashed = hashlib.blake2b

    def noted(*words: Any, **more: Any) -> Any:
        asked.append(None)
        return hashed(*words, **more)

    monkeypatch.setattr(hashlib, "blake2b", noted)
    return asked


@pytest.mark.parametrize(
    "around", ["db={}", "'{}'", "a://u:{}@h", "mysql -p{} x", "{}", "a\\n{}\\n", "in {}\n", "\n{}"]
)
@pytest.mark.parametrize("length", [0, 200_000])
def test_a_line_of_any_length_is_masked_with_little_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: str, length: int
) -> None:
    asked = counted(tmp_path, monkeypatch)
    text = around.format("old-password-1") + " and § other_one 2, " + "w" * length
    assert redact(text) == text.replace("old-password-1", MASK).replace("§ other_one 2", MASK)
    assert len(asked) < 1_100
    plain = "nothing of it\nhere"
    assert redact(plain) is plain


def test_what_was_not_looked_at_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(tmp_path, monkeypatch)
    assert "old-password" not in redact("-" * 200_000 + " old-password-1")
    assert len(asked) < 21_000


def test_nothing_that_is_kept_holds_the_value(tmp_path: Path) -> None:
    remember(tmp_path, {"db": Secret("old-password-1")})
    kept = (tmp_path / FILE).read_text()
    assert "old-password" not in kept
    for file in (tmp_path / FILE, data_folder() / "secrets.key"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Without the key, which lies elsewhere, a mark cannot even be guessed at.
    (data_folder() / "secrets.key").unlink()
    other = tmp_path / "other"
    other.mkdir()
    remember(other, {"db": Secret("old-password-1")})
    assert (other / FILE).read_text() != kept


@given(st.binary(max_size=200))
def test_a_file_of_marks_that_is_none_of_ours_is_no_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("run")
    (folder / FILE).write_bytes(raw)
    remember(folder, {"db": Secret("a-password")})
    assert b"a-password" not in (folder / FILE).read_bytes()


async def test_a_resumed_run_masks_what_it_had_before(monkeypatch: pytest.MonkeyPatch) -> None:
    made = plan(step("a", kind="confirm", text="Is it so?"))
    run = new_run(made)
    first = engine(made, run, secrets={"db": Secret("old-password-1")})
    assert await first.run() is Outcome.FAILED  # nobody is there to confirm it
    forget(monkeypatch)
    await engine(made, run, secrets={"db": Secret("new-password-2")}).run()
    assert redact("db=old-password-1") == f"db={MASK}"


# ---- whether a secret is another than before


def test_only_another_value_of_the_same_name_is_told(tmp_path: Path) -> None:
    first = {"token": Secret("s3cret-one"), "other": Secret("same")}
    assert remember(tmp_path, first) == []
    assert remember(tmp_path, first) == []
    assert remember(tmp_path, {"token": Secret("s3cret-one")}) == []
    [said] = remember(tmp_path, {**first, "token": Secret("s3cret-two")})
    assert "The secret token is another" in said
    # It is told once; from then on it is the one that the run works with.
    assert remember(tmp_path, {**first, "token": Secret("s3cret-two")}) == []


def test_the_folder_of_a_run_alone_tells_nothing_of_a_short_password(tmp_path: Path) -> None:
    """Equal values of two names differ, and the key lies outside."""
    remember(tmp_path, {"a": Secret("pw"), "b": Secret("pw")})
    text = (tmp_path / FILE).read_text()
    assert "pw" not in text
    whole = json.loads(text)["whole"]
    assert len(set(whole.values())) == 2
    (tmp_path / FILE).write_text("[rubbish")
    [said] = remember(tmp_path, {"a": Secret("pw")})
    assert f"({FILE}) cannot be read" in said
    assert remember(tmp_path, {"a": Secret("pw")}) == []


def test_the_hashes_of_a_run_of_an_earlier_version_count(tmp_path: Path) -> None:
    """It kept them in a file of their own, beside marks without them."""
    remember(tmp_path, {"token": Secret("s3cret-one")})
    kept = json.loads((tmp_path / FILE).read_text())
    (tmp_path / "secrets.json").write_text(json.dumps(kept.pop("whole")))
    (tmp_path / FILE).write_text(json.dumps(kept))
    assert remember(tmp_path, {"token": Secret("s3cret-one")}) == []
    (tmp_path / FILE).write_text(json.dumps(kept))
    [said] = remember(tmp_path, {"token": Secret("s3cret-two")})
    assert "The secret token is another" in said
    for old in ("[", '{"token": 1}', "[" * 5000):
        (tmp_path / "secrets.json").write_text(old)
        (tmp_path / FILE).write_text(json.dumps(kept))
        assert remember(tmp_path, {"token": Secret("s3cret-two")}) == []


async def test_a_run_tells_it_in_its_record() -> None:
    made = replace(plan(step("a", script="exit 0")), secrets=("token",))
    run, watch = new_run(made), Watch()
    for value in ("s3cret-one", "s3cret-two"):
        given = {"token": Secret(value)}
        await engine(made, run, secrets=given, watch=watch).run()
    notes = [str(event.data["text"]) for event in watch.of(Kind.NOTE)]
    assert sum("The secret token is another" in note for note in notes) == 1
    assert "s3cret" not in run.journal.read_text()
