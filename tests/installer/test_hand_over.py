"""The hand-over report of a run that lies on the disk, in its four forms."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from foundation.secrets import MASK
from installer.cli import main
from installer.events import Outcome
from installer.hand_over import render
from installer.hand_over.gather import gather
from installer.hand_over.model import Used
from installer.hand_over.words import stage_word
from installer.record.identity import site_key
from installer.record.recorded_run import recorded_run
from installer.record.runs import Run, runs_folder
from installer.record.support_bundle import write_support_bundle
from installer.record.support_files import opened_archive
from installer.sites.site import load_site, load_site_text
from tests.installer.told_run import ID, SITE, told, write_run


def test_what_was_done_is_told_from_the_record_alone(tmp_path: Path) -> None:
    report = gather(write_run(tmp_path))
    assert report.outcome is Outcome.DONE
    assert report.complete
    assert report.sentence == (
        "Installed: every step was done and verified, but for 1 that was skipped, by name and "
        "with a reason."
    )
    assert [stage_word(stage) for stage in report.stages] == ["done, 1 skipped", "done"]
    assert [machine.address for machine in report.machines] == ["10.10.0.11", "10.10.0.14"]
    assert [waiver.check for waiver in report.waivers] == ["disk.nvme"]
    assert report.record.events == len(told())
    (check,) = report.checks
    assert check.results[0].outcome is Outcome.DONE


def test_settings_that_do_not_apply_are_left_out(tmp_path: Path) -> None:
    """MicroCeph's channel has a default, and no Ceph was installed."""
    report = gather(write_run(tmp_path))
    assert [used.name for used in report.versions] == ["microk8s_channel"]
    assert [used.value for used in report.addresses] == ["pm4ml.example.org"]
    assert "microceph_channel" not in [used.name for used in report.settings]


def test_who_decided_what_stands_with_name_and_reason(tmp_path: Path) -> None:
    began, skipped, confirmed = gather(write_run(tmp_path)).decisions
    assert (began.by, began.what) == ("Thiri Aung", "began the installation")
    assert (skipped.by, skipped.what, skipped.reason) == ("A. Name", "skipped", "has a name")
    assert skipped.about == "Set the names on w1"
    assert (confirmed.by, confirmed.what) == ("B. Name", "confirmed")
    assert confirmed.items == ("The names resolve", "The clocks are right")


def test_reports_that_were_copied_into_the_run_are_named(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    (run.folder / "reports").mkdir()
    report = run.folder / "reports" / "ttk-func-tests-report.html"
    report.write_text("<html>27 of 27</html>")
    assert str(report) in [used.value for used in gather(run).addresses]
    assert f"Report {report.name}" in render(gather(run), "text")


def test_a_run_that_was_cut_off_says_so(tmp_path: Path) -> None:
    report = gather(write_run(tmp_path, told(failed=True)))
    assert not report.complete
    assert report.sentence == "NOT FINISHED: it was cut off."
    text = render(report, "text")
    assert "Versions that were planned:" in text
    assert "not asked: All nodes are Ready on m1" in text
    ((step, result),) = report.results(Outcome.FAILED)
    assert step.title == "Set the names"
    assert result.lines == ("a line of names",)
    assert result.remedy == "Mend it."


def test_a_broken_journal_is_read_up_to_the_break(tmp_path: Path) -> None:
    run = write_run(tmp_path)
    lines = run.journal.read_bytes().splitlines(keepends=True)
    lines[8] = lines[8].replace(b"failed", b"done")
    run.journal.write_bytes(b"".join(lines))
    report = gather(run)
    assert "line 10" in report.record.problem
    assert "THE RECORD IS BROKEN" in render(report, "text")
    assert "THE RECORD IS BROKEN" in render(report, "html")


@pytest.mark.processes
def test_a_password_in_the_sites_program_is_not_handed_over(tmp_path: Path) -> None:
    """The plan masks it; the site file stands in the report, and is packed for a support desk."""
    run = write_run(tmp_path)
    program = "proxy_command: sshpass -p PW ssh -W %h:%p jump"
    written = run.site_file.read_text()
    run.site_file.write_text(written.replace("roles: [master]", f"roles: [master], {program}"))
    write_support_bundle(run, tmp_path / "bundle.tar.gz")
    with opened_archive(tmp_path / "bundle.tar.gz") as (folder, _):
        packed = (folder / "run/site.yaml").read_text()
    for text in (gather(run).site_text, packed):
        assert f"sshpass -p {MASK} ssh -W %h:%p jump" in text
        assert "PW" not in text
        assert load_site_text(text, "it").hosts[1] == load_site_text(written, "it").hosts[1]
    run.site_file.write_text(run.site_file.read_text() + "of-another-version: 1\n")
    assert "PW" not in gather(run).site_text
    run.site_file.write_text(written)
    assert gather(run).site_text == written


def test_every_form_tells_the_same(tmp_path: Path) -> None:
    report = gather(write_run(tmp_path, told(failed=True)))
    text, page = render(report, "text"), render(report, "html")
    assert "Set the names on w1: exit status 9 <b>" in text
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 80
    assert "exit status 9 &lt;b&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    value = json.loads(render(report, "json"))
    assert value["schema"] == "sitewright.hand-over/1"
    assert value["stages"][0]["steps"][0]["results"][1]["outcome"] == "failed"
    suites = ElementTree.fromstring(render(report, "junit"))  # noqa: S314 - ours
    counts = {name: suites.attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "4", "failures": "1", "errors": "2", "skipped": "0"}


def test_the_page_of_what_was_installed_can_be_opened_from_the_report(tmp_path: Path) -> None:
    report = gather(write_run(tmp_path))
    for value, link in (
        ("http://10.0.0.1:9660/admin", '<a href="http://10.0.0.1:9660/admin"'),
        ("javascript:alert(1)", None),
        ('http://x" onclick="y', None),
    ):
        page = render(replace(report, addresses=(Used("p", "The page", value),)), "html")
        assert (link in page) if link else ("<a " not in page)


@pytest.mark.parametrize("form", ["text", "json", "html", "junit"])
def test_the_command_writes_it(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path)
    target = tmp_path / f"report.{form}"
    assert main(["report", str(run.folder), "--format", form, "--output", str(target)]) == 0
    assert "Thiri Aung" in target.read_text() or form == "junit"
    assert capsys.readouterr().out == ""


def test_a_run_is_found_by_its_id_and_the_last_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert main(["report"]) == 2
    assert "there is no run on this machine" in capsys.readouterr().err
    write_run(tmp_path / "sitewright" / "runs" / "pm4ml-production-0123456789")
    for words in (["report"], ["report", ID]):
        assert main(words) == 0
        assert f"run {ID}" in capsys.readouterr().out
    assert main(["report", "20250101-000000-0000"]) == 2
    assert main(["report", str(tmp_path)]) == 2


def test_of_several_sites_the_one_that_is_named_is_handed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the last work alone the paper might be another customer's, and nobody would see it."""
    file = tmp_path / "site.yaml"
    file.write_text(SITE)
    write_run(runs_folder() / site_key(load_site(file)))
    first, *rest = told()
    name = ID.replace("1600", "1700")
    events = [replace(first, data={**first.data, "run": name}), *rest]
    other = write_run(runs_folder() / "core-test-harness-0123456789", events)
    later = other.folder.rename(other.folder.with_name(name))
    assert main(["report"]) == 0
    said = capsys.readouterr()
    assert f"run {later.name}" in said.out
    assert "Of 2 sites on this computer this is core-test-harness-0123456789" in said.err
    for command in (["report"], ["replay", "--lines"]):
        assert main([*command, "--site", str(file)]) == 0
        said = capsys.readouterr()
        assert later.name not in said.out
        assert "Of 2 sites" not in said.err
    assert main(["report", ID, "--site", str(file)]) == 2
    file.write_text(SITE.replace("10.10.0.1", "10.20.0.1"))
    assert main(["report", "--site", str(file)]) == 2
    assert "this site has no run on this computer" in capsys.readouterr().err


def test_what_is_handed_over_is_the_installation_though_it_was_verified_since() -> None:
    """The page has `verify` and then `report`: the paper is of what was installed."""
    key = "pm4ml-production-0123456789"
    one = write_run(runs_folder() / key)
    later = ID.replace("1600", "1700")
    first, *rest = (replace(event, time=event.time + 1e6) for event in told())
    events = [replace(first, data={**first.data, "run": later}), *rest]
    written = write_run(runs_folder() / f"{key}-verify", events)
    again = Run(written.folder.rename(written.folder.with_name(later)))
    with recorded_run(None) as (last, _):
        assert last == again
    with recorded_run(None, installed=True) as (found, _):
        assert found == one
    report = gather(one)
    assert report.sentence.startswith("Installed: every step was done and verified")
    assert report.asked_again.startswith("Asked again 2025-12-0")
    assert report.asked_again.endswith(f"by Thiri Aung: 3 of 4 checks held (run {again.id}).")
    for form in ("text", "html", "json"):
        assert f"checks held (run {again.id})" in " ".join(render(report, form).split())
    verified = gather(again)
    assert verified.sentence == (
        "Verified: every check held, but for 1 that was skipped, by name and with a reason."
    )
    assert verified.decisions[0].what == "began it (verify)"
    assert verified.asked_again == ""
