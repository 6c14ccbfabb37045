"""Machines out of outputs, in both shapes that are known."""

from __future__ import annotations

import json
from typing import Any

import pytest

from foundation.problems import InputProblem
from installer.environments.hosts import Machines, differences, machines_of
from installer.sites.site import SiteHost


def _read(roles: dict[str, str] | None = None, /, **outputs: Any) -> Machines:
    told = {
        name: value if isinstance(value, dict) and "sensitive" in value else
        {"sensitive": False, "type": "dynamic", "value": value}
        for name, value in outputs.items()
    }  # fmt: skip
    return machines_of(json.dumps(told), where="hub-a", roles=roles or {})


def test_the_documented_shape_names_each_machine_whole_or_by_its_address() -> None:
    found = _read(
        sitewright_hosts={
            "m1": "10.0.0.1",
            "w1": {"address": "10.0.0.2", "user": "ops", "port": 2222, "roles": ["worker"],
                   "bastion": "ops@203.0.113.7"},
        }
    ).hosts  # fmt: skip
    assert [(one.name, one.address, one.user, one.port) for one in found] == [
        ("m1", "10.0.0.1", None, 22),
        ("w1", "10.0.0.2", "ops", 2222),
    ]
    assert found[1].roles == ("worker",)
    assert found[1].bastion == "ops@203.0.113.7"


def test_the_outputs_of_iac_modules_become_machines_with_the_roles_of_their_groups() -> None:
    """As terraform/k8s of iac-modules (2025-06-19) names them."""
    found = _read(
        {"test_harness": "load"},
        master_hosts={"node1": "10.0.0.1"},
        agent_hosts={"node2": "10.0.0.2"},
        bastion_hosts={"bastion": "203.0.113.7"},
        test_harness_hosts={"test_harness": "10.0.0.9"},
        haproxy_hosts={},
        all_hosts_var_maps={"ansible_ssh_user": "ubuntu", "base_domain": "x"},
        bastion_hosts_var_maps={"ansible_ssh_common_args": "-o StrictHostKeyChecking=no"},
    ).hosts
    assert [(one.name, one.roles, one.user) for one in found] == [
        ("node1", ("master",), "ubuntu"),
        ("node2", ("worker",), "ubuntu"),
        ("bastion", ("bastion",), "ubuntu"),
        ("test-harness", ("load",), "ubuntu"),
    ]
    assert not any(one.ssh_options for one in found)


def test_what_is_sensitive_is_told_and_written_nowhere() -> None:
    with pytest.raises(InputProblem, match="master_hosts is sensitive"):
        _read(master_hosts={"sensitive": True, "value": {"m1": "10.0.0.1"}})


@pytest.mark.parametrize(
    "said",
    [
        {"m1": {"address": "10.0.0.1", "proxy_command": "touch /tmp/x"}},
        {"m1": {"address": "-oProxyCommand=x"}},
        {"m1": 7},
        {"m1\n": "10.0.0.1"},
        {"m1": {"user": "ops"}},
    ],
)
def test_an_output_starts_nothing_and_names_no_nonsense(said: Any) -> None:
    with pytest.raises(InputProblem):
        _read(sitewright_hosts=said)


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "{}"])
def test_no_outputs_are_a_problem(text: str) -> None:
    with pytest.raises(InputProblem):
        machines_of(text, where="hub-a", roles={})


def test_a_site_file_that_the_outputs_left_behind_is_told() -> None:
    found = _read(sitewright_hosts={"m1": "10.0.0.1", "w1": "10.0.0.2", "w2": "10.0.0.3"}).hosts
    before = (
        SiteHost(name="m1", address="10.0.0.1"),
        SiteHost(name="w1", address="10.0.0.7"),
        SiteHost(name="w9", address="10.0.0.9"),
    )
    assert differences(found, before, None) == [
        "w1 has the address 10.0.0.2, and there 10.0.0.7.",
        "w2 (10.0.0.3) is not in the site file.",
        "w9 is in the site file, and no output names it.",
    ]
