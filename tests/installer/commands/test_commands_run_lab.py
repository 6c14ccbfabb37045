"""Every command of a run on two lab machines, from the plan to taking a stage back.

A solution of the test's own with three stages takes the place of ours; the gate, the locks, the
engine and SSH are real.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from installer import cli
from tests.lab.lab import Lab
from tests.lab.lending import LabMachines
from tests.screens.tiny import SIZING, SOLUTION

pytestmark = pytest.mark.lab

STAGES = {
    "10-prepare": """
stage:
  id: prepare
  title: Preparation
  why: The next stage needs it.
  source: none
  steps:
    - id: first
      kind: script
      title: Write the first word
      on: [box]
      script: "echo first of {{ word }} | tee -a /root/effects"
      done: {script: "grep -qs '^first' /root/effects"}
      undo: {script: "rm -f /root/effects"}
    - id: conf
      kind: file
      title: Write a file
      on: [box]
      path: /etc/tiny.conf
      content: "word = {{ word }}"
""",
    "20-agree": """
stage:
  id: agree
  title: Agreement
  why: Somebody must say so.
  source: none
  needs: [prepare]
  steps:
    - id: ask
      kind: confirm
      title: Ask
      text: Is the change window open?
    - id: second
      kind: script
      title: Write the second word
      on: [box]
      script: |
        [ -e /root/mended ] || [ "$(hostname)" != "$(cat /root/broken)" ] ||
            { echo "E: the disk of $(hostname) is full" >&2; exit 9; }
        echo second >> /root/effects
      done: {script: "grep -qxs second /root/effects"}
""",
    "30-verify": """
stage:
  id: verify
  title: Verification
  why: It must work.
  source: none
  needs: [agree]
  steps:
    - id: look
      kind: script
      title: Look at it
      on: [box]
      script: "grep -qx second /root/effects && echo it works"
""",
}
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Runs `sitewright` with the test's solution: exit code, standard output, standard error."""
    folder = tmp_path / "solutions" / "tiny"
    (folder / "stages").mkdir(parents=True)
    (folder / "solution.yaml").write_text(SOLUTION.replace("    single_machine: true\n", ""))
    (folder / "sizing.yaml").write_text(SIZING)
    (folder / "ports.yaml").write_text("tables: []\n")
    (folder / "settings.yaml").write_text(
        "settings:\n  - {name: word, title: A word, type: text, default: all}\n"
    )
    for name, text in STAGES.items():
        (folder / "stages" / f"{name}.yaml").write_text(text)
    monkeypatch.setattr("installer.catalogue.solution.FOLDER", folder.parent)

    def run(*words: str | Path) -> tuple[int, str, str]:
        code = cli.main([str(word) for word in words])
        out, err = capfd.readouterr()
        return code, out, err

    return run


def test_a_run_from_its_plan_to_taking_a_stage_back(
    lab: Lab, lab_machines: LabMachines, command: Command, tmp_path: Path
) -> None:
    one, two = lab_machines(2)
    for machine in (one, two):
        machine.write_file("/root/broken", two.name)
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: tiny\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        "hosts:\n"
        f"  - {{name: b1, address: {one.address}, roles: [box]}}\n"
        f"  - {{name: b2, address: {two.address}, roles: [box]}}\n"
    )

    def effects() -> list[list[str]]:
        return [
            m.exec(["cat", "/root/effects"], check=False).stdout.splitlines() for m in (one, two)
        ]

    # Looking at it changes nothing.
    code, out, _ = command("plan", "--site", site)
    assert code == 0
    assert "Write the second word" in out
    code, out, err = command("install", "--site", site, "--dry-run")
    assert code == 0, err
    assert "Would run a script: Write the first word" in out
    assert "b1 +word = all" in " ".join(out.split())
    assert "Dry run: nothing was changed. 9 steps would be done" in err
    assert effects() == [[], []]

    # Unconfirmed, and a stage that there is not.
    assert command("install", "--site", site)[0] == 7
    code, _, err = command("install", "--site", site, "--yes", "--until", "nowhere")
    assert (code, "The record of this run" in err) == (2, False)

    # The first stage, as JSON lines.
    begin = ("install", "--site", site, "--yes", "--by", "Ma Ma")
    code, out, err = command(*begin, "--until", "prepare", "--json-lines")
    assert code == 0, err
    assert "What was asked for is done. Left: agree, verify." in err
    events = [json.loads(line) for line in out.splitlines()]
    assert events[0]["kind"] == "run.started"
    assert events[-1]["kind"] == "run.finished"
    said = {(e["host"], e["data"]["text"]) for e in events if e["kind"] == "line"}
    assert {("b1", "first of all"), ("b2", "first of all")} <= said
    assert effects() == [["first of all"]] * 2
    [told] = json.loads(command("status", "--site", site, "--format", "json")[1])
    assert (told["done"], told["complete"], told["holder"]) == (4, False, None)
    assert [stage["stand"] for stage in told["stages"]] == ["done", "waiting", "waiting"]

    # Nobody is there to confirm; then one machine of two fails; then it is mended.
    code, out, err = command("resume", "--only", "verify")
    assert (code, "needs agree" in err) == (7, True)
    code, out, err = command("resume", "--site", site, "--only", "agree")
    assert code == 5
    assert "--confirm agree/ask" in out
    confirmed = ("resume", "--by", "Ma Ma", "--confirm", "agree/ask")
    code, out, err = command(*confirmed)
    assert code == 5
    assert "FAILED" in out
    assert "is full (the script ended with exit status 9)" in out
    assert effects() == [["first of all", "second"], ["first of all"]]
    two.exec(["touch", "/root/mended"])
    code, out, err = command("resume")
    assert code == 0, out + err
    assert effects() == [["first of all", "second"]] * 2
    assert out.count("Write the second word") == 1  # on the one machine where it failed
    assert "Goes on as it was begun: --only agree" in err
    assert "Left: verify" in err
    code, out, err = command("resume")
    assert code == 0, out + err
    assert "it works" in out
    assert "complete" in command("resume")[1]

    # All of it again, verified alone, skipped by name and reason only, taken back.
    code, out, err = command(*begin, "--confirm", "agree/ask", "--until", "agree")
    assert code == 0
    assert effects() == [["first of all", "second"]] * 2
    code, out, _ = command("verify", "--site", site, "--by", "Ma Ma")
    assert (code, "it works" in out) == (0, True)
    assert command(*begin, "--skip", "agree/second")[0] == 2
    code, out, err = command(*begin, "--confirm", "agree/ask", "--skip", "verify/look=no need")
    assert code == 0
    assert "Skipped by Ma Ma: no need" in out
    assert "1 that were skipped by name" in err or "2 that were skipped by name" in err
    code, out, err = command("undo", "prepare", "--site", site, "--by", "Ma Ma", "--reason", "test")
    assert code == 0, out + err
    # The last run found it done; it was ours to take back all the same, and is so once.
    assert effects() == [[], []]
    for machine in (one, two):
        machine.exec(["test", "!", "-e", "/etc/tiny.conf"])
    again = ("undo", "prepare", "--site", site, "--by", "Ma Ma", "--reason", "test")
    code, out, err = command(*again)
    assert (code, "nothing was taken back" in err) == (0, True)
    for machine in (one, two):
        machine.exec(["test", "!", "-e", "/var/lib/sitewright/lock"])
