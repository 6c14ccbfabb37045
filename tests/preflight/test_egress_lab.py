"""Egress from lab machines: the machine resolves and connects, TLS is spoken from here."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from preflight.egress import Destination, Met, judge_egress
from preflight.egress_ways import measure
from preflight.findings import Severity
from preflight.proxies import way_by
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.preflight.egress_servers import Proxy, authority, site

pytestmark = pytest.mark.lab

NAME = "registry.egress.test"


async def test_the_way_of_each_machine_is_its_own(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """One knows the name, one does not; one gets out only by the proxy; one forbids forwarding."""
    open_one, nameless, shut, strict = machine_factory.several("w1", "w2", "w3", "w4")
    gateway = str(next(lab.subnet.hosts()))
    for machine in (open_one, strict):
        machine.script(f"echo '{gateway} {NAME}' >>/etc/hosts")
    shut.no_route()
    strict.script("echo 'AllowTcpForwarding no' >>/etc/ssh/sshd_config; systemctl restart ssh")
    strict.wait_for_ssh()
    machines = (open_one, nameless, shut, strict)
    hosts = [
        Host(one.name, one.address, user="ubuntu", identity_files=(lab.key,)) for one in machines
    ]
    inventory = Inventory(hosts=tuple(hosts), known_hosts=(lab.known_hosts,), use_ssh_config=False)
    own = authority(tmp_path, "Public Test Authority", NAME)
    async with (
        site(own.server, "401 Unauthorized", address="0.0.0.0") as port,
        Proxy().running(gateway) as proxy,
        Pool(inventory) as pool,
    ):
        places = [Destination("registry", f"https://{NAME}:{port}/v2/")]
        inside = [Destination("git", f"https://localhost:{port}/")]
        ways = {shut.name: way_by(f"http://{gateway}:{proxy.port}")}
        trust = own.trusted()
        direct = await measure(pool, hosts, places, trust=trust, here=False)
        by_proxy = await measure(pool, [hosts[2]], inside, ways=ways, trust=trust, here=False)
        around = await measure(pool, [hosts[2]], inside, trust=trust, here=False)
        unknown = await measure(pool, [hosts[0]], places, here=False)
    assert {one.machine: one.met for one in direct.attempts} == {
        open_one.name: Met.ANSWERED,
        nameless.name: Met.NO_NAME,
        shut.name: Met.NO_NAME,
        strict.name: Met.NOT_TOLD,
    }
    # localhost is this host's for the proxy, and the machine's own without it.
    assert by_proxy.attempts[0].met is Met.ANSWERED
    assert proxy.asked == [f"CONNECT localhost:{port}"]
    assert around.attempts[0].met is Met.REFUSED
    assert unknown.attempts[0].met is Met.ISSUER
    (finding,) = judge_egress(direct)
    assert finding.severity is Severity.FAIL
    assert "from w2 and w3: the name does not resolve" in finding.actual
    assert "w4: it cannot be told" in finding.actual
