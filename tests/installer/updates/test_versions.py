"""Tags as versions: SemVer's own examples, what the field writes, and two independent oracles."""

from __future__ import annotations

import subprocess
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version as Packaging

from installer.updates.versions import NoVersion, Version, comparable, is_newer, read_tag


def version(tag: str) -> Version:
    found = read_tag(tag)
    assert isinstance(found, Version), f"{tag} {found.why}"
    return found


def newer(one: str, than: str) -> bool:
    return is_newer(version(one), version(than))


def test_semvers_own_examples() -> None:
    """semver.org, rule 11, in their order."""
    order = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 "
    order += "1.0.0-rc.1 1.0.0"
    for before, after in combinations(order.split(), 2):
        assert newer(after, before)
        assert not newer(before, after)
    for before, after in pairwise(["1.0.0", "2.0.0", "2.1.0", "2.1.1"]):
        assert newer(after, before)
    assert newer("1.10.0", "1.9.0")


@pytest.mark.parametrize(
    ("after", "before"),
    [
        ("v11.0.1", "v11.0.0"),
        ("11.0.1", "v11.0.0"),
        ("v11.0.0-patch.1", "v11.0.0"),  # upstream's swagger
        ("v11.0.0-patch.10", "v11.0.0-patch.9"),
        ("v13.14.0", "v13.14.0-snapshot.4"),
        ("v13.14.0-snapshot.10", "v13.14.0-snapshot.9"),
        ("1.2.0.1", "1.2.0"),  # MOSIP
        ("1.2.0.2", "1.2.0.1"),
        ("1.2.1", "1.2.0.9"),
        ("1.1.5.5-P1", "1.1.5.5"),
        ("1.2.0.1", "1.2.0.1-B2"),
        ("8.0.33-debian-11-r1", "8.0.32-debian-11-r5"),  # Bitnami
        ("8.0.32-debian-11-r10", "8.0.32-debian-11-r9"),
        ("v1.31.1-k3s2", "v1.31.1-k3s1"),
        ("1.2.4-alpine", "1.2.3-alpine"),
        ("21.0.1-1", "21.0.1-0"),  # Keycloak
        ("3.12.0", "3.12.0rc1"),
        ("3.12.0rc2", "3.12.0rc1"),
        ("1.0.0-rc10", "1.0.0-rc9"),
        ("1.0.0-rc-2", "1.0.0-rc-1"),
        ("9.9p2", "9.9p1"),
        ("2.9", "2.8"),
        ("24.04", "22.04"),
        ("2024.10.1", "2024.9.3"),
        ("1.2.3-20240101", "1.2.3-20231001"),
    ],
)
def test_what_is_newer(after: str, before: str) -> None:
    assert newer(after, before)
    assert not newer(before, after)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2.3-alpine", "1.2.4"),
        ("1.2.3-alpine3.18", "1.2.3-alpine3.19"),
        ("1.2.3-debian-11-r5", "1.2.3-debian-12-r1"),
        ("2.8-jdk11", "2.8-jdk17"),
        ("1.2.3", "1.2.3-4"),  # before it to SemVer, after it to Debian
        ("1.2", "1.2.1"),  # 1.2 moves
        ("1", "1.2"),
        ("11.0.0", "2025.0.0"),  # getwud/wud#1183
        ("11.0.0", "2025.1.2"),
        ("1.2.3-patch.1", "1.2.3-hotfix.2"),
        ("1.2.3-4", "1.2.3-20240101"),
        ("1.0.0.Final", "1.0.1"),
    ],
)
def test_what_nobody_can_compare(one: str, other: str) -> None:
    assert not comparable(version(one), version(other))
    assert not newer(one, other)
    assert not newer(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("v1.0.1", "1.0.1"), ("1.2.0", "1.2.0.0"), ("1.0.0-rc1", "1.0.0-rc.1"), ("1.02", "1.2")],
)
def test_spellings_of_one_version_are_equal(one: str, other: str) -> None:
    assert comparable(version(one), version(other))
    assert not newer(one, other)
    assert not newer(other, one)


@pytest.mark.parametrize(
    "tag",
    [
        *("latest", "stable", "main", "v", "jdk11", "sha-1a2b3c4", "release-1.2.3", "1e4f567"),
        *("20231001", "2023.10.01", "2023-10-01", "2023.1.05", "20231001.1", "20231001123000"),
        *("RELEASE.2023-09-04T19-57-37Z", "2023-09-04T19-57-37Z", "1.20231001120000", "1234567"),
        *("1.2.3.4.5", "8u212", "3.5alpine", "².1.0"),
    ],
)
def test_what_is_no_version(tag: str) -> None:
    found = read_tag(tag)
    assert isinstance(found, NoVersion)
    assert found.why


NUMBER = st.integers(0, 400)
RELEASE = st.lists(NUMBER, min_size=3, max_size=4).map(lambda parts: ".".join(map(str, parts)))
PRERELEASE = st.tuples(st.sampled_from(["a", "b", "rc", "alpha", "beta"]), st.integers(0, 99))
TAG = st.from_regex(r"\Av?[0-9]{1,4}(\.[0-9]{1,4}){0,3}([-.+_][0-9A-Za-z.-]{0,12})?\Z")
ANY = st.one_of(TAG, st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._-]{0,30}\Z"), st.text(max_size=20))


@given(RELEASE, RELEASE, st.booleans())
def test_releases_are_ordered_as_packaging_orders_them(one: str, other: str, v: bool) -> None:
    assert newer(f"v{one}" if v else one, other) == (Packaging(one) > Packaging(other))


@given(RELEASE, st.lists(PRERELEASE, min_size=2, max_size=2), st.sampled_from(["", "-", "."]))
def test_prereleases_are_ordered_as_packaging_orders_them(
    release: str, both: list[tuple[str, int]], join: str
) -> None:
    words = {"alpha": "a", "beta": "b"}
    one, other = (f"{release}{join}{word}{number}" for word, number in both)
    # `a` and `alpha` are one word to Python and two to SemVer.
    same = [words.get(word, word) for word, _ in both]
    if same[0] != same[1] or both[0][0] == both[1][0]:
        assert newer(one, other) == (Packaging(one) > Packaging(other))
    assert newer(release, one)


@pytest.mark.processes
@settings(max_examples=25, deadline=None)
@given(RELEASE, RELEASE, st.integers(0, 99), st.integers(0, 99))
def test_revisions_are_ordered_as_dpkg_orders_them(
    one: str, other: str, first: int, second: int
) -> None:
    # dpkg holds 1.2.3.0 for more than 1.2.3, which is not asked here.
    one, other = ".".join(one.split(".")[:3]), ".".join(other.split(".")[:3])
    left, right = f"{one}-{first}", f"{other}-{second}"
    by_dpkg = subprocess.run(
        ["dpkg", "--compare-versions", left, "gt", right], check=False, timeout=20
    )
    assert newer(left, right) == (by_dpkg.returncode == 0)


@given(st.lists(ANY, min_size=3, max_size=3))
def test_it_is_an_order(tags: list[str]) -> None:
    """Whatever the tags: never newer than itself, never both ways, and steps add up."""
    found = [one for one in map(read_tag, tags) if isinstance(one, Version)]
    for one in found:
        assert not is_newer(one, one)
        for other in found:
            assert not (is_newer(one, other) and is_newer(other, one))
            for third in found:
                if is_newer(one, other) and is_newer(other, third) and comparable(one, third):
                    assert is_newer(one, third)
