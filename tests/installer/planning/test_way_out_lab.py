"""The way out on lab machines: what fetches goes by the proxy, and all of it is taken back.

The machine has no default route and gets out only by the proxy, which runs on this host and is a
STAND-IN of some lines (tests/preflight/egress_servers.py). docker.service is a stand-in too, which
writes its environment down when it starts; snapd is not there.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from foundation.documents import load_yaml
from installer.catalogue.solution import load_solution
from installer.planning.make import make_plan
from installer.sites.site import Site
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.preflight.egress_servers import Proxy, authority, site

pytestmark = pytest.mark.lab

DOCKER = r"""
printf '[Service]\nExecStart=/bin/sh -c "env >/run/docker-env; exec sleep infinity"\n' \
    >/etc/systemd/system/docker.service
systemctl daemon-reload
systemctl start docker.service
"""

SEEN = """\
for file in /etc/environment /etc/gitconfig /etc/pip.conf /etc/apt/apt.conf.d \
    /etc/systemd/system/docker.service.d /usr/local/share/ca-certificates /etc/sitewright; do
    [ ! -e $file ] || { find $file -type f | sort | xargs -r sha256sum; }
done
sha256sum /etc/ssl/certs/ca-certificates.crt
"""

FETCH = """\
import ssl, urllib.request
print(urllib.request.urlopen("{url}", timeout=100).status)
"""


def step_of(folder: Path, text: str) -> dict[str, str]:
    """The scripts of the way out in the plan of a site: do, done and undo."""
    path = folder / "site.yaml"
    path.write_text(
        "solution: core-test-harness\nhosts: [{name: box, address: 10.0.0.1, roles: [box]}]\n"
        + text
    )
    plan = make_plan(load_solution("core-test-harness"), load_yaml(Site, path), (), base=folder)
    spec = plan.stages[0].steps[0].spec
    done, undo = spec["done"], spec["undo"]
    assert isinstance(done, dict)
    assert isinstance(undo, dict)
    return {
        "do": str(spec["script"]), "done": str(done["script"]), "undo": str(undo["script"]),
    }  # fmt: skip


def is_done(machine: Machine, script: str) -> bool:
    """Whether the step says that there is nothing to do."""
    return machine.exec(["sh", "-s"], stdin=script, check=False).returncode == 0


async def test_what_fetches_goes_by_the_proxy_and_all_is_taken_back(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    machine = machine_factory("box")
    machine.script(DOCKER)
    machine.write_file("/etc/environment", "LANG=C.UTF-8\n")
    machine.write_file("/etc/gitconfig", "[user]\n\tname = A\n")
    gateway = str(next(lab.subnet.hosts()))
    machine.no_route()
    before = machine.script(SEEN)
    corporate = authority(tmp_path / "ca", "ACME Inspection CA")

    async def within(script: str) -> str:
        return await asyncio.to_thread(machine.script, script)

    async with (
        site(corporate.server) as port,
        Proxy(opens=corporate.server).running(gateway) as proxy,
    ):
        step = step_of(
            tmp_path,
            f"proxy: http://{gateway}:{proxy.port}\nno_proxy: [.corp.example, mirror.example]\n"
            "authorities: ca/ca.pem\n",
        )
        assert not is_done(machine, step["done"])
        await within(step["do"])
        assert is_done(machine, step["done"])

        # The proxy opens TLS and signs with its own authority, which the machine now believes.
        url = f"https://localhost:{port}/"
        fetch = FETCH.format(url=url)
        environment = "set -a; . /etc/environment; no_proxy=; NO_PROXY="
        assert (await within(f"{environment}; python3 -c '{fetch}'")).strip() == "200"
        assert proxy.asked[-1] == f"CONNECT localhost:{port}"
        await within("apt-get -qq update -o Acquire::Retries=0 2>/dev/null || true")
        assert any(line.startswith(("GET http", "CONNECT")) for line in proxy.asked[1:])

    shown = machine.script("apt-config dump; cat /run/docker-env /etc/environment /etc/gitconfig")
    assert f'Acquire::http::Proxy "http://{gateway}:{proxy.port}";' in shown
    assert 'Acquire::http::Proxy::mirror.example "DIRECT";' in shown
    assert f"HTTPS_PROXY=http://{gateway}:{proxy.port}" in shown
    assert "LANG=C.UTF-8" in shown
    assert "name = A" in shown
    # Once more changes nothing, and another proxy takes the place of the first.
    once = machine.script(SEEN)
    machine.script(step["do"])
    assert machine.script(SEEN) == once
    other = step_of(tmp_path, "proxy: http://other.example:3128\n")
    assert not is_done(machine, other["done"])
    machine.script(other["do"])
    now = machine.script(
        "cat /etc/environment /etc/gitconfig; apt-config dump; cat /run/docker-env"
    )
    assert "other.example" in now
    assert gateway not in now
    assert "ACME" not in machine.script("ls /usr/local/share/ca-certificates; true")

    machine.script(other["undo"])
    assert machine.script(SEEN) == before
    assert "proxy" not in machine.script("cat /run/docker-env").lower()
    machine.script(other["undo"])
    assert machine.script(SEEN) == before
