"""The way out of a site: its keys, its stage in the plan, and what stands in neither."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import installer
from foundation.documents import load_yaml
from foundation.problems import InputProblem
from installer.catalogue.solution import load_solution
from installer.planning.make import make_plan
from installer.planning.way_out import FOLDER, read_authorities, trusting, way_out_of
from installer.sites.site import Site, dump_site, resolved
from screens.answers.site_answers import answers_from_site, site_from_answers
from tests.preflight.egress_servers import authority

HOSTS = "hosts: [{name: box, address: 10.10.0.5, roles: [box]}]\n"


def site_of(folder: Path, text: str) -> Site:
    """The site of a file in this folder."""
    path = folder / "site.yaml"
    path.write_text(f"solution: core-test-harness\n{HOSTS}{text}")
    return load_yaml(Site, path)


def test_a_site_without_a_way_out_has_no_stage_of_it(tmp_path: Path) -> None:
    plan = make_plan(load_solution("core-test-harness"), site_of(tmp_path, ""), ())
    assert "way-out" not in [stage.id for stage in plan.stages]


def test_the_way_out_goes_first_and_every_stage_waits_for_it(tmp_path: Path) -> None:
    made = authority(tmp_path / "ca", "ACME Inspection CA")
    site = site_of(
        tmp_path,
        "proxy: http://proxy.example:3128\nno_proxy: [.corp.example]\nauthorities: ca/ca.pem\n",
    )
    plan = make_plan(load_solution("core-test-harness"), site, (), base=tmp_path)
    first, *others = plan.stages
    assert first.id == "way-out"
    assert all("way-out" in stage.needs for stage in others)
    (step,) = first.steps
    assert step.hosts == ("box",)
    script = str(step.spec["script"])
    assert "proxy=http://proxy.example:3128" in script
    assert made.pem.read_text().splitlines()[1] in script
    assert str(FOLDER) not in script
    undo = step.spec["undo"]
    assert isinstance(undo, dict)
    assert "update-ca-certificates" in str(undo["script"])
    assert "{{" not in str(plan.as_json())


def test_machines_and_networks_of_the_cluster_are_reached_past_the_proxy(tmp_path: Path) -> None:
    text = "proxy: http://proxy.example:3128\n"
    hosts = "hosts: [{name: m1, address: 10.10.0.11, roles: [master]}]\n"
    path = tmp_path / "site.yaml"
    path.write_text(
        f"solution: pm4ml\n{hosts}{text}settings: {{domain: a.example.org, pm4ml_id: bank,"
        " private_network: 10.10.0.0/16, ceph: 'no', git_url: 'https://git.example.org/a.git',"
        " public_network: 203.0.113.0/24, virtual_ip: 203.0.113.9}\n"
    )
    site = load_yaml(Site, path)
    solution = load_solution("pm4ml")
    networks = solution.needs().platform.cluster_networks
    assert networks
    out = way_out_of(site, tmp_path, networks)
    for past in ("m1", "10.10.0.11", "localhost", ".svc", *networks):
        assert past in out.no_proxy


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("proxy: http://user:hunter2@proxy.example:3128", "holds none"),
        ("proxy: http://user@proxy.example:3128", "holds none"),
        ("proxy: proxy.example:3128", "http://host:port"),
        ("proxy: http://proxy.example", "http://host:port"),
        ("proxy: socks5://proxy.example:1080", "http://host:port"),
        ("proxy: http://proxy.example:3128/pac", "path"),
        ("proxy: 'http://a\"b:1'", "no name"),
        ('proxy: "http://pro\\nxy:3128"', "a blank or a sign"),
        ('proxy: "http://proxy:31\\t28"', "a blank or a sign"),
        ('proxy: "\\x01http://proxy:3128"', "a blank or a sign"),
        ("proxy: http://prox\u00fd:3128", "a blank or a sign"),
        ('no_proxy: ["a\\n.example"]', "no name, no address"),
        ("no_proxy: ['a$b', 'a;b', 'a\\b']", "no name, no address"),
        ("no_proxy: ['a b']", "no name, no address"),
        ("no_proxy: ['a\"; rm -rf /']", "no name, no address"),
    ],
)
def test_a_key_that_cannot_be_meant_is_refused_and_no_password_repeated(
    tmp_path: Path, line: str, words: str
) -> None:
    with pytest.raises(InputProblem) as caught:
        site_of(tmp_path, f"{line}\n")
    assert words in str(caught.value.cause)
    assert "hunter2" not in str(caught.value.cause) + str(caught.value.remedy)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("HTTP://Proxy.Example:3128/", "http://proxy.example:3128"),
        ("http://[2001:DB8::1]:3128", "http://[2001:db8::1]:3128"),
        ("https://10.0.0.1:080?", "https://10.0.0.1:80"),
    ],
)
def test_a_proxy_is_kept_as_it_was_understood(tmp_path: Path, written: str, kept: str) -> None:
    assert site_of(tmp_path, f"proxy: '{written}'\n").proxy == kept


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("nothing of the kind", "no certificate"),
        ("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n", "private key"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_authorities_is_refused(
    tmp_path: Path, content: str | None, words: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputProblem, match=words):
        read_authorities(path)


def test_a_server_s_certificate_is_no_authority_and_one_is_believed(tmp_path: Path) -> None:
    made = authority(tmp_path, "ACME")
    with pytest.raises(InputProblem, match="of a server"):
        read_authorities(tmp_path / "server.pem")
    made.pem.write_text(f"# from the proxy's people\n{made.pem.read_text()}\ntrailing words\n")
    text = read_authorities(made.pem)
    assert text.startswith("-----BEGIN CERTIFICATE-----")
    assert "trailing" not in text
    site = site_of(tmp_path, "authorities: ca.pem\n")
    assert trusting(way_out_of(site, tmp_path)).cert_store_stats()["x509_ca"] > 0


def test_the_keys_survive_the_wizard_and_a_run_folder(tmp_path: Path) -> None:
    authority(tmp_path / "ca", "ACME")
    site = site_of(
        tmp_path, "proxy: http://p.example:3128\nno_proxy: [a.example]\nauthorities: ca/ca.pem\n"
    )
    answers = answers_from_site(site, tmp_path / "site.yaml")
    again = site_from_answers(answers, tmp_path / "elsewhere" / "site.yaml")
    assert (again.proxy, again.no_proxy) == (site.proxy, site.no_proxy)
    assert again.authorities_path(tmp_path / "elsewhere") == tmp_path / "ca" / "ca.pem"
    whole = resolved(site, tmp_path)
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "site.yaml"
    file.write_text(dump_site(whole))
    assert load_yaml(Site, file).authorities_path(file.parent) == tmp_path / "ca" / "ca.pem"


SNAP = r"""#!/bin/sh
# STAND-IN for snap: keeps each setting of the system in a file.
case "$1" in
get) cat "$STATE/$3" ;;
set) printf %s "${3#*=}" >"$STATE/${3%%=*}" ;;
unset) rm -f "$STATE/$3" ;;
esac
"""


def changed_by(folder: Path, script: object) -> None:
    """Run a script of the way out on a machine that is a folder."""
    state, programs = folder / "snapd", folder / "bin"
    for place in (state, programs, folder / "etc/apt/apt.conf.d", folder / "run/systemd/system"):
        place.mkdir(parents=True, exist_ok=True)
    calls = '#!/bin/sh\necho "$@" >>"$STATE/../calls"\n'
    for name, text in {"snap": SNAP, "systemctl": calls, "update-ca-certificates": calls}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    text = str(script)
    for top in ("/etc/", "/usr/local/share/", "/run/systemd/"):
        text = text.replace(top, f"{folder}{top}")
    done = subprocess.run(
        ["sh", "-s"], input=text, text=True, capture_output=True, check=False,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "STATE": str(state)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.processes
def test_what_is_taken_out_of_a_site_goes_from_the_machine(tmp_path: Path) -> None:
    """The proxy, and the authorities, each where the other stays; then all of it."""
    authority(tmp_path / "ca", "ACME")
    proxy, authorities = "proxy: http://p.example:3128\n", "authorities: ca/ca.pem\n"

    def spec(text: str) -> dict[str, object]:
        plan = make_plan(
            load_solution("core-test-harness"), site_of(tmp_path, text), (), base=tmp_path
        )
        step = plan.stages[0].steps[0].spec
        assert isinstance(step["undo"], dict)
        return {"do": step["script"], "undo": step["undo"]["script"]}

    def told(machine: Path) -> set[str]:
        return {path.name for path in (machine / "snapd").iterdir()}

    def texts(machine: Path) -> str:
        return "".join(path.read_text() for path in machine.glob("etc/**/*") if path.is_file())

    both = spec(proxy + authorities)
    first, second = tmp_path / "first", tmp_path / "second"
    for machine in (first, second):
        (machine / "snapd").mkdir(parents=True)
        (machine / "snapd/proxy.http").write_text("http://before:1")
        changed_by(machine, both["do"])
        assert told(machine) == {"proxy.http", "proxy.https", "store-certs.sitewright"}
        assert (machine / "snapd/proxy.http").read_text() == "http://p.example:3128"
        (machine / "calls").write_text("")

    changed_by(first, spec(authorities)["do"])
    assert told(first) == {"proxy.http", "store-certs.sitewright"}
    assert (first / "snapd/proxy.http").read_text() == "http://before:1"
    assert "p.example" not in texts(first)
    assert not (first / "etc/gitconfig").exists()
    changed_by(first, both["do"])
    changed_by(first, both["undo"])
    assert told(first) == {"proxy.http"}
    assert (first / "snapd/proxy.http").read_text() == "http://before:1"

    changed_by(second, spec(proxy)["do"])
    assert told(second) == {"proxy.http", "proxy.https"}
    assert "CERTIFICATE" not in texts(second)
    assert "cert =" not in texts(second)
    # A program keeps in its memory whom it believes until it begins anew.
    assert "restart docker.service" in (second / "calls").read_text()


STAND_IN = r"""#!/bin/sh
# STAND-IN for microk8s: keeps what it was told, and a config map in a file.
[ "$1 $2 $3" = "kubectl -n argocd" ] || exit 64
shift 3
echo "$*" | tr '\n' ' ' >>"$STATE/calls"; echo >>"$STATE/calls"
case "$1 $2" in
"get configmap") cat "$STATE/certs" ;;
"get deployment")
    case "$*" in
    *jsonpath*) [ ! -e "$STATE/stamp" ] || cat "$STATE/stamp" ;;
    *) echo "$3" ;;
    esac
    ;;
"patch configmap") python3 -I -c '
import json, sys
path, patch = sys.argv[1:]
told = json.load(open(path))
for name, value in json.loads(patch)["data"].items():
    told["data"].pop(name, None)
    if value is not None:
        told["data"][name] = value
json.dump(told, open(path, "w"))' "$STATE/certs" "$7" ;;
"annotate --overwrite") printf %s "${4#*=}" >"$STATE/stamp" ;;
"annotate deployment/argocd-repo-server") rm -f "$STATE/stamp" ;;
esac
"""


class ArgoCd:
    """Argo CD behind a stand-in for microk8s, and the step of the plan that tells it."""

    def __init__(self, folder: Path, certificates: dict[str, str] | None = None) -> None:
        self.folder = folder / "argocd"
        self.folder.mkdir()
        program = self.folder / "microk8s"
        program.write_text(STAND_IN)
        program.chmod(0o755)
        self.certs.write_text(json.dumps({"data": certificates or {}}))
        authority(folder / "ca", "ACME Inspection CA")
        path = folder / "site.yaml"
        path.write_text(PM4ML)
        plan = make_plan(load_solution("pm4ml"), load_yaml(Site, path), (), base=folder)
        stage = next(stage for stage in plan.stages if stage.id == "argocd-way-out")
        self.spec = stage.steps[0].spec
        self.needs = {stage.id: stage.needs for stage in plan.stages}

    @property
    def certs(self) -> Path:
        """The config map."""
        return self.folder / "certs"

    @property
    def calls(self) -> str:
        """What it was told."""
        return (self.folder / "calls").read_text()

    def run(self, script: object) -> subprocess.CompletedProcess[str]:
        """Run a script of the step."""
        path = f"{self.folder}:{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "-s"], input=str(script), text=True, capture_output=True, check=False,
            env={**os.environ, "PATH": path, "STATE": str(self.folder)},
        )  # fmt: skip


PM4ML = """\
solution: pm4ml
hosts:
  - {name: m1, address: 10.10.0.11, roles: [master]}
proxy: http://proxy.example:3128
authorities: ca/ca.pem
settings:
  domain: a.example.org
  pm4ml_id: bank
  private_network: 10.10.0.0/16
  public_network: 203.0.113.0/24
  ceph: "no"
  git_url: https://git.example.org/site.git
"""


@pytest.mark.processes
def test_argo_cd_is_given_the_way_out_and_it_is_taken_back(tmp_path: Path) -> None:
    argo = ArgoCd(tmp_path)
    assert "argocd-way-out" in argo.needs["checklist"]
    done, undo = argo.spec["done"], argo.spec["undo"]
    assert isinstance(done, dict)
    assert isinstance(undo, dict)
    assert argo.run(done["script"]).returncode != 0
    did = argo.run(argo.spec["script"])
    assert did.returncode == 0, did.stderr
    assert "HTTPS_PROXY=http://proxy.example:3128" in argo.calls
    assert ".svc" in argo.calls
    given = json.loads(argo.certs.read_text())["data"]["git.example.org"]
    assert given.startswith("-----BEGIN CERTIFICATE-----")
    assert argo.run(done["script"]).returncode == 0
    again = argo.run(argo.spec["script"])
    assert "left alone" not in again.stdout
    undone = argo.run(undo["script"])
    assert undone.returncode == 0, undone.stderr
    assert json.loads(argo.certs.read_text())["data"] == {}
    assert "HTTPS_PROXY-" in argo.calls
    assert argo.run(done["script"]).returncode != 0


def test_a_certificate_that_argo_cd_has_already_is_left_alone(tmp_path: Path) -> None:
    argo = ArgoCd(tmp_path, {"git.example.org": "of somebody else"})
    did = argo.run(argo.spec["script"])
    assert "left alone" in did.stdout
    undo = argo.spec["undo"]
    assert isinstance(undo, dict)
    argo.run(undo["script"])
    assert json.loads(argo.certs.read_text())["data"] == {"git.example.org": "of somebody else"}


@pytest.mark.parametrize(("added", "kept"), [("", False), ("[install]\nuser = true\n", True)])
def test_a_pip_conf_to_which_somebody_added_stays(
    added: str, tmp_path: Path, *, kept: bool
) -> None:
    text = (Path(installer.__file__).parent / "common/way-out/unset.sh").read_text()
    part = text[text.index("added='^(") : text.index("rm -f /etc/apt/apt.conf.d")]
    file = tmp_path / "pip.conf"
    mark = "# >>> way out, written by Sitewright"
    file.write_text(f"{mark}\n[global]\nproxy = http://p:3128\n{added}")
    script = f"set -eu\nmark='{mark}'\n{part}".replace("/etc/pip.conf", str(file))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert file.exists() is kept
    assert ("was left" in done.stdout) is kept
