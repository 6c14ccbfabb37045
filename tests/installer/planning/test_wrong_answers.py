"""All that is wrong with a site is told at once; a name is one machine and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foundation.hosts.ansible.inventory import hosts_from_text, name_fault
from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.commands.plan import read_plan
from installer.planning.make import make_plan
from installer.sites.site import Site
from installer.supply.review import beside_the_steps
from tests.installer.planning.test_planning import site

TEMPLATES = ("m{{2+3}}", "m{%x%}", "a[0]", "m*", "!m", "m$(id)", "m`id`", "~m", "m&n", "m'", 'm"')


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_name_is_a_pattern_or_a_template(name: str) -> None:
    """In a site and in a list, with the sign that is meant."""
    assert name_fault(name)
    with pytest.raises(InputProblem, match="cannot be used"):
        hosts_from_text(f"{name}=10.0.0.1")
    with pytest.raises(ValueError, match="cannot be the name of a machine"):
        Site.model_validate({"hosts": [{"name": name, "address": "10.0.0.1"}]})


@pytest.mark.parametrize("sign", ["\u3164", "\uffa0", "\u2800", "\u034f", "\ufe0f", "\U000e0101"])
def test_no_two_names_look_the_same_by_a_sign_that_is_drawn_as_nothing(sign: str) -> None:
    """A key is trusted for a machine by its name: m1 and m1 with a Hangul filler are two."""
    assert "cannot be seen" in (name_fault(f"m1{sign}") or "")
    assert name_fault("größe") is None


def renamed(name: str, *, role: str = "worker", address: str = "10.10.0.99") -> Site:
    """A whole site with one more machine of that name."""
    whole = site()
    more = type(whole.hosts[0]).model_validate({"name": name, "address": address, "roles": [role]})
    return whole.model_copy(update={"hosts": (*whole.hosts, more)})


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("control", "whichever machine Ansible and Helm run on"),
        ("all", "every machine"),
        ("ungrouped", "machines without a role"),
        ("localhost", "the machine that it runs on"),
        ("storage", "s1 and s2 as well"),
        ("load_balancer", "lb1 and lb2 as well"),
        ("haproxy", "lb1 and lb2 as well"),
        ("2001:db8::1", "would misread"),
        ("größe", "would misread"),
    ],
)
def test_a_name_that_means_something_else_is_refused_in_the_plan(name: str, why: str) -> None:
    """The steps of a machine called `control` were done on the control host instead of it."""
    with pytest.raises(InputProblem, match=why):
        make_plan(load_solution("pm4ml"), renamed(name), [])


def test_the_only_machine_of_a_role_may_have_its_name() -> None:
    """To Ansible both are that machine."""
    plan = make_plan(load_solution("pm4ml"), renamed("bastion", role="bastion"), [])
    assert ("bastion", ("bastion",)) in plan.hosts


def test_every_wrong_answer_of_a_site_is_told_at_once(tmp_path: Path) -> None:
    """Words, names, settings and variables of machines, each with its place."""
    hosts: list[dict[str, Any]] = [
        {"name": "control", "address": "10.0.0.1", "roles": ["mastr"]},
        {"name": "w1", "address": "10.0.0.2", "roles": ["worker"], "variables": {"domain": "x"}},
        {"name": "w2", "address": "10.0.0.3", "roles": ["worker"], "variables": {"pm4ml_id": 1}},
    ]
    from foundation.documents import dump_yaml

    file = tmp_path / "site.yaml"
    file.write_text(
        dump_yaml(
            {
                "solution": "pm4ml",
                "environment": "nope",
                "hosts": hosts,
                "settings": {"domain": "UP.example", "nonsense": 1},
            }
        )
    )
    with pytest.raises(InputProblem) as caught:
        read_plan(file, None)
    for told in (
        'role "mastr"; did you mean "master"?',
        'no environment "nope"',
        'called "control"',
        '"domain" is',
        'no setting "nonsense"',
        '"git_url"',
        'variable "domain" of the machine w1',
        'variable "pm4ml_id" of the machine w2',
    ):
        assert told in caught.value.cause, told
    assert str(file) in caught.value.cause


def test_what_a_site_accepts_is_reviewed_with_its_plan() -> None:
    """A waiver that came with a site file is somebody's word: it is read before anything begins."""
    waiver = {
        "check": "disk.*", "host": "m1", "by": "A. Courier", "reason": "it is fine",
        "until": "2099-01-01",
    }  # fmt: skip
    whole = site()
    given = Site.model_validate({**whole.model_dump(mode="json"), "waivers": [waiver]})
    plain, told = (make_plan(load_solution("pm4ml"), one, []) for one in (whole, given))
    assert plain.sha256 != told.sha256
    (line,) = (line for line in beside_the_steps(told) if "A. Courier" in line)
    assert line == (
        "Mind: disk.* on m1 is accepted whatever is found, by the word of A. Courier until "
        "2099-01-01: it is fine"
    )
