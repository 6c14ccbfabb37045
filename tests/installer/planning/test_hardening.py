"""Hardening lists: each check holds, fails and cannot be told where it should; none by silence.

The scripts are run for real; the programs that they ask are stand-ins.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from foundation.problems import InputProblem
from installer.catalogue.hardening import load_hardening
from installer.catalogue.solution import load_solution, solution_ids
from installer.planning.hardening import questions
from installer.sites.site import Site
from preflight.findings import Finding, Severity
from preflight.hardening import hardening_script, judge_hardening
from tests.installer.planning.hardening_answers import BAD, GOOD, Answers

pytestmark = pytest.mark.processes

_PROGRAM = """\
#!/usr/bin/env -S python3 -I
\"\"\"STAND-IN: says what is in answers.json for its name.\"\"\"
import json, pathlib, sys
here = pathlib.Path(sys.argv[0])
said = " ".join(sys.argv[1:])
for words, status, text in json.loads((here.parent / "answers.json").read_text())[here.name]:
    if words in said:
        sys.stdout.write(text)
        sys.exit(status)
sys.exit(1)
"""
_PROGRAMS = ("sysctl", "getent", "swapon", "ufw", "ps", "exportfs", "stat", "curl", "openssl",
             "kubectl", "microk8s", "nft", "sshd", "ss", "docker", "systemctl")  # fmt: skip
NO, NOTHING = [("", 1, "")], [("", 0, "")]
UNTOLD = {"hardening.keycloak-redirects"}
"""What no program is told."""
_PLACES = ("/etc/fstab", "/etc/hosts", "/etc/haproxy/haproxy.cfg", "/root/.kube", "/root/.ssh",
           "/etc/ssh/sshd_config", "/var/run/docker.sock",
           "/var/snap/microk8s/current/credentials/client.config",
           "/etc/rancher/rke2/rke2.yaml")  # fmt: skip


def site(name: str, folder: Path) -> Site:
    """A site with a machine for each role."""
    solution = load_solution(name)
    settings = {
        "mosip": {"domain": "sandbox.example.org", "public_address": "203.0.113.20",
                  "internal_address": "10.10.0.20", "kubeconfig": f"{folder}/kubeconfig",
                  "observation_kubeconfig": f"{folder}/kubeconfig"},
        "pm4ml": {"ceph": "yes", "applications": "yes"},
    }  # fmt: skip
    return Site.model_validate(
        {
            "solution": name,
            **({"environment": "on-clusters"} if name == "mosip" else {}),
            "hosts": [
                {"name": f"{role.id}-1", "address": f"192.0.2.{at}", "roles": [role.id]}
                for at, role in enumerate(solution.roles, 1)
            ],
            "settings": settings.get(name, {}),
        }
    )


def told(name: str, folder: Path, answers: Answers, **files: str) -> list[Finding]:
    """What every check of a solution says where programs and files are so."""
    programs = folder / "bin"
    programs.mkdir()
    given = {**dict.fromkeys(_PROGRAMS, NO), **answers}
    (programs / "answers.json").write_text(json.dumps(given))
    (programs / "id").write_text("#!/bin/sh\necho 0\n")
    (programs / "id").chmod(0o755)
    names = set(_PROGRAMS) | ({"python3"} if "python3" in answers else set())
    for program in names:
        (programs / program).write_text(
            _PROGRAM.replace("env -S python3", "env -S /usr/bin/python3")
        )
        (programs / program).chmod(0o755)
    files.setdefault("kubeconfig", "a: b\n")
    for place, text in files.items():
        (folder / place).write_text(text)
    found: list[Finding] = []
    for host, asked in questions(load_solution(name), site(name, folder)).of_machines.items():
        text = hardening_script(asked).decode()
        text = text.replace("PATH=/usr", f"PATH={programs}:/usr")
        text = text.replace("/var/lib/sitewright/helm-deploy/kubectl", "kubectl")
        for place in _PLACES:
            text = text.replace(place, f"{folder}/{place.rpartition('/')[2]}")
        text = text.replace("[ -S ", "[ -e ")
        done = subprocess.run(
            ["sh", "-s", "nonce"],
            input=text.encode(),
            capture_output=True,
            check=False,
            timeout=120,
        )
        found += judge_hardening(done.stdout, "nonce", asked, host=host)
    return found


FILES_GOOD = {
    "fstab": "/dev/sda1 / ext4 defaults 0 1\n#/swap.img none swap sw 0 0\n",
    "hosts": "127.0.0.1 localhost\n",
    "haproxy.cfg": "defaults\n  mode tcp\nfrontend a\n  bind *:443\n",
    "docker.sock": "", "client.config": "",
}  # fmt: skip
FILES_BAD = {
    "fstab": "/swap.img none swap sw 0 0\n",
    "hosts": "192.0.2.1 somebody\n",
    "haproxy.cfg": "frontend a\n  mode http\n  bind *:443 ssl crt /a.pem\n",
    "docker.sock": "", "client.config": "",
}  # fmt: skip


@pytest.mark.parametrize("name", solution_ids())
def test_what_is_as_the_list_asks_holds(name: str, tmp_path: Path) -> None:
    found = told(name, tmp_path, GOOD[name], **FILES_GOOD)
    assert {one.id for one in found} >= {
        f"hardening.{check.id}" for check in load_hardening(load_solution(name)).checks
    }
    wrong = [one for one in found if one.severity is not Severity.PASS and one.id not in UNTOLD]
    assert wrong == []
    assert all(one.evidence and one.source for one in found)


@pytest.mark.parametrize("name", solution_ids())
def test_what_is_not_fails_and_says_what_to_do(name: str, tmp_path: Path) -> None:
    found = told(name, tmp_path, BAD[name], **FILES_BAD)
    bad = (Severity.FAIL, Severity.WARN)
    wrong = {one.id: one.actual for one in found if one.severity not in bad}
    assert {name: why for name, why in wrong.items() if name not in UNTOLD} == {}
    assert all(one.remedy for one in found)


@pytest.mark.parametrize("name", solution_ids())
def test_nothing_holds_where_nothing_answers(name: str, tmp_path: Path) -> None:
    """Every program fails, and every file is missing."""
    found = told(name, tmp_path, {"python3": [("", 1, "")]})
    assert {one.severity for one in found} == {Severity.UNKNOWN}
    assert all(one.actual.startswith("unknown: ") for one in found)


@pytest.mark.parametrize("name", solution_ids())
def test_nothing_holds_where_everything_says_nothing(name: str, tmp_path: Path) -> None:
    """No word is an answer for one question alone: what swap there is."""
    silent: Answers = dict.fromkeys((*_PROGRAMS, "python3"), NOTHING)
    found = told(name, tmp_path, silent, **FILES_GOOD)
    holds = {one.id for one in found if one.severity is Severity.PASS}
    assert holds <= {"hardening.swap", "hardening.hosts-localhost", "hardening.haproxy-passes-tls",
                     "hardening.grafana-password"}  # fmt: skip


def test_a_machine_that_is_down_is_not_closed(tmp_path: Path) -> None:
    """It answers on no port, not even for SSH."""
    found = told("pm4ml", tmp_path, {**GOOD["pm4ml"], "python3": [("", 0, "silent\n")]})
    ports = {one.id: one for one in found if one.id.endswith(("ports", "nodeports"))}
    del ports["hardening.haproxy-ports"]
    assert len(ports) == 3
    assert {one.severity for one in ports.values()} == {Severity.UNKNOWN}


def test_no_kubeconfig_that_names_a_program_is_gone_by(tmp_path: Path) -> None:
    """Root would start it; what hangs on that cluster cannot be told."""
    found = told("mosip", tmp_path, GOOD["mosip"], kubeconfig="users: [{user: {exec: /tmp/x}}]\n")
    classes = next(one for one in found if one.id == "hardening.one-default-class")
    assert classes.severity is Severity.UNKNOWN
    assert "names a program that root would start" in classes.actual


@pytest.mark.parametrize("check", ["log-level", "known-otp", "one-default-class"])
def test_a_refused_kubeconfig_is_told_as_that_and_not_as_a_silent_cluster(
    check: str, tmp_path: Path
) -> None:
    text = "clusters: [{name: c, cluster: {server: http://192.0.2.1}}]\n"
    found = told("mosip", tmp_path, GOOD["mosip"], kubeconfig=text)
    (one,) = (one for one in found if one.id == f"hardening.{check}")
    assert one.severity is Severity.UNKNOWN
    assert "tokens would be sent to it in clear" in one.actual
    assert "answer" not in one.actual


def test_a_name_that_is_slow_is_not_closed(tmp_path: Path) -> None:
    slow: Answers = {"curl": [("api.", 0, "200"), ("iam.", 28, "000"), ("", 7, "000")]}
    found = told("mosip", tmp_path, {**GOOD["mosip"], **slow})
    (one,) = (one for one in found if one.id == "hardening.closed-names")
    assert one.severity is Severity.UNKNOWN
    assert "iam.sandbox.example.org does not answer within 4 s" in one.actual


@pytest.mark.parametrize("name", ["pm4ml", "iac"])
def test_a_password_that_a_match_block_allows_is_seen(name: str, tmp_path: Path) -> None:
    """`sshd -T` tells of logins that no block concerns."""
    (tmp_path / "sshd_config.d").mkdir()
    block = "X11Forwarding no\nMatch User backup\n  PasswordAuthentication yes\n"
    (tmp_path / "sshd_config.d/50.conf").write_text(block)
    found = told(name, tmp_path, GOOD[name], sshd_config="PasswordAuthentication no\n")
    seen = [one for one in found if one.id == "hardening.ssh"]
    assert {one.severity for one in seen} == {Severity.FAIL}
    assert "line 3: PasswordAuthentication yes" in seen[0].actual


def test_what_nobody_can_be_asked_is_said(tmp_path: Path) -> None:
    alone = Site.model_validate(
        {"solution": "mosip", "environment": "sandbox",
         "hosts": [{"name": "n1", "address": "192.0.2.1", "roles": ["cluster-node"]}]}
    )  # fmt: skip
    found = questions(load_solution("mosip"), alone)
    why = {one.id: one.unasked for one in found.of_nobody}
    assert why["hardening.nfs-exports"] == "no machine of this site has the role nfs"
    assert "public_address" in why["hardening.closed-names"]
    assert len(found.of_machines["n1"]) + len(why) + found.not_due == 26
    assert found.not_due == 1


def test_a_solution_without_a_list_says_so(tmp_path: Path) -> None:
    from tests.test_adding import code

    (tmp_path / "echo").mkdir()
    for name, text in zip(
        ("solution", "sizing", "ports"), code("A solution", "yaml"), strict=False
    ):
        (tmp_path / "echo" / f"{name}.yaml").write_text(text)
    with pytest.raises(InputProblem, match="has no list of hardening checks"):
        questions(
            load_solution("echo", tmp_path), Site.model_validate({"solution": "echo", "hosts": []})
        )
