"""The process that holds secrets leaves its memory nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_LOOK = """
import ctypes, os, resource, subprocess, sys
sys.path.insert(0, sys.argv.pop(1))
from installer import cli

def look(words):
    with open("/dev/fd/0") as file:
        print("descriptors", file.read())
    print("limits", *resource.getrlimit(resource.RLIMIT_CORE))
    print("dumpable", ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
    child = "import resource; print('child', *resource.getrlimit(resource.RLIMIT_CORE))"
    sys.stdout.flush()
    subprocess.run([sys.executable, "-I", "-c", child], check=True)
    sys.stdout.flush()
    os.abort()

cli._main = look
cli.main()
"""


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="prctl is of Linux")
def test_no_core_is_left_of_the_process_and_of_what_it_starts(tmp_path: Path) -> None:
    """Where the program begins, and before anything can be typed."""
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -S -c "$(ulimit -H -c)"; exec "$@"', "sh",
         sys.executable, "-I", "-c", _LOOK, str(_ROOT), "status"],
        cwd=tmp_path, input="are read", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "descriptors are read",
        "limits 0 0",
        "dumpable 0",
        "child 0 0",
    ]
    assert done.returncode == -6, done.stderr
    assert list(tmp_path.iterdir()) == []
