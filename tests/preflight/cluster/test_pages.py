"""Pages of lists: any order of keys, nothing that a library would read otherwise, and no crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preflight.cluster.objects import Named
from preflight.cluster.pages import NoList, read_page

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def _names(body: bytes) -> list[str]:
    found: list[Named] = []
    read_page(body, Named, found.append)
    return [one.metadata.name for one in found]


@given(
    st.lists(st.text(max_size=9), max_size=6),
    st.dictionaries(st.sampled_from(["kind", "apiVersion", "more"]), values),
    st.sampled_from([None, 1, 4]),
    st.booleans(),
)
def test_what_is_in_it_is_given_whatever_the_order_and_the_blanks(
    names: list[str], others: dict[str, Any], indent: int | None, last: bool
) -> None:
    items = {"items": [{"metadata": {"name": name}, "x": others} for name in names]}
    whole = {**others, **items} if last else {**items, **others}
    assert _names(json.dumps(whole, indent=indent).encode()) == names


@given(st.binary(max_size=60) | values.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_no_list(body: bytes) -> None:
    with pytest.raises(NoList):
        _names(body)


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_one_that_breaks_off_is_none(cut: int) -> None:
    body = b'{"metadata": {}, "items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]}'
    with pytest.raises(NoList):
        _names(body[:-cut])


def test_what_stands_in_it_is_held() -> None:
    assert _names(b'{"items": null, "metadata": {"continue": "x"}}') == []
    meta = read_page(b'{"items": null, "metadata": {"continue": "x"}}', Named, print)
    assert meta.more == "x"
    with pytest.raises(NoList, match="metadata"):
        _names(b'{"items": [{"metadata": 5}]}')
    with pytest.raises(NoList):
        _names(b'{"items": [' + b"[" * 100_000)
    with pytest.raises(NoList):
        _names(b'{"items": []} and more')
