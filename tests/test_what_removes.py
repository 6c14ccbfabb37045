"""Whatever takes away for good is thought of: each such command in the whole source has a reason.

A remedy is pasted by a tired person, and a script of ours runs unwatched. So every text of the
product that holds a word that destroys stands in one of two tables: `TOLD` says why a person may
be told it, `RUN` what was asked before ours runs it, and the test in which that question fails.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from preflight.checks.removal import REMOVALS, removal
from tests.installer import quick_yaml

ROOT = Path(__file__).parent.parent
FLOORS = ("foundation", "preflight", "bundles", "installer", "screens")

DESTROYS = re.compile(
    r"""\b(?:
    wipefs(?!\ --no-act)|mkfs(?:\.\w+)?|sgdisk|parted\ /|shred|truncate\ -s|blkdiscard
    |[lvp]{2}remove|[lv]gremove|zpool\ destroy|cryptsetup
    |snap\ remove|apt(?:-get)?\ (?:-\S+\ )*(?:remove|purge|autoremove)
    |dpkg\ (?:-[Pr]|--purge|--remove)
    |rm\ -[A-Za-z]*[rR][A-Za-z]*|rmtree|find\ .{1,60}-delete
    |git\ (?:clean|reset\ --hard)|push\ --force
    |kubeadm\ reset|(?:k3s|rke2)-(?:agent-)?(?:uninstall|killall)\.sh|microk8s\ (?:leave|reset)
    |remove-node|setuptool\.sh\ uninstall|helm3?\ (?:-n\ \S+\ )?(?:uninstall|delete)
    |kubectl(?:\ -\S+(?:\ \S+)?)*\ (?:delete|drain|replace\ --force)|kv\ (?:put|delete|destroy)
    |ceph\ osd\ (?:purge|destroy|out|rm|lost)|microceph\ (?:disk|cluster)\ remove
    |prune|docker\ (?:rm|rmi|volume\ rm|network\ rm)|compose\ .{0,60}\bdown\b|terraform\ destroy
    |ssh-keygen\ -R|iptables\ -F|flush\ ruleset|ufw\ (?:--force\ )?(?:reset|disable)|userdel|deluser
    |DROP\ (?:TABLE|DATABASE)|systemd-machine-id-setup|swap\ --discard
    )(?!\w)|\bdd\ (?:if|of)=|--zero-superblock|--remove\ /dev""",
    re.VERBOSE,
)

OWN = "what we made ourselves, in a place that holds nothing else"

TOLD = {
    "application.yaml.part: prune": "what a chart has no more; namespaces, databases, classes of "
    "the starter say Prune=false, and a chart's volumes are kept by their class",
    "4.ceph.yml: wipefs": "the last word of three, on a disk that is named with what is on it; "
    "--backup keeps what it clears, and a disk in use is refused by wipefs itself",
    "undo/local_disks.yml: lvremove": "a volume that a person named, after its PersistentVolume "
    "was looked at; LVM asks first",
    "handing_over.py: kubectl -n … delete": "a note of ours, where all shares are good; "
    "Vault is not touched",
    "opening.py: kubectl -n … delete": "the same note, where persons opened Vault by hand and made "
    "new shares",
    "disk.py: wipefs": "after a look, a copy and an unmount; --backup keeps what it clears",
    "disk.py: dd if=": "writes back what wipefs kept",
    "disk.py: --remove /dev": "takes the disk out again that its own remedy added",
    "filesystem.py: mkfs.xfs": "on a new disk; without -f it refuses where it sees a filesystem",
    "admission.py: kubectl delete": "a webhook's configuration with nobody behind it, kept before",
    "hostname.py: systemd-machine-id-setup": "only where there is none",
    "hostname.py: truncate -s": "takes back the id that its own remedy made",
    "consistency.py: systemd-machine-id-setup": "of a clone, before anything is installed on it",
    "docker.py: setuptool.sh uninstall": "stops the rootless one and keeps its data, as it says",
    "software.py: apt-get remove": "takes back what its own remedy installed; apt asks first",
    "software.py: snap remove": "after its containers were saved; snapd keeps a copy",
    "removal.py: k3s-uninstall.sh": "the last word of `Removal`, behind the look",
    "removal.py: k3s-agent-uninstall.sh": "the same on an agent",
    "removal.py: rke2-uninstall.sh": "the last word of `Removal`, behind the look",
    "removal.py: snap remove": "the last word of `Removal`, behind the look",
    "removal.py: kubeadm reset": "the last word of `Removal`, behind the look; it asks first",
    "removal.py: apt-get remove": "the last word of `Removal`; settings stay, and apt asks",
    "removal.py: microk8s leave": "before it is removed, so that its cluster goes on",
    "packages.py: apt-get remove": "--dry-run: it only says what would go",
    "packages.py: rm -rf": "the lists of apt, which it fetches anew",
    "sources.py: docker network rm": "one that is known to be left over; refused while it is used",
    "objections.py: docker network rm": "if nothing uses it; Docker refuses while something does",
    "objections.py: compose -p … down": "after a look at whose it is; volumes are kept",
    "logins.py: ssh-keygen -R": "after the console was asked; the old file is kept",
    "refusals.py: ssh-keygen -R": "after the console was asked; the old file is kept",
    "machine_words.py: ssh-keygen -R": "after the console was asked; the old file is kept",
    "upgrade.yaml: microk8s leave": "the way back of the first master, whose data the others hold",
    "upgrade.yaml: remove-node": "the same, once it left",
    "places.py: rm -r": "our own records, for a person who is done with them",
    "dead.py: kubectl -n … delete": "a claim whose volume no node has any more, once what was in "
    "it is had from elsewhere, as it says",
    "4.ceph.yml: microceph cluster remove": "the record of a server that is gone, once its disks "
    "are healed from the others, as it says",
    "join.yml: microk8s reset": "if nothing of what is named there is needed",
    "1.microk8s_setup.yml: microk8s leave": "of a node whose join was cut off; it does not run",
    "1.microk8s_setup.yml: remove-node": "of the same node",
    "join.yml: remove-node": "of a node that joined half-way and is not Ready (tasks/join.yml)",
    "join.yml: microk8s leave": "of a node that joined half-way and has no peers that count it",
    "join_once.yml: remove-node": "of a node whose joining was broken off just now",
    "iac.yaml: kubectl delete": "the lease of a run that nobody runs, after its holder was asked",
    "mosip-on-premises.yaml: helm -n <namespace> uninstall": "of a release that never worked",
    "pm4ml-on-premises.yaml: kv put": "after a look at the path; patch where there is something",
    "pm4ml-on-premises.yaml: remove-node": "of a node that is not Ready, as it says",
    "pm4ml-on-premises.yaml: microk8s leave": "of the same node",
    "core-test-harness.yaml: compose --project-name ttk-func --profile all-services down": "the "
    "guide's own last step, whose title says that its data goes",
}  # fmt: skip
"""What a person is told, and why it may not destroy what is well."""

RUN = {
    "undo/microk8s.yml: snap remove": "test_an_answer_that_did_not_come_removes_nothing",
    "undo/argocd.yml: kubectl delete": "test_an_answer_that_did_not_come_removes_nothing",
    "undo/local_disks.yml: kubectl delete": "test_an_answer_that_did_not_come_removes_nothing",
    "undo/local_disks.yml: helm3 uninstall": "test_an_answer_that_did_not_come_removes_nothing",
    "undo/local_disks.yml: vgremove": "test_an_answer_that_did_not_come_removes_nothing",
    "undo/local_disks.yml: pvremove": "test_an_answer_that_did_not_come_removes_nothing",
    "nodes.py: kubectl drain": "test_a_worker_goes_only_where_every_question_got_an_answer",
    "leaving.py: remove-node": "test_a_worker_goes_only_where_every_question_got_an_answer",
    "dead.py: remove-node": "test_what_lives_is_never_forgotten",
    "members.py: remove-node": "test_what_the_database_does_not_say_is_no_leave_to_go_on",
    "remove-master.yaml: microk8s leave": "test_what_says_that_it_is_no_master_does_not_leave",
    "remove-worker.yaml: microk8s leave": "test_what_says_that_it_is_no_worker_does_not_leave",
    "local_disks.yml: wipefs": "test_disks_are_looked_at_on_every_machine_and_taken_by_serial",
    "4.ceph.yml: kubectl delete": "test_ceph_takes_the_disks_that_are_empty_and_no_others",
    "10-docker.yaml: apt-get remove": "test_docker_is_not_removed_while_it_does_not_answer",
    "nginx-packages.sh: apt-get remove": "test_an_nginx_that_serves_others_too_is_not_removed",
    "20-release.yaml: rm -rf": "test_files_that_containers_may_use_are_kept",
    "remove-with-data.yaml: rm -rf": "test_files_that_containers_may_use_are_kept",
    "scripts.py: docker rmi": "test_images_whose_users_cannot_be_told_are_kept",
    "compose.py: compose down": "test_volumes_that_cannot_be_asked_for_are_kept",
    "helm.py: helm uninstall": "test_a_release_that_stood_before_is_never_uninstalled",
    "compose_down.py: docker volume rm": "test_volumes_that_cannot_be_asked_for_are_kept",
    'uninstall.sh: helm -n "$namespace" uninstall': "test_no_release_goes_where_a_question_got_no"
    "_answer",
    "uninstall.sh: helm3 uninstall": "test_a_release_of_another_chart_is_not_removed",
    "install.sh: rm -rf": "test_what_sitewright_did_not_make_is_never_replaced",
    "unset.sh: rm -rf": OWN,
    "docker.sh: rm -rf": OWN,
    "fetch.sh: rm -rf": OWN,
    "files.sh: rm -rf": OWN,
    "forget.sh: rm -rf": OWN,
    "30-backend.yaml: rm -rf": OWN,
    "registry-tls.sh: rm -rf": OWN,
    "sitewright-firewall: rm -rf": OWN,
    "scripts.py: rm -rf": OWN,
    "jobs_scripts.py: rm -rf": OWN,
    "control_host.py: rm -rf": OWN,
    "brought.py: rmtree": OWN,
}  # fmt: skip
"""What ours runs, and the test in which its question fails; or that nothing of others is there."""


OFTEN = {
    "brought.py: rmtree": 2, "compose.py: compose down": 2, "dead.py: remove-node": 2,
    "disk.py: wipefs": 3,
    "core-test-harness.yaml: compose --project-name ttk-func --profile all-services down": 2,
    "files.sh: rm -rf": 2, "helm.py: helm uninstall": 2, "install.sh: rm -rf": 5,
    "jobs_scripts.py: rm -rf": 2,
    "handing_over.py: kubectl -n … delete": 2,
    "join.yml: microk8s leave": 2, "removal.py: apt-get remove": 2, "removal.py: kubeadm reset": 2,
    "removal.py: snap remove": 2, "scripts.py: rm -rf": 2, "software.py: apt-get remove": 2,
    "undo/argocd.yml: kubectl delete": 2,
}  # fmt: skip
"""How often each stands in its file, where that is more than once."""


def _texts_of_python(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values
            )
        elif isinstance(node, (ast.List, ast.Tuple, ast.Call)):
            words = node.args if isinstance(node, ast.Call) else node.elts
            yield " ".join(str(one.value) for one in words if isinstance(one, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _texts_of_data(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts_of_data(one)
    elif isinstance(value, list):
        yield " ".join(str(one) for one in value if not isinstance(one, (dict, list)))
        for one in value:
            yield from _texts_of_data(one)


def _texts(path: Path) -> Iterator[str]:
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError:
        return
    if not DESTROYS.search(re.sub(r"""["',\s]+""", " ", text)):
        return
    if path.suffix == ".py":
        yield from _texts_of_python(text)
    elif path.suffix in (".yaml", ".yml"):
        try:
            for document in quick_yaml.safe_load_all(text):
                yield from _texts_of_data(document)
        except yaml.YAMLError:
            yield from text.splitlines()  # a template
    else:
        yield from (line for line in text.splitlines() if not line.lstrip().startswith("#"))


@cache
def found() -> dict[str, set[str]]:
    """Each destroying word with the name of the file that holds it, and where such files lie."""
    places: dict[str, set[str]] = {}
    for path in [ROOT / "install.sh", *(p for f in FLOORS for p in sorted((ROOT / f).rglob("*")))]:
        if path.is_file() and "__pycache__" not in path.parts:
            name = f"undo/{path.name}" if path.parent.name == "undo" else path.name
            for text in _texts(path):
                for word in DESTROYS.finditer(text):
                    place = str(path.relative_to(ROOT))
                    places.setdefault(f"{name}: {word[0]}", set()).add(place)
    return places


def test_every_command_that_destroys_is_thought_of() -> None:
    assert sorted(set(found()) - set(TOLD) - set(RUN)) == []


def test_what_was_thought_of_is_one_file() -> None:
    """Another of the same name, with the same word, would else be let through."""
    several = {word: files for word, files in found().items() if len(files) > 1}
    assert several == {"install.sh: rm -rf": {"install.sh", "bundles/sources/install.sh"}}


@cache
def times() -> dict[str, int]:
    """How often each destroying word stands in the source of its file, comments left out."""
    counted: Counter[str] = Counter()
    for word, files in found().items():
        name = re.escape(word.partition(": ")[2]).replace("…", ".{1,60}?")
        for file in files:
            lines = (ROOT / file).read_text("utf-8").splitlines()
            bare = " ".join(line for line in lines if not line.lstrip().startswith("#"))
            text = re.sub(r"""["',\s]+""", " ", bare)
            counted[word] += sum(
                bool(re.fullmatch(name, one[0])) for one in DESTROYS.finditer(text)
            )
    return counted


def test_a_second_command_of_a_file_is_thought_of_as_the_first_was() -> None:
    """Its word is in the table already, and its command is another."""
    assert {word: number for word, number in times().items() if number > 1} == OFTEN


def test_the_tables_hold_nothing_that_is_gone() -> None:
    assert sorted((set(TOLD) | set(RUN)) - set(found())) == []
    assert all(why for why in TOLD.values())


def test_each_question_has_a_test_in_which_it_fails() -> None:
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for place, test in RUN.items():
        assert test == OWN or f"def {test}(" in tests, place


@pytest.mark.parametrize("name", [*REMOVALS, "haproxy"])
def test_software_is_looked_at_before_it_goes(name: str) -> None:
    """The look, the other way out, then the removal with what it loses: in this order."""
    one = removal(name)
    told = str(one)
    parts = [
        "It may be in use",
        one.look,
        "no answer comes",
        "only if nothing is",
        one.go,
        one.loses,
    ]
    assert [told.index(part) for part in parts] == sorted(told.index(part) for part in parts)
    assert not DESTROYS.search(one.look)
    assert "--yes" not in told
    assert " -y" not in told
    assert "--force" not in told


def test_a_removal_that_was_not_tried_says_so_and_who_says_it_then() -> None:
    """Docker's is tried on a machine of the lab, an apt package's too; the others cannot be had."""
    for name in (*REMOVALS, "haproxy"):
        tried = name in ("docker", "haproxy")
        assert ("Sitewright has not tried it" in str(removal(name))) is not tried


def test_the_rule_sees_what_it_forbids() -> None:
    for text in (
        "sudo wipefs --all /dev/sdb", "mkfs.ext4 /dev/sdb", "sudo apt-get -y purge docker.io",
        "snap remove --purge microk8s", "rm -rf /var/lib/x", "kubectl -n a delete pod b",
        "kubectl delete pvc x", "ceph osd purge 3", "docker system prune", "docker compose down -v",
        "helm uninstall x", "kubeadm reset", "vault kv put a b=c", "git clean -fdx",
    ):  # fmt: skip
        assert DESTROYS.search(text), text
    for text in ("wipefs --no-act /dev/sdb", "kubectl get pods", "rm -f x", "apt-get install x"):
        assert not DESTROYS.search(text), text


@pytest.mark.processes
@pytest.mark.parametrize(
    ("name", "folder"),
    [("k3s", "/usr/local/bin"), ("k3s", "/opt/bin"), ("rke2", "/opt/rke2/bin")],
)
def test_a_script_of_a_maker_is_found_where_sudo_does_not_look(
    name: str, folder: str, tmp_path: Path
) -> None:
    """sudo of RHEL and SUSE has a path of its own; a stand-in for it, and for the scripts."""
    for place, file, text in (
        ("bin", "sudo", 'PATH=/usr/sbin:/usr/bin:/sbin:/bin; exec "$@"'),
        ("there", f"{name}-uninstall.sh", "echo taken away"),
        ("there", "k3s", 'echo "$1 $2"'),
    ):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / file).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / place / file).chmod(0o755)
    one = removal(name)
    for command, said in ((one.go, "taken away"), (one.look, "crictl ps")):
        if name == "rke2" and command == one.look:
            continue  # it is named by its whole path
        here = command.replace(folder, str(tmp_path / "there"))
        shell = ["env", "-i", f"PATH={tmp_path}/bin:/usr/bin:/bin", "sh", "-c", here]
        done = subprocess.run(shell, capture_output=True, text=True, check=False, timeout=60)
        assert done.stdout.strip() == said, done.stderr
