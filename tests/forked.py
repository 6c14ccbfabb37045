"""A child of the test's own process, for what is killed, runs full, or might end a process."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import IO


def forked(act: Callable[[], object], *, seconds: int = 100, said: IO[str] | None = None) -> int:
    """Carry something out in a child; its end is told as `subprocess` does, -9 for a SIGKILL.

    A copy of this process has every module loaded: it costs a fiftieth of a Python that starts.
    No child outlives the test that waits for it. What it prints goes to the file `said`.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # not the word of the test's own time
            signal.alarm(seconds)
            if said is not None:
                sys.stdout = sys.stderr = said
            act()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            traceback.print_exc()  # the one who reads of a failure finds it there
        finally:
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(status)  # nothing of the test's process is ended or tidied by its copy
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
