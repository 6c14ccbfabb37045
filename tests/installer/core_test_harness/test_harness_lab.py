"""The Core Test Harness on a lab machine: real Docker Engine, Compose, registry and Git.

The project has the release's shape and stand-in programs; see harness_project. One machine serves
the whole module, cleared before each test.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installer.harness_project import Harness, prepare, site_text
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.recipe import DOCKER

pytestmark = pytest.mark.lab

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture(scope="module")
def harness(lab: Lab) -> Iterator[Harness]:
    """A machine with Docker, the images in a registry on it, and the release in its Git server."""
    machine = lab.machine("box", recipe=DOCKER)
    yield prepare(machine)
    lab.discard(machine)


@dataclass
class Site:
    """The harness as a site, and the command run on it."""

    lab: Lab
    harness: Harness
    folder: Path
    seconds: float = 900
    """How long a command may take."""

    @property
    def file(self) -> Path:
        """The site file."""
        return self.folder / "site.yaml"

    def write(self, settings: str = "") -> None:
        """Write the site file with further settings."""
        self.file.write_text(site_text(self.lab, self.harness.machine, self.harness, settings))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `sitewright` on the site, without a terminal."""
        running = self.begin(*words)
        output, said = running.communicate(timeout=self.seconds)
        return subprocess.CompletedProcess(running.args, running.returncode, output, said)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start `sitewright` on the site."""
        return subprocess.Popen(
            [sys.executable, "-m", "installer", *words, "--site", str(self.file)],
            cwd=ROOT,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                **{f"XDG_{n}_HOME": str(self.folder / n) for n in ("DATA", "STATE", "CONFIG")},
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def install(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        """Install; the exit code and the events."""
        done = self.command("install", "--yes", "--by", "A. Tester", "--json-lines", *words)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert events, done.stderr
        return done.returncode, events

    @property
    def run(self) -> Path:
        """The folder of the last run."""
        told = json.loads(self.command("status", "--format", "json").stdout)
        return Path(told[0]["folder"])


@pytest.fixture
def site(lab: Lab, harness: Harness, tmp_path: Path) -> Site:
    """The site, on a machine on which nothing of it is left."""
    harness.clear()
    # A copy, so that what a test does with it ends with the test.
    made = Site(lab, replace(harness), tmp_path)
    made.write()
    return made


def of(events: list[dict[str, Any]], kind: str, step: str = "") -> list[dict[str, Any]]:
    """The data of the events of a kind, of a step or of all."""
    return [e["data"] for e in events if e["kind"] == kind and step in ("", e["step"])]


def outcomes(events: list[dict[str, Any]]) -> dict[str, str]:
    """How each step ended, by stage/step."""
    return {
        f"{e['stage']}/{e['step']}": e["data"]["outcome"]
        for e in events
        if e["kind"] == "step.finished"
    }


def problem(events: list[dict[str, Any]]) -> dict[str, str]:
    """The one problem that ended a run."""
    (told,) = of(events, "problem")
    return told


def test_from_nothing_to_a_passed_report_and_found_done_again(site: Site) -> None:
    status, events = site.install()
    assert status == 0, events[-3:]
    assert set(outcomes(events).values()) <= {"done", "already"}
    (checked,) = of(events, "step.finished", "project")
    assert "13 services from 10 images, 6 of them without a health check" in checked["sentence"]
    # Progress by image, each service's own log, and how many services stand.
    pulled = {line["unit"] for line in of(events, "line", "images")}
    assert {"mongo:8.0.6", "mojaloop/central-ledger:v19.4.4"} <= pulled
    assert of(events, "step.progress", "images")[-1]["done"] == 10
    lines = of(events, "line", "services")
    assert {"text": "central-ledger is ready", "unit": "central-ledger"} in [
        {"text": line["text"], "unit": line["unit"]} for line in lines
    ]
    assert of(events, "step.progress", "services")[-1]["text"].startswith("11 of 11 services")
    (tests,) = of(events, "step.finished", "tests")
    assert tests["sentence"].startswith("Passed percentage 100.00%; it ended with 0.")
    report = site.run / "reports" / "ttk-func-tests-report.html"
    assert report.read_text() == "<html>ttk-tests 27 of 27</html>\n"
    assert str(report) in tests["sentence"]

    status, events = site.install()
    assert status == 0
    assert {step for step, how in outcomes(events).items() if how == "done"} == {
        # What only looks, and what tells how it is now.
        *("check/project", "provision/provisioning", "verify/services", "verify/tests"),
    }

    # The toolkit's run is not believed by its exit code or its summary alone.
    for fault, words in (
        ("fails-and-says-0", "Passed percentage 96.30%; 100 is needed, although it ended with 0"),
        ("passes-and-says-1", "ended with 1, although it says: Passed percentage 100.00%"),
        ("silent", "printed no summary, although it ended with 0"),
    ):
        site.harness.fault("ttk-tests", fault)
        done = site.command("verify", "--json-lines")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 5
        assert words in problem(events)["cause"]


def test_all_that_stands_against_it_is_told_before_anything_starts(site: Site) -> None:
    """A taken port with its holder, a taken name and network, a profile, a build, a placeholder."""
    box = site.harness.machine
    box.script(
        "docker network create mojaloop-net >/dev/null\n"
        "docker run -d --name central-ledger harness sleep 1000 >/dev/null\n"
        "systemd-run --quiet --unit=taker busybox nc -l -p 9660\n"
    )
    site.write("  more_profiles: nowhere, broken\n  debug: true\n")
    status, events = site.install("--until", "check")
    box.exec(["systemctl", "stop", "taker"], check=False)
    assert status == 5
    told = problem(events)
    for words in (
        'the project has no profile "nowhere"',
        "merchant is built from /Users/sprak/Documents/ui, which is not there",
        "your/local/path, which is a placeholder",
        "central-ledger must be called central-ledger, and a container of no project has that name",
        "the network mojaloop-net is there already, made by hand",
        "mojaloop-testing-toolkit-ui publishes port 9660, which is held by",
    ):
        assert words in told["cause"]
    assert told["remedy"].startswith("Nothing was started. Choose among: all-services,")
    notes = [note["text"] for note in of(events, "note", "project")]
    assert any("busybox (process" in text for text in notes)
    assert any("console:latest, whose tag moves" in text for text in notes)
    assert list(site.harness.states().values()) == ["running"]  # the one of no project


def test_services_that_do_not_stand_are_named_with_what_they_said(site: Site) -> None:
    """One exits, one never gets healthy; mended, the run goes on to its end."""
    assert site.install("--until", "images")[0] == 0
    site.harness.fault("payerfsp-sdk", "exits")
    status, events = site.install("--until", "start")
    assert status == 5
    assert problem(events)["cause"] == "payerfsp-sdk ended with 3"
    assert "docker logs payerfsp-sdk" in problem(events)["remedy"]
    assert "payerfsp-sdk: cannot open the database" in [
        line["text"] for line in of(events, "line") if line["unit"] == "payerfsp-sdk"
    ]

    site.harness.fault("payerfsp-sdk")
    site.harness.fault("central-ledger", "never")
    site.harness.compose("rm", "--force", "--stop", "central-ledger")
    failed = site.command("resume", "--json-lines")
    events = [json.loads(line) for line in failed.stdout.splitlines()]
    assert failed.returncode == 5
    assert "central-ledger its health check says no" in problem(events)["cause"]

    site.harness.fault("central-ledger")
    site.harness.compose("rm", "--force", "--stop", "central-ledger")
    assert site.command("resume", "--until", "start").returncode == 0


def test_docker_stopped_half_way(site: Site) -> None:
    assert site.install("--until", "images")[0] == 0
    site.harness.fault("kafka-provisioning", "slow")
    box = site.harness.machine
    running = site.begin("install", "--yes", "--json-lines", "--until", "start")
    wait_until(lambda: site.harness.states().get("mysql") == "running", "mysql", seconds=600)
    box.exec(["systemctl", "stop", "docker.socket", "docker.service"])
    output, _ = running.communicate(timeout=600)
    box.exec(["systemctl", "start", "docker.service"])
    site.harness.fault("kafka-provisioning")
    assert running.returncode == 5
    told = problem([json.loads(line) for line in output.splitlines()])
    assert told["cause"] == "the Docker daemon does not answer while the services start"
    assert "systemctl status docker" in told["remedy"]
    assert site.command("resume", "--until", "start").returncode == 0


def test_sitewright_killed_half_way(site: Site) -> None:
    """What it began goes on without it; the run is gone on with, and nothing is begun again."""
    assert site.install("--until", "images")[0] == 0
    site.harness.fault("kafka-provisioning", "slow")
    running = site.begin("install", "--yes", "--json-lines", "--until", "start")
    wait_until(lambda: site.harness.states().get("mysql") == "running", "mysql", seconds=600)
    running.kill()
    running.communicate()
    site.harness.fault("kafka-provisioning")
    wait_until(
        lambda: site.harness.states().get("ml-api-adapter") == "running", "the rest", seconds=600
    )
    before = set(site.harness.compose("ps", "--quiet", "--all").split())
    done = site.command("resume", "--json-lines", "--until", "start")
    assert done.returncode == 0, done.stdout[-2000:]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert any("Attached again" in note["text"] for note in of(events, "note", "services"))
    assert "ml-api-adapter is ready" in [line["text"] for line in of(events, "line", "services")]
    assert before <= set(site.harness.compose("ps", "--quiet", "--all").split())


_REFUSING = """
import http.server, json, sys
class Refuse(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, code = (200, "") if self.path == "/v2/" else (int(sys.argv[1]), sys.argv[2])
        body = json.dumps({"errors": [{"code": code, "message": "no more"}]}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_HEAD = do_GET
http.server.HTTPServer(("127.0.0.1", 5001), Refuse).serve_forever()
"""
"""A stand-in for a registry that answers, and gives nothing."""


def test_a_registry_that_limits_or_refuses(site: Site) -> None:
    box = site.harness.machine
    box.exec(["docker", "image", "prune", "--all", "--force"])
    site.write("  image_registry: 127.0.0.1:5001\n")
    verb: tuple[str, ...] = ("install", "--yes", "--by", "A. Tester")
    for status, code, words in (
        ("429", "TOOMANYREQUESTS", "the registry limits how much may be pulled"),
        ("403", "DENIED", "the registry refuses to give it"),
    ):
        unit = f"refusing-{status}"
        box.exec(["systemd-run", "--quiet", f"--unit={unit}", "python3", "-c", _REFUSING,
                  status, code])  # fmt: skip
        box.script("until curl -sf -o /dev/null http://127.0.0.1:5001/v2/; do sleep 0.1; done")
        done = site.command(*verb, "--json-lines", "--until", "images")
        box.exec(["systemctl", "stop", unit])
        assert done.returncode == 5
        told = problem([json.loads(line) for line in done.stdout.splitlines()])
        assert words in told["cause"]
        assert "docker login" in told["remedy"]
        verb = ("resume",)


def test_a_full_disk_while_images_come_from_a_registry_of_the_site(site: Site) -> None:
    box = site.harness.machine
    box.exec(["docker", "image", "prune", "--all", "--force"])
    box.fill_disk("/var/lib/docker/tmp", 64 * 1024)
    site.write("  image_registry: 127.0.0.1:5000\n")
    status, events = site.install("--until", "images")
    box.exec(["umount", "/var/lib/docker/tmp"])
    assert status == 5
    assert "the disk is full" in problem(events)["cause"]
    assert "docker system df" in problem(events)["remedy"]
    assert site.command("resume", "--until", "images").returncode == 0
    assert "redis:6.2.4-alpine" in images_of(box)

    # What was pulled is taken back, but for what another's container uses; not what was there.
    box.script(
        "docker tag redis:6.2.4-alpine mine:1\n"
        "docker run -d --name other mongo:8.0.6 sleep 1000 >/dev/null\n"
    )
    assert site.command("remove", "--yes").returncode == 0  # a run of its own, without that stage
    undone = site.command("undo", "images", "--reason", "a test")
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert "mongo:8.0.6 is kept, since the container other uses it." in undone.stdout
    assert images_of(box) == {"mongo:8.0.6", "mine:1"}


def images_of(box: Machine) -> set[str]:
    """The names of the images that a machine's Docker has."""
    form = ("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    return set(box.exec(form).stdout.split())


def test_stop_start_another_release_and_remove_keep_the_data(site: Site) -> None:
    assert site.install("--until", "start")[0] == 0
    mysql = "docker exec mysql sh -c"
    box = site.harness.machine
    box.script(f"{mysql} 'echo precious > /var/lib/mysql/row'")

    assert site.command("stop", "--yes").returncode == 0
    assert set(site.harness.states().values()) == {"exited"}
    told = site.command("services")
    assert told.returncode == 5
    assert "core-test-harness is stopped: every container of it has ended" in told.stdout
    assert "Start it: sitewright start --site " in told.stdout
    assert site.command("start", "--yes").returncode == 0

    # Another release replaces what it changes; and back, after all was removed but the data.
    first = site.harness.commit
    site.harness.commit = site.harness.another_release("v2.14.1")
    site.write("  release: v2.14.1\n")
    assert site.install("--until", "start")[0] == 0
    image = box.script("docker inspect -f '{{.Config.Image}}' central-ledger").strip()
    assert image == "mojaloop/central-ledger:v19.4.3"
    assert site.command("remove", "--yes").returncode == 0
    assert site.harness.states() == {}
    told = site.command("services")
    assert "core-test-harness has no containers: they were removed" in told.stdout
    assert "made again by: sitewright start --site " in told.stdout
    # What images ask for without a name is gone; what has a name is kept.
    volumes = box.exec(["docker", "volume", "ls", "-q"]).stdout.split()
    assert volumes == [
        f"core-test-harness_{n}" for n in ("kafka", "mysql", "mysql-als", "objstore")
    ]
    site.harness.commit = first
    site.write()
    assert site.install("--until", "start")[0] == 0
    image = box.script("docker inspect -f '{{.Config.Image}}' central-ledger").strip()
    assert image == "mojaloop/central-ledger:v19.4.4"
    assert box.script(f"{mysql} 'cat /var/lib/mysql/row'") == "precious\n"

    assert site.command("remove", "--with-data", "--yes").returncode == 0
    assert "core-test-harness_mysql" not in box.exec(["docker", "volume", "ls", "-q"]).stdout
    assert box.exec(["test", "-e", site.harness.folder], check=False).returncode == 1


_NOT_NEEDED = (
    "ansible ansible_* ansible-* pip* mypy* *__mypyc* hypothesis* setuptools* grimp* pytest* "
    "_pytest* ruff* textual* pygments* Pygments*"
)


def bring_sitewright(harness: Harness) -> None:
    """Put this very Sitewright onto the machine, for its own Python."""
    libraries = Path(yaml.__file__).parent.parent
    # Of the libraries only: we have folders of the same names.
    excluded = [f"--exclude=./{name}" for name in _NOT_NEEDED.split()]
    own = ["foundation", "preflight", "bundles", "installer"]
    for folder, names in ((libraries, ["."]), (ROOT, own)):
        packed = subprocess.run(
            ["tar", "-C", str(folder), *excluded, "-c", *names], check=True, capture_output=True
        ).stdout
        subprocess.run(
            ["podman", "--runtime", "runc", "exec", "-i", harness.machine.container,
             "sh", "-c", "mkdir -p /opt/sitewright && tar -C /opt/sitewright -x"],
            check=True, input=packed,
        )  # fmt: skip


def test_on_this_machine_by_a_user_who_has_no_sudo(site: Site) -> None:
    """Without the right to Docker's socket one problem; with it all is done without root."""
    bring_sitewright(site.harness)
    box = site.harness.machine

    def here(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["env", "PYTHONPATH=/opt/sitewright", "python3", "-m", "installer", *words]
        return box.exec(["runuser", "-l", "plain", "-c", shlex.join(command)], check=False,
                        timeout=600)  # fmt: skip

    one = ("--solution", "core-test-harness")
    folder = "/home/plain/harness"
    settings = (f"commit={site.harness.commit}", "source=http://127.0.0.1:8418/release.git")
    install = ["install", *one, *(w for text in settings for w in ("--set", text)), "--yes",
               "--no-egress"]  # fmt: skip
    refused = here(*install)
    assert refused.returncode != 0
    assert "FAILED: sudo was refused (box)" in refused.stdout, refused.stdout

    box.script("usermod -aG docker plain")
    nowhere = here(*install)
    assert nowhere.returncode == 5, nowhere.stdout[-3000:] + nowhere.stderr
    assert "--set folder=/home/plain/core-test-harness" in nowhere.stdout + nowhere.stderr
    done = here(*install, "--set", f"folder={folder}")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert "Passed percentage 100.00%" in done.stdout
    # Its own ports are no hindrance to it.
    again = here(*install, "--set", f"folder={folder}", "--until", "images")
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr
    removed = here("remove", *one, "--with-data", "--yes")
    assert removed.returncode == 0, removed.stdout[-3000:] + removed.stderr
    assert site.harness.states() == {}
    box.script("gpasswd -d plain docker >/dev/null")


def test_on_this_machine_without_ssh_by_a_user_with_sudo(site: Site) -> None:
    """One command without a site file; killed half-way, it is gone on with."""
    bring_sitewright(site.harness)
    box = site.harness.machine

    def here(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["env", "PYTHONPATH=/opt/sitewright", "python3", "-m", "installer", *words]
        return box.exec(["runuser", "-u", "ubuntu", "--", *command], check=False, timeout=600)

    one = ("--solution", "core-test-harness")
    settings = (f"commit={site.harness.commit}", "source=http://127.0.0.1:8418/release.git")
    install = ["install", *one, *(w for text in settings for w in ("--set", text)), "--yes",
               "--no-egress"]  # fmt: skip
    box.script("docker network create mojaloop-net >/dev/null")
    refused = here(*install)
    assert refused.returncode == 5, refused.stdout[-2000:] + refused.stderr
    assert "the network mojaloop-net is there already, made by hand" in refused.stdout
    box.script("docker network rm mojaloop-net >/dev/null")

    site.harness.fault("kafka-provisioning", "slow")
    box.exec(["systemd-run", "--quiet", "--unit=installing", "--uid=ubuntu",
              "--setenv=PYTHONPATH=/opt/sitewright", "--setenv=HOME=/home/ubuntu",
              "python3", "-m", "installer", "resume"])  # fmt: skip
    wait_until(lambda: site.harness.states().get("mysql") == "running", "mysql", seconds=600)
    box.exec(["systemctl", "kill", "--signal=KILL", "installing"])
    site.harness.fault("kafka-provisioning")
    done = here("resume")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert "The Testing Toolkit: http://localhost:9660" in done.stderr
    assert "Passed percentage 100.00%" in done.stdout
    assert here("services", *one).returncode == 0
    assert here("remove", *one, "--with-data", "--yes").returncode == 0
