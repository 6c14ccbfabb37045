"""PM4ML's stages and playbooks as data: strict, pinned, with Ansible's own modules only."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundation.documents import parse_yaml
from installer.catalogue.settings import load_settings
from installer.catalogue.solution import load_solution
from installer.catalogue.stages import Probe
from installer.solutions.pm4ml.playbooks.files.checklist.points import POINTS
from installer.steps.checklist import ChecklistStep
from installer.steps.playbook import PlaybookStep
from installer.steps.script import ScriptStep
from installer.steps.stage_files import load_stages
from preflight.checks.registry import CHECKS, CLUSTER_CHECKS
from tests.installer import quick_yaml

SOLUTION = load_solution("pm4ml")
PLAYBOOKS = SOLUTION.folder / "playbooks"
TOP = sorted([*PLAYBOOKS.glob("*.yml"), *PLAYBOOKS.glob("undo/*.yml")])
EVERY = sorted(PLAYBOOKS.rglob("*.yml"))
KEYWORDS = frozenset(
    {"name", "register", "when", "loop", "loop_control", "vars", "changed_when", "failed_when",
     "no_log", "delegate_to", "retries", "delay", "until", "become", "check_mode", "notify", "tags",
     "run_once", "environment"}
)  # fmt: skip


def tasks(value: Any) -> Iterator[dict[str, Any]]:
    """Every task of a playbook or a file of tasks, those in blocks too."""
    for each in value if isinstance(value, list) else []:
        if "hosts" in each:
            for part in ("tasks", "handlers", "pre_tasks", "post_tasks"):
                yield from tasks(each.get(part, []))
        elif "block" in each:
            yield from tasks(each["block"])
        else:
            yield each


def named(path: Path) -> str:
    """A path as it is told in a test's name."""
    return str(path.relative_to(PLAYBOOKS))


def test_the_six_names_of_the_document_are_there() -> None:
    """Section 6.4, letter by letter."""
    assert {path.name for path in PLAYBOOKS.glob("[0-9]*")} == {
        "1.microk8s_setup.yml",
        "2.argocd_setup.yml",
        "3.haproxy_setup.yml",
        "4.ceph.yml",
        "5.apps_setup.yml",
        "6.system-tuning.yml",
    }


def test_the_firewall_closes_the_addresses_of_the_cluster_s_services() -> None:
    """Those that preflight knows as the cluster's own, after the network of pods."""
    _, services = SOLUTION.needs("production").platform.cluster_networks
    rules = (PLAYBOOKS / "templates/firewall.nft.j2").read_text()
    assert f"ip daddr {services} counter drop" in rules


@pytest.mark.parametrize("path", EVERY, ids=named)
def test_every_file_is_strict_yaml_and_uses_builtin_modules_only(path: Path) -> None:
    """No duplicate key, no collection, no shell module, a name on every task."""
    value = parse_yaml(path.read_text(), where=path.name)
    for task in tasks(value):
        assert task.get("name"), task
        for key in set(task) - KEYWORDS:
            assert key.startswith("ansible.builtin."), (path.name, key)
            assert key not in {"ansible.builtin.shell", "ansible.builtin.raw"}


@pytest.mark.processes
@pytest.mark.parametrize("path", TOP, ids=named)
def test_ansible_takes_every_playbook(path: Path) -> None:
    """ansible-playbook --syntax-check, from the playbooks' own folder."""
    program = Path(sys.executable).with_name("ansible-playbook")
    done = subprocess.run(
        [str(program), "--syntax-check", "-i", "localhost,", named(path)],
        cwd=PLAYBOOKS,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_tasks_with_a_token_or_a_secret_show_nothing() -> None:
    """Whoever asks for a token, carries one or hands a secret on has no_log."""
    marks = ("add-node", ":25000/", "cluster, add", "cluster, join", "get-key", "vault_token |",
             "git_password | default('') }}", "get-or-create-key")  # fmt: skip
    found = 0
    for path in EVERY:
        for task in tasks(quick_yaml.safe_load(path.read_text())):
            command = task.get("ansible.builtin.command", {})
            text = yaml.safe_dump(command, width=10000, default_flow_style=True)
            if any(mark in text for mark in marks):
                found += 1
                assert task.get("no_log") is True, (path.name, task["name"])
    assert found >= 7


def test_every_version_is_pinned() -> None:
    """Neither a playbook nor a default says latest, stable manifests or a branch of others."""
    for path in [*EVERY, *PLAYBOOKS.glob("templates/*"), SOLUTION.folder / "settings.yaml"]:
        for line in path.read_text().splitlines():
            assert not re.search(r"\blatest\b|argo-cd/stable|/master/|/main/", line), path.name
    values = {each.name: each.default for each in load_settings(SOLUTION).settings}
    assert values["microk8s_channel"] == "1.31/stable"
    assert re.fullmatch(r"v\d+\.\d+\.\d+", values["argocd_version"] or "")


def test_every_setting_is_used_and_every_condition_known() -> None:
    """A setting that nothing reads would be a promise that nobody keeps."""
    texts = [
        path.read_text()
        for folder in ("playbooks", "stages")
        for path in (SOLUTION.folder / folder).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    ]
    for each in load_settings(SOLUTION).settings:
        assert any(re.search(rf"\b{each.name}\b", text) for text in texts), each.name


def test_stages_refer_to_what_there_is() -> None:
    """Playbooks, undo playbooks, checks of preflight."""
    areas = {check.area for check in CHECKS} | {check.area for check in CLUSTER_CHECKS}
    for stage in load_stages(SOLUTION):
        for word in stage.recheck:
            assert word.partition(".")[0] in areas, word
        for step in stage.steps:
            if isinstance(step, PlaybookStep):
                assert (PLAYBOOKS / step.playbook).is_file()
                if step.undo is not None and step.undo.command != ("true",):  # nothing to undo
                    assert step.undo.command[0] == "ansible-playbook"
                    assert (PLAYBOOKS / step.undo.command[1]).is_file()


def test_no_value_stands_inside_quotes_of_a_script() -> None:
    """Values are quoted when they are filled in; quotes around them would undo that."""

    def scripts() -> Iterator[str]:
        for stage in load_stages(SOLUTION):
            for step in stage.steps:
                if isinstance(step, ScriptStep):
                    yield step.script
                probes: list[Probe | None] = [step.done, step.verify, step.undo]
                probes += [getattr(step, "until", None), getattr(step, "explain", None)]
                if isinstance(step, ChecklistStep):
                    probes += [item.check for item in step.items]
                yield from (probe.script for probe in probes if probe)

    for script in scripts():
        for line in script.splitlines():
            before = line.partition("{{")[0]
            if before != line:
                assert before.count("'") % 2 == 0, line
                assert before.count('"') % 2 == 0, line


def test_the_checklist_has_every_item_of_the_document() -> None:
    """Section 6.3: twenty lines in five parts, some of them checked by a program."""
    stage = next(each for each in load_stages(SOLUTION) if each.id == "checklist")
    step = stage.steps[-1]
    assert isinstance(step, ChecklistStep)
    # Each point that the program is asked about is one that it knows.
    checks = [item.check for item in step.items if item.check]
    asked = {check.command[-1] for check in checks if "tell" in check.command}
    assert asked == set(POINTS)
    sections = [item.section for item in step.items]
    for name, least in {
        "Configuration": 5,
        "Certificates and TLS": 5,
        "Secrets and integrations": 4,
        "Storage": 3,
        "Resource management": 3,
    }.items():
        assert sections.count(name) >= least, name
    assert sum(1 for item in step.items if item.check) >= 20


def test_the_applications_stand_in_the_order_of_the_document() -> None:
    """Section 6.1: Istio before Vault, Vault before the stateful resources, PM4ML last."""
    text = (PLAYBOOKS / "vars/applications.yml").read_text()
    names = [each["name"] for each in quick_yaml.safe_load(text)["ordered_applications"]]
    assert len(names) == len(set(names)) == 24
    assert (names[0], names[-1]) == ("base-utils", "pm4ml")
    order = ["storage-app", "istio-app", "consul-app", "vault", "common-stateful-resources-app"]
    order += ["monitoring-app", "keycloak-app", "ory-app"]
    assert sorted(order, key=names.index) == order


def test_packages_are_installed_in_one_way() -> None:
    """`cache_valid_time` takes emptied lists in a new folder for fresh ones."""
    for path in EVERY:
        for task in tasks(quick_yaml.safe_load(path.read_text())):
            if "ansible.builtin.apt" in task:
                assert named(path) == "tasks/apt.yml"
                assert "cache_valid_time" not in task["ansible.builtin.apt"]
                assert task["ansible.builtin.apt"]["update_cache"] is True
                assert task["ansible.builtin.apt"]["lock_timeout"] >= 300
            for program in ("apt-get", "apt", "dpkg"):
                argv = task.get("ansible.builtin.command", {}).get("argv", [])
                assert not argv or argv[0] != program, (named(path), task["name"])


def test_no_variable_of_a_task_has_the_name_of_a_registered_one() -> None:
    """What was registered anywhere in a run goes before a task's own variables, unseen."""
    everything = [
        (named(path), task)
        for path in EVERY
        for task in tasks(quick_yaml.safe_load(path.read_text()))
    ]
    registered = {str(task["register"]) for _, task in everything if "register" in task}
    registered |= {
        name for _, task in everything for name in task.get("ansible.builtin.set_fact", {})
    }
    clashes = {
        (place, name)
        for place, task in everything
        if "ansible.builtin.include_tasks" not in task
        for name in task.get("vars", {})
        if name in registered
    }
    assert clashes == set()


def test_a_message_needs_nothing_that_was_left_out() -> None:
    """Ansible fills a message in whether or not it is shown: what a condition may leave out of a
    run is asked for under the same condition, or has a default."""
    conditional = {"content.yml": ("content_untold", "cluster_content")}
    for path in EVERY:
        every = list(tasks(quick_yaml.safe_load(path.read_text())))
        included = {
            str(task["ansible.builtin.include_tasks"]).rsplit("/", 1)[-1]: task.get("when")
            for task in every
            if "ansible.builtin.include_tasks" in task
        }
        for file, names in conditional.items():
            for task in every if file in included else []:
                text = yaml.safe_dump({k: v for k, v in task.items() if k != "when"}, width=10000)
                for name in names:
                    bare = re.search(rf"\b{name}\b(?! *\| *default)", text)
                    assert not bare or task.get("when") == included[file], (named(path), task)
