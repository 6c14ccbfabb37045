"""`sitewright preflight --egress`: from the words on the command line to the finding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from installer.cli import main
from preflight.egress import Destination
from tests.preflight.egress_servers import authority

HARNESS = ("preflight", "local", "--solution", "core-test-harness", "--format", "json")


def test_what_does_not_answer_is_a_finding_of_the_report(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing listens on port 1; the places of the solution itself are never asked by a test."""
    place = Destination("registry", "https://localhost:1/v2/")
    monkeypatch.setattr("installer.running.outside.destinations", lambda _: (place,))
    monkeypatch.setattr("installer.running.outside._named_by_settings", lambda *_: [])
    main([*HARNESS, "--egress"])
    report = json.loads(capsys.readouterr().out)
    (found,) = [one for one in report["findings"] if one["id"] == "egress.registry"]
    assert found["severity"] == "fail"
    assert "localhost:1" in found["actual"]
    assert "egress" not in report["extra"]


def test_it_is_not_tried_unasked_and_the_report_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([*HARNESS])
    report = json.loads(capsys.readouterr().out)
    assert not [one for one in report["findings"] if one["id"].startswith("egress")]
    assert "--egress" in report["extra"]["egress"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["preflight", "local", "--egress"], "none was named"),
        (["preflight", "--facts", "x.json", "--egress"], "--facts"),
    ],
)
def test_where_it_cannot_be_meant_it_is_refused(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recorded = Path(__file__).parents[2] / "recorded" / "pm4ml-worker.json"
    words = [str(recorded) if word == "x.json" else word for word in words]
    extra = ["--solution", "pm4ml"] if "--facts" in words else []
    assert main([*words, *extra]) == 2
    assert told in capsys.readouterr().err


def test_the_places_that_the_site_s_settings_name_are_among_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its own Git repository, through its proxy, with its authorities: all from the site file."""
    authority(tmp_path / "ca", "ACME")
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: core-test-harness\nhosts: [{name: box, address: local, roles: [box]}]\n"
        "settings: {source: 'https://git.invalid/harness.git'}\n"
        "proxy: http://127.0.0.1:1\nauthorities: ca/ca.pem\n"
    )
    monkeypatch.setattr("installer.running.outside.destinations", lambda _: ())
    main(["preflight", "--site", str(site), "--egress", "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    (found,) = [one for one in report["findings"] if one["id"] == "egress.git"]
    assert "git.invalid" in found["title"]
    assert "the proxy 127.0.0.1:1" in found["actual"]
