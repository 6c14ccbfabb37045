"""Miniloop on a lab machine: from nothing to a passed test and a first transfer, and away again.

What is real and what is made by the tests is said in tests/installer/miniloop_site.py. One machine
serves the whole module; the tests go on from one another, as a person's afternoon does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.quickstart import Home, commands_of
from tests.installer.miniloop import charts
from tests.installer.miniloop_site import add_images, given_out, site_text
from tests.lab.host import wait_until
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.recipe import UBUNTU_24_04
from tests.lab.typed_on_site import OnSite, of
from tests.stand_ins.install import start

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]


class Box(OnSite):
    """The machine, what it is given, and the command run on its site."""

    namespace = "demo"


@pytest.fixture(scope="module")
def box(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A machine with nothing on it, and a registry and charts that it reaches."""
    factory = MachineFactory(lab)
    folder = tmp_path_factory.mktemp("miniloop")
    machine = start(factory, {"box": ("master", "worker")}, stand_in=UBUNTU_24_04)["box"]
    try:
        with given_out(lab, folder) as given:
            made = Box(machine, given, folder)
            made.home.mkdir()
            made.file.write_text(site_text(lab, machine, given))
            yield made
    finally:
        factory.remove_all()


def outcomes(events: list[dict[str, Any]]) -> dict[str, str]:
    """How each step ended, by stage/step."""
    return {
        f"{e['stage']}/{e['step']}": e["data"]["outcome"]
        for e in events
        if e["kind"] == "step.finished"
    }


def test_an_image_that_is_not_there_is_told_at_once_and_then_it_goes_on(box: Box) -> None:
    """From nothing to a passed test and a first transfer, past an image that came late."""
    box.given.registry.files.clear()
    add_images(box.given.registry, without="mojaloop/central-ledger")
    running = box.begin("install", "--yes", "--by", "A. Tester", "--json-lines")
    assert running.stdout is not None
    events, mended = [], False
    for line in running.stdout:
        events.append(json.loads(line))
        said = str(events[-1]["data"].get("text", ""))
        if not mended and "central-ledger:v19.8.3" in said and events[-1]["kind"] == "note":
            assert said.startswith("moja-centralledger-service-")
            assert "cannot have the image docker.io/mojaloop/central-ledger:v19.8.3" in said
            assert "not found" in said
            add_images(box.given.registry)
            mended = True
    assert running.wait(300) == 0, events[-5:]
    assert mended
    assert set(outcomes(events).values()) <= {"done", "already"}
    # How many pods are ready is told while Helm only waits.
    assert any("pods are ready" in one["text"] for one in of(events, "step.progress", "hub"))
    (tests,) = of(events, "step.finished", "tests")
    assert (
        "moja-ml-ttk-test-val-gp: Passed percentage 100.00%, it ended with 0" in tests["sentence"]
    )
    lines = [one["text"] for one in of(events, "line", "transfer")]
    assert any(line.startswith("1. Lookup: payerfsp asks the hub") for line in lines)
    assert "Done: XXX 100 went from payerfsp to payeefsp." in lines
    hosts = box.machine.exec(["cat", "/etc/hosts"]).stdout
    assert "127.0.0.1 central-ledger.local" in hosts
    images = box.kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.containers[*].image}")
    assert "docker.io/bitnami/" not in images
    assert "docker.io/bitnamilegacy/mysql:9.4.0" in images


def test_a_test_that_failed_is_believed_by_neither_word_alone(box: Box) -> None:
    """The golden path fails and ends with 0 all the same; mended by its values, it passes."""
    faults = ["--set", "global.stand_in.fail=gp", "--set", "global.stand_in.lie=gp"]
    upgrade = ["microk8s", "helm3", "upgrade", "moja", "mojaloop", "--repo", box.given.charts]
    upgrade += ["--version", charts.VERSION, "-n", "demo", "--reuse-values", "--wait"]
    box.machine.exec([*upgrade, *faults], timeout=300)
    status, events = box.does("verify")
    assert status == 5
    (problem,) = of(events, "problem")
    assert problem["cause"].startswith("moja-ml-ttk-test-val-gp: Passed percentage 0.00%")
    assert "although it ended with 0" in problem["cause"]
    status, events = box.does("install")
    assert status == 0, events[-3:]
    # The values are others than its own, and nothing else is.
    done = {step for step, how in outcomes(events).items() if how == "done"}
    assert {"hub/hub", "verify/tests"} <= done
    assert done.isdisjoint({"backend/backend", "hub/names", "first-transfer/transfer"})


def test_the_quick_start_as_it_is_written(box: Box) -> None:
    """Every command of the page, on the machine where all of it is there already.

    The site file stands in the place of the solution's name: a lab machine needs waivers.
    """
    site = f"--site {box.file}"
    verbs = ("transfer", "verify", "services", "stop", "start", "remove", "install")
    home = Home(
        box.home,
        {
            'export PATH="$PWD/.venv/bin:$PATH"': "true",
            "preflight --solution miniloop --environment single-box local": f"preflight {site}",
            **{f"{verb} --solution miniloop": f"{verb} {site} --yes --by A" for verb in verbs},
        },
    )
    said = {}
    for command in commands_of("miniloop"):
        said[command.split()[1]] = home.type(command, *((0, 3) if "preflight" in command else (0,)))
        if "stop" in command:
            status, events = box.does("services")
            (problem,) = of(events, "problem")
            assert status == 5
            assert "MicroK8s is stopped" in problem["cause"]
        if "start" in command:
            # This ledger keeps nothing: the banks are gone with its pod, and that is told.
            status, events = box.does("transfer")
            (problem,) = of(events, "problem")
            assert status == 5
            assert "the ledger does not know the bank payerfsp" in problem["cause"]
    assert home.used == set(home.substitutions)
    assert "nothing was changed" in said["install"]
    assert "Done: XXX 100 went from payerfsp to payeefsp." in said["transfer"]
    assert "kafka is ready" in said["services"]
    wait_until(lambda: not box.kubectl("get", "pods", "-o", "name").split(), "no pod", seconds=300)
    assert "Miniloop" not in box.machine.exec(["cat", "/etc/hosts"]).stdout
    assert "microk8s is running" in box.machine.exec(["microk8s", "status"]).stdout


def test_removed_with_its_data_nothing_of_it_is_left(box: Box) -> None:
    status, events = box.does("remove", "--with-data")
    assert status == 0, events[-3:]
    gone = box.machine.exec(
        ["ls", "/var/snap/microk8s", "/var/lib/sitewright/miniloop"], check=False
    )
    assert gone.stdout.split() in ([], ["/var/lib/sitewright/miniloop:"])
