"""The mesh: what is tried, how it is measured, and what is said of it."""

from __future__ import annotations

import asyncio
import socket

import pytest

from foundation.hosts.connection import Connection, Dialled, PortState
from foundation.hosts.local import LocalConnection
from foundation.hosts.model import Host
from foundation.problems import ConnectTimeout
from installer.catalogue.solution import load_solution
from preflight.findings import Finding, Severity
from preflight.judge import assess
from preflight.mesh import Dial, Expectation, Mesh, judge_mesh, measure, outcome, plan
from preflight.needs import PortNeed, PortTable, SolutionNeeds
from tests.preflight.facts_factory import TODAY, needs, seen
from tests.preflight.whole_finding import whole

PASS, WARN, FAIL, UNKNOWN = Severity.PASS, Severity.WARN, Severity.FAIL, Severity.UNKNOWN
HOSTS = (
    Host("w1", "10.10.0.1", roles=("worker",)),
    Host("w2", "10.10.0.2", roles=("worker",)),
    Host("lb1", "10.10.0.3", roles=("load-balancer",)),
    Host("st1", "10.10.0.4", roles=("storage",)),
)
ROLES = {host.name: host.roles for host in HOSTS}


def tries(dials: tuple[Dial, ...]) -> set[tuple[str, str, int, str]]:
    return {(d.start, d.target, d.port, d.expectation.value) for d in dials}


def test_the_plan_holds_every_pair_that_the_table_names_and_no_other() -> None:
    """Cluster means Kubernetes nodes; nobody dials himself; outside is not tried; UDP neither."""
    found = tries(plan(HOSTS, ROLES, needs()))
    assert found == {
        ("w1", "w2", 10250, "reach"), ("w2", "w1", 10250, "reach"),
        ("lb1", "w1", 10250, "closed"), ("lb1", "w2", 10250, "closed"),
        ("w1", "w2", 6443, "reach"), ("w2", "w1", 6443, "reach"),
        ("w1", "lb1", 80, "reach"), ("w2", "lb1", 80, "reach"),
        ("w1", "st1", 6800, "reach"), ("w1", "st1", 7300, "reach"),
        ("w2", "st1", 6800, "reach"), ("w2", "st1", 7300, "reach"),
    }  # fmt: skip


def test_what_one_line_lets_in_no_other_holds_closed() -> None:
    """A machine with two roles reaches by one what the other must not."""
    roles = {**ROLES, "w1": ("worker", "load-balancer")}
    dials = plan(HOSTS, roles, needs())
    assert [d.expectation for d in dials if (d.start, d.target, d.port) == ("w1", "w2", 10250)] == [
        Expectation.REACH
    ]


def test_the_address_by_which_others_know_a_machine_is_used() -> None:
    """Behind a bastion or a translation the login address means nothing to the neighbours."""
    dials = plan(HOSTS, ROLES, needs(), {"w2": "192.168.7.2"})
    assert {d.address for d in dials if d.target == "w2"} == {"192.168.7.2"}


def test_the_real_table_is_planned_within_bounds() -> None:
    """Twelve machines give hundreds of attempts, not the thousands of whole ranges."""
    wanted = load_solution("pm4ml").needs()
    count = {"master": 3, "worker": 3, "load-balancer": 2, "storage": 3, "bastion": 1}
    hosts = [
        Host(f"{r}{n}", f"10.0.{len(r)}.{n}", roles=(r,))
        for r, k in count.items()
        for n in range(k)
    ]
    dials = plan(hosts, {}, wanted)
    assert 200 < len(dials) < 1000
    assert all(d.start != d.target for d in dials)
    assert not any(d.from_role in ("internet", "operator") for d in dials)


@pytest.mark.parametrize(
    ("state", "reach", "closed"),
    [
        (PortState.OPEN, PASS, WARN),
        (PortState.REFUSED, PASS, WARN),
        (PortState.FILTERED, FAIL, PASS),
        (PortState.UNREACHABLE, FAIL, PASS),
        (PortState.UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)
def test_what_each_state_means(state: PortState, reach: Severity, closed: Severity) -> None:
    """Refused is an open way; silence is a firewall."""
    assert outcome(Expectation.REACH, state) is reach
    assert outcome(Expectation.CLOSED, state) is closed


def met(
    states: dict[tuple[str, str, int], PortState], wanted: SolutionNeeds | None = None
) -> dict[str, Finding]:
    """The findings where all ways are open but those given."""
    wanted = wanted or needs()
    dials = plan(HOSTS, ROLES, wanted)
    made = Mesh(
        tuple(
            (d, Dialled(states.get((d.start, d.target, d.port), PortState.REFUSED
             if d.expectation is Expectation.REACH else PortState.FILTERED), "channel"))
            for d in dials
        ),
        tuple(line for line in wanted.ports.ports if line.protocol == "udp"),
    )  # fmt: skip
    found = judge_mesh(made)
    for one in found:
        whole(one)
    return {one.subject: one for one in found}


def test_open_ways_pass_in_one_finding_for_a_line_and_udp_is_noted_once() -> None:
    """A sentence for each line between two roles, not one for each pair."""
    found = met({})
    assert set(found) == {
        "10250 cluster→worker", "10250 load-balancer→worker", "6443 cluster→worker",
        "80 cluster→load-balancer", "6800-7300 cluster→storage",
    }  # fmt: skip
    assert {f.severity for f in found.values()} == {PASS}
    noted = [f for f in found.values() if "4789/udp" in f.actual]
    assert len(noted) == 1
    assert "with nothing listening yet" in found["10250 cluster→worker"].actual


def test_a_firewall_between_two_machines_fails_with_the_pair() -> None:
    """The pair is named, the rest counted."""
    found = met({("w1", "st1", 6800): PortState.FILTERED, ("w2", "st1", 7300): PortState.FILTERED})
    one = found["6800-7300 cluster→storage"]
    assert one.severity is FAIL
    assert one.id == "mesh.reach"
    assert one.title == "w1 cannot reach st1 on port 6800, and 1 more pair likewise."
    assert "ufw allow" in one.remedy
    assert one.evidence == "on w1: nc -vz -w 3 10.10.0.4 6800"


def test_a_port_that_must_be_closed_and_answers_warns() -> None:
    """Nothing is broken by it, and it must not stay so."""
    one = met({("lb1", "w1", 10250): PortState.OPEN})["10250 load-balancer→worker"]
    assert one.severity is WARN
    assert one.title == "lb1 can reach w1 on port 10250, and must not."


def test_the_documents_wrong_port_is_only_a_note() -> None:
    """A firewall that closes 6443 does not stop MicroK8s, and the finding says why."""
    one = met({("w1", "w2", 6443): PortState.FILTERED})["6443 cluster→worker"]
    assert one.severity is WARN
    assert "(the document's port; 16443 is used)" in one.title
    assert "MicroK8s listens on 16443." in one.remedy


def test_what_could_not_be_tried_is_unknown() -> None:
    """A hardened sshd without any means to dial leaves the site undecided."""
    one = met({("w1", "lb1", 80): PortState.UNKNOWN})["80 cluster→load-balancer"]
    assert one.severity is UNKNOWN


def test_the_mesh_counts_in_the_assessment() -> None:
    """Its findings stand between the machines."""
    dials = plan(HOSTS, ROLES, needs())
    mesh = Mesh(tuple((d, Dialled(PortState.FILTERED, "channel")) for d in dials))
    made = assess([seen()], needs(), today=TODAY, mesh=mesh)
    assert any(f.id == "mesh.reach" and f.severity is FAIL for f in made.findings)


class Machines:
    """Connections to machines that are all this one, at loopback addresses of their own."""

    def __init__(self, silent: str = "") -> None:
        self.silent = silent
        self.most = 0

    async def connect(self, host: Host) -> Connection:
        if host.name == self.silent:
            raise ConnectTimeout("it does not answer", where=host.name)
        return LocalConnection(host)


async def test_real_attempts_tell_listening_from_refused_and_bear_a_dead_machine() -> None:
    """Two loopback addresses stand for two machines; the third cannot be logged in to."""
    with socket.create_server(("127.0.0.2", 0)) as listening, socket.socket() as closed:
        closed.bind(("127.0.0.2", 0))  # held without listening, so that nobody else takes it
        ports = {
            "open": listening.getsockname()[1],
            "refused": closed.getsockname()[1],
        }
        wanted = needs().model_copy(
            update={
                "ports": PortTable(
                    ports=tuple(
                        PortNeed(port=str(port), purpose=name, on=("storage",),
                                 reached_from=("worker",), source="s")
                        for name, port in ports.items()
                    )
                )
            }
        )  # fmt: skip
        hosts = (
            Host("w1", "127.0.0.1", roles=("worker",)),
            Host("w2", "127.0.0.3", roles=("worker",)),
            Host("st1", "127.0.0.2", roles=("storage",)),
        )
        mesh = await asyncio.wait_for(measure(Machines("w2"), hosts, {}, wanted), 20)
    states = {(d.start, d.line.purpose): met.state for d, met in mesh.dials}
    assert states == {
        ("w1", "open"): PortState.OPEN,
        ("w1", "refused"): PortState.REFUSED,
        ("w2", "open"): PortState.UNKNOWN,
        ("w2", "refused"): PortState.UNKNOWN,
    }
    findings = judge_mesh(mesh)
    assert {f.severity for f in findings} == {UNKNOWN}
    assert all("it does not answer" in f.remedy for f in findings)


def test_ways_that_nothing_listens_on_yet_are_one_warning() -> None:
    """Before an installation no port answers: all the ways still open are said once, not each."""
    lines = [
        PortNeed(
            port=str(port), purpose="p", on=("worker",), closed_to=("load-balancer",), source="s"
        )
        for port in (1001, 1002)
    ]
    refused, answered = (Dialled(s, "channel") for s in (PortState.REFUSED, PortState.OPEN))
    first, second = (
        Dial(
            "lb1", "w1", "10.0.0.2", line.first, Expectation.CLOSED, line, "load-balancer", "worker"
        )
        for line in lines
    )
    (finding,) = judge_mesh(Mesh(((first, refused), (second, refused))))
    assert finding.severity is WARN
    assert "shuts 2 ways yet" in finding.title
    titles = [one.title for one in judge_mesh(Mesh(((first, answered), (second, refused))))]
    assert "lb1 can reach w1 on port 1001, and must not." in titles
