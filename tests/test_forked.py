"""The child of a test's own process ends, whatever becomes of it."""

from __future__ import annotations

import io
import signal

from tests.forked import forked


class Full(io.StringIO):
    """A file on a disk that is full."""

    def flush(self) -> None:
        """It cannot be written."""
        raise OSError(28, "No space left on device")


def test_a_child_that_cannot_say_what_it_said_ends_all_the_same() -> None:
    """Else a copy of the whole test process would go on with the tests."""
    assert forked(lambda: None, said=Full()) == 0


def test_how_a_child_ended_is_told() -> None:
    def fails() -> None:
        raise SystemExit(7)

    assert forked(fails) == 7
    assert forked(signal.pause, seconds=1) == -signal.SIGALRM
