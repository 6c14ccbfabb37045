"""A control host that is another machine: what it has, what it is brought, and the site file."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts.model import Host
from foundation.problems import InputProblem
from installer.ansible.brought import INSTALL, Brought, archive, brought
from installer.ansible.inventory import ssh_config
from installer.plans.plan_files import plan_from_json
from installer.sites.site import dump_site, load_site
from installer.steps.control_host import HostPrograms, parse_host_programs, python_for
from tests.installer.engine_site import engine, plan, step

OURS = Brought("2.19.0", (3, 11), "/var/lib/sitewright/ansible/x")


def test_what_a_control_host_has_is_read() -> None:
    told = (
        b"brought=yes\nsystem=ansible-playbook [core 2.16.3]\npython=/usr/bin/python3 3 10\n"
        b"python=/usr/bin/python3.12 3 12\nssh=yes\n"
    )
    standing = parse_host_programs(told)
    assert standing == HostPrograms(
        True, (2, 16), (("/usr/bin/python3", (3, 10)), ("/usr/bin/python3.12", (3, 12))), True
    )
    assert python_for(standing, OURS) == "/usr/bin/python3.12"
    assert python_for(parse_host_programs(b"python=/usr/bin/python3 3 10\n"), OURS) is None
    assert parse_host_programs(b"") == HostPrograms()


@given(st.binary(max_size=200))
def test_whatever_it_says_is_survived(output: bytes) -> None:
    parse_host_programs(output)


@pytest.mark.processes
def test_what_is_brought_runs_alone(tmp_path: Path) -> None:
    """Unpacked by the script of the control host, with a Python that sees no other package."""
    data = archive()
    folder = tmp_path / "ansible" / "there"
    digest = hashlib.sha256(data).hexdigest()
    command = [sys.executable, "-c", INSTALL, str(folder)]
    cut = subprocess.run([*command, digest], input=data[:-9], capture_output=True, check=False)
    assert cut.returncode != 0
    assert not folder.exists()
    for _ in range(2):  # over one that was cut off, too
        subprocess.run([*command, digest], input=data, capture_output=True, check=True)
    program = folder / "bin" / "ansible-playbook"
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    shown = subprocess.run(
        [sys.executable, "-S", str(program), "--version"],
        capture_output=True, text=True, check=True, env=environment,
    ).stdout  # fmt: skip
    assert f"[core {brought().version}]" in shown
    assert f"module location = {folder}/lib/ansible" in shown
    assert [path.name for path in folder.parent.iterdir()] == ["there"]


def test_nothing_compiled_goes_along() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive()), mode="r:gz") as packed:
        names = packed.getnames()
    assert "ansible/cli/playbook.py" in names
    assert not any(name.endswith((".so", ".pyc")) or name.startswith(("/", "..")) for name in names)


def test_the_control_host_tries_its_own_key_alone_and_keeps_aliases() -> None:
    host = Host("m1", "10.0.0.1", user="u", identity_files=(Path("/run/key"),))
    text = ssh_config(host, "/kh", known_as={("m1", "10.0.0.1"): "first"}, own_keys=False)
    for line in ("HostKeyAlias first", 'IdentityFile "/run/key"', "IdentitiesOnly yes",
                 "IdentityAgent none", "StrictHostKeyChecking yes"):  # fmt: skip
        assert f"  {line}\n" in text
    assert "IdentitiesOnly" not in ssh_config(host, "/kh")


SITE = "hosts:\n  - {name: m1, address: 10.0.0.1}\n  - {name: b1, address: 10.0.0.2}\n"


def test_a_site_names_its_control_host(tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"control: b1\n{SITE}")
    site = load_site(file)
    assert site.control == "b1"
    file.write_text(dump_site(site))
    assert load_site(file) == site
    file.write_text(SITE)
    assert load_site(file).control is None
    file.write_text(f"control: b2\n{SITE}")
    with pytest.raises(InputProblem, match='"b2" is no machine of the site'):
        load_site(file)


def test_a_plan_keeps_its_control_host(tmp_path: Path) -> None:
    without = plan(step("a", script="true"))
    made = replace(without, control="b1")
    assert made.sha256 != without.sha256
    assert "control" not in without.as_json()
    for one in (made, without):
        file = tmp_path / "plan.json"
        file.write_text(json.dumps(one.as_json()))
        assert plan_from_json(file) == one
    with pytest.raises(InputProblem, match="control host b1 is no machine"):
        engine(made)
