"""Which image is taken for a platform: the order of containerd's `platforms.Only`."""

from __future__ import annotations

import itertools

import pytest

from bundles.format.platforms import in_one_form, nearest, rank, runs_on


@pytest.mark.parametrize(
    ("wanted", "offered", "taken"),
    [
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64"], "linux/amd64"),
        ("linux/amd64", ["linux/amd64/v3", "linux/amd64/v2"], None),
        ("linux/amd64", ["linux/386"], None),
        ("linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"),
        ("linux/amd64/v3", ["linux/amd64/v2", "linux/amd64/v3"], "linux/amd64/v3"),
        ("linux/amd64", ["linux/amd64/v1"], "linux/amd64/v1"),
        ("linux/amd64", ["linux/x86_64"], "linux/x86_64"),
        ("linux/arm64", ["linux/arm64/v9", "linux/arm64/v8"], "linux/arm64/v8"),
        ("linux/arm64/v8", ["linux/aarch64"], "linux/aarch64"),
        ("linux/arm64/v9", ["linux/arm64/v8", "linux/arm64/v8.6"], "linux/arm64/v8.6"),
        ("linux/arm", ["linux/arm/v5", "linux/arm/v6", "linux/arm/v8"], "linux/arm/v6"),
        ("linux/arm/v6", ["linux/arm/v7"], None),
        ("linux/arm/v7", ["linux/armhf"], "linux/armhf"),
        ("linux/s390x", ["linux/s390x"], "linux/s390x"),
        ("linux/s390x", ["windows/s390x", "Linux/S390X"], "Linux/S390X"),
        ("linux/riscv64/rva23", ["linux/riscv64"], None),
        ("linux/amd64", ["linux/amd64/strange", "unknown/unknown", ""], None),
    ],
)
def test_what_fits_exactly_goes_first_and_what_would_not_run_never(
    wanted: str, offered: list[str], taken: str | None
) -> None:
    for order in itertools.permutations(offered):
        place = nearest(wanted, order)
        assert (None if place is None else order[place]) == taken


def test_what_is_asked_for_is_at_no_distance() -> None:
    assert rank("linux/arm64", "linux/arm64/v8") == (0, 0)
    assert runs_on("linux/arm/v7", "linux/arm/v5")
    assert not runs_on("linux/arm/v5", "linux/arm/v7")


def test_a_bundle_states_a_platform_in_one_form() -> None:
    assert in_one_form("linux/x86_64") == "linux/amd64"
    assert in_one_form("linux/armhf") == "linux/arm/v7"
    assert in_one_form("linux/arm64/v8") == "linux/arm64/v8"
