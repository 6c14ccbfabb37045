"""What removes asks first, and an answer that did not come is never a no.

The playbooks are run for real, by ansible-playbook, each machine being a folder of this one in
which `microk8s` and `snap` are stand-ins that say what the real ones say.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from installer.catalogue.solution import load_solution
from tests.installer import quick_yaml
from tests.installer.pm4ml.test_pm4ml import EVERY, PLAYBOOKS, named, tasks

NO_API = """\
E1128 10:00:00.000001    4242 memcache.go:265] "Unhandled Error" err="could not get the server API"
The connection to the server 127.0.0.1:16443 was refused - did you specify the right host?"""
FORBIDDEN = (
    'Error from server (Forbidden): applications.argoproj.io is forbidden: User "eve" cannot list '
    'resource "applications" in API group "argoproj.io" at the cluster scope'
)
WORKER = (
    "This MicroK8s deployment is acting as a node in a cluster. Please use the microk8s kubectl"
)

MICROK8S = """\
#!/bin/sh
# STAND-IN for microk8s kubectl of MicroK8s 1.31: says what the files of this machine say.
echo "microk8s $*" >> "$PLACE/calls"
case "$*" in
*/readyz*) answer=readyz ;;
*customresourcedefinitions*) answer=definition ;;
*persistentvolumes*) answer=volumes ;;
*applications.argoproj.io*) answer=applications ;;
*) answer=other ;;
esac
cat "$PLACE/$answer.err" >&2 2>/dev/null
cat "$PLACE/$answer.out" 2>/dev/null
[ ! -e "$PLACE/$answer.err" ]
"""
NOTED = '#!/bin/sh\necho "${0##*/} $*" >> "$PLACE/calls"\n'


@dataclass(frozen=True)
class Told:
    """How a playbook ended, and what each machine's programs were called with."""

    status: int
    said: str
    calls: Mapping[str, str]


def play(
    folder: Path,
    playbook: str,
    machines: Mapping[str, Mapping[str, str] | None],
    *,
    microk8s: str = MICROK8S,
) -> Told:
    """Run a playbook on machines by name; None is one without a MicroK8s."""
    hosts: dict[str, Any] = {}
    for name, answers in machines.items():
        place = folder / name
        programs = place / "bin"
        programs.mkdir(parents=True)
        for program, text in (("microk8s", microk8s), ("snap", NOTED), ("systemctl", NOTED)):
            (programs / program).write_text(text)
            (programs / program).chmod(0o755)
        for answer, text in (answers or {}).items():
            (place / answer).parent.mkdir(parents=True, exist_ok=True)
            (place / answer).write_text(text)
        if answers is not None:
            (place / "data/var/lock").mkdir(parents=True)
        if answers is not None and "clustered.lock" in answers:
            (place / "data/var/lock/clustered.lock").touch()
        python = place / "python"
        python.write_text(
            f'#!/bin/sh\nPLACE={place} PATH={programs}:$PATH exec {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        hosts[name] = {
            "ansible_connection": "local",
            "ansible_become": False,
            "ansible_python_interpreter": str(python),
            "microk8s_data": str(place / "data"),
            "etc_folder": str(place / "etc"),
        }
        if answers is not None and "unreachable" in answers:
            hosts[name] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1",
                            "ansible_port": 1, "ansible_ssh_args": "-F none"}  # fmt: skip
    workers: dict[str, Any] = {
        n: {} for n, a in machines.items() if a is not None and "clustered.lock" in a
    }
    masters: dict[str, Any] = {name: {} for name in machines if name not in workers}
    inventory = folder / "inventory.yaml"
    children = {"master": {"hosts": masters}, "worker": {"hosts": workers},
                "load_balancer": {"hosts": masters}}  # fmt: skip
    variables = {"argocd_version": "v2.14.20", "argocd_manifest": "",
                 "local_volume_group": "no-such-group", "local_class": "local-nvme"}  # fmt: skip
    inventory.write_text(
        yaml.safe_dump({"all": {"hosts": hosts, "children": children, "vars": variables}})
    )
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(inventory), playbook],
        cwd=PLAYBOOKS, capture_output=True, text=True, check=False, timeout=600,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
             "ANSIBLE_REMOTE_TEMP": str(folder / "tmp")},
    )  # fmt: skip
    calls = {
        name: (folder / name / "calls").read_text() if (folder / name / "calls").exists() else ""
        for name in machines
    }
    return Told(done.returncode, " ".join((done.stdout + done.stderr).split()), calls)


WELL = {"readyz.out": "ok", "volumes.out": ""}
UNANSWERED: dict[str, dict[str, str]] = {
    "down": {f"{each}.err": NO_API for each in ("readyz", "definition", "volumes", "applications")},
    "half": {**WELL, "definition.err": NO_API},
    "forbidden": {**WELL, "definition.out": "crd/applications.argoproj.io\n",
                  "applications.err": FORBIDDEN},
    "volumes": {**WELL, "volumes.err": "Error from server (Timeout): the server was unable"},
    "wrapper": {f"{each}.out": WORKER for each in ("readyz", "definition", "volumes")},
}  # fmt: skip


@pytest.mark.processes
@pytest.mark.parametrize(
    "playbook", ["undo/microk8s.yml", "undo/argocd.yml", "undo/local_disks.yml"]
)
def test_an_answer_that_did_not_come_removes_nothing(playbook: str, tmp_path: Path) -> None:
    """The API down, a login that may not list, a time-out, a wrapper that ends well with words."""
    cases = UNANSWERED if playbook == "undo/microk8s.yml" else {"down": UNANSWERED["down"]}
    told = play(tmp_path, playbook, cases)
    assert told.status != 0
    for name in cases:
        assert f"in the cluster of {name} cannot be told" in told.said
        assert "snap remove" not in told.calls[name]
        assert " delete " not in told.calls[name]
        assert "uninstall" not in told.calls[name]
    assert "Take the empty group away" not in told.said
    assert "16443 was refused - did you specify" in told.said
    assert "memcache" not in told.said
    if playbook == "undo/microk8s.yml":
        assert "cannot list resource" in told.said


@pytest.mark.processes
def test_one_machine_that_cannot_be_asked_keeps_the_others(tmp_path: Path) -> None:
    """A master that is away may be the one that has the cluster."""
    told = play(tmp_path, "undo/microk8s.yml", {"m1": WELL, "m2": {**WELL, "unreachable": ""}})
    assert told.status != 0
    assert "snap remove" not in told.calls["m1"]


@pytest.mark.processes
def test_what_there_is_is_named_and_kept(tmp_path: Path) -> None:
    """Applications, volumes, and a worker of a cluster that nobody answers for."""
    machines: dict[str, Mapping[str, str] | None] = {
        "m1": {**WELL, "definition.out": "crd/x\n", "applications.out": "a/1\na/2\n"},
        "m2": {**WELL, "volumes.out": "persistentvolume/pv1\n"},
    }
    told = play(tmp_path / "one", "undo/microk8s.yml", machines)
    assert told.status != 0
    assert "cluster of m1 has 2 applications." in told.said
    assert "cluster of m2 has 1 volumes." in told.said
    told = play(tmp_path / "two", "undo/microk8s.yml", {"m1": None, "w1": {"clustered.lock": ""}})
    assert told.status != 0
    assert "w1 works for a cluster, and no master of this site has answered for it" in told.said
    assert "snap remove" not in "".join(told.calls.values())


OUR_FILE = "# Written by Sitewright. More.\n"
KEEPALIVED, HAPROXY = "etc/keepalived/keepalived.conf", "etc/haproxy/haproxy.cfg"


@pytest.mark.processes
def test_a_configuration_that_is_not_sitewright_s_stays_with_its_service(tmp_path: Path) -> None:
    """keepalived where there is no virtual address, and what somebody wrote anew since."""
    before = ".before-sitewright"
    told = play(
        tmp_path,
        "undo/haproxy.yml",
        {
            "theirs": {KEEPALIVED: "vrrp\n", HAPROXY: OUR_FILE, HAPROXY + before: "distro\n"},
            "anew": {KEEPALIVED: OUR_FILE, HAPROXY: "new\n", HAPROXY + before: "distro\n"},
            "again": {KEEPALIVED: "vrrp\n", KEEPALIVED + before: "vrrp\n"},
        },
    )
    assert told.status == 0, told.said
    kept = {
        str(path.relative_to(tmp_path)): path.read_text()
        for path in tmp_path.glob("*/etc/**/*")
        if path.is_file()
    }
    assert kept == {
        f"theirs/{KEEPALIVED}": "vrrp\n",
        f"theirs/{HAPROXY}": "distro\n",
        f"anew/{HAPROXY}": "new\n",
        f"anew/{HAPROXY}{before}": "distro\n",
        f"again/{KEEPALIVED}": "vrrp\n",
    }
    stopped = {
        name: re.findall(r"disable --now (\S+)", calls) for name, calls in told.calls.items()
    }
    assert stopped == {
        "theirs": ["haproxy.service"], "anew": ["keepalived.service"], "again": [],
    }  # fmt: skip
    assert "keepalived.conf is not what Sitewright wrote: it was left as it is" in told.said


@pytest.mark.processes
def test_a_registry_of_somebody_else_goes_on(tmp_path: Path) -> None:
    """The stage is taken back on every machine, and only one of them had ours."""
    units, tls = "etc/systemd/system/docker-registry", "etc/docker/registry/tls"
    told = play(
        tmp_path,
        "undo/registry.yml",
        {
            "ours": {f"{units}.service.d/sitewright.conf": OUR_FILE, f"{tls}/registry.key": "",
                     f"{units}-push.service": OUR_FILE, f"{tls}/registry.cnf": OUR_FILE},
            "theirs": {f"{units}-push.service": "[Unit]\n", f"{tls}/registry.key": "their key"},
        },
    )  # fmt: skip
    assert told.status == 0, told.said
    assert "disable" not in told.calls["theirs"]
    assert (tmp_path / "theirs" / tls / "registry.key").read_text() == "their key"
    assert (tmp_path / "theirs" / f"{units}-push.service").exists()
    assert told.calls["ours"].count("disable --now") == 2
    assert not [path for path in (tmp_path / "ours/etc").rglob("*") if path.is_file()]


REMOVING = re.compile(
    r"\b(remove|purge|delete|undo|wipefs|mkfs|uninstall|rm|truncate|prune|leave|bootstrap|join|"
    r"disk, add|vgcreate|vgremove|pvremove)\b"
)
"""Words of a command that takes something away, or puts something in its place."""
ASKED = {
    "undo/microk8s.yml: Remove the snap": "There is nothing that would be lost",
    "undo/argocd.yml: Remove what it made, its definitions and roles in the whole cluster too":
        "There are no applications",
    "undo/argocd.yml: Remove the namespace with all that is left in it":
        "There are no applications",
    "undo/host_firewall.yml: Remove the table": "",  # our own table; others are never touched
    "tasks/join_once.yml: Join": "The node is in or out, and not between (tasks/join.yml)",
    "4.ceph.yml: Begin the cluster": "It answers",
    "4.ceph.yml: Join": "It answers",
    "4.ceph.yml: Take the empty ones": "Each is empty, or Ceph's already",
    # The class alone, which is made again at once; its volumes keep their own policy.
    "4.ceph.yml: Take the one away that loses what was written": "",
    "local_disks.yml: Wipe what is left on those that are named for it":
        "Each is empty, ours, or to be wiped",
    "local_disks.yml: Make the volume group of the empty ones":
        "Each is empty, ours, or to be wiped",
    "undo/local_disks.yml: Take the class away": "No volume of the class is left",
    "undo/local_disks.yml: Take the driver away": "No volume of the class is left",
    "undo/local_disks.yml: Take the empty group away": "There are no volumes in it",
    "undo/local_disks.yml: Take LVM's mark off its disks": "There are no volumes in it",
}  # fmt: skip
"""Each removing task, and the assertion before it whose question can fail loudly."""
OURS = re.compile(r"sitewright|/var/snap/microk8s/common/\.microk8s\.yaml")
"""Files that are Sitewright's to remove."""


def test_every_task_that_removes_stands_behind_a_question() -> None:
    """A new one is not in the list above, and must be thought of."""
    found: dict[str, bool] = {}
    for path in EVERY:
        before: set[str] = set()
        for task in tasks(quick_yaml.safe_load(path.read_text())):
            if "ansible.builtin.assert" in task:
                before.add(task["name"])
            command = task.get("ansible.builtin.command", {})
            words = command.get("argv", "") if isinstance(command, dict) else command
            text = ", ".join(map(str, words)) if isinstance(words, list) else str(words)
            if REMOVING.search(text) and task.get("changed_when") is not False:
                key = f"{named(path)}: {task['name']}"
                question = ASKED.get(key, "unknown")
                found[key] = not question or "(tasks/" in question or question in before
    assert found == dict.fromkeys(ASKED, True)


def test_files_that_are_removed_are_sitewright_s() -> None:
    """`state: absent` names our own files, one by one, or a block between our own marks."""
    for path in EVERY:
        for task in tasks(quick_yaml.safe_load(path.read_text())):
            file = task.get("ansible.builtin.file", {})
            if file.get("state") == "absent":
                for each in task.get("loop", [file["path"]]):
                    # Any other only where "Written by Sitewright" was found in it, or beside it.
                    looked = re.search(r"\bours\b", str(task.get("when", "")))
                    assert OURS.search(each) or looked or each == "{{ kept }}", (named(path), each)
            block = task.get("ansible.builtin.blockinfile", {})
            if block.get("state") == "absent":
                assert "Sitewright" in block["marker"]


def looks(folder: Path, task: dict[str, Any]) -> bool:
    """Whether a task changes nothing, itself or those that it takes from a file, facts aside."""
    taken = task.get("ansible.builtin.include_tasks")
    if not taken:
        return task.get("changed_when") is False
    within = tasks(quick_yaml.safe_load((folder / taken).read_text()))
    return all(looks(folder, each) or "ansible.builtin.set_fact" in each for each in within)


def test_a_question_that_failed_is_judged_before_anything_hangs_on_it() -> None:
    """Registered with `failed_when: false`, its exit code may not be taken for an answer."""
    seen = 0
    for path in EVERY:
        asked: set[str] = set()
        judged = ""
        for task in tasks(quick_yaml.safe_load(path.read_text())):
            conditions = task.get("ansible.builtin.assert", {}).get("that", [])
            that = " ".join(conditions) if isinstance(conditions, list) else str(conditions)
            for name in asked:
                code = rf"\b{name}(?:\.rc|\['rc'\])"
                failed = (
                    rf"{code}[ )]*(?:\| *default\([^)]*\)[ )]*)?(?:\| *int[ )]*)?(?:!=|>) *0"
                    rf"|{code} +not in\b|\b{name} is (?:failed|not succ)|not {name} is succ"
                )
                assert not re.search(failed, that), (named(path), task["name"])
                hangs = task.get("when", "")
                text = " ".join(hangs) if isinstance(hangs, list) else str(hangs)
                if re.search(failed, text):
                    seen += 1
                    fine = re.search(rf"\b{name}\b", judged) or "debug" in str(task)
                    assert fine or looks(path.parent, task), (named(path), task["name"], name)
            judged += that + json.dumps(task.get("vars", {})) if that else ""
            if task.get("failed_when") is False or task.get("ignore_errors"):
                asked.add(str(task.get("register")))
    assert seen > 3


@pytest.mark.parametrize("solution", ["core-test-harness", "pm4ml"])
def test_no_script_hides_a_failed_question_before_it_removes(solution: str) -> None:
    """`$(… 2>/dev/null)` inside a condition reads silence as no."""
    folder = load_solution(solution).folder
    for path in folder.rglob("*"):
        if path.suffix in (".sh", ".yaml") and path.is_file():
            for line in path.read_text().splitlines():
                assert not re.search(r'\[ -[nz] "\$\([^)]*2>/dev/null', line), (path.name, line)


@pytest.mark.skipif(shutil.which("timeout") is None, reason="needs coreutils")
def test_keys_beside_the_hub_s_secret_are_never_replaced(tmp_path: Path) -> None:
    """`vault kv put` replaces a whole path: only Vault's own "No value found" lets it be made."""
    [task] = [
        task
        for task in tasks(quick_yaml.safe_load((PLAYBOOKS / "hub_secret.yml").read_text()))
        if task["name"] == "Write it where it differs"
    ]
    argv = task["ansible.builtin.command"]["argv"]
    script = argv[argv.index("-c") + 1]
    store = tmp_path / "vault"
    program = tmp_path / "bin/vault"
    program.parent.mkdir()
    text = (Path(__file__).parent.parent.parent / "stand_ins/vault").read_text()
    program.write_text(text.replace("/var/lib/stand-in", str(tmp_path)))
    program.chmod(0o755)

    def write() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", script, "sh", "secret/bank"], input="root-token\nthe-secret\n",
            env={"PATH": f"{program.parent}:{os.environ['PATH']}"},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert write().stdout == "written\n"
    assert write().stdout == "unchanged\n"
    kept = store / "secret_bank"
    (kept / "another_key").write_text("another")
    (kept / "mcmdev_client_secret").write_text("old")
    (store / "unreadable").touch()
    refused = write()
    assert refused.returncode != 0
    assert "permission denied" in refused.stderr
    assert sorted(each.name for each in kept.iterdir()) == ["another_key", "mcmdev_client_secret"]
    (store / "unreadable").unlink()
    assert write().stdout == "written\n"
    assert (kept / "another_key").read_text() == "another"
    assert (kept / "mcmdev_client_secret").read_text() == "the-secret"


THERE_BESIDES = """\
kube-system   Deployment   coredns                  <none>       <none>
ingress       DaemonSet    nginx-ingress            <none>       <none>
kube-system   Pod          coredns-7c9              ReplicaSet   <none>
demo          Pod          moja-ml-ttk-test-setup   <none>       test
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"readyz.out": "ok", "other.out": THERE_BESIDES}, ""),
        (
            {
                "readyz.out": "ok",
                "other.out": THERE_BESIDES + "shop Deployment till <none> <none>\n",
            },
            "there is more than MicroK8s itself: Deployment shop/till. MicroK8s was not removed",
        ),
        ({"readyz.err": NO_API, "other.err": NO_API}, "cannot be told: The connection to the"),
    ],
)
def test_a_microk8s_in_which_others_work_is_not_removed_with_miniloop(
    tmp_path: Path, answers: dict[str, str], says: str
) -> None:
    """It may have been there before; only the part that asks is played."""
    asks = quick_yaml.safe_load((PLAYBOOKS / "undo/one_machine.yml").read_text())[0]
    text = yaml.safe_dump([{**asks, "hosts": "master"}], sort_keys=False)
    playbook = tmp_path / "asks.yml"
    playbook.write_text(text.replace("../tasks", str(PLAYBOOKS / "tasks")))
    told = play(tmp_path, str(playbook), {"box": answers})
    assert (told.status == 0) is (not says), told.said
    assert says in told.said
