"""What is said of a machine's lock that another holds, and who is believed to hold it."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts import machine_lock
from foundation.hosts.machine_lock import HeldBy
from installer.machine_locks import silence
from installer.site_lock import Holder, Locked, holder_from_json, laptop, this_holder


def held(seconds: float) -> HeldBy:
    """A lock whose holder was last heard of so many seconds ago."""
    return HeldBy("0" * 32, "", seconds)


def test_a_holder_that_gives_signs_of_life_is_at_work() -> None:
    assert silence(held(7)) == "Its last sign of life came 7 seconds ago: it is at work."


def test_a_silent_holder_may_be_asleep_and_is_not_called_dead() -> None:
    assert "90 seconds ago: that laptop may be off, asleep" in silence(held(90))
    assert "12 minutes ago" in silence(held(720))
    assert "goes on there" in silence(held(720))


def test_a_lock_names_its_holder_and_how_silent_it_is() -> None:
    problem = Locked(this_holder("Ma Ma"), "m1:/lock", silence=silence(held(7)))
    assert "Ma Ma" in problem.cause
    assert problem.cause.endswith("it is at work.")
    assert problem.where == "m1:/lock"
    assert "--take-over" in problem.remedy


def test_each_home_has_a_word_of_its_own_that_stays() -> None:
    assert laptop() == laptop() == this_holder("x").laptop
    assert len(laptop()) == 32


@given(st.text(max_size=60) | st.binary(max_size=60))
def test_what_a_lock_holds_is_not_believed(text: str | bytes) -> None:
    found = holder_from_json(text)
    assert found is None or isinstance(found, Holder)


@given(st.text(max_size=30), st.integers() | st.floats() | st.none() | st.booleans())
def test_a_name_in_a_lock_cannot_write_to_the_terminal(name: str, pid: float | None) -> None:
    text = json.dumps({"user": name, "host": name, "pid": pid, "since": name, "by": name})
    found = holder_from_json(text)
    told = "" if found is None else found.sentence()
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in told)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_who_was_put_out_learns_by_whom_whatever_their_login_is(shell: str, tmp_path: Path) -> None:
    """dash's echo reads backslashes, and a login of a domain has one."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")

    def ask(script: str, token: str, *more: str, text: str = "") -> bytes:
        for path in (machine_lock.PATH, machine_lock.PUT_OUT, machine_lock.HOLDER):
            script = script.replace(path, str(tmp_path / Path(path).name))
        words = [shell, "-c", script, "sh", token, *more]
        return subprocess.run(words, input=text.encode(), capture_output=True, check=True).stdout

    def taken(token: str, holder: Holder, instead: str = "") -> None:
        text = f"{token}\n{json.dumps(asdict(holder))}\n"
        assert ask(machine_lock._TAKE, token, instead, "", text=text).strip() == b"taken"

    theirs, ours = "a" * 32, "b" * 32
    taker = replace(this_holder('Ma "Ma" \\n'), user="DOMAIN\\tun")
    taken(theirs, this_holder("Ko Ko"))
    taken(ours, taker, instead=theirs)
    ask(machine_lock._RELEASE, ours)
    told = machine_lock._held(ask(machine_lock._REFRESH, theirs))
    assert told.token == ours
    assert holder_from_json(told.text) == taker
