"""Where jobs without systemd are kept by a login that is not root."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from foundation.hosts.jobs.jobs_scripts import DETACHED_FORGET

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("state", ["state", "./state", "", None, "/absolute"])
def test_a_relative_state_folder_counts_for_nothing(tmp_path: Path, state: str | None) -> None:
    """Each command has a folder of its own to stand in: a job would be found by none of them."""
    home, programs, here = (tmp_path / name for name in ("home", "bin", "here"))
    for folder in (home, programs, here):
        folder.mkdir()
    (programs / "id").write_text("#!/bin/sh\necho 1000\n")  # STAND-IN: these tests are root's
    (programs / "id").chmod(0o755)
    named = f"{tmp_path}{state}" if state and state.startswith("/") else state
    surroundings = {"HOME": str(home), "PATH": f"{programs}:/usr/bin:/bin"}
    right = Path(named) if named and named.startswith("/") else home / ".local/state"
    jobs = [root / "sitewright/jobs/job-1" for root in (right, here / "state")]
    for job in jobs:
        job.mkdir(parents=True)
    subprocess.run(
        ["sh", "-s", "job-1"], input=DETACHED_FORGET, text=True, check=True, cwd=here,
        env=surroundings | ({} if named is None else {"XDG_STATE_HOME": named}),
    )  # fmt: skip
    assert [job.exists() for job in jobs] == [False, True]
