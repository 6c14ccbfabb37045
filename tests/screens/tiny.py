"""A tiny solution that is installed on this machine for real, and services that know it.

Its two stages write two files into a folder of the test; a setting makes the second one fail until
somebody mends it.
"""

from __future__ import annotations

from pathlib import Path

from foundation.hosts.model import LOCAL_ADDRESS, Host
from screens.services.live import LiveServices

SOLUTION = """
id: tiny
title: Tiny
summary: Two files on one machine, to see an installation from its first step to its last.
installable: true
documents:
  - {title: Tiny handbook, version: "1", where: this test}
roles:
  - {id: box, title: The machine, description: The one machine that carries everything.}
environments:
  - id: single-box
    title: One machine
    description: Everything on one machine.
    default: true
    single_machine: true
    platform: any
platforms:
  - id: any
    needs:
      os: []
      os_severity: warn
      os_source: none
      architectures: [x86_64, aarch64]
      architecture_source: none
      systemd: false
"""

SIZING = """
tables:
  - id: tiny
    environment: single-box
    title: Anything
    source: Tiny handbook
    version: "1"
    default: true
    roles:
      - role: box
        title: The machine
        count: {min: 1, max: 9}
        shapes:
          - {memory_gb: 0.1}
"""

SETTINGS = """
settings:
  - {name: domain, title: Domain of the installation, type: domain, example: tiny.example.org,
     help: The portal answers at this name.}
  - {name: flavour, title: Flavour, type: choice, choices: [plain, rich], default: plain}
  - {name: mirror, title: Use a mirror, type: yes-no, default: "no"}
  - {name: mirror_url, title: Address of the mirror, type: url, when: mirror,
     example: "https://mirror.example.org"}
  - {name: tiny_version, title: Version of Tiny, type: text, default: "1.2.3"}
  - {name: token, title: Token of the registry, type: secret}
"""

FIRST = """
stage:
  id: prepare
  title: Preparation
  why: The second stage needs the first file.
  source: Tiny handbook, 1
  steps:
    - id: first
      kind: script
      title: Write the first file
      on: [box]
      script: |
        for n in 1 2 3 4 5; do echo "line $n of the first for {{ domain }}"; done
        echo {{ domain }} > FOLDER/first
      done: {script: "test -e FOLDER/first"}
      undo: {script: "rm -f FOLDER/first"}
"""

SECOND = """
stage:
  id: finish
  title: Finish
  why: It is what people use.
  source: Tiny handbook, 2
  needs: [prepare]
  steps:
    - id: agree
      kind: confirm
      title: Agree to the second file
      text: Has the file's owner agreed?
    - id: second
      kind: script
      title: Write the second file
      on: [box]
      irreversible: What the second file says is read at once.
      secrets: [token]
      script: |
        test -e FOLDER/mended || { echo "E: the folder is not mended" >&2; exit 9; }
        echo {{ tiny_version }} >> FOLDER/second
"""


THIRD = """
stage:
  id: verify
  title: Verify
  why: It must work.
  source: Tiny handbook, 3
  needs: [finish]
  steps:
    - id: files
      kind: wait
      title: Both files are there
      on: [box]
      every_seconds: 0.1
      timeout_minutes: 0.01
      until: {script: "echo looking; cat FOLDER/first FOLDER/second"}
    - id: more
      kind: wait
      title: The first file is there
      on: [box]
      every_seconds: 0.1
      timeout_minutes: 0.01
      until: {command: [test, -e, FOLDER/first]}
"""


def write_solution(root: Path, work: Path, *, verify: bool = False) -> Path:
    """The folder of solutions with the tiny one in it; its steps write into `work`."""
    folder = root / "tiny"
    (folder / "stages").mkdir(parents=True)
    texts = {
        "solution.yaml": SOLUTION,
        "sizing.yaml": SIZING,
        "ports.yaml": "tables: []\n",
        "settings.yaml": SETTINGS,
        "stages/10-prepare.yaml": FIRST,
        "stages/20-finish.yaml": SECOND,
    }
    if verify:
        texts["stages/30-verify.yaml"] = THIRD
    for name, text in texts.items():
        (folder / name).write_text(text.replace("FOLDER", str(work)))
    return root


class TinyServices(LiveServices):
    """The live services with the tiny solution in the place of ours, on this machine."""

    def this_machine(self) -> Host:
        """This machine under a name that is the same everywhere."""
        return Host("box1", LOCAL_ADDRESS)

    def person(self) -> str:
        """Whoever runs the tests."""
        return "Thiri Aung"


__all__ = ["TinyServices", "write_solution"]
