"""What goes on beside a face, and must be ended before the program is."""

from __future__ import annotations

import contextlib
import sys

from foundation.terminal import visible


def leave_what_is_under_way() -> None:
    """An acceptance goes on in a thread of its own; no face ends before it was taken back."""
    carried = sys.modules.get("installer.acceptance.carried")
    if carried is not None:
        carried.leave_all(_tell)


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone, and it goes on all the same
        print(visible(text), file=sys.stderr, flush=True)
