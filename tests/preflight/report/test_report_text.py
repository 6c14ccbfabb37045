"""The text report: golden pages, and for anything at all no line wider than asked."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from foundation.hosts.model import Host
from foundation.problems import ConnectionProblem
from preflight.assessment import Assessment, Carries, HostResult, Seen
from preflight.facts import Facts
from preflight.findings import Finding, Severity, Verdict, Waiver
from preflight.report import ReportFormat, render
from preflight.report.words import cells
from tests.preflight import assessment_factory as factory


class PlainText(SingleFileSnapshotExtension):
    """One readable file a page."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def page(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Golden pages as text files."""
    return snapshot.use_extension(PlainText)


@pytest.mark.parametrize("width", [80, 120])
def test_a_site_with_one_of_everything(page: SnapshotAssertion, width: int) -> None:
    """Twelve machines with failures, warnings, unknowns, waivers, and two that were not seen."""
    assert render(factory.site(), width=width) == page


def test_in_plain_ascii(page: SnapshotAssertion) -> None:
    """The same for a serial line that knows nothing else."""
    text = render(factory.site(), ascii_only=True)
    assert text.isascii()
    assert text == page


def test_one_machine(page: SnapshotAssertion) -> None:
    """This machine alone, with what it can carry."""
    assert render(factory.one_machine()) == page


def test_a_site_that_is_ready(page: SnapshotAssertion) -> None:
    """Short, because there is nothing to say."""
    assert render(factory.good_site()) == page


def test_color_adds_only_color() -> None:
    """Without the sixteen-colour codes the coloured page is the plain one."""
    colored = render(factory.site(), color=True)
    assert "\x1b[1;31mFAIL\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render(factory.site())
    assert set(re.findall(r"\x1b\[[^m]*m", colored)) <= {
        f"\x1b[{code}m" for code in ("0", "1", "2", "1;31", "1;36", "32", "33", "35")
    }


def test_the_same_thing_on_machines_is_said_once() -> None:
    """The port that both load balancers miss is one entry that names both."""
    text = render(factory.site())
    assert text.count("holds port 443, which HAProxy needs") == 1
    assert re.search(r"nginx on lb1 holds port 443.*\n +likewise +lb2\n", text)


def test_the_table_stays_narrow_and_pages() -> None:
    """Twelve machines with every area fit 80 cells; at 40 the columns come in blocks."""
    eighty = render(factory.site(), width=80)
    assert sum(line.startswith("machine ") for line in eighty.splitlines()) == 1
    forty = render(factory.site(), width=40)
    heads = [line for line in forty.splitlines() if line.startswith("machine ")]
    assert len(heads) > 1
    shown = " ".join(heads).replace("machine", "").split()
    assert shown == ["acc", "role", "CPU", "mem", "disk", "NIC", "port", "OS", "kern", "net",
                     "time", "soft"]  # fmt: skip


def test_a_command_to_copy_stays_on_one_line() -> None:
    """However long it is."""
    command = "sudo sed -i.before-sitewright -E '/\\sswap\\s/s/^/#/' /etc/fstab " + "x" * 100
    fail = replace(factory.swap_warns("m1"), remedy=f"Do this: `{command}`.", evidence=command)
    good = factory.good_site()
    site = replace(good, hosts=(replace(good.hosts[0], findings=(fail,)),))
    lines = render(site, width=60).splitlines()
    assert sum(line.strip() == command for line in lines) == 1
    assert sum(line.strip() == f"see       {command}" for line in lines) == 1


def test_next_names_the_way_to_trust() -> None:
    """An unknown host key leads to the trust command."""

    class Unknown(ConnectionProblem):
        code = "host-key-unknown"

    seen = Seen(Host("a", "10.0.0.1"), problem=Unknown("new key"))
    site = Assessment(factory.NEEDS, (HostResult(seen, ()),), extra={"site": "my site.yaml"})
    assert render(site).splitlines()[-2:] == [
        "  sitewright trust --site 'my site.yaml'",
        "  sitewright preflight --site 'my site.yaml'",
    ]


def test_an_unknown_format_is_refused() -> None:
    """A format that there is not raises at once."""
    with pytest.raises(ValueError, match="yaml"):
        render(factory.site(), "yaml")


def test_many_machines_are_named_in_runs() -> None:
    """Five hundred machines take a line each in the table and few words elsewhere."""
    text = render(factory.many(500))
    assert text.count("\nnode") == 500
    assert len(text.splitlines()) < 700


def test_naming_the_forms_loads_none_of_them() -> None:
    """What lists the formats for an option pays for no form."""
    code = "import sys, preflight.report; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert "preflight.report" in loaded
    assert not [name for name in loaded if name.startswith(("preflight.report.", "pydantic"))]


words = st.text(max_size=60)
names = st.text(min_size=1, max_size=40)
lines = st.text(alphabet="abc defgh\n", max_size=60)


@st.composite
def findings(draw: st.DrawFn, *, commands: st.SearchStrategy[str]) -> Finding:
    """Any finding, with commands of a kind."""
    waiver = Waiver(check="x.y", by="ab", reason="abc", until=date(2026, 1, 1))
    return Finding(
        id=draw(st.sampled_from(["cpu.count", "disk.nvme", "new.area"]) | names),
        severity=draw(st.sampled_from(Severity)),
        title=draw(words),
        expected=draw(words),
        actual=draw(words),
        source=draw(words),
        host=draw(st.none() | names),
        evidence=draw(commands),
        remedy=draw(commands),
        undo=draw(commands),
        subject=draw(words),
        waiver=draw(st.sampled_from([None, None, waiver])),
    )


@st.composite
def assessments(draw: st.DrawFn, *, commands: st.SearchStrategy[str] = lines) -> Assessment:
    """Any assessment of a few machines."""
    hosts = []
    for name in draw(st.lists(names, max_size=4)):
        problem = draw(st.none() | st.builds(ConnectionProblem, words))
        seen = Seen(Host(name, "10.0.0.1"), facts=None if problem else Facts(), problem=problem)
        roles = tuple(draw(st.lists(st.sampled_from(["worker", "master", "x"]), max_size=3)))
        found = tuple(draw(st.lists(findings(commands=commands), max_size=3)))
        hosts.append(HostResult(seen, roles, found))
    waiver = st.builds(
        Waiver,
        check=words,
        host=st.none() | words,
        by=st.text(min_size=2, max_size=30),
        reason=st.text(min_size=3, max_size=30),
        until=st.just(date(2026, 1, 1)),
    )
    carries = st.builds(Carries, words, words, words, st.sampled_from(Verdict), words)
    return Assessment(
        needs=factory.NEEDS.model_copy(update={"title": draw(words)}),
        hosts=tuple(hosts),
        findings=tuple(draw(st.lists(findings(commands=commands), max_size=2))),
        waivers=tuple(draw(st.lists(waiver, max_size=2))),
        carries=tuple(draw(st.lists(carries, max_size=2))),
        made_at=factory.MADE_AT,
        extra=draw(st.sampled_from([{}, {"version": "1"}])) | {draw(words): draw(words)},
    )


@settings(max_examples=50, deadline=None)
@given(assessments(), st.integers(60, 140), st.booleans())
def test_no_line_is_wider_than_asked(site: Assessment, width: int, ascii_only: bool) -> None:
    """For any names and findings at any width, as long as there are no commands to copy."""
    site = replace(site, extra={k: v for k, v in site.extra.items() if k not in ("site", "next")})
    text = render(site, width=width, ascii_only=ascii_only)
    lines = [line for line in text.splitlines() if not line.startswith("  sitewright ")]
    assert max(cells(line) for line in lines) <= width
    assert text.isascii() or not ascii_only


@settings(max_examples=50, deadline=None)
@given(assessments(commands=st.text(max_size=80)), st.sampled_from(ReportFormat))
def test_any_form_of_anything_is_harmless(site: Assessment, form: ReportFormat) -> None:
    """No form raises, can fail to be written as UTF-8, or has a character that acts."""
    text = render(site, form)
    text.encode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
