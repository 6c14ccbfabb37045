"""What a document demands of settings that may stay empty: a finding, refused in production."""

from __future__ import annotations

from datetime import date

import pytest

from installer.catalogue.solution import load_solution
from installer.planning.demands import demanded
from installer.sites.site import Site, load_site_text
from preflight.findings import Severity, Verdict
from preflight.judge import assess
from tests.preflight.facts_factory import seen

PM4ML = load_solution("pm4ml")


def site(environment: str, settings: str = "") -> Site:
    text = f"solution: pm4ml\nenvironment: {environment}\nsettings: {{domain: a.b{settings}}}\n"
    return load_site_text(text, "site.yaml")


@pytest.mark.parametrize(
    ("environment", "settings", "severities"),
    [
        ("production", "", [Severity.FAIL]),
        ("production", ", ssh_networks: ''", [Severity.FAIL]),
        ("production", ", ssh_networks: nonsense", [Severity.FAIL]),
        ("staging", "", [Severity.WARN]),
        ("production", ", ssh_networks: 203.0.113.0/24", []),
        ("production", ", host_firewall: no", []),
    ],
)
def test_ssh_open_to_everybody_stands_against_production(
    environment: str, settings: str, severities: list[Severity]
) -> None:
    """§1.3.1 of the guide: port 22 is restricted by a list of addresses."""
    found = [
        one
        for one in demanded(PM4ML, site(environment, settings))
        if one.id != "disk.local-volumes"
    ]
    assert [one.severity for one in found] == severities
    for one in found:
        assert one.id == "firewall.ssh-networks"
        assert "SSH stays open to everybody" in one.title
        assert "203.0.113.0/24" in one.expected


def test_it_may_be_accepted_by_name_and_by_nothing_else() -> None:
    needs = PM4ML.needs("production")
    told = demanded(PM4ML, site("production"))
    today = date(2026, 11, 28)
    judged = assess([seen()], needs, today=today, told=told)
    assert judged.verdict is Verdict.NOT_READY
    assert any(one.blocks and one.id == "firewall.ssh-networks" for one in judged.findings)
    waivers = load_site_text(
        "hosts: [{name: m1, address: 10.0.0.1}]\n"
        "waivers: [{check: firewall.ssh-networks, by: A. Tester, reason: test, until: 2099-01-01}]",
        "site",
    ).waivers
    judged = assess([seen()], needs, today=today, told=told, waivers=waivers)
    (one,) = (one for one in judged.findings if one.id == "firewall.ssh-networks")
    assert one.waiver is not None
    assert not one.blocks


def test_a_site_without_local_disks_is_told_and_not_refused() -> None:
    """§4.1: another provisioner may make the volumes; the checklist looks where databases lie."""

    def told(settings: str) -> list[Severity]:
        found = demanded(PM4ML, site("production", settings))
        return [one.severity for one in found if one.id == "disk.local-volumes"]

    assert told("") == [Severity.WARN]
    assert told(", local_disks: w1=S1") == []
    assert told(", applications: no") == []
