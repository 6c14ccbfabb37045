"""What Miniloop's plan comes to: what is left out, what is bundled, what the memory allows."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from installer.catalogue.rendering import Renderer
from installer.catalogue.solution import load_solution
from installer.planning.make import make_plan
from installer.plans.plan import Plan
from installer.sites.site import Site
from tests.installer import quick_yaml
from tests.installer.miniloop import charts

FOLDER = load_solution("miniloop").folder


def planned(**settings: str) -> Plan:
    """The plan of a site with these settings."""
    hosts = [{"name": "box", "address": "10.0.0.1", "roles": ["box"]}]
    site = Site.model_validate({"solution": "miniloop", "hosts": hosts, "settings": settings})
    return make_plan(load_solution("miniloop"), site, ())


def values(plan: Plan, name: str) -> dict[str, Any]:
    """The values of a release, as they are rendered."""
    (step,) = (one for stage in plan.stages for one in stage.steps if one.id == name)
    (text,) = (text for _, text in step.files)
    loaded: dict[str, Any] = quick_yaml.safe_load(text)
    return loaded


def steps(plan: Plan) -> list[str]:
    """Every step by its place."""
    return [step.key for stage in plan.stages for step in stage.steps]


def test_the_whole_way_in_its_order() -> None:
    assert [stage.id for stage in planned().stages] == [
        "check", "microk8s", "backend", "hub", "verify", "first-transfer",
    ]  # fmt: skip


def test_without_the_toolkit_there_is_no_test_and_no_transfer() -> None:
    """Nobody provisions the hub then; its databases are left out as well."""
    plan = planned(ttk="no")
    assert "verify/tests" not in steps(plan)
    assert "first-transfer/transfer" not in steps(plan)
    assert values(plan, "hub")["ml-testing-toolkit"] == {"enabled": False}
    assert values(plan, "hub")["ml-ttk-test-val-gp"] == {"tests": {"enabled": False}}
    assert values(plan, "backend")["ttk-mongodb"]["enabled"] is False


@pytest.mark.parametrize(
    ("setting", "hub", "backend"),
    [("bulk", "mojaloop-bulk", "cl-mongodb"), ("thirdparty", "thirdparty", "auth-svc-redis")],
)
def test_what_is_asked_for_brings_what_it_needs(setting: str, hub: str, backend: str) -> None:
    without, with_it = planned(), planned(**{setting: "yes"})
    assert values(without, "hub")[hub] == {"enabled": False}
    assert values(without, "backend")[backend]["enabled"] is False
    assert values(with_it, "hub")[hub] == {"enabled": True}
    assert values(with_it, "backend")[backend]["enabled"] is True


def test_no_image_is_of_a_place_that_is_gone() -> None:
    """Whatever of the backend is on has an image of bitnamilegacy, and that is allowed."""
    given = values(planned(bulk="yes", thirdparty="yes"), "backend")
    assert given["global"]["security"]["allowInsecureImages"] is True
    for name, (_, on, _, image, _) in charts.BACKEND.items():
        if given.get(name, {}).get("enabled", on):
            assert given[name]["image"]["repository"] == f"bitnamilegacy/{image}"


def test_the_bundle_finds_its_images_by_the_values_of_the_stages() -> None:
    """What is rendered when a bundle is made is what is installed from it."""
    recipe = quick_yaml.safe_load((FOLDER / "bundle.yaml").read_text())
    by_name = {chart["name"]: chart["values"] for chart in recipe["charts"]}
    given = values(planned(), "backend")
    for name, said in by_name["example-mojaloop-backend"].items():
        if name == "global" or said.get("enabled", True):
            mine = {"image": given[name]["image"]} if name != "global" else given[name]
            assert {key: said[key] for key in mine} == mine, name
        else:
            assert given[name]["enabled"] is False, name
    hub = values(planned(), "hub")
    for name, said in by_name["mojaloop"].items():
        assert hub[name] == said


def test_with_a_bundle_the_tests_fetch_their_cases_from_the_machine_itself() -> None:
    """Whatever the chart would fetch from GitHub when it runs is named anew."""
    known = {**dict(planned().settings), "ttk": True, "bulk": False, "thirdparty": False}
    renderer = Renderer({**known, "supplies": {"bundle": True}}, FOLDER)
    hub = quick_yaml.safe_load(renderer.file("templates/hub.yaml"))
    here = "http://miniloop-files.demo.svc.cluster.local:8091/"
    for test in charts.TESTS:
        zipped = f"{here}testing-toolkit-test-cases-17.1.0.zip"
        assert hub[test] == {"tests": {"enabled": True}, "config": {"testCasesZipUrl": zipped}}
    files = hub["ml-testing-toolkit"]["ml-testing-toolkit-backend"]["config_files"]
    assert len(files) == 3
    assert all(address.startswith(f"{here}rules/hub/rules_") for address in files.values())


@pytest.mark.processes
def test_the_test_cases_are_given_out_as_github_would(tmp_path: Path) -> None:
    """The archive has the folder that the chart looks in; the rules lie beside it."""
    source, bundle = tmp_path / "cases", tmp_path / "cases.bundle"
    rules = source / "rules/hub/rules_callback"
    rules.mkdir(parents=True)
    (rules / "default.json").write_text("[]")
    git = ["git", "-C", str(source), "-c", "user.name=x", "-c", "user.email=x@x.test"]
    for words in (
        ["init", "-q", "-b", "bundle"],
        ["add", "."],
        ["commit", "-q", "-m", "x"],
        ["bundle", "create", "-q", str(bundle), "bundle"],
    ):
        subprocess.run([*git, *words], check=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, says in (("systemctl", "true"), ("microk8s", "cat >> $0.told; echo 10.0.0.1")):
        (programs / name).write_text(f"#!/bin/sh\n{says}\n")
        (programs / name).chmod(0o755)
    (tmp_path / "units").mkdir()
    script = (FOLDER / "scripts/files.sh").read_text()
    script = script.replace("/var/lib/sitewright", str(tmp_path / "state"))
    script = script.replace("/etc/systemd/system", str(tmp_path / "units"))
    subprocess.run(
        ["sh", "-euc", script], check=True, stdin=subprocess.DEVNULL,
        env={"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "RELEASE": "17.1.0",
             "NAMESPACE": "demo", "REPOSITORY": str(bundle)},
    )  # fmt: skip
    files = tmp_path / "state/miniloop/files"
    with zipfile.ZipFile(files / "testing-toolkit-test-cases-17.1.0.zip") as packed:
        inside = "testing-toolkit-test-cases-17.1.0/rules/hub/rules_callback/default.json"
        assert inside in packed.namelist()
    assert (files / "rules/hub/rules_callback/default.json").read_text() == "[]"
    told = list(quick_yaml.safe_load_all((programs / "microk8s.told").read_text()))
    assert told[1]["subsets"][0]["addresses"] == [{"ip": "10.0.0.1"}]


ROOM = {"TTK": "yes", "BULK": "no", "THIRDPARTY": "no", "WAIVED_UNTIL": ""}


@pytest.mark.processes
@pytest.mark.parametrize(
    ("gigabytes", "chosen", "status", "says"),
    [
        (16, {}, 0, "Together some 12 GB; this machine has 16 GB"),
        (10, {}, 1, "10 GB of memory, and 12 GB are wanted; leave out: ttk: no"),
        (16, {"BULK": "yes", "THIRDPARTY": "yes"}, 1, "with these settings: thirdparty: no"),
        (6, {}, 1, "It is not enough for the hub alone, which wants some 9 GB"),
        (6, {"WAIVED_UNTIL": "9999-12-31"}, 0, "accepts that by a waiver"),
        (6, {"WAIVED_UNTIL": "2020-12-31"}, 1, "ended on 2020-12-31 and no longer counts"),
    ],
)
def test_a_machine_that_is_too_small_is_told_what_to_leave_out(
    tmp_path: Path, gigabytes: int, chosen: dict[str, str], status: int, says: str
) -> None:
    told = tmp_path / "meminfo"
    # A machine that is sold so has a little less.
    told.write_text(f"MemTotal:       {gigabytes * 1000**3 // 1024 - 100_000} kB\n")
    script = (FOLDER / "scripts/room.sh").read_text().replace("/proc/meminfo", str(told))
    done = subprocess.run(
        ["sh", "-euc", script], env={"PATH": "/usr/bin:/bin", **ROOM, **chosen},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stdout
    assert says in done.stdout


_HELM = """\
#!/bin/sh
echo "$*" >> "$0.calls"
case $2 in
list) [ -z "$FAILS" ] || exit 1; printf '%s\\n' "$RELEASES" ;;
esac
"""
_OURS = "moja demo 1 2026-11-29 deployed mojaloop-17.1.0 x"


@pytest.mark.processes
@pytest.mark.parametrize(
    ("releases", "fails", "removed"),
    [
        (_OURS, "", ["moja"]),
        (
            f"{_OURS}\nbackend demo 1 - deployed example-mojaloop-backend-17.1.0",
            "",
            ["moja", "backend"],
        ),
        ("moja demo 1 2026 deployed wordpress-1.0 x", "", []),
        (f"{_OURS}\nbackend demo 1 - deployed redis-1.0", "", ["moja"]),
        ("mojaloop demo 1 2026 deployed mojaloop-17.1.0 x", "", []),
        (_OURS, "yes", []),
    ],
)
def test_a_release_of_another_chart_is_not_removed(
    tmp_path: Path, releases: str, fails: str, removed: list[str]
) -> None:
    """Nor any where Helm does not say what is there."""
    program = tmp_path / "microk8s"
    program.write_text(_HELM)
    program.chmod(0o755)
    script = (FOLDER / "scripts/uninstall.sh").read_text()
    script = script.replace("/var/snap/microk8s/current", str(tmp_path))
    done = subprocess.run(
        ["sh", "-euc", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "NAMESPACE": "demo", "RELEASES": releases,
             "FAILS": fails}, check=False,
    )  # fmt: skip
    calls = (tmp_path / "microk8s.calls").read_text().splitlines()
    assert [one.split()[2] for one in calls if " uninstall " in one] == removed
    theirs = "wordpress" in releases or "redis" in releases
    assert (done.returncode == 0) is not (theirs or bool(fails)), done.stdout
