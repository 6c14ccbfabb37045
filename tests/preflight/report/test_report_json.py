"""The JSON report: the published shape, the key names of the promise, any text unharmed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

from preflight.assessment import Assessment
from preflight.report import as_json, pieces, render
from preflight.report.schema import preflight_schema
from preflight.report.shape import ReportShape
from tests.preflight import assessment_factory as factory

SHAPE: TypeAdapter[ReportShape] = TypeAdapter(ReportShape)


def report(assessment: Assessment) -> dict[str, Any]:
    """The JSON of an assessment, read again."""
    made: dict[str, Any] = json.loads(render(assessment, "json"))
    return made


@pytest.mark.parametrize("site", [factory.site(), factory.one_machine(), factory.good_site()])
def test_it_is_written_as_the_one_json_that_it_is(site: Assessment) -> None:
    """Machine by machine, and by a faster program: Python's own indents in Python."""
    whole = replace(site, extra={"site": "s\udc80", "e": "é\u2028\x7f\x01"})
    slow = json.dumps(as_json.report(whole), ensure_ascii=False, indent=2) + "\n"
    made = render(whole, "json")
    assert made == as_json._RISKY.sub(as_json._escaped, slow)
    assert "".join(pieces(whole, "json")) == made
    assert "".join(pieces(whole, "text", width=60)) == render(whole, width=60)
    assert len(list(pieces(whole, "json"))) > len(whole.hosts)


@pytest.mark.parametrize("site", [factory.site(), factory.one_machine(), factory.good_site()])
def test_a_report_has_the_published_shape(site: Assessment) -> None:
    """Every key, no other key, and every type, strictly."""
    SHAPE.validate_python(report(site), strict=True)


def test_the_shape_refuses_what_it_does_not_know() -> None:
    """So the test above would notice a key too many, one too few and a wrong type."""
    good = report(factory.site())
    for change in ({"more": 1}, {"verdict": "fine"}, {"hosts": None}):
        with pytest.raises(ValidationError):
            SHAPE.validate_python(good | change, strict=True)
    del good["sizing"]
    with pytest.raises(ValidationError):
        SHAPE.validate_python(good, strict=True)


def test_the_schema_describes_the_same_keys() -> None:
    """What is published names the keys of a report and forbids others."""
    schema = preflight_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    assert set(schema["properties"]) == set(report(factory.site())) == set(schema["required"])
    assert schema["additionalProperties"] is False
    host = schema["$defs"]["HostShape"]
    assert set(host["properties"]) == set(report(factory.site())["hosts"][0])
    json.dumps(schema)


def test_the_promised_keys_are_there() -> None:
    """Those of docs/command.md, by name and place."""
    made = report(factory.site())
    assert made["schema"] == "sitewright.preflight/1"
    assert (made["solution"], made["environment"]) == ("pm4ml", "production")
    assert made["sizing"].keys() >= {"id", "source"}
    assert made["verdict"] == "not-ready"
    host = made["hosts"][2]
    assert (host["name"], host["address"], host["roles"]) == ("w1", "10.10.0.14", ["worker"])
    assert (host["reachable"], host["problem"]) == (True, None)
    facts = host["facts"]
    assert facts["hostname"] == "w1"
    assert facts["os"].items() >= {"id": "ubuntu", "version": "24.04"}.items()
    assert facts["cpu"]["logical"] == 16
    assert facts["memory"]["installed_bytes"] == 64 * 2**30
    assert facts["memory"].keys() >= {"installed_bytes", "total_bytes", "swap_bytes"}
    assert facts["disks"][0].keys() >= {"name", "size_bytes", "kind", "model", "mounts"}
    assert facts["nics"][0].keys() >= {"name", "speed_mbps", "mtu", "mac", "addresses"}
    assert facts["sockets"][0].items() >= {"protocol": "tcp", "port": 22, "process": None}.items()
    finding = next(f for f in host["findings"] if f["id"] == "cpu.count")
    assert finding["severity"] == "fail"
    assert (finding["expected"], finding["actual"]) == ("16", "8")
    assert finding["waiver"] is None
    carries = report(factory.one_machine())["carries"][0]
    assert carries.keys() >= {"solution", "environment", "verdict"}


def test_a_machine_that_was_not_seen_says_why() -> None:
    """Its problem is there, its facts are null."""
    host = report(factory.site())["hosts"][9]
    assert (host["reachable"], host["facts"]) == (False, None)
    assert host["problem"]["code"] == "host-key-changed"
    assert "ssh-keygen -R" in host["problem"]["remedy"]


def test_waivers_tell_what_became_of_them() -> None:
    """In force, expired, without anything to cover."""
    made = report(factory.site())["waivers"]
    assert [(w["state"], w["covers"]) for w in made] == [
        ("in-force", 1),
        ("in-force", 1),
        ("expired", 0),
        ("unused", 0),
    ]


def test_the_risk_acceptance_is_carried() -> None:
    """The machine, its roles, and who signed."""
    (risk,) = report(factory.site())["risk_acceptances"]
    assert (risk["host"], sorted(risk["roles"])) == ("w3", ["master", "worker"])
    assert risk["accepted_by"][0]["by"].startswith("U Thant Zin")


def test_counts_add_up() -> None:
    """Every finding is counted once."""
    made = report(factory.site())
    findings = [f for host in made["hosts"] for f in host["findings"]] + made["findings"]
    assert sum(made["counts"].values()) == len(findings)
    live = [f for f in findings if f["severity"] == "fail" and f["waiver"] is None]
    assert made["counts"]["fail"] == len(live)


def test_hostile_text_is_whole_and_harmless() -> None:
    """The value survives reading, and the file does nothing to a terminal that shows it."""
    hostile = 'a"\\\x1b[2J\x9b\u202eb\u2028ලංකා\n'
    site = factory.good_site()
    fail = replace(factory.cpu_fails("m1", 8), actual=hostile)
    site = replace(site, hosts=(replace(site.hosts[0], findings=(fail,)),))
    text = render(site, "json")
    assert json.loads(text)["hosts"][0]["findings"][0]["actual"] == hostile
    assert not set(text).intersection("\x1b\x9b\u202e\u2028")
    assert "ලංකා" in text


def test_half_a_surrogate_pair_becomes_a_replacement() -> None:
    """So that the file is UTF-8."""
    site = replace(factory.good_site(), extra={"site": "s\udc80"})
    assert json.loads(render(site, "json").encode())["site"] == "s\ufffd"


def test_the_same_assessment_gives_the_same_text(snapshot: SnapshotAssertion) -> None:
    """Order and form are fixed; the facts have golden files of their own."""
    one = render(factory.one_machine(), "json")
    assert one == render(factory.one_machine(), "json")
    made = json.loads(one)
    for host in made["hosts"]:
        host["facts"] = "left out"
    assert made == snapshot.use_extension(JSONSnapshotExtension)
