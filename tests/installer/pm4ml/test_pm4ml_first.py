"""Which machine comes first: chosen by what machines say, not by name where one has something.

ansible-playbook is real; each machine is a folder of this one, with `microk8s` as a stand-in.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installer import quick_yaml
from tests.installer.pm4ml.test_pm4ml import EVERY, PLAYBOOKS, named, tasks
from tests.installer.pm4ml.test_pm4ml_removals import NO_API, WORKER

pytestmark = pytest.mark.processes


@dataclass(frozen=True)
class Says:
    """What a machine says of itself; `cluster` is what all machines of one cluster share."""

    cluster: str = ""
    members: Sequence[str] = ()
    marked: bool = False
    untold: bool = False
    away: bool = False


NOTHING, AWAY = Says(), Says(away=True)
A = Says("a", ("m1", "m2", "m3"))
B = Says("b", ("m3", "m4"))
CASES: dict[str, tuple[Mapping[str, Says], str]] = {
    "new": ({"m1": NOTHING, "m2": NOTHING, "m3": NOTHING}, "m1"),
    "made_anew_1": ({"m1": NOTHING, "m2": A, "m3": A}, "m2"),
    "made_anew_2": ({"m1": A, "m2": NOTHING, "m3": A}, "m1"),
    "made_anew_3": ({"m1": A, "m2": A, "m3": NOTHING}, "m1"),
    "added_before": ({"a0": NOTHING, "m1": A, "m2": A}, "m1"),
    "remembered": ({"m1": A, "m2": Says("a", ("m1", "m2"), marked=True)}, "m2"),
    "begun": ({"m1": NOTHING, "m2": Says(marked=True)}, "m2"),
    "remembered_in_vain": ({"m1": Says(marked=True), "m2": A}, "m2"),
    "halves": ({"m1": A, "m2": A, "m3": B, "m4": B}, "refused"),
    "bootstrapped_twice": ({"m1": Says("x", ("m1",)), "m2": A}, "refused"),
    "away_and_nothing": ({"m1": NOTHING, "m2": AWAY}, "refused"),
    "away_and_known": ({"m1": NOTHING, "m2": A, "m3": AWAY}, "m2"),
    "silent": ({"m1": Says(untold=True), "m2": NOTHING}, "refused"),
    "silent_and_known": ({"m1": Says(untold=True), "m2": A}, "m2"),
    "silent_alone": ({"m1": Says(untold=True)}, "m1"),
}  # fmt: skip


def run(folder: Path, playbook: str, inventory: Mapping[str, Any], cwd: Path) -> str:
    """What ansible-playbook says, as one line."""
    file = folder / "inventory.yaml"
    file.write_text(yaml.safe_dump(inventory))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(file), playbook],
        cwd=cwd, capture_output=True, text=True, check=False, timeout=200,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
             "ANSIBLE_REMOTE_TEMP": str(folder / "tmp"), "ANSIBLE_FORKS": "8"},
    )  # fmt: skip
    return " ".join((done.stdout + done.stderr).split())


HERE = {"ansible_connection": "local", "ansible_become": False,
        "ansible_python_interpreter": sys.executable}  # fmt: skip
LOST = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1,
        "ansible_ssh_args": "-F none"}  # fmt: skip


def test_the_first_of_each_site(tmp_path: Path) -> None:
    """Each in turn made anew, one added before the others, halves, machines that are away."""
    plays: list[dict[str, Any]] = []
    children: dict[str, Any] = {}
    for case, (machines, _) in CASES.items():
        hosts: dict[str, Any] = {}
        for name, says in machines.items():
            marks = tmp_path / f"{case}-{name}"
            marks.mkdir()
            if says.marked:
                (marks / f"first-{case}").touch()
            hosts[f"{case}.{name}"] = {
                **(LOST if says.away else HERE),
                "first_marks": str(marks),
                "first_in": bool(says.cluster),
                "first_identity": says.cluster,
                "first_members": list(says.members),
                "first_untold": says.untold,
            }
        children[case] = {"hosts": hosts}
        tell = f"CASE {case} CHOSE " + "{{ first_chosen }} OF {{ group_names | join(',') }}"
        refused = f"CASE {case} REFUSED " + "{{ ansible_failed_result.msg }}"
        tasks_of = [
            {"name": "Ask", "ansible.builtin.stat": {"path": "/"}},
            {
                "name": "Try",
                "block": [
                    {
                        "name": "Choose",
                        "ansible.builtin.include_tasks": str(PLAYBOOKS / "tasks/first.yml"),
                        "vars": {"first_role": case},
                    },
                    {"name": "Tell", "ansible.builtin.debug": {"msg": tell}},
                ],
                "rescue": [
                    {
                        "name": "Refused",
                        "ansible.builtin.debug": {"msg": refused},
                    }
                ],
            },
        ]
        plays.append({"name": case, "hosts": case, "gather_facts": False, "tasks": tasks_of})
    playbook = tmp_path / "cases.yml"
    playbook.write_text(yaml.safe_dump(plays, sort_keys=False))
    said = run(tmp_path, str(playbook), {"all": {"children": children}}, tmp_path)
    for case, (_, wanted) in CASES.items():
        chosen = set(re.findall(rf"CASE {case} CHOSE {case}\.(\S+) OF", said))
        if wanted == "refused":
            assert not chosen, (case, chosen)
            assert f"CASE {case} REFUSED" in said, case
        else:
            assert chosen == {wanted}, (case, chosen, said[-2000:])
    halves = said[said.index("CASE halves REFUSED") :][:900]
    assert "2 clusters are seen among the machines of the role halves" in halves
    assert "halves.m1, halves.m2 in one (its members: m1, m2, m3)" in halves
    assert "halves.m3, halves.m4 in one (its members: m3, m4)" in halves
    assert "away_and_nothing.m2 could not be asked whether it is in a cluster" in said
    assert "silent.m1 does not say what it holds" in said


MICROK8S = """\
#!/bin/sh
# STAND-IN for microk8s kubectl: what the machine's own cluster has.
case "$*" in
*/readyz*) cat "$PLACE/readyz" ;;
*nodes*) cat "$PLACE/nodes" ;;
*' persistentvolumes '*) cat "$PLACE/volumes" ;;
*deployments*pods*-A*!=kube-system*) cat "$PLACE/workloads" ;;
*namespaces*) cat "$PLACE/namespaces" ;;
esac
[ ! -e "$PLACE/down" ] || { cat "$PLACE/down" >&2; exit 1; }
"""
BUILT_IN = "".join(
    f"namespace/{each}\\n" for each in ("default", "kube-system", "kube-public", "kube-node-lease")
)


def machine(folder: Path, name: str, files: Mapping[str, str]) -> dict[str, Any]:
    """A machine with these files; its variables."""
    place = folder / name
    program = place / "bin/microk8s"
    for file, text in {
        "bin/microk8s": MICROK8S,
        "readyz": "ok",
        "nodes": "node/x\n",
        "volumes": "",
        "workloads": "",
        "namespaces": "",
        **files,
    }.items():
        (place / file).parent.mkdir(parents=True, exist_ok=True)
        (place / file).write_text(text)
    python = place / "python"
    python.write_text(
        f'#!/bin/sh\nPLACE={place} PATH={place}/bin:$PATH exec {sys.executable} "$@"\n'
    )
    for each in (program, python):
        each.chmod(0o755)
    return {
        **HERE,
        "ansible_python_interpreter": str(python),
        "microk8s_data": str(place / "data"),
        "content_pause": 0,
        "first_marks": str(place / "marks"),
    }


BACKEND = "data/var/kubernetes/backend"
CLUSTER_OF_TWO = {
    f"{BACKEND}/cluster.crt": "shared",
    f"{BACKEND}/cluster.yaml": "- Address: 10.0.0.2:19001\n  ID: 1\n  Role: 0\n"
    "- Address: 10.0.0.3:19001\n  ID: 2\n  Role: 2\n",
}
ALONE = {
    f"{BACKEND}/cluster.crt": "own",
    f"{BACKEND}/cluster.yaml": "- Address: 127.0.0.1:19001\n  ID: 1\n  Role: 0\n",
}


def test_what_a_master_says_is_read_from_dqlite_s_own_files(tmp_path: Path) -> None:
    """Without MicroK8s, made anew, in a cluster; and a single one in which something runs."""

    def chosen(folder: Path, machines: Mapping[str, Mapping[str, str]]) -> str:
        hosts = {name: machine(folder, name, files) for name, files in machines.items()}
        inventory = {"all": {"children": {"master": {"hosts": hosts}}}}
        playbook = folder / "choose.yml"
        playbook.write_text(
            f"- ansible.builtin.import_playbook: {PLAYBOOKS}/parts/first_master.yml\n"
            "- hosts: first_master\n  gather_facts: false\n  tasks:\n"
            "    - ansible.builtin.debug: {msg: 'CHOSEN {{ inventory_hostname }}'}\n"
        )
        return run(folder, str(playbook), inventory, PLAYBOOKS)

    anew = chosen(
        tmp_path / "anew",
        {"m0": {}, "m1": {**ALONE, "down": NO_API}, "m2": CLUSTER_OF_TWO, "m3": CLUSTER_OF_TWO},
    )
    assert "CHOSEN m2" in anew
    full = {**ALONE, "namespaces": BUILT_IN.replace("\\n", "\n") + "namespace/argocd\n"}
    empty = {**ALONE, "namespaces": BUILT_IN.replace("\\n", "\n")}
    empty[f"{BACKEND}/cluster.crt"] = "another"
    # In the namespace that each has: that is not nothing.
    runs = {**ALONE, "namespaces": empty["namespaces"], "workloads": "pod/shop\n"}
    assert "CHOSEN m1" in chosen(tmp_path / "single", {"a0": empty, "m1": runs})
    two = chosen(tmp_path / "two", {"m1": full, "m2": CLUSTER_OF_TWO})
    assert "2 clusters are seen" in two
    assert "10.0.0.2, 10.0.0.3" in two
    assert "CHOSEN" not in two


def test_a_node_that_holds_something_is_not_joined(tmp_path: Path) -> None:
    """Workloads in the namespace default, a claim, an API that does not say that it is ready."""
    cases = {
        "holds": {"workloads": "deployment.apps/shop\npod/shop-1\n", "volumes": "pv/data\n"},
        "wrapped": {"readyz": WORKER},
        "new": {},
    }
    hosts = {
        name: machine(tmp_path, name, {"namespaces": BUILT_IN.replace("\\n", "\n"), **files})
        for name, files in cases.items()
    }
    asked = [
        task
        for task in quick_yaml.safe_load((PLAYBOOKS / "tasks/join.yml").read_text())
        if task["name"]
        in ("What a node that is alone holds", "It holds nothing that joining would lose")
    ]
    asked[0]["ansible.builtin.include_tasks"] = str(PLAYBOOKS / "tasks/content.yml")
    known = {"says_it_is": "alone", "first_master": "m1"}
    joined = {"name": "Join", "ansible.builtin.debug": {"msg": "JOINS {{ inventory_hostname }}."}}
    playbook = tmp_path / "join.yml"
    playbook.write_text(
        yaml.safe_dump(
            [{"hosts": "all", "gather_facts": False, "vars": known, "tasks": [*asked, joined]}]
        )
    )
    said = run(tmp_path, str(playbook), {"all": {"hosts": hosts}}, PLAYBOOKS)
    assert re.findall(r"JOINS (\w+)\.", said) == ["new"]
    assert "runs a MicroK8s of its own, with pv/data, deployment.apps/shop, pod/shop-1." in said
    assert "Whether wrapped holds something of its own cannot be told: This MicroK8s" in said


def test_no_playbook_chooses_by_name() -> None:
    """The one that is left chooses among machines that have nothing (tasks/first.yml)."""
    by_name = re.compile(r"groups\[.[a-z_]+.\][^}]*\| *sort *\| *first|groups\[[^]]+\]\[0\]")
    places = [*EVERY, *PLAYBOOKS.glob("templates/*")]
    found = {named(path) for path in places if by_name.search(path.read_text())}
    assert found == {"tasks/first.yml"}


def test_no_remedy_takes_microk8s_off_a_machine_that_has_peers() -> None:
    """`leave` takes one out of its cluster; to purge it there takes a voter of the database."""
    for path in EVERY:
        for task in tasks(quick_yaml.safe_load(path.read_text())):
            told = yaml.safe_dump(task, width=10000)
            if "ansible.builtin.assert" in task or "fail_msg" in told:
                assert "remove --purge" not in told, (named(path), task["name"])


RANKS: dict[str, tuple[Mapping[str, int | str], Mapping[str, int]]] = {
    "new": ({"lb1": "none", "lb2": "none"}, {"lb1": 150, "lb2": 140}),
    "as_before": ({"lb1": 150, "lb2": 140}, {"lb1": 150, "lb2": 140}),
    "added_before": ({"a0": "none", "lb1": 150, "lb2": 140}, {"a0": 130, "lb1": 150, "lb2": 140}),
    "made_anew": ({"lb1": "none", "lb2": 140}, {"lb1": 130, "lb2": 140}),
    "of_others": ({"lb1": "theirs", "lb2": 140}, {"lb1": 130, "lb2": 140}),
    "two_added": ({"a0": "none", "lb1": 20, "z9": "none"}, {"a0": 10, "lb1": 20, "z9": 1}),
}  # fmt: skip


def test_a_load_balancer_keeps_its_rank_whatever_the_names(tmp_path: Path) -> None:
    """One that is added, or made anew, comes last: the address stays where it is well."""
    plays: list[dict[str, Any]] = []
    children: dict[str, Any] = {}
    for case, (machines, _) in RANKS.items():
        hosts: dict[str, Any] = {}
        for name, says in machines.items():
            file = tmp_path / f"{case}-{name}.conf"
            if says != "none":
                written = "# Written by Sitewright.\n" if says != "theirs" else ""
                number = says if says != "theirs" else 250
                file.write_text(f"{written}vrrp_instance x {{\n    priority {number}\n}}\n")
            hosts[f"{case}.{name}"] = {**HERE, "vip_file": str(file)}
        children[case] = {"hosts": hosts}
        ranks = {"ansible.builtin.include_tasks": str(PLAYBOOKS / "tasks/vip_rank.yml")}
        tell = {
            "ansible.builtin.debug": {"msg": "RANK {{ inventory_hostname }} {{ vip_priority }}!"}
        }
        plays.append(
            {"name": case, "hosts": case, "gather_facts": False,
             "tasks": [{"name": "Rank", **ranks}, {"name": "Tell", **tell}]}
        )  # fmt: skip
    (tmp_path / "ranks.yml").write_text(yaml.safe_dump(plays, sort_keys=False))
    said = run(tmp_path, str(tmp_path / "ranks.yml"), {"all": {"children": children}}, tmp_path)
    for case, (_, expected) in RANKS.items():
        for name, priority in expected.items():
            assert f"RANK {case}.{name} {priority}!" in said, said
