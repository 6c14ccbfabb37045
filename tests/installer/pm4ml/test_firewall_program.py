"""The program that loads the firewall, where the time of its way back is over too early.

The program is the real one; `nft` and systemd are stand-ins that note what they are told.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.installer.pm4ml.test_pm4ml import PLAYBOOKS

pytestmark = pytest.mark.processes

KEPT = "/etc/sitewright/firewall"
NFT = """\
#!/bin/sh
echo "$*" >> {place}/loaded
"""
TIMER = """\
#!/bin/sh
# STAND-IN for a timer whose time is over {when}.
while [ "${{1#--}}" != "$1" ]; do shift; done
{run}
"""


def applied(place: Path, *, at_once: bool) -> subprocess.CompletedProcess[str]:
    """Have rules applied where the way back is gone at once, or not at all."""
    program = (PLAYBOOKS / "files/sitewright-firewall").read_text().replace(KEPT, f"{place}/kept")
    told = {
        "firewall": program,
        "nft": NFT.format(place=place),
        "systemctl": "#!/bin/sh\n",
        "systemd-run": TIMER.format(
            when="at once" if at_once else "never", run='"$@"' if at_once else ":"
        ),
    }
    for name, text in told.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    (place / "wanted.nft").write_text("table inet sitewright {}\n")
    return subprocess.run(
        [str(place / "firewall"), "apply", str(place / "wanted.nft"), "30"],
        env={"PATH": f"{place}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_rules_that_come_after_their_way_back_are_taken_back(tmp_path: Path) -> None:
    done = applied(tmp_path, at_once=True)
    assert done.returncode == 1
    assert "the 30 seconds were over before the rules were loaded" in done.stderr
    loaded = (tmp_path / "loaded").read_text().splitlines()
    assert f"--file {tmp_path}/wanted.nft" in loaded
    assert loaded[-1] == "add table inet sitewright; delete table inet sitewright"
    assert not (tmp_path / "kept/new.nft").exists()


def test_rules_that_come_in_time_wait_for_their_confirmation(tmp_path: Path) -> None:
    done = applied(tmp_path, at_once=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "loaded").read_text().splitlines()[-1].endswith("/wanted.nft")
    assert (tmp_path / "kept/new.nft").exists()
