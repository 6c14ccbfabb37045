"""A whole PM4ML staging site by the command: gate, run, kill, resume, repeat, verify and undo.

What is real there and what is stood in for is said in pm4ml_lab_site.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.record.journal_lines import verify
from tests.end_to_end.pm4ml_lab_site import CONFIRMED, SECRETS, Pm4mlLabSite, build
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.stand_ins.install import calls

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]

ROOT = Path(__file__).parent.parent.parent


def command(*arguments: str | Path) -> list[str]:
    """The command as a process of its own."""
    return [sys.executable, "-m", "installer", *(str(word) for word in arguments)]


def environment() -> dict[str, str]:
    """Ours, with the secrets that the plan asks for."""
    secrets = {f"SITEWRIGHT_SECRET_{name.upper()}": value for name, value in SECRETS.items()}
    return {**os.environ, "PYTHONPATH": str(ROOT), **secrets}


def sitewright(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, without a terminal."""
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


def killed_in_the_middle(*arguments: str | Path, at: str) -> Path:
    """Begin, and take the process away when a text stands in the run's journal; its folder."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        lines: list[str] = []
        for line in process.stderr:
            lines.append(line)
            if "The record of this run is in" in line:
                break
        else:
            pytest.fail("".join(lines))
        said = lines[-1]
        folder = Path(said.split(" is in ", 1)[1].strip())
        journal = folder / "events.jsonl"

        def there() -> bool:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            return journal.exists() and at in journal.read_text()

        wait_until(there, f"{at} in the journal", seconds=1500, every=0.2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return folder


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Pm4mlLabSite]:
    """A staging site, as few machines as the guide's table allows."""
    made = build(lab, tmp_path, "staging")
    yield made
    made.close()
    for machine in (*made.machines.values(), made.helper):
        lab.discard(machine)


def test_gate_install_kill_resume_and_repeat(site: Pm4mlLabSite) -> None:
    """Not before preflight allows it; killed, gone on with, found done again, and by hand."""
    begin: list[str | Path] = ["install", "--site", site.file, "--yes", "--by", "A. Tester"]
    confirm = [word for place in CONFIRMED for word in ("--confirm", place)]
    whole = site.file.read_text()
    site.file.write_text(whole.partition("waivers:")[0])
    refused = sitewright(*begin, *confirm)
    assert refused.returncode == 3, refused.stderr
    assert "not begun; nothing was changed" in refused.stderr
    site.file.write_text(whole)

    folder = killed_in_the_middle(*begin, *confirm, at='"Install microk8s from the store"')
    resumed = sitewright("resume", *begin[1:], *confirm)
    assert resumed.returncode == 0, resumed.stdout[-4000:] + resumed.stderr
    verify(folder / "events.jsonl")
    n1, n2 = site.machines["n1"], site.machines["n2"]
    for node in (n1, n2):
        installs = [c for c in calls(node) if c.startswith("snap install microk8s")]
        assert len(installs) == 1, installs
    assert [c for c in calls(n2) if c.startswith("microk8s join")] == ["microk8s join"]
    assert sum(c.startswith("microceph disk add") for c in calls(site.machines["s1"])) == 2
    secret = "/var/lib/stand-in/vault/secret_bank-one/mcmdev_client_secret"
    assert n1.exec(["cat", secret]).stdout == SECRETS["mcmdev_client_secret"]
    for value in SECRETS.values():
        assert all(value.encode() not in p.read_bytes() for p in folder.rglob("*") if p.is_file())

    again = sitewright(*begin, *confirm)
    assert again.returncode == 0, again.stdout[-4000:] + again.stderr
    ran = [line for line in again.stdout.splitlines() if " and changed " in line]
    assert len(ran) >= 8  # those that --check finds done are not run at all
    assert [line for line in ran if "and changed 0 things" not in line] == []

    told = json.loads(sitewright("status", "--site", site.file, "--format", "json").stdout)
    assert told[0]["holder"] is None
    # By hand, with what is exported: the same playbooks, the same inventory.
    exported = site.file.parent / "by-hand"
    assert sitewright("export", "--site", site.file, "--output", exported).returncode == 0
    by_hand = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory.ini",
         "6.system-tuning.yml"],
        cwd=exported, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert by_hand.returncode == 0, by_hand.stdout[-3000:]
    recap = by_hand.stdout.partition("PLAY RECAP")[2]
    assert recap.count("changed=0") == len(site.machines), recap
