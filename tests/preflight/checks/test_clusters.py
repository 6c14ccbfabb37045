"""A site of two clusters: each with its own machines, roles and ports, and told where one lacks."""

from __future__ import annotations

import pytest

from foundation.hosts.model import Host
from installer.catalogue.solution import load_solution
from preflight.assessment import Seen
from preflight.checks.wording import role_phrase
from preflight.findings import Finding, Severity
from preflight.judge import assess
from preflight.mesh import Expectation, plan
from preflight.needs import SolutionNeeds
from preflight.sizing import machines_needed
from tests.preflight.facts_factory import TODAY, seen

OBSERVATION = ("observation-node", "observation-nginx")
MOSIP = ("cluster-node", "nginx")


def mosip(environment: str = "sandbox") -> SolutionNeeds:
    return load_solution("mosip").needs(environment)


def site(*roles: str) -> list[Seen]:
    """A machine for each of the roles, whatever its size."""
    return [seen(f"m{at}", roles=tuple(role.split("+"))) for at, role in enumerate(roles)]


def told(*roles: str, environment: str = "sandbox") -> list[Finding]:
    """What is said of the clusters of a site."""
    found = assess(site(*roles), mosip(environment), today=TODAY).findings
    return [finding for finding in found if finding.id == "role.clusters"]


def test_both_clusters_pass_with_their_own_machines() -> None:
    found = told(*OBSERVATION, *MOSIP, "wireguard-bastion")
    assert [(f.subject, f.severity) for f in found] == [
        ("observation", Severity.PASS),
        ("mosip", Severity.PASS),
    ]
    assert found[0].title == "The observation cluster has 2 machines."


def test_a_site_that_lacks_either_cluster_is_told_which_and_what_it_is_for() -> None:
    found = told(*MOSIP, "wireguard-bastion")
    assert [f.severity for f in found] == [Severity.FAIL, Severity.PASS]
    assert "lacks the observation cluster" in found[0].title
    assert "no Rancher" in found[0].title
    assert "observation-node" in (found[0].remedy or "")
    found = told(*OBSERVATION, environment="production")
    assert [f.severity for f in found] == [Severity.PASS, Severity.FAIL]
    assert "lacks the MOSIP cluster" in found[1].title


def test_a_machine_of_both_clusters_fails() -> None:
    found = told("cluster-node+observation-node", *MOSIP, *OBSERVATION)
    assert (found[-1].subject, found[-1].severity) == ("m0", Severity.FAIL)
    assert "observation cluster and MOSIP cluster at once" in found[-1].title


def test_the_machines_of_each_cluster_are_counted_by_its_own_table() -> None:
    found = assess(site(*MOSIP, *OBSERVATION), mosip("production"), today=TODAY).findings
    counts = {f.subject: f for f in found if f.id == "role.count"}
    assert counts["cluster-node"].expected == "21 or more"
    assert counts["observation-node"].expected == "2 or more"
    assert counts["observation-node"].severity is Severity.FAIL


def test_what_a_cluster_opens_to_its_nodes_is_not_asked_of_the_others() -> None:
    roles = {
        "c1": ("cluster-node",), "c2": ("cluster-node",), "n": ("nginx",),
        "o1": ("observation-node",), "o2": ("observation-node",), "on": ("observation-nginx",),
        "b": ("wireguard-bastion",),
    }  # fmt: skip
    hosts = [
        Host(name, f"10.10.0.{at}", roles=mine) for at, (name, mine) in enumerate(roles.items())
    ]
    reach = {
        (dial.start, dial.target, dial.port)
        for dial in plan(hosts, roles, mosip())
        if dial.expectation is Expectation.REACH
    }
    assert {("c1", "c2", 9345), ("o1", "o2", 9345), ("b", "o1", 6443)} <= reach
    assert {("n", "c1", 31080), ("on", "o1", 30443)} <= reach
    assert not {("o1", "c1", 9345), ("c1", "o1", 2379), ("n", "o1", 30080)} & reach
    assert not {(start, target) for start, target, _ in reach if (start, target) == ("on", "c1")}


def test_an_older_site_file_of_the_observation_cluster_is_judged_as_it_was() -> None:
    needs = mosip("observation")
    found = assess(
        site("cluster-node", "cluster-node", "nginx", "wireguard-bastion"), needs, today=TODAY
    )
    counts = {f.subject: f.severity for f in found.findings if f.id == "role.count"}
    assert set(counts.values()) == {Severity.PASS}
    assert not [f for f in found.findings if f.id == "role.clusters"]


@pytest.mark.parametrize("environment", ["existing-cluster", "production-readiness"])
def test_a_site_need_not_name_the_nodes_of_a_cluster_that_stands(environment: str) -> None:
    needs = load_solution("helm-deploy").needs(environment)
    found = assess(site("access"), needs, today=TODAY).findings
    counts = [f for f in found if f.id == "role.count"]
    assert {f.subject for f in counts} >= {"access", "master", "worker"}
    assert {f.severity for f in counts} == {Severity.PASS}
    without = assess(site("worker"), needs, today=TODAY).findings
    short = [f for f in without if f.id == "role.count" and f.severity is Severity.FAIL]
    assert [f.subject for f in short] == ["access"]


@pytest.mark.parametrize(
    ("solution", "environment", "words"),
    [
        ("helm-deploy", "existing-cluster", "1 machine, 1 cluster"),
        ("mosip", "on-clusters", "1 machine, 2 clusters"),
        ("mosip", "sandbox", "11 machines"),
        ("helm-deploy", "local-microk8s", "1 machine"),
    ],
)
def test_a_cluster_that_must_stand_already_is_told_beside_the_machines(
    solution: str, environment: str, words: str
) -> None:
    assert machines_needed(load_solution(solution).needs(environment)) == words


def test_a_name_has_the_article_of_its_sound() -> None:
    assert role_phrase(["nginx"]) == "an nginx"
    assert role_phrase(["nfs"]) == "an nfs"
    assert role_phrase(["cluster-node"]) == "a cluster node"
