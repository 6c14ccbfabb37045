"""`sitewright preflight --cluster`: the ways to name one, the forms of a report, the exit codes."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from foundation.clusters.machine import CANDIDATES
from installer.cli import main
from preflight.cluster import support
from preflight.report.shape import ReportShape
from tests.preflight.cluster import fake_api as fake
from tests.preflight.cluster.fake_api import FakeApi


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    with fake.fake_api(tmp_path) as api:
        minor = support.minor_of(api.version)
        assert minor is not None
        monkeypatch.setitem(support.ENDS, minor, date.max)  # which nobody has stopped to mend
        yield api


def _way_in(served: FakeApi) -> str:
    return str(served.way_in(days=300))


def test_a_cluster_that_is_well_ends_with_0(
    served: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", "--cluster", "--kubeconfig", _way_in(served)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("READY: this cluster has what is asked of it.")
    assert f"Cluster     lab, {served.server}" in text
    assert "machine" not in text


def test_a_context_and_the_variable_are_honoured(
    served: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", _way_in(served))
    assert main(["preflight", "--cluster", "lab", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["clusters"][0]["name"] == "lab"
    assert main(["preflight", "--cluster", "lob"]) == 2
    assert 'did you mean "lab"' in capsys.readouterr().err


@pytest.mark.parametrize("form", ["text", "json", "html", "junit"])
def test_every_form_names_what_is_broken_and_nothing_acts_on_a_terminal(
    form: str, served: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    served.objects[fake.CLASSES] = []
    evil = {"reason": "ImagePullBackOff", "message": "\x1b]0;PWNED\x07<b>no</b>"}
    served.objects[fake.PODS].append(fake.pod("bad\x1b[2J", "shop", node="n1", waiting=evil))
    served.forbidden.add(fake.QUOTAS)
    command = ["preflight", "--kubeconfig", _way_in(served), "--format", form]
    assert main(command) == 3
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "The cluster has no storage class" in text
    assert "cannot list resource" in text
    if form == "html":
        assert "<b>no</b>" not in text
        assert 'href="#cluster-1"' in text
        assert 'id="cluster-1"' in text
        assert "3 nodes are Ready" in text
    elif form == "junit":
        (suite,) = ET.fromstring(text)  # noqa: S314 - our own report
        assert suite.get("name") == "lab"
        assert int(suite.get("failures", "0")) == 2
        assert int(suite.get("errors", "0")) == 1
    elif form == "json":
        report = TypeAdapter(ReportShape).validate_json(text)
        (cluster,) = report["clusters"]
        assert cluster["earliest"] is not None
        assert cluster["earliest"]["layer"] == "storage"
        assert report["hosts"] == []
        assert cluster["facts"] is not None
        assert "quotas" in cluster["facts"]["unknown"]
    else:
        assert "Begin with" in text


def test_facts_are_kept_and_judged_later_without_the_cluster(
    served: FakeApi, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = tmp_path / "kept.json"
    command = ["preflight", "--kubeconfig", _way_in(served), "--save-facts", str(kept), "--quiet"]
    assert main(command) == 0
    assert kept.stat().st_mode & 0o777 == 0o600
    asked = len(served.asked)
    capsys.readouterr()
    assert main(["preflight", "--facts", str(kept), "--solution", "helm-deploy"]) == 0
    assert "Facts from" in capsys.readouterr().out
    assert len(served.asked) == asked
    assert main(["preflight", "--facts", str(kept), "--cluster"]) == 2


def test_a_cluster_that_does_not_answer_ends_with_4(
    served: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    served.unauthorized = True
    assert main(["preflight", "--kubeconfig", _way_in(served)]) == 4
    text = capsys.readouterr().out
    assert text.startswith("INCOMPLETE: nothing that was seen stands against it, but 1 cluster")
    assert "Clusters that could not be seen (1)" in text
    assert "fetch a new kubeconfig" in text


@pytest.mark.processes
def test_through_a_machine_no_kubeconfig_is_needed(
    served: FakeApi, capsys: pytest.CaptureFixture[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A kubectl that asks the same API, on this machine."""
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    admin = served.authority.issue("kubectl", "admin")
    kubectl.write_text(
        f"#!/bin/sh\nexec curl -sf --cacert {served.authority.pair.certificate}"
        f' --cert {admin.certificate} --key {admin.key} "{served.server}$3"\n'
    )
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{kubectl.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(
        "foundation.clusters.machine.CANDIDATES",
        tuple(one for one in CANDIDATES if one.argv == ("kubectl",)),
    )
    assert main(["preflight", "--through", "local"]) == 0
    text = capsys.readouterr().out
    assert "Reached by  kubectl on " in text
    assert text.count("cluster of") == 0


def test_what_goes_on_a_cluster_says_that_it_was_not_looked_at(
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts = Path(__file__).parents[2] / "recorded" / "laptop.json"
    main(["preflight", "--facts", str(facts), "--solution", "helm-deploy"])
    assert "The cluster itself  not looked at; --cluster judges it" in capsys.readouterr().out
    main(["preflight", "--facts", str(facts), "--solution", "pm4ml"])
    assert "--cluster" not in capsys.readouterr().out


def test_a_machine_that_does_not_answer_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["preflight", "--through", "m1=nobody@127.0.0.1:1"]) == 4
    text = " ".join(capsys.readouterr().out.split())
    assert "The cluster m1 could not be looked at: the machine is there" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--cluster", "lab", "m1"], "m1 is a machine"),
        (["--cluster", "--egress"], "--egress is about machines"),
        (["--cluster", "--environment", "x"], "belong to a solution"),
        (["--kubeconfig", "x", "--through", "y"], "two ways"),
        (["--cluster", "lab", "--through", "local"], "a cluster of its own"),
        (["--kubeconfig", "gone"], "there is no such file"),
    ],
)
def test_what_contradicts_is_told(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", *words]) == 2
    assert says in capsys.readouterr().err


def test_facts_of_a_newer_form_are_told_as_those_of_a_cluster(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text('{"schema": "sitewright.cluster-facts/2"}')
    assert main(["preflight", "--facts", str(kept)]) == 2
    assert 'its schema is not "sitewright.cluster-facts/1"' in capsys.readouterr().err
