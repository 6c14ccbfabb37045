"""Going on with a run by the version that began it: this process becomes that one."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from installer.record.runs import Run


def go_by_the_beginner(run: Run) -> None:
    """Become the version that began a run, where that is another; raises AnotherVersion.

    The same words are given to it, and the same secrets by the environment.
    """
    from foundation.secrets import environment_given
    from installer.supply.own_versions import began, beginner_of

    program = beginner_of(run)
    if program is None:
        return
    print(f"Sitewright {began(run)} began this run, and goes on with it.", file=sys.stderr)
    sys.stdout.flush()
    os.execve(program, [str(program), *sys.argv[1:]], environment_given())  # noqa: S606 - our own
