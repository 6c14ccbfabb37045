"""The live picture: plain lines of 80 columns, under a head that stands over its numbers."""

from __future__ import annotations

from installer.acceptance.driver.measured import Measured
from installer.acceptance.profile import Phase
from installer.acceptance.report.live import Live, line
from tests.installer.acceptance.made import BOUNDS, PROFILE, measured


def test_a_line_fits_a_terminal_whatever_the_numbers() -> None:
    big = measured(committed=0, within=0, late=3.0)
    big.failures["clearing: no callback came in time"] = 3_600_000
    big.workers[0]["open"] = 99_999
    for it in (Measured(), measured(), big):
        for left in (0, 59, 3599, 359_999):
            assert len(line(Phase.STEADY, left, it)) <= 80
            assert len(line(Phase.PROVISION, left, it)) <= 80


def test_the_share_is_cut_off_and_not_rounded() -> None:
    it = measured()
    it.slots[0][4] -= 1
    assert " 99.99" in line(Phase.STEADY, 10, it)
    assert "100.00 %" in line(Phase.STEADY, 10, measured())


def test_the_head_comes_again_and_lines_come_each_so_often() -> None:
    written: list[str] = []
    live = Live(PROFILE, BOUNDS, written.append, every=2)
    for second in range(50):
        live.tick(Phase.STEADY, 50 - second, measured())
    assert len(written) == 25 + 2 * 2
    assert written[0] == written[22]
    assert written[0].startswith("part")
    assert {len(one) for one in written} == {79}
