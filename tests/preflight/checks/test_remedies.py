"""What the remedies have in common: each works as it is pasted, and takes nothing that it need not.

Those that must outlive the next start are tried on a machine in test_remedies_lab.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import preflight.checks
from preflight.checks.firewall import let_in
from preflight.checks.network import without_name
from tests.preflight.facts_factory import case, changed, worker_facts

CHECKS = sorted(Path(preflight.checks.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("path", CHECKS, ids=lambda path: path.stem)
def test_nothing_is_installed_from_lists_that_may_be_empty(path: Path) -> None:
    """Images of machines come with emptied lists: without an update no package is found."""
    text = re.sub(r"\"\s+f?\"", "", path.read_text())
    for found in re.finditer(r"`([^`]*apt-get install[^`]*)`", text):
        assert "apt-get update && " in found[1], found[1]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("127.0.0.1 localhost\n127.0.1.1 w1.example.org w1\n", "127.0.0.1 localhost\n"),
        ("127.0.0.1 localhost w1\n", "127.0.0.1 localhost\n"),
        ("127.0.0.1\tlocalhost\tw1\tlocalhost4\n", "127.0.0.1\tlocalhost\tlocalhost4\n"),
        ("127.0.1.1 W1.site W1\n10.0.0.2 W1 b\n", "10.0.0.2 b\n"),
        ("192.0.2.9 w1\n10.0.0.2 w2 w10\n", "10.0.0.2 w2 w10\n"),
        ("::1 localhost w1 # ours\n# 127.0.1.1 w1\n", "::1 localhost # ours\n# 127.0.1.1 w1\n"),
        ("10.0.0.3 aw1 w1.example.org\n\n", "10.0.0.3 aw1 w1.example.org\n\n"),
    ],
)
def test_a_name_is_taken_out_of_the_hosts_and_localhost_stays(
    before: str, after: str, tmp_path: Path
) -> None:
    """By sed itself: the whole line went before, and localhost with it."""
    hosts = tmp_path / "hosts"
    hosts.write_text(before)
    command = without_name("w1").replace("sudo ", "").replace("/etc/hosts", str(hosts))
    subprocess.run(["sh", "-c", command], check=True)
    assert hosts.read_text() == after
    assert (tmp_path / "hosts.before-sitewright").read_text() == before


def test_a_dot_in_a_name_is_no_other_sign(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("10.0.0.3 w1xsite\n10.0.0.4 w1.site\n")
    command = without_name("w1.site").replace("sudo ", "").replace("/etc/hosts", str(hosts))
    subprocess.run(["sh", "-c", command], check=True)
    assert hosts.read_text() == "10.0.0.3 w1xsite\n"


@pytest.mark.parametrize(
    ("there", "said", "undone"),
    [
        ({"ufw": "active", "ufw_rules": ()}, "sudo ufw allow 10250/tcp", "ufw delete allow"),
        (
            {"firewalld": "active"},
            "sudo firewall-cmd --permanent --add-port=10250/tcp",
            "--remove-port=10250/tcp",
        ),
        ({"policies": {"INPUT": "DROP"}}, "/etc/nftables.conf", "Take the lines out"),
    ],
    ids=["ufw", "firewalld", "a filter of one's own"],
)
def test_ports_are_let_in_by_the_firewall_that_is_there(
    there: dict[str, object], said: str, undone: str
) -> None:
    """A rule of ufw where another filter drops changes nothing, or there is no ufw at all."""
    facts = changed(worker_facts(), firewall={"ufw": "inactive", **there})
    (found,) = let_in.run(case(facts))
    assert said in found.remedy
    assert ("ufw" in found.remedy) is ("ufw_rules" in there)
    assert undone in found.undo
