"""How far an update may go: document 004's four strategies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installer.updates.strategies import Strategy, newer_than, sort_tags
from installer.updates.versions import Version, is_newer, read_tag
from tests.installer.updates.test_versions import ANY, TAG

TAGS = [
    *("v11.0.0", "v11.0.0-patch.1", "v11.0.0-patch.2", "v11.0.0.1", "v11.0.1", "v11.1.0"),
    *("v11.0.2-snapshot.1", "v11.2.7", "v12.0.0-rc.1", "v12.0.0", "v10.9.9", "latest"),
    *("20231001", "2025.1.2", "v11.9.0-alpine", "12.0.0", "v12"),
]


def newest(tag: str, strategy: str, *, prereleases: bool = False, tags: list[str] = TAGS) -> str:
    current = read_tag(tag)
    assert isinstance(current, Version)
    found = newer_than(current, sort_tags(tags), Strategy(strategy), prereleases=prereleases)
    return found[0].tag if found else ""


@pytest.mark.parametrize(
    ("tag", "strategy", "expected"),
    [
        ("v11.0.0", "patch", "v11.0.0.1"),
        ("v11.0.0", "bugfix", "v11.0.1"),
        ("v11.0.0", "minor", "v11.2.7"),
        ("v11.0.0", "major", "v12.0.0"),
        ("11.0.0", "major", "12.0.0"),
        ("v11.0.1", "patch", ""),
        ("v11.2.7", "minor", ""),
        ("v12.0.0", "major", ""),
        ("v12.0.0-rc.1", "major", "v12.0.0"),
        ("v11.0.0-alpine", "major", "v11.9.0-alpine"),
        ("v10.0.0", "minor", "v10.9.9"),
        ("v11", "major", "v12"),
        ("v99.0.0", "major", ""),
    ],
)
def test_the_four_strategies(tag: str, strategy: str, expected: str) -> None:
    assert newest(tag, strategy) == expected


def test_prereleases_only_when_asked() -> None:
    tags = ["v1.0.0", "v1.0.1-rc.1", "v1.1.0-snapshot.3"]
    assert newest("v1.0.0", "major", tags=tags) == ""
    assert newest("v1.0.0", "bugfix", prereleases=True, tags=tags) == "v1.0.1-rc.1"
    assert newest("v1.0.0", "major", prereleases=True, tags=tags) == "v1.1.0-snapshot.3"
    # Whoever runs one has not asked for the next one by that.
    assert newest("v1.0.1-rc.0", "major", tags=tags) == ""


@given(TAG, st.lists(ANY, max_size=30), st.sampled_from(Strategy), st.booleans())
def test_never_an_older_or_equal_one_and_never_too_far(
    tag: str, tags: list[str], strategy: Strategy, prereleases: bool
) -> None:
    current = read_tag(tag)
    if not isinstance(current, Version):
        return
    found = newer_than(current, sort_tags([*tags, tag]), strategy, prereleases=prereleases)
    kept = {"patch": 3, "bugfix": 2, "minor": 1, "major": 0}[strategy]
    for one in found:
        assert is_newer(one, current)
        assert one.tag in tags
        assert one.numbers[:kept] == current.numbers[:kept]
        assert prereleases or not one.prerelease
    orders = [one.order for one in found]
    assert orders == sorted(orders, reverse=True)
