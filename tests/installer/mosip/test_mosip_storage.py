"""The NFS server and the class of volumes: scripts played with stand-ins of system programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from installer.catalogue.solution import load_solution
from installer.planning.make import make_plan
from installer.sites.site import Site
from tests.installer import quick_yaml

MOSIP = load_solution("mosip")

_STAND_IN = """\
#!/bin/sh
# {name} as far as the scripts use it; a stand-in that notes its words.
cd {folder}
echo {name} "$@" >> calls
{does}
"""
_DOES = {
    "dpkg-query": "test -e installed && echo installed",
    "apt-get": "case $1 in install) : > installed ;; esac",
    "systemctl": "case $1 in is-active) test -e runs ;; enable) : > runs ;; esac",
    # As exportfs -s of nfs-utils 2.6 prints: folder, two blanks, client, options.
    "exportfs": 'case $1 in -s) grep -v "^#" *.exports | sed "s/ /  /" ;; esac',
}


def site(**settings: str) -> Site:
    given = {
        "domain": "site.example", "public_address": "192.0.2.20", "internal_address": "10.10.0.20",
        "nfs": "yes", "nfs_server": "10.10.0.40", "nfs_clients": "10.10.0.31, 10.10.1.0/24",
    }  # fmt: skip
    return Site.model_validate(
        {
            "solution": "mosip",
            "environment": "on-clusters",
            "hosts": [
                {"name": "box", "address": "local", "roles": ["workstation"]},
                {"name": "store", "address": "10.10.0.40", "roles": ["nfs"]},
            ],
            "settings": {**given, **settings},
        }
    )


class Server:
    """A folder that stands for the machine with the role nfs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        bin_ = folder / "bin"
        bin_.mkdir()
        for name, does in _DOES.items():
            (bin_ / name).write_text(_STAND_IN.format(name=name, folder=folder, does=does))
            (bin_ / name).chmod(0o755)
        self.exports = folder / "sitewright-mosip.exports"
        self.data = folder / "volumes"

    def run(self, probe: str = "") -> tuple[int, str]:
        """The step, or a probe of it; its exit status and all that it said."""
        plan = make_plan(MOSIP, site(nfs_folder=str(self.data)), ())
        (stage,) = (one for one in plan.stages if one.id == "storage")
        (spec,) = (one.spec for one in stage.steps if one.id == "server")
        asked = spec[probe] if probe else spec
        assert isinstance(asked, dict)
        script = str(asked["script"])
        for place in ("/etc/exports.d", "/var/lib/sitewright"):
            script = script.replace(place, str(self.folder))
        script = script.replace("/etc/exports", str(self.folder / "exports"))
        done = subprocess.run(
            ["sh", "-euc", script], env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
            capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


@pytest.mark.processes
def test_the_folder_is_exported_to_the_nodes_alone_and_its_data_stay(server: Server) -> None:
    assert server.run("done")[0] == 1
    assert server.run() == (0, f"{server.data} is exported to the nodes alone.\n")
    lines = server.exports.read_text().splitlines()[1:]
    assert lines == [
        f"{server.data} {client}(rw,sync,no_subtree_check,no_root_squash)"
        for client in ("10.10.0.31", "10.10.1.0/24")
    ]
    assert server.data.stat().st_mode & 0o777 == 0o700
    assert server.run("done")[0] == 0
    (server.folder / "runs").unlink()
    assert "does not run" in server.run("done")[1]
    (server.data / "volume").write_text("data")
    assert server.run("undo")[0] == 0
    assert not server.exports.exists()
    assert (server.data / "volume").read_text() == "data"


@pytest.mark.processes
def test_a_line_of_others_that_exports_it_to_everybody_is_told(server: Server) -> None:
    (server.folder / "exports").write_text(f"{server.data} *(rw,no_root_squash,insecure)\n")
    for probe in ("done", ""):
        status, said = server.run(probe)
        assert status == 1
        assert "is exported by others too" in said
    assert not server.exports.exists()


def test_the_class_is_the_default_and_keeps_its_volumes() -> None:
    plan = make_plan(MOSIP, site(), ())
    assert [stage.id for stage in plan.stages][:2] == ["storage", "clusters"]
    files = {name: text for one in plan.stages for s in one.steps for name, text in s.files}
    made = quick_yaml.safe_load(files["templates/nfs-class.yaml"])
    assert (made["reclaimPolicy"], made["allowVolumeExpansion"]) == ("Retain", True)
    assert made["parameters"]["server"] == "10.10.0.40"
    assert made["parameters"]["onDelete"] == "retain"
    assert made["metadata"]["annotations"] == {
        "storageclass.kubernetes.io/is-default-class": "true"
    }
    # The kubeconfig is judged before root's kubectl reads it.
    assert plan.stages[0].steps[0].id == "ways"


_KUBECTL = """\
#!/bin/sh
# kubectl of a cluster in which a claim is bound, or is not; a stand-in.
cd {folder}
[ "$5" != create ] || cat > claim
echo "$@" >> calls
case $5 in
get) case $6 in events) echo "mount.nfs: access denied by server" ;;
    *) test ! -e claim || echo pv-1 ;; esac ;;
wait) test -e binds ;;
delete) rm -f claim ;;
esac
"""


@pytest.mark.processes
@pytest.mark.parametrize("binds", [True, False])
def test_a_trial_claim_goes_again_whatever_becomes_of_it(tmp_path: Path, binds: bool) -> None:
    (tmp_path / "kubectl").write_text(_KUBECTL.format(folder=tmp_path))
    (tmp_path / "kubectl").chmod(0o755)
    if binds:
        (tmp_path / "binds").touch()
    plan = make_plan(MOSIP, site(), ())
    (step,) = (one for one in plan.stages[0].steps if one.id == "trial")
    script = dict(step.files)["scripts/trial-claim.sh"]
    done = subprocess.run(
        ["sh", "-euc", script], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, not (tmp_path / "claim").exists()) == (0 if binds else 1, True)
    assert ("access denied by server" in done.stderr) is not binds
    assert '{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}' in (tmp_path / "calls").read_text()
