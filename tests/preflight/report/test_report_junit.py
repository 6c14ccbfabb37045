"""The JUnit report: valid XML whatever is in it, and its counts are those of the findings."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from preflight.assessment import Assessment
from preflight.findings import Severity
from preflight.report import render
from tests.preflight import assessment_factory as factory
from tests.preflight.report.test_report_text import assessments


def read(assessment: Assessment) -> ET.Element:
    """The report as a tree."""
    return ET.fromstring(render(assessment, "junit").encode())  # noqa: S314 - our own output


def check_counts(tree: ET.Element, assessment: Assessment) -> None:
    """Every total agrees with the elements, and with the findings."""
    live = [f for f in assessment.all_findings if not (f.waiver and f.severity != Severity.PASS)]
    silent = [h for h in assessment.hosts if not h.seen.reachable]
    reported = [h for h in silent if any(f.id == "host.reachable" for f in h.findings)]
    added = len(silent) - len(reported)
    assert int(tree.attrib["tests"]) == len(assessment.all_findings) + added
    assert int(tree.attrib["failures"]) == sum(f.severity is Severity.FAIL for f in live)
    assert int(tree.attrib["errors"]) == added + sum(f.severity is Severity.UNKNOWN for f in live)
    for suite in tree:
        for key, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[key]) == len(suite.findall(f"testcase/{element}"))
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    for key in ("tests", "failures", "errors", "skipped"):
        assert int(tree.attrib[key]) == sum(int(suite.attrib[key]) for suite in tree)


def test_a_site_counts_right() -> None:
    """One suite a machine and one for what is between them."""
    site = factory.site()
    tree = read(site)
    check_counts(tree, site)
    assert [suite.attrib["name"] for suite in tree] == [
        *(host.seen.host.name for host in site.hosts),
        "between the machines",
    ]


def test_each_kind_of_finding_has_its_element() -> None:
    """A failure, an error, a skip with the waiver, and a warning that passes and says so."""
    tree = read(factory.site())
    w2 = tree.find("testsuite[@name='w2']")
    assert w2 is not None
    assert w2.attrib["timestamp"] == "2026-11-21T12:29:41"
    skipped = w2.find("testcase[@name='disk.nvme']/skipped")
    assert skipped is not None
    assert skipped.attrib["message"].startswith("waived by Daw Khin Myo until 2027-01-31")
    failure = w2.find("testcase[@name='cpu.count']/failure")
    assert failure is not None
    assert failure.attrib["message"] == "w2 has 8 CPUs; a worker needs 16."
    assert "do: Shut the machine down" in (failure.text or "")
    warning = w2.find("testcase[@name='memory.swap']/system-out")
    assert warning is not None
    assert (warning.text or "").startswith("WARN: ")
    silent = tree.find("testsuite[@name='st2']/testcase/error")
    assert silent is not None
    assert "10.10.0.32:22" in silent.attrib["message"]


def test_a_name_with_markup_is_only_a_name() -> None:
    """Quotes, tags and control characters reach the reader as text."""
    name = "w\"1'<script>&amp;\x00\x1b]]>"
    site = factory.good_site()
    seen = replace(site.hosts[0].seen, host=replace(site.hosts[0].seen.host, name=name))
    tree = read(replace(site, hosts=(replace(site.hosts[0], seen=seen),)))
    assert tree[0].attrib["name"] == "w\"1'<script>&amp;]]>"


@settings(max_examples=50, deadline=None)
@given(assessments(commands=st.text(max_size=60)))
def test_anything_is_valid_and_counted(site: Assessment) -> None:
    """For any findings of any machines."""
    check_counts(read(site), site)
