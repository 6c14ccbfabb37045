"""`sitewright updates apply` on a Compose project of a lab machine, under traffic.

Docker Engine, Compose and the registry are real; what the services serve is busybox's httpd in
images made from nothing.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from installer.cli import main
from tests.installer.updates.applying.test_apply_lab import Traffic
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.recipe import DOCKER

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

FOLDER = "/srv/hub"
VENDOR = """\
services:
  ledger:
    image: mojaloop/ledger:v1.0.0
    ports: ["8080:8080"]
    healthcheck: {test: "wget -q -O /dev/null http://127.0.0.1:8080/", interval: 1s, timeout: 60s,
                  start_period: 300s}
  bad:
    image: mojaloop/bad:${BAD}
    ports: ["8081:8080"]
"""
MADE = r"""
sed -i '/^auth:/,/path:/d' /etc/docker/registry/config.yml
systemctl start docker-registry
until curl -sf -o /dev/null http://127.0.0.1:5000/v2/; do sleep 0.1; done
root=$(mktemp -d)
mkdir -p "$root/bin" "$root/tmp" "$root/www"
cp /bin/busybox "$root/bin/"
for name in sh httpd wget echo; do ln -s busybox "$root/bin/$name"; done
made() {
    echo "$1" > "$root/www/index.html"
    tar -C "$root" -c . | docker import --change "CMD $2" - "$1" >/dev/null
    docker tag "$1" "127.0.0.1:5000/$1"
    docker push -q "127.0.0.1:5000/$1" >/dev/null
    docker rmi "127.0.0.1:5000/$1" "$1" >/dev/null
}
serves='["httpd", "-f", "-p", "8080", "-h", "/www"]'
made mojaloop/ledger:v1.0.0 "$serves"
made mojaloop/ledger:v1.0.2 "$serves"
made mojaloop/bad:v1.0.0 "$serves"
made mojaloop/bad:v1.0.2 '["sh", "-c", "echo cannot open the database; exit 3"]'
cd /srv/hub
docker compose --project-name hub pull -q
docker compose --project-name hub up --detach --quiet-pull
for port in 8080 8081; do
    until curl -sf -o /dev/null "http://127.0.0.1:$port/"; do sleep 0.1; done
done
"""


@dataclass
class Hub:
    """The project on its machine, and the site that has it."""

    machine: Machine
    site: Path

    def apply(self, *words: str) -> int:
        """What a user types."""
        line = ["updates", "apply", "--site", str(self.site), "--on", "box", "--by", "Ma Ma"]
        mirror = f"docker.io=http://{self.machine.address}:5000"
        return main([*line, "--yes", "--mirror", mirror, *words])

    def serves(self, port: int) -> str:
        """What a service answers to whoever is outside."""
        url = f"http://{self.machine.address}:{port}/"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return str(answer.read().decode()).strip()

    def image(self, service: str) -> tuple[str, str]:
        """The image of a service: its name and the machine's own name of it."""
        one = json.loads(self.machine.exec(["docker", "inspect", f"hub-{service}-1"]).stdout)[0]
        return str(one["Config"]["Image"]), str(one["Image"])

    def text(self, name: str) -> str:
        """A file of the project."""
        return self.machine.exec(["cat", f"{FOLDER}/{name}"]).stdout


@pytest.fixture
def hub(lab: Lab, tmp_path: Path) -> Iterator[Hub]:
    machine = lab.machine("box", recipe=DOCKER)
    machine.altered = True
    machine.wait_for_boot()
    machine.write_file(f"{FOLDER}/docker-compose.yml", VENDOR)
    machine.write_file(f"{FOLDER}/.env", "BAD=v1.0.0\n")
    # Nothing it pulls can come from anywhere else than the registry on it.
    machine.no_route()
    machine.script(MADE, timeout=600)
    site = tmp_path / "site.yaml"
    site.write_text(
        "solution: core-test-harness\n"
        f"ssh: {{user: ubuntu, identity_files: [{lab.key}], known_hosts: {lab.known_hosts}}}\n"
        f"hosts:\n  - {{name: box, address: {machine.address}, roles: [box]}}\n"
    )
    yield Hub(machine, site)
    lab.discard(machine)


def test_a_service_is_updated_under_traffic_and_another_taken_back(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    for port, name in ((8080, "ledger"), (8081, "bad")):
        assert hub.serves(port) == f"mojaloop/{name}:v1.0.0"
    bad = hub.image("bad")

    with Traffic(f"http://{hub.machine.address}:8080/") as traffic:
        code = hub.apply("--workload", "hub/ledger")
        assert code == 0, "".join(capsys.readouterr())
        asked = traffic.asked
        wait_until(lambda: traffic.asked > asked + 3, "traffic after it")
    said = capsys.readouterr()
    assert hub.serves(8080) == "mojaloop/ledger:v1.0.2"
    # One container is replaced by another: some requests fail meanwhile, and the risk says so.
    print(f"updated: {traffic.asked} asked, {len(traffic.failed)} failed")
    assert len(traffic.failed) < traffic.asked - 3
    assert "what it does rests meanwhile" in " ".join((said.out + said.err).split())
    image = hub.image("ledger")[0]
    assert image.startswith("mojaloop/ledger:v1.0.2@sha256:")
    assert hub.text("docker-compose.yml") == VENDOR
    assert f'image: "{image}"' in hub.text("docker-compose.override.yml")
    # What a person types there from now on has the same image.
    hub.machine.script(f"cd {FOLDER} && docker compose --project-name hub up --detach")
    assert hub.image("ledger")[0] == image

    former = hub.text("docker-compose.override.yml")
    with Traffic(f"http://{hub.machine.address}:8081/") as traffic:
        assert hub.apply("--workload", "hub/bad") == 5
    told = capsys.readouterr()
    words = " ".join((told.out + told.err).split())
    print(f"taken back: {traffic.asked} asked, {len(traffic.failed)} failed")
    assert "hub-bad-1: it ended with 3" in words
    assert "cannot open the database" in words
    assert "its former image is back, to the byte, and it stands" in words
    assert hub.serves(8081) == "mojaloop/bad:v1.0.0"
    assert hub.image("bad") == bad
    assert (hub.text(".env"), hub.text("docker-compose.override.yml")) == ("BAD=v1.0.0\n", former)
    assert hub.image("ledger")[0] == image
