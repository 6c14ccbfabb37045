"""`sitewright verify --hardening`: asked of this machine, told, and ended by an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from installer.cli import main
from tests.test_adding import code

pytestmark = pytest.mark.processes

CHECKS = """
by_hand:
  - Who may log in.
checks:
  - id: word
    title: The word is there.
    otherwise: The word is not there.
    on: [box]
    script: |
      [ -r {{ word }} ] || untold "the file cannot be read"
      grep -q hello {{ word }} && holds hello
      fails "another word"
    expected: hello
    see: cat {{ word }}
    remedy: Write it.
    source: Echo handbook, 4
  - id: elsewhere
    title: It is elsewhere.
    otherwise: It is not.
    on: [box]
    environments: [other]
    script: holds
    expected: so
    see: "true"
    remedy: Mend it.
    source: Echo handbook, 5
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "solutions" / "echo"
    folder.mkdir(parents=True)
    names = ("solution", "sizing", "ports", "settings")
    for name, text in zip(names, code("A solution", "yaml"), strict=False):
        (folder / f"{name}.yaml").write_text(text)
    (folder / "hardening.yaml").write_text(CHECKS)
    monkeypatch.setattr("installer.catalogue.solution.FOLDER", folder.parent)
    file = tmp_path / "site.yaml"
    file.write_text(
        "solution: echo\nhosts: [{name: here, address: local, roles: [box]}]\n"
        f"settings: {{word: {tmp_path}/word}}\n"
    )
    return file


def test_what_holds_fails_and_cannot_be_told_ends_by_its_code(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["verify", "--hardening", "--site", str(site)]
    assert main(words) == 3
    said = " ".join(capsys.readouterr().out.split())
    assert "what could not be told: 1;" in said
    assert "the file cannot be read" in said
    assert "Who may log in." in said
    assert "1 check of the list for other environments" in said
    (site.parent / "word").write_text("goodbye\n")
    assert main([*words, "--format", "json"]) == 3
    value = json.loads(capsys.readouterr().out)
    assert (value["good"], value["not_due"], value["by_hand"]) == (False, 1, ["Who may log in."])
    (finding,) = value["findings"]
    assert (finding["id"], finding["machine"], finding["result"], finding["found"]) == (
        "hardening.word", "here", "fail", "another word",
    )  # fmt: skip
    assert finding["remedy"] == "Write it."
    (site.parent / "word").write_text("hello\n")
    assert main([*words, "--output", str(site.parent / "list.txt")]) == 0
    text = (site.parent / "list.txt").read_text()
    assert text.startswith("Hardening, 1 answer. What holds: 1; what must be done: 0;")
    assert "The word is there." in text


def test_a_waiver_answers_for_what_does_not_hold(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (site.parent / "word").write_text("goodbye\n")
    waiver = "{check: hardening.word, by: A. Tester, reason: a test, until: 2099-01-01}"
    site.write_text(f"{site.read_text()}waivers: [{waiver}]\n")
    assert main(["verify", "--hardening", "--site", str(site)]) == 0
    assert "waived: 1." in capsys.readouterr().out


def test_a_machine_that_is_not_reached_has_told_nothing(
    site: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "known").write_text("")
    text = site.read_text().replace("address: local", "address: 127.0.0.1, port: 1")
    site.write_text(f"{text}ssh: {{known_hosts: {tmp_path}/known}}\n")
    assert main(["verify", "--hardening", "--site", str(site), "--format", "json"]) == 3
    (finding,) = json.loads(capsys.readouterr().out)["findings"]
    assert finding["result"] == "unknown"
    assert finding["found"].startswith("unknown: the machine could not be asked: ")
