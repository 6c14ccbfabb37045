"""Until when Kubernetes is mended: preflight says it of a day, the plan the same on every day."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from installer.catalogue.settings import Value
from installer.catalogue.solution import load_solution
from installer.cli import main
from installer.planning.kubernetes_end import ID, end_of_kubernetes, noted_end
from installer.planning.named_disks import judged_defaults, of_settings
from preflight.findings import Severity

PM4ML = load_solution("pm4ml")
BEFORE, AFTER = date(2025, 11, 11), date(2025, 11, 12)
RECORDED = Path(__file__).parents[2] / "recorded" / "pm4ml-worker.json"
SETTINGS = """
settings:
  domain: pm4ml.bank.test
  pm4ml_id: bank-one
  private_network: 10.10.0.0/16
  public_network: 192.168.50.0/24
  ceph: "no"
  git_url: https://git.bank.test/site.git
"""


def said(channel: str, argocd: str, day: date) -> list[tuple[Severity, str]]:
    values: dict[str, Value] = {"microk8s_channel": channel, "argocd_version": argocd}
    return [(one.severity, one.title) for one in end_of_kubernetes(PM4ML, values, day)]


def test_the_last_day_counts_and_the_day_after_nobody_mends_it() -> None:
    ((before, near),) = said("1.31/stable", "v2.14.20", BEFORE)
    ((after, told),) = said("1.31/stable", "v2.14.20", AFTER)
    assert (before, after) == (Severity.WARN, Severity.WARN)
    assert "is mended by its makers until 2025-11-11, 0 days from now" in near
    assert "mended by nobody since 2025-11-11" in told


def test_an_end_that_is_near_warns_and_one_that_is_not_passes() -> None:
    far, near = BEFORE - timedelta(days=90), BEFORE - timedelta(days=89)
    assert [one for one, _ in said("1.31/stable", "v2.14.20", far)] == [Severity.PASS]
    ((severity, told),) = said("1.31/stable", "v2.14.20", near)
    assert severity is Severity.WARN
    assert told.endswith("until 2025-11-11, 89 days from now.")


def test_the_newest_is_named_with_what_goes_with_it() -> None:
    one, argocd, _ = judged_defaults(PM4ML, AFTER)
    assert "Argo CD 2.14 has been mended by nobody since 2025-11-04" in argocd.title
    assert one.id == ID
    assert "microk8s_channel: 1.35/stable and argocd_version: v3.4.7" in one.remedy
    assert of_settings(one)
    # Nothing is offered that has ended by itself.
    assert "1.35/stable and" not in judged_defaults(PM4ML, date(2027, 3, 1))[0].remedy


def test_a_newer_channel_with_an_argo_cd_that_is_not_tested_with_it_is_told() -> None:
    kubernetes, argocd = said("1.35/stable", "v2.14.20", AFTER)
    assert kubernetes[0] is Severity.PASS
    assert argocd[0] is Severity.WARN
    assert argocd[1].startswith("Argo CD v2.14.20 is not tested with Kubernetes 1.35: its makers ")
    assert argocd[1].endswith("test it with 1.28 to 1.31.")
    assert [one for one, _ in said("1.35/stable", "v3.4.7", AFTER)] == [Severity.PASS]
    assert "is not known here" in said("1.35/stable", "v1.0.0", AFTER)[1][1]


def test_what_the_table_does_not_know_is_told() -> None:
    (first, *_) = said("1.99/stable", "v3.4.7", AFTER)
    assert first[0] is Severity.WARN
    assert "Nothing is known here of Kubernetes 1.99" in first[1]
    (noted, _) = noted_end(PM4ML, {"microk8s_channel": "1.99/stable", "argocd_version": "v3.4.7"})
    assert noted == first[1]


def test_what_names_no_end_has_none_here() -> None:
    assert judged_defaults(load_solution("core-test-harness"), AFTER) == ()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "site.yaml"
    roles = ("master", "worker", "load-balancer", "storage", "bastion")
    hosts = "".join(
        f"  - {{name: h{n}, address: 10.10.0.{n}, roles: [{role}]}}\n"
        for n, role in enumerate(roles, 11)
    )
    file.write_text(f"solution: pm4ml\nenvironment: staging\nhosts:\n{hosts}{SETTINGS}")
    return file


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_plan_says_the_day_and_what_else_there_is(
    site: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--site", str(site), "--format", form]) == 0, capsys.readouterr().err
    told = " ".join(capsys.readouterr().out.split())
    assert "Kubernetes 1.31 is mended by its makers until 2025-11-11" in told
    assert "microk8s_channel: 1.35/stable and argocd_version: v3.4.7" in told


@pytest.mark.parametrize("form", ["text", "json", "html", "junit"])
def test_preflight_says_it_without_a_site_too(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    name = json.loads(RECORDED.read_text())["machines"][0]["host"]["name"]
    words = ["--solution", "pm4ml", "--environment", "production", "--role", f"worker={name}"]
    main(["preflight", "--facts", str(RECORDED), *words, "--format", form])
    told = " ".join(capsys.readouterr().out.split())
    assert ID in told
    assert "Kubernetes 1.31 has been mended by nobody since 2025-11-11" in told
    if form == "json":
        every = [one for one in json.loads(told)["findings"] if one["id"] == ID]
        (one,) = [one for one in every if one["title"].startswith("Kubernetes")]
        assert (one["severity"], one["host"]) == ("warn", None)
