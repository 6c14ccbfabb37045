"""What the callback plugin tells, read from lines in which machines may write too."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.ansible.on_control_host import sitewright_events
from installer.ansible.told import parse

WORD = "0123456789abcdef"


def line(**value: object) -> str:
    """A line of the plugin."""
    return f"{WORD} {json.dumps(value)}"


def test_a_result_of_a_machine() -> None:
    told = parse(
        line(event="host", play="p", task="t", host="w1", status="failed", sentence="no\x1b[31m"),
        WORD,
    )
    assert told is not None
    assert (told.host, told.status, told.sentence) == ("w1", "failed", "no")
    assert told.text == "failed on w1 (t): no"


def test_a_line_with_another_word_is_output() -> None:
    """A machine that prints an event of its own is not believed."""
    forged = line(event="host", host="w1", status="ok").replace(WORD, "f" * 16)
    assert parse(forged, WORD) is None
    assert parse(f"x {line(event='task', task='t')}", WORD) is None


def test_numbers_and_failures() -> None:
    failed = {"play": "p", "task": "t", "host": "w2", "status": "failed", "sentence": "bad"}
    told = parse(
        line(event="stats", hosts={"w2": {"ok": 1, "failures": 1, "odd": 9}}, failures=[failed]),
        WORD,
    )
    assert told is not None
    assert told.stats == {"w2": {"ok": 1, "failures": 1}}
    assert [(one.host, one.sentence) for one in told.failures] == [("w2", "bad")]


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    parse(f"{WORD} {text}", WORD)


@given(
    st.dictionaries(
        st.sampled_from(["event", "host", "status", "hosts", "failures", "text", "task"]),
        st.recursive(
            st.sampled_from(["stats", "host", "failed", "note"]) | st.integers() | st.none(),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    )
)
def test_no_shape_raises(value: dict[str, object]) -> None:
    told = parse(line(**value), WORD)
    if told is not None:
        assert isinstance(told.text, str)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (
            {"msg": "Request failed: <urlopen error x>", "url": "https://u:p@a.test/m.yaml?t=1"},
            "Request failed: <urlopen error x> (https://a.test/m.yaml)",
        ),
        (
            {"msg": "gone", "invocation": {"module_args": {"url": "http://a.test"}}},
            "gone (http://a.test)",
        ),
        ({"msg": "http://a.test/x says no", "url": "http://a.test/x"}, "http://a.test/x says no"),
        ({"msg": "no", "url": "not an address"}, "no"),
        ({"msg": "no", "invocation": {"module_args": "hidden"}}, "no"),
    ],
)
def test_what_could_not_be_fetched_is_named(result: dict[str, object], told: str) -> None:
    """What Python says of a name that does not resolve names neither the name nor who asked."""
    callback = sitewright_events.CallbackModule()
    given = SimpleNamespace(result=result, _result=result, task=SimpleNamespace(no_log=False))
    assert callback._sentence(given) == told
