"""Starts of a profile: evenly, at the rate, and together the same from any number of processes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from installer.acceptance.profile import Phase, Profile, starts

PROFILE = Profile(50, steady=20, warm_up=4, ramp=6)


def test_the_steady_part_starts_evenly_at_its_rate() -> None:
    steady = [at for at in starts(PROFILE) if PROFILE.phase_at(at) is Phase.STEADY]
    assert len(steady) == 1000
    assert steady[0] == PROFILE.steady_from
    assert {round(later - one, 9) for one, later in pairwise(steady)} == {0.02}


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_processes_share_the_starts_among_them(processes: int) -> None:
    alone = list(starts(PROFILE))
    together = sorted(at for n in range(processes) for at in starts(PROFILE, processes, n))
    assert together == pytest.approx(alone)
    assert len(alone) == PROFILE.journeys


def test_the_warm_up_has_a_tenth_and_the_ramp_rises() -> None:
    before = [at for at in starts(PROFILE) if at < PROFILE.steady_from]
    assert sum(at < 4 for at in before) == 20
    gaps = [later - one for one, later in pairwise(before) if one > 4]
    assert gaps == sorted(gaps, reverse=True)
    assert len(before) == pytest.approx(PROFILE.started_before(PROFILE.steady_from), abs=1)


def test_only_the_rate_for_the_hour_is_document_001s() -> None:
    assert Profile(1000).is_document
    assert not Profile(1000, steady=3599).is_document
    assert not Profile(999).is_document


def test_there_may_be_neither_warm_up_nor_ramp() -> None:
    assert len(list(starts(Profile(10, steady=2, warm_up=0, ramp=0)))) == 20
