"""What a run records of the locks that it found."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

from installer.record.site_lock import Holder
from installer.running.others.company import Company


def test_a_process_that_is_gone_is_told_once_for_its_two_locks() -> None:
    """It held the site's lock and its machines', some moments apart."""
    gone = Holder("root", "vm", 26346, "2026-11-30T03:57:44+00:00")
    other = Holder("root", "vm", 1234, "2026-11-30T03:57:44+00:00")
    company = object.__new__(Company)
    for second, count in ((replace(gone, since="2026-11-30T03:57:45+00:00"), 1), (other, 2)):
        locks = (SimpleNamespace(taken_from=None, stale=one) for one in (gone, second))
        company._lock, company.machine_locks = locks  # type: ignore[assignment]  # two stand-ins
        notes = company.lock_notes()
        assert len(notes) == count
        assert "process 26346" in notes[0]
