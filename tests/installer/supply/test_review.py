"""What is reviewed is what runs: variables of machines, links and paths of playbooks, all shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from foundation.paths import write_private
from foundation.problems import InputProblem
from installer.catalogue.solution import FOLDER, load_solution
from installer.commands.plan import plan_text
from installer.planning.make import make_plan
from installer.plans.pinned_playbooks import told_in_numbers
from installer.plans.plan_files import plan_from_json
from installer.plans.playbooks_reach import reaching_out
from installer.sites.site import Site, load_site
from installer.supply.review import beside_the_steps
from tests.installer.planning.test_planning import site


def with_variables(variables: dict[str, str]) -> Site:
    """The site of the tests, with variables of the machine m1."""
    plain = site()
    hosts = [
        host.model_copy(update={"variables": variables}) if host.name == "m1" else host
        for host in plain.hosts
    ]
    return plain.model_copy(update={"hosts": tuple(hosts)})


SITE = """\
solution: pm4ml
hosts:
  - name: m1
    address: 10.0.0.1
    variables:
      nic: eth0
      {name}: {value}
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ansible_connection", "local"),
        ("ansible_python_interpreter", "/tmp/notes.txt"),
        ("ansible_ssh_executable", "./x"),
        ("Ansible_Become_Exe", "./x"),
        ("hostvars", "x"),
        ("inventory_hostname", "other"),
        ("playbook_dir", "/"),
        ("sitewright_anything", "x"),
    ],
)
def test_a_variable_that_means_something_to_ansible_is_refused_with_its_line(
    tmp_path: Path, name: str, value: str
) -> None:
    """It would decide which program runs, and where: on the operator's own machine, say."""
    file = tmp_path / "site.yaml"
    file.write_text(SITE.format(name=name, value=value))
    with pytest.raises(InputProblem) as refused:
        load_site(file)
    assert "line 7" in refused.value.cause
    assert f'"hosts[1].variables.{name}":' in refused.value.cause


@pytest.mark.parametrize(("name", "value"), [("domain", "evil.example"), ("role", "worker")])
def test_a_variable_does_not_speak_over_a_setting_or_a_role(name: str, value: str) -> None:
    with pytest.raises(InputProblem, match=f'"{name}" of the machine m1'):
        make_plan(load_solution("pm4ml"), with_variables({name: value}), ())


def test_variables_are_shown_and_under_the_hash_of_the_plan(tmp_path: Path) -> None:
    plan, other = (
        make_plan(load_solution("pm4ml"), with_variables({"nic": nic}), ())
        for nic in ("eth0", "eth1")
    )
    assert plan.sha256 != other.sha256
    assert "nic = eth0" in plan_text(plan, 80)
    write_private(tmp_path / "plan.json", json.dumps(plan.as_json()))
    assert plan_from_json(tmp_path / "plan.json") == plan


def test_roles_outside_the_folder_are_told_before_anything_begins(tmp_path: Path) -> None:
    folder = tmp_path / "repo" / "playbooks"
    (folder / "roles" / "in" / "tasks").mkdir(parents=True)
    (folder / "roles" / "in" / "tasks" / "main.yml").write_text(
        "- include_tasks: ../files/inside.yml\n- template: {src: ../templates/x.j2, dest: /x}\n"
    )
    (folder / "1.first.yml").write_text("- hosts: all\n  tasks: []\n")
    assert reaching_out(folder) == []
    (folder / "ansible.cfg").write_text("[defaults]\nroles_path = ../roles\n")
    (folder / "1.first.yml").write_text(
        "- hosts: all\n  tasks:\n  - copy: {src: ../secret, dest: /x}\n  - command: ls ../x\n"
    )
    told = reaching_out(folder)
    assert len(told) == 2
    assert "ansible.cfg is not read" in told[0]
    assert "1.first.yml, line 3: src: ../secret" in told[1]
    for text in (
        "- hosts: all\n  roles: [../../roles/x]\n",
        "- hosts: all\n  roles:\n  - role: ../roles/x\n",
        "- import_playbook: ../other.yml\n",
        "- hosts: all\n  vars_files: [a.yml, ../vars.yml]\n",
        "- hosts: all\n  vars: {a: !vault x}\n  tasks:\n  - include_tasks: ../t.yml\n",
    ):
        (folder / "1.first.yml").write_text(text)
        with pytest.raises(InputProblem, match=r"1\.first\.yml, line \d+: .*\.\./"):
            reaching_out(folder)


def test_own_playbooks_and_what_to_mind_stand_in_the_review(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "ansible.cfg").write_text("[defaults]\n")
    for path in (FOLDER / "pm4ml" / "playbooks").glob("[0-9].*.yml"):
        (folder / path.name).write_text("- hosts: all\n  tasks: []\n")
    plan = make_plan(load_solution("pm4ml"), site(), (), playbooks=folder)
    told = "\n".join(beside_the_steps(plan, full=True))
    assert f"Playbooks of your own run, from {folder}" in told
    assert "ansible.cfg is not read" in told
    assert f"The folder {folder} of playbooks has" in told
    assert "Group of w2, m2, m1, m3, w1 for playbooks: cluster" in told


def test_the_bundle_of_a_plan_is_shown_with_whose_word_counts() -> None:
    plan = replace(
        make_plan(load_solution("pm4ml"), site(), ()),
        supplies=(("bundle", "site.bundle"), ("index", f"sha256:{'ab' * 32}"), ("unsigned", "yes")),
    )
    (line,) = [line for line in beside_the_steps(plan) if line.startswith("Supplied from")]
    assert line.startswith("Supplied from site.bundle, index abababababab")
    counted = replace(plan, supplies=(*plan.supplies, ("items", "41"), ("bytes", "3200000000")))
    (line,) = [line for line in beside_the_steps(counted) if line.startswith("Supplied from")]
    assert line.startswith("Supplied from site.bundle (41 items, 3.2 GB), index abababababab")
    assert "NOBODY's signature is asked for" in line


def test_how_much_a_folder_of_playbooks_is_stands_in_the_review(tmp_path: Path) -> None:
    folder = tmp_path / "pb"
    (folder / "files").mkdir(parents=True)
    (folder / "site.yml").write_bytes(b"x" * 1500)
    (folder / "files/run.sh").write_bytes(b"y" * 500)
    (folder / "files/run.sh").chmod(0o755)
    (folder / "files/other.sh").symlink_to("run.sh")
    assert told_in_numbers(folder) == (
        f"The folder {folder} of playbooks has 3 files, 2.5 kB, 2 programs among them, "
        "1 is reached through links inside it; all of it is carried along."
    )
