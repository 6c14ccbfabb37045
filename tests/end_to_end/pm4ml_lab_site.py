"""A whole PM4ML site made of lab machines, as the guide's tables have it.

`python -m tests.end_to_end.pm4ml_lab_site staging|production` brings one up, says what to type, and
takes it away when standard input closes.

MicroCeph, snapd, Vault, Istio's gateways and MicroK8s but for its Kubernetes are the stand-ins of
tests/stand_ins; the kernel's parameters and modules are copies. Kubernetes, CoreDNS and Argo CD are
real, and so are systemd, SSH, Ansible, apt, chrony, nftables, HAProxy, keepalived, Git and disks.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

from installer.catalogue.solution import load_solution
from tests.lab.kubernetes import build as build_kubernetes
from tests.lab.kubernetes import images, served
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.lab.recipe import UBUNTU_24_04
from tests.stand_ins import ceph_chart, vault_pod
from tests.stand_ins.install import begin_gateways, start

DOMAIN = "pm4ml.bank.test"
TABLES: dict[str, dict[str, tuple[str, ...]]] = {
    "staging": {
        "n1": ("master", "worker"),
        "n2": ("master", "worker"),
        "lb1": ("load-balancer",),
        "s1": ("storage",),
    },
    "production": {
        **{f"m{n}": ("master",) for n in (1, 2, 3)},
        **{f"w{n}": ("worker",) for n in (1, 2, 3)},
        **{f"lb{n}": ("load-balancer",) for n in (1, 2)},
        **{f"s{n}": ("storage",) for n in (1, 2, 3)},
    },
}
"""Sections 4.1 and 4.2 of the guide: machines and their roles."""

WAIVED = (
    *("machine", "cpu", "memory", "disk", "nic", "software", "kernel", "limits", "os", "role"),
    *("host", "unique", "consistency", "time", "network", "firewall", "egress"),
)
"""Areas in which a lab machine cannot be as the guide wants it: its hardware is this machine's."""

CONFIRMED = ("ceph/take-the-disks", "checklist/checklist")
SECRETS = {"vault_token": "root-token", "mcmdev_client_secret": "known-hub-secret"}
CSI_VERSION = "3.13.0"
DISKS = ("/dev/lab-disk-a", "/dev/lab-disk-b")
KEPT = ("base-utils", "storage-app", "pm4ml")
"""Applications of the guide's order that the lab waits for; one is like the other."""

_TIME_AND_GIT = """\
mkdir -p /etc/chrony/conf.d
printf 'allow all\\nlocal stratum 4\\n' > /etc/chrony/conf.d/serve.conf
systemctl restart chrony
apt-get update -qq
apt-get install -qq -y --no-install-recommends git >/dev/null 2>&1
mkdir -p /srv/checkout /srv/cgi-bin
cat > /srv/cgi-bin/git <<'END'
#!/bin/sh
export GIT_PROJECT_ROOT=/srv GIT_HTTP_EXPORT_ALL=1
exec git http-backend
END
chmod 755 /srv/cgi-bin/git
git config --system --add safe.directory '*'
cd /srv/checkout
git init -q -b main
"""

_SERVE = """\
cd /srv/checkout
git add . && git -c user.name=x -c user.email=x@x.test commit -q -m x
git clone -q --bare /srv/checkout /srv/site.git
systemd-run --quiet --unit=web -p WorkingDirectory=/srv python3 -m http.server --cgi 8000
"""

REPOSITORY = {
    "env.yaml": "environment: {environment}\n",
    "istio-gateways-app/gateway.yaml": (
        "apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: external}}\n"
        'spec:\n  servers:\n    - hosts: ["*/portal.{domain}"]\n'
        "      tls: {{mode: SIMPLE, credentialName: external-tls}}\n"
        "---\nkind: Certificate\nmetadata: {{name: external}}\n"
        'spec: {{secretName: external-tls, dnsNames: ["*.{domain}"]}}\n'
    ),
    "certmanager-clusterissuers/issuer.yaml": (
        "kind: ClusterIssuer\nmetadata: {{name: vault}}\nspec: {{vault: {{}}}}\n"
    ),
    "pm4ml/values.yaml": "dfspId: bank-one\nstorageClass: ceph-rbd\nsize: 10Gi\n",
    "pm4ml/namespace.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {{name: pm4ml}}\n",
    "pm4ml/api.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: api, namespace: pm4ml}}\n"
        "spec:\n  selector: {{matchLabels: {{app: api}}}}\n"
        "  template:\n    metadata: {{labels: {{app: api}}}}\n    spec:\n"
        "      containers:\n        - name: api\n          image: {pod}\n"
        "          imagePullPolicy: IfNotPresent\n"
        "          resources:\n"
        "            requests: {{cpu: 10m, memory: 10Mi}}\n"
        "            limits: {{cpu: 2, memory: 2Gi}}\n"
    ),
    "base-utils/utils.yaml": (
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: base-utils}}\n---\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: utils, namespace: base-utils}}\n"
    ),
    "storage-app/vault.yaml": "{vault}",
}
"""A customer's repository, below `apps/`."""


@dataclass
class Pm4mlLabSite:
    """The machines of a site, and its site file."""

    lab: Lab
    environment: str
    machines: dict[str, Machine]
    helper: Machine
    """No machine of the site: the time server and the Git server."""
    file: Path
    given: served.Registry
    """Where the nodes pull images, as the site's mirror."""
    running: ExitStack

    def first(self, role: str) -> Machine:
        """The first machine of a role by name."""
        table = TABLES[self.environment]
        return self.machines[min(name for name, roles in table.items() if role in roles)]

    def close(self) -> None:
        """End the registry; give the disks back, which belong to the lab's own machine."""
        self.running.close()
        for machine in self.machines.values():
            detach = (
                f'for d in {" ".join(DISKS)}; do [ ! -e $d ] || losetup -d "$(readlink $d)"; done'
            )
            machine.exec(["sh", "-c", detach], check=False)


def build(lab: Lab, folder: Path, environment: str, *, waived: bool = True) -> Pm4mlLabSite:
    """Start the machines of an environment, prepare them, and write the site file."""
    table = TABLES[environment]
    helper = lab.machine("helper", stand_in=UBUNTU_24_04)
    by_name = start(MachineFactory(lab), table, stand_in=UBUNTU_24_04)
    vault = vault_pod.pod(min(name for name, roles in table.items() if "worker" in roles))
    quarters = list(lab.subnet.subnets(2))
    helper.script(_TIME_AND_GIT, timeout=600)
    for name, text in REPOSITORY.items():
        rendered = text.format(
            environment=environment, domain=DOMAIN, pod=images.POD, vault=json.dumps(vault)
        )
        helper.write_file(f"/srv/checkout/apps/{name}", rendered)
    helper.script(_SERVE)
    for number, (name, roles) in enumerate(table.items()):
        machine = by_name[name]
        if "load-balancer" in roles:
            machine.add_address(str(quarters[2].network_address + 20 + number))
            continue
        if "worker" in roles:
            begin_gateways(machine, DOMAIN)
        if "storage" in roles:
            for disk in DISKS:
                machine.add_disk(disk)
    running = ExitStack()
    given = running.enter_context(served.registry(str(lab.subnet.network_address + 1)))
    served.add_argo_cd(given)
    vault_pod.add(given)
    site = Pm4mlLabSite(lab, environment, by_name, helper, folder / "site.yaml", given, running)
    # What the institution's DNS says.
    front = quarters[2].network_address + 20 + list(table).index("lb1")
    for name, roles in table.items():
        if "master" in roles:
            by_name[name].script(f"echo '{front} argocd.{DOMAIN} portal.{DOMAIN}' >> /etc/hosts\n")
            by_name[name].write_file("/root/argocd.yaml", build_kubernetes.argo_cd_manifest())
            ceph_chart.lay(by_name[name], CSI_VERSION)
    site.file.write_text(_site_text(site, waived=waived))
    return site


def left_out() -> list[str]:
    """Applications of the guide that the site does without, since its repository has the others."""
    text = (load_solution("pm4ml").folder / "playbooks/vars/applications.yml").read_text()
    every = [str(each["name"]) for each in yaml.safe_load(text)["ordered_applications"]]
    return [name for name in every if name not in KEPT]


def _site_text(site: Pm4mlLabSite, *, waived: bool) -> str:
    halves, quarters = list(site.lab.subnet.subnets(1)), list(site.lab.subnet.subnets(2))
    table = TABLES[site.environment]
    hosts = ""
    for name, roles in table.items():
        address = site.machines[name].address
        hosts += f"  - {{name: {name}, address: {address}, roles: [{', '.join(roles)}]}}\n"
    settings = {
        "domain": DOMAIN,
        "pm4ml_id": "bank-one",
        "private_network": str(halves[0]),
        "public_network": str(quarters[2]),
        "ntp_servers": site.helper.address,
        "ceph_disks": ", ".join(DISKS),
        "ceph_csi_chart": ceph_chart.CHART,
        "ceph_csi_version": CSI_VERSION,
        "argocd_version": build_kubernetes.ARGO_CD,
        "argocd_manifest": "/root/argocd.yaml",
        "registry_mirror": site.given.address,
        "git_url": f"http://{site.helper.address}:8000/cgi-bin/git/site.git",
        # Its Vault is a stand-in that nobody initialises.
        "vault_initialise": "no",
        "applications_left_out": ", ".join(left_out()),
        "pm4ml_endpoints": f"https://portal.{DOMAIN}/=200",
        "verify_certificates": "no",
    }
    if len([roles for roles in table.values() if "load-balancer" in roles]) > 1:
        settings |= {
            "vip": "yes",
            "vip_external": str(quarters[2].network_address + 9),
            "vip_internal": str(quarters[1].network_address + 9),
        }
    lines = "".join(f'  {name}: "{value}"\n' for name, value in settings.items())
    waivers = "".join(
        f"  - {{check: '{area}.*', by: A. Tester, reason: the lab, until: 2099-01-01}}\n"
        for area in WAIVED
    )
    keys = f"identity_files: [{site.lab.key}], known_hosts: {site.lab.known_hosts}"
    return (
        f"solution: pm4ml\nenvironment: {site.environment}\nssh: {{user: ubuntu, {keys}}}\n"
        f"hosts:\n{hosts}settings:\n{lines}" + (f"waivers:\n{waivers}" if waived else "")
    )


def main() -> int:
    """Bring a site up until standard input closes."""
    parser = argparse.ArgumentParser(description="A PM4ML site of lab machines.")
    parser.add_argument("environment", choices=sorted(TABLES))
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    options = parser.parse_args()
    with Lab() as lab:
        site = build(lab, options.folder, options.environment)
        try:
            confirm = " ".join(f"--confirm {place}" for place in CONFIRMED)
            for name, value in SECRETS.items():
                print(f"export SITEWRIGHT_SECRET_{name.upper()}={value}")
            print(f"sitewright install --site {site.file} --yes --by you {confirm}", flush=True)
            sys.stdin.read()
        finally:
            site.close()
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
