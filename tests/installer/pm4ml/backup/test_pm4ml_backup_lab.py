"""A site is backed up, its first master destroyed, and restored onto a new one.

Real: API, etcd, GnuPG, SSH, systemd, and the programs of the backup. `microk8s` is the
stand-in of tests/stand_ins: `dbctl` over etcd, so that kine and dqlite are not seen.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from foundation.problems import ExitCode
from installer import cli
from installer.sites.site import Site, SiteHost, Ssh, dump_site
from installer.sites.site_backup import Backup
from tests.installer.planning.test_planning import site as planned_site
from tests.installer.pm4ml.backup.keys import Keys, make_keys
from tests.lab.lab import Lab
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.lab.recipe import FULL
from tests.stand_ins.install import order, start

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1800)]

CERTS = "/var/snap/microk8s/current/certs"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


@dataclass
class Backed:
    """Two machines with a Kubernetes each, a third that keeps backups, and the site file."""

    lab: Lab
    m1: Machine
    m2: Machine
    keeper: Machine
    file: Path
    keys: Keys

    def site_of(self, master: Machine, **changes: object) -> Path:
        host_key = self.keeper.exec(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]).stdout
        backup = Backup(
            target=f"ssh://keeper@{self.keeper.address}/srv/backups",
            host_key=" ".join(host_key.split()[:2]),
            keys=(str(self.keys.public),),
            keep=2,
        )
        site = planned_site(**{"domain": "pm4ml.bank.test", **changes})
        ssh = Ssh(
            identity_files=(str(self.lab.key),), known_hosts=(str(self.lab.known_hosts),),
            config=False,
        )  # fmt: skip
        hosts = (
            SiteHost(name=master.name, address=str(master.address), user="ubuntu",
                     roles=("master", "worker")),
        )  # fmt: skip
        told: Site = site.model_copy(
            update={"hosts": hosts, "ssh": ssh, "backup": backup, "environment": "staging"}
        )
        self.file.write_text(dump_site(told))
        return self.file

    def run(self, *words: str) -> int:
        return cli.main([*words, "--site", str(self.file), "--by", "Ma Ma", "--yes"])

    def opened(self, *words: str) -> int:
        return self.run(*words, "--key", str(self.keys.private), "--key-passphrase-file",
                        str(self.keys.passphrase))  # fmt: skip

    def at_target(self) -> list[str]:
        return sorted(
            self.keeper.exec(["sh", "-c", "cd /srv/backups && find . -type f"]).stdout.split()
        )


@pytest.fixture
def backed(lab: Lab, machine_factory: MachineFactory, keys: Keys, tmp_path: Path) -> Backed:
    masters = start(machine_factory, {"m1": ("master",), "m2": ("master",)})
    (keeper,) = machine_factory.several("keeper", recipe=FULL)
    keeper.script("useradd --create-home keeper; install -d -o keeper /srv/backups")

    def install(machine: Machine) -> None:
        machine.exec(["snap", "install", "microk8s", "--classic"], timeout=300)

    with ThreadPoolExecutor() as pool:
        list(pool.map(install, masters.values()))
    return Backed(lab, masters["m1"], masters["m2"], keeper, tmp_path / "site.yaml", keys)


def kubectl(machine: Machine, *words: str, check: bool = True) -> str:
    return str(machine.exec(["microk8s", "kubectl", *words], check=check).stdout)


def test_a_site_is_backed_up_destroyed_and_restored(
    backed: Backed, capsys: pytest.CaptureFixture[str]
) -> None:
    m1, m2, keeper = backed.m1, backed.m2, backed.keeper

    def said() -> str:
        told = capsys.readouterr()
        return " ".join((told.out + told.err).split())

    backed.site_of(m1)
    kubectl(m1, "create", "namespace", "shop")
    kubectl(
        m1, "-n", "shop", "create", "secret", "generic", "ledger", "--from-literal=a=known-word"
    )

    # The target lets nobody in yet: told with the line that lets this machine in.
    assert backed.run("backup", "make") == ExitCode.STAGE_FAILED
    line = re.search(r"restrict ssh-ed25519 \S+", said())
    assert line is not None
    authorized = "/home/keeper/.ssh/authorized_keys"
    keeper.script(f"install -d -o keeper -m 700 /home/keeper/.ssh; echo '{line[0]}' > {authorized}")

    # dbctl writes an archive of nothing and says that all is well.
    order(m1, empty_backup=1)
    assert backed.run("backup", "make") == ExitCode.STAGE_FAILED
    assert "an archive with 0 entries and said that all was well" in said()
    assert backed.at_target() == []

    assert backed.run("backup", "make") == ExitCode.DONE
    assert "It is opened by A. Name <a@bank.test>" in said()
    (sealed, listed) = backed.at_target()
    assert sealed.endswith(".gpg")
    assert "known-word" not in keeper.exec(["cat", f"/srv/backups/{listed}"]).stdout
    assert keeper.exec(
        ["grep", "-c", "known-word", f"/srv/backups/{sealed}"], check=False
    ).returncode
    first = sealed.rpartition("/")[2].removesuffix(".gpg")
    record = sealed.split("/")[1]

    # Opened by whom it is sealed to, and by nobody else.
    assert backed.opened("backup", "verify") == ExitCode.DONE
    told = said()
    assert f"The backup {first} is whole" in told
    assert "would be lost" in told
    assert backed.run("backup", "verify", "--key", str(backed.keys.strangers)) != ExitCode.DONE
    assert "this key does not open the backup: it is sealed to" in said()

    # By itself, by systemd; the oldest goes when there are three.
    assert backed.run("backup", "schedule") == ExitCode.DONE
    for _ in range(2):
        m1.exec(["systemctl", "start", "sitewright-backup.service"], timeout=300)
    assert len(backed.at_target()) == 4
    assert first not in " ".join(backed.at_target())
    said()
    assert backed.run("backup", "list") == ExitCode.DONE
    assert "The last good backup" in said()
    last = backed.at_target()[-1].rpartition("/")[2].removesuffix(".json")
    older = backed.at_target()[0].rpartition("/")[2].removesuffix(".gpg")

    # One that was changed, and one that is cut short: told before anything is opened.
    path = f"/srv/backups/{record}/{older}.gpg"
    # What is sealed is chance: a byte that is written may be the one that stood there.
    keeper.script(
        f"byte=$(od -An -tu1 -j5000 -N1 {path}); "
        f'printf "\\\\$(printf %03o $((255 - byte)))" | '
        f"dd of={path} bs=1 seek=5000 conv=notrunc status=none"
    )
    assert backed.opened("backup", "verify", "--backup", older) == ExitCode.STAGE_FAILED
    assert "is not what was sent" in said()
    keeper.script(f"head -c 5000 {path} > {path}.x; mv {path}.x {path}")
    assert backed.opened("backup", "verify", "--backup", older) == ExitCode.STAGE_FAILED
    assert f"the backup {older} at the target is not whole" in said()

    # The cluster of m1 is alive: nothing is restored onto it.
    assert backed.opened("restore", last) == ExitCode.STAGE_FAILED
    assert "is alive and not fresh: it has namespaces of its own (shop)" in said()

    authority = m1.exec(["cat", f"{CERTS}/ca.crt"]).stdout
    accounts = m1.exec(["cat", f"{CERTS}/serviceaccount.key"]).stdout
    m1.remove()

    # Onto m2: another's is refused, and before the last word nothing is changed.
    backed.site_of(m2, domain="other.bank.test")
    m2.script("mkdir -p /etc/sitewright/backup; ssh-keygen -q -t ed25519 -N '' -f "
              "/etc/sitewright/backup/target-key")  # fmt: skip
    public = m2.exec(["cat", "/etc/sitewright/backup/target-key.pub"]).stdout
    keeper.write_file(authorized, f"restrict {public}")
    assert backed.opened("restore", last, "--of", record) == ExitCode.STAGE_FAILED
    assert "it is of another site: its domain is" in said()
    backed.site_of(m2)
    assert backed.opened("restore", last, "--of", record) == ExitCode.STAGE_FAILED
    assert "is lost. Not in it: databases" in said()
    assert "shop" not in kubectl(m2, "get", "namespaces")

    words = ("--of", record, "--confirm", "restore/agreed")
    assert backed.opened("restore", last, *words) == ExitCode.DONE
    told = said()
    assert f"The backup {last} is restored" in told
    assert re.search(r"Lost is what was changed in the \d+ s", told)
    assert "Nodes of the old site that are not there: m1" in told
    secret = json.loads(kubectl(m2, "-n", "shop", "get", "secret", "ledger", "-o", "json"))
    assert secret["data"] == {"a": "a25vd24td29yZA=="}
    assert m2.exec(["cat", f"{CERTS}/ca.crt"]).stdout == authority
    assert m2.exec(["cat", f"{CERTS}/serviceaccount.key"]).stdout == accounts
    left = m2.exec(["sh", "-c", "ls /var/lib/sitewright/backup/restore"]).stdout.split()
    assert left == ["record.tar.gz"]
    assert "of the site came back to this computer" in told
