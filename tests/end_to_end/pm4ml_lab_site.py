"""A whole PM4ML site made of lab machines, as the guide's tables have it.

`python -m tests.end_to_end.pm4ml_lab_site staging|production` brings one up, says what to type, and
takes it away when standard input closes.

MicroK8s, MicroCeph, snapd, Vault and Istio's gateways are the stand-ins of tests/stand_ins; the
kernel's parameters and modules are copies. systemd, SSH, Ansible, apt, chrony, nftables, HAProxy,
keepalived, Git and the disks are real.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.lab.lab import Lab
from tests.lab.machine import Machine
from tests.lab.recipe import UBUNTU_24_04
from tests.stand_ins.install import begin_gateways, install

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
DISKS = ("/dev/lab-disk-a", "/dev/lab-disk-b")

_TIME_AND_GIT = """\
mkdir -p /etc/chrony/conf.d
printf 'allow all\\nlocal stratum 4\\n' > /etc/chrony/conf.d/serve.conf
systemctl restart chrony
apt-get update -qq
apt-get install -qq -y --no-install-recommends git >/dev/null 2>&1
mkdir -p /srv/checkout
cd /srv/checkout
git init -q -b main
"""

_SERVE = """\
cd /srv/checkout
git add . && git -c user.name=x -c user.email=x@x.test commit -q -m x
git clone -q --bare /srv/checkout /srv/site.git
git -C /srv/site.git update-server-info
systemd-run --quiet --unit=web -p WorkingDirectory=/srv python3 -m http.server 8000
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
    "pm4ml/api.yaml": (
        "kind: Deployment\nmetadata: {{name: api}}\nspec:\n  template:\n    spec:\n"
        "      containers:\n        - name: api\n          resources:\n"
        "            requests: {{cpu: 1, memory: 1Gi}}\n"
        "            limits: {{cpu: 2, memory: 2Gi}}\n"
    ),
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

    def first(self, role: str) -> Machine:
        """The first machine of a role by name."""
        table = TABLES[self.environment]
        return self.machines[min(name for name, roles in table.items() if role in roles)]

    def close(self) -> None:
        """Give the disks back, which belong to the machine that the lab runs on."""
        for machine in self.machines.values():
            detach = (
                f'for d in {" ".join(DISKS)}; do [ ! -e $d ] || losetup -d "$(readlink $d)"; done'
            )
            machine.exec(["sh", "-c", detach], check=False)


def build(
    lab: Lab, folder: Path, environment: str, *, left_out: str = "", waived: bool = True
) -> Pm4mlLabSite:
    """Start the machines of an environment, prepare them, and write the site file."""
    table = TABLES[environment]
    *machines, helper = lab.machines(names=[*table, "helper"], stand_in=UBUNTU_24_04)
    by_name = dict(zip(table, machines, strict=True))
    quarters = list(lab.subnet.subnets(2))
    helper.script(_TIME_AND_GIT, timeout=600)
    for name, text in REPOSITORY.items():
        rendered = text.format(environment=environment, domain=DOMAIN)
        helper.write_file(f"/srv/checkout/apps/{name}", rendered)
    helper.script(_SERVE)
    for number, (name, roles) in enumerate(table.items()):
        machine = by_name[name]
        if "load-balancer" in roles:
            machine.add_address(str(quarters[2].network_address + 20 + number))
            continue
        install(machine)
        if "worker" in roles:
            begin_gateways(machine, DOMAIN)
        if "storage" in roles:
            for disk in DISKS:
                machine.add_disk(disk)
    site = Pm4mlLabSite(lab, environment, by_name, helper, folder / "site.yaml")
    # What the institution's DNS says, and what stands behind services inside the cluster.
    front = quarters[2].network_address + 20 + list(table).index("lb1")
    site.first("master").script(
        f"printf '%s\\n' '{front} argocd.{DOMAIN} portal.{DOMAIN}'"
        " '127.0.0.1 argocd-server.argocd kubernetes.default' >> /etc/hosts\n"
        "systemd-run --quiet --unit=inside python3 -m http.server 443 --bind 127.0.0.1\n"
    )
    site.first("master").write_file("/root/argocd.yaml", "apiVersion: v1\n")
    site.file.write_text(_site_text(site, left_out=left_out, waived=waived))
    return site


def _site_text(site: Pm4mlLabSite, *, left_out: str, waived: bool) -> str:
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
        "argocd_manifest": "/root/argocd.yaml",
        "git_url": f"http://{site.helper.address}:8000/site.git",
        "applications_left_out": left_out,
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
