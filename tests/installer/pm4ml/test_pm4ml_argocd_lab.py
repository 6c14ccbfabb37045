"""PM4ML's Argo CD, its applications and the hub's secret in the lab.

`snap` and `microk8s` are stood in for by programs that keep their command lines (tests/stand_ins).
Ansible, SSH, systemd, Git and the files on the machine are real.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml

from tests.installer.pm4ml_site import PLAYBOOKS, SEARCH, make
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.stand_ins.install import calls, order

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3000)]

SECRETS = {
    "git_password": "known-git-password",
    "vault_token": "root-token",
    "mcmdev_client_secret": "known-hub-secret",
}
APPLICATIONS = "/var/snap/microk8s/common/stand-in/applications.json"


KEPT = ("base-utils", "storage-app", "certmanager-helm", "pm4ml")
"""Applications that the tests wait for, in the guide's order; one is like the other."""


def ordered() -> list[str]:
    """Every application of the guide, in its order."""
    text = (PLAYBOOKS / "vars/applications.yml").read_text()
    return [each["name"] for each in yaml.safe_load(text)["ordered_applications"]]


REPOSITORY = """\
apt-get update -qq
apt-get install -qq -y --no-install-recommends git >/dev/null 2>&1
mkdir -p /srv && cd /srv
git init -q --bare -b main site.git
git clone -q site.git work 2>/dev/null
cd work
git -c user.name=x -c user.email=x@x.example commit -q --allow-empty -m x
git push -q origin HEAD:main
cd ../site.git && git update-server-info
systemd-run --quiet --unit=web -p WorkingDirectory=/srv python3 -m http.server 8000
"""


def test_argo_cd_the_applications_and_the_hub_s_secret(
    lab: Lab, machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """In order, each waited for; why one is not healthy; secrets over standard input only.

    That a second run changes nothing is shown with a key here, and of the rest in
    test_install_lab.py.
    """
    site = make(lab, machine_factory, tmp_path, m1="master")
    (m1,) = site.roles
    m1.write_file("/root/install.yaml", "apiVersion: v1\n")
    m1.script(REPOSITORY, timeout=600)
    site.settings = {
        "argocd_manifest": "/root/install.yaml",
        "git_url": f"http://{m1.address}:8000/site.git",
        "git_user": "robot",
        "applications_left_out": ", ".join(name for name in ordered() if name not in KEPT),
    }
    assert site.play("1.microk8s_setup.yml").status == 0

    site.settings["git_revision"] = "no-such-branch"
    refused = site.play("2.argocd_setup.yml", secrets=SECRETS)
    assert refused.status != 0
    assert "answers and has no branch or tag no-such-branch" in refused.flat
    site.settings["git_revision"] = "main"
    assert "is missing" in site.play("2.argocd_setup.yml").flat
    whole = site.play("2.argocd_setup.yml", secrets=SECRETS)
    assert whole.status == 0, whole.output

    # By SSH with a key: told to Argo CD with the server's host key, and nowhere on a disk.
    by_password = dict(site.settings)
    m1.exec(["chown", "-R", "ubuntu", "/srv/site.git"])
    site.settings |= {
        "git_url": f"ssh://ubuntu@{m1.address}/srv/site.git",
        "git_by_key": True,
        "git_host_keys": f"{m1.address} {m1.host_key}",
    }
    key = lab.key.read_text()
    keyed = site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key})
    assert keyed.status == 0, keyed.output
    stored = m1.exec(["cat", "/var/snap/microk8s/common/stand-in/objects.json"]).stdout
    secret = json.loads(stored)["Secret/argocd/sitewright-repository"]["data"]
    assert base64.b64decode(secret["sshPrivateKey"]).decode().strip() == key.strip()
    assert set(site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key}).changed.values()) == {
        0
    }
    middle = key.splitlines()[2]
    assert m1.exec(["sh", "-c", SEARCH, "sh", middle], check=False).stdout == ""
    assert middle not in keyed.output
    site.settings["git_host_keys"] = f"{m1.address} ssh-ed25519 {'A' * 68}"
    stranger = site.play("2.argocd_setup.yml", secrets={"git_ssh_key": key})
    assert stranger.status != 0
    assert "cannot be read" in stranger.flat
    site.settings = by_password
    assert site.play("2.argocd_setup.yml", secrets=SECRETS).status == 0

    sick = {
        "storage-app": {
            "health": "Degraded",
            "conditions": [{"message": "chart not found"}],
            "resources": [
                {
                    "kind": "Deployment",
                    "name": "d1",
                    "namespace": "storage",
                    "health": {"status": "Degraded", "message": "no room"},
                }
            ],
        }
    }
    m1.write_file(APPLICATIONS, json.dumps(sick))
    site.settings["application_minutes"] = "1"
    failed = site.play("5.apps_setup.yml", "--extra-vars", '{"application_poll_seconds": 30}')
    assert failed.status != 0
    assert "It is Synced and Degraded after 1 minutes" in failed.flat
    assert "Deployment d1 is Degraded: no room; chart not found" in failed.flat
    assert "successfully synced" not in failed.flat
    assert (
        "certmanager-helm"
        not in m1.exec(["microk8s", "kubectl", "-n", "argocd", "get", "app"]).stdout
    )

    m1.write_file(APPLICATIONS, json.dumps({"storage-app": {"resources": []}}))
    empty = site.play("5.apps_setup.yml", "--extra-vars", '{"application_poll_seconds": 30}')
    assert empty.status != 0
    assert "storage-app is Synced and Healthy, and nothing was deployed: its folder" in empty.flat

    m1.write_file(APPLICATIONS, "{}")
    deployed = site.play("5.apps_setup.yml")
    assert deployed.status == 0, deployed.output
    asked = [call.split()[6] for call in calls(m1) if "get applications.argoproj.io" in call]
    in_order = list(dict.fromkeys(asked))
    assert in_order == list(KEPT)

    wrong = site.play("hub_secret.yml", secrets={**SECRETS, "vault_token": "wrong-token"})
    assert wrong.status != 0
    assert "permission denied" in wrong.flat
    written = site.play("hub_secret.yml", secrets=SECRETS)
    assert written.status == 0, written.output
    stored = m1.exec(["cat", "/var/lib/stand-in/vault/secret_bank-one/mcmdev_client_secret"]).stdout
    assert stored == SECRETS["mcmdev_client_secret"]

    # The API down, or a login that may not list: nobody said that there is nothing.
    for trouble, words in (("api_down", "was refused - did"), ("forbidden", "is forbidden")):
        order(m1, **{trouble: 1})
        for playbook in ("undo/argocd.yml", "undo/microk8s.yml"):
            untold = site.play(playbook)
            assert untold.status != 0
            assert "cannot be told" in untold.flat
            assert words in untold.flat
    order(m1, api_down=1)
    assert (
        "The API of the cluster does not answer: The connection to the server"
        in site.play("2.argocd_setup.yml", secrets=SECRETS).flat
    )
    order(m1)

    # Taking it back is refused while there is anything of value, and then takes all of it.
    assert "Argo CD has deployed" in site.play("undo/argocd.yml").flat
    m1.exec(["microk8s", "kubectl", "-n", "argocd", "delete", "app", "--all"])
    for playbook in ("undo/argocd.yml", "undo/checklist.yml", "undo/microk8s.yml"):
        undone = site.play(playbook)
        assert undone.status == 0, undone.output
        if playbook == "undo/argocd.yml":
            left = m1.exec(["microk8s", "kubectl", "get", "ns", "-o", "name"]).stdout
            assert "argocd" not in left
            assert set(site.play(playbook).changed.values()) == {0}
    assert m1.exec(["sh", "-c", "command -v microk8s; ls /var/snap"], check=False).stdout == ""

    for secret in (SECRETS["git_password"], SECRETS["mcmdev_client_secret"]):
        found = m1.exec(
            ["sh", "-c", SEARCH, "sh", secret],
            check=False,
        )  # fmt: skip
        assert found.stdout == ""
        for played in (whole, deployed, written, wrong):
            assert secret not in played.output
