"""Environments on a real OpenTofu: planned, applied, changed by hand, told, mended, destroyed.

Real: OpenTofu 1.12.6, its backends `local` and `http`, its own resources, and the provider
hashicorp/local out of a filesystem mirror. Nothing is fetched.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.installer.environments.state_server import States, state_server
from tests.lab.host import required, wait_until
from tests.lab.opentofu import build

pytestmark = [pytest.mark.lab, pytest.mark.timeout(1200)]

SECRET = "correct-horse-battery"
CONFIGURATION = """\
terraform {
  required_version = ">= 1.6"
  %s
  required_providers {
    local = { source = "hashicorp/local" }
  }
}
variable "db_password" {
  type      = string
  sensitive = true
}
variable "size" {
  type = number
}
resource "local_file" "hosts" {
  filename = "%s"
  content  = "m1 10.0.0.1\\n"
}
resource "terraform_data" "cluster" {
  triggers_replace = [var.size]
  input            = { size = var.size, password = var.db_password }
}
output "master_hosts" {
  value = { master_1 = "10.0.0.1" }
}
output "all_hosts_var_maps" {
  value = { ansible_ssh_user = "ubuntu" }
}
output "password" {
  value     = var.db_password
  sensitive = true
}
"""


@dataclass
class Centre:
    """A control centre, and how its environments are told."""

    folder: Path
    home: Path
    program: Path

    def run(self, *words: str, ends: int | None = 0) -> subprocess.CompletedProcess[str]:
        """`sitewright environments …`, with the secret in the environment."""
        done = subprocess.run(
            [sys.executable, "-I", "-m", "installer", "environments", *words,
             "--centre", str(self.folder)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "SITEWRIGHT_SECRET_DB_PASSWORD": SECRET,
                # Somebody's own settings, which count for nothing here.
                "TF_CLI_ARGS": "-no-such-option",
                "TF_CLI_CONFIG_FILE": "/no/such/file",
                "TF_VAR_size": "99",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )  # fmt: skip
        if ends is not None:
            assert done.returncode == ends, done.stdout + done.stderr
        assert SECRET not in done.stdout + done.stderr
        return done

    def read(self, *words: str, ends: int = 0) -> Any:
        """The same as JSON."""
        out = self.folder / "told.json"
        self.run(*words, "--format", "json", "--output", str(out), "--overwrite", ends=ends)
        return json.loads(out.read_text())

    def environment(self, name: str, *, backend: str = "", size: int = 3) -> Path:
        """Begin an environment with its configuration."""
        self.run("new", name, "--line", "iac-lite", "--environment", "iac-lite-tps-1")
        folder = self.folder / "environments" / name
        made = self.folder / "made" / name / "hosts"
        (folder / "main.tf").write_text(CONFIGURATION % (backend, made))
        self.answer(name, size)
        return folder

    def answer(self, name: str, size: int) -> None:
        """The answers of an environment."""
        (self.folder / "environments" / name / "environment.yaml").write_text(
            "environment: iac-lite-tps-1\nversion: v1\n"
            f"answers:\n  size: {size}\nsecrets: [db_password]\n"
        )


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    """A control centre without environments, whose providers lie in the lab's mirror."""
    reason = build.missing()
    if reason is not None:
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    folder = tmp_path / "centre"
    folder.mkdir()
    (folder / "centre.yaml").write_text(
        f"line: iac-lite\nprogram: {build.opentofu()}\nproviders: {build.mirror()}\n"
    )
    return Centre(folder, tmp_path, build.opentofu())


def _hands(centre: Centre) -> tuple[str, ...]:
    return ("--yes", "--by", "A. Name")


def test_an_environment_is_planned_applied_changed_by_hand_told_and_mended(
    centre: Centre,
) -> None:
    folder = centre.environment("hub-a")
    made = centre.folder / "made" / "hub-a" / "hosts"

    planned = centre.read("plan", "hub-a")
    assert {one["address"]: one["action"] for one in planned["changes"]} == {
        "local_file.hosts": "create",
        "terraform_data.cluster": "create",
    }
    assert not made.exists()
    without = centre.run("apply", "hub-a", ends=7)
    assert "not confirmed" in without.stderr
    centre.run("apply", "hub-a", *_hands(centre))
    assert made.read_text() == "m1 10.0.0.1\n"
    assert centre.run("drift", "hub-a").stdout.startswith("hub-a: nothing differs.")
    assert (folder / "terraform.tfstate").stat().st_mode & 0o077 == 0
    site = centre.folder / "site.yaml"
    centre.run("site", "hub-a", "--solution", "pm4ml", "--output", str(site))
    assert "{name: master-1, address: 10.0.0.1" in site.read_text()

    made.write_text("m1 10.0.0.9\n")
    drift = centre.read("drift", "hub-a", ends=3)
    assert [(one["address"], one["action"]) for one in drift["drift"]] == [
        ("local_file.hosts", "destroy")
    ]
    told = centre.run("list").stdout
    assert "1 resource changed outside" in told
    assert "applied" in told
    assert "by A. Name with OpenTofu 1.12.6" in " ".join(told.split())

    centre.run("plan", "hub-a")
    centre.run("apply", "hub-a", *_hands(centre))
    assert made.read_text() == "m1 10.0.0.1\n"
    assert centre.read("drift", "hub-a")["differs"] is False
    backups = list((centre.home / ".local/share/sitewright/environments").glob("*/backups/*"))
    assert len(backups) == 1
    assert backups[0].stat().st_mode & 0o077 == 0
    _no_secret_lies_open(centre)


def _no_secret_lies_open(centre: Centre) -> None:
    """The secret is in states, which are its user's alone, and in nothing else that we keep."""
    for path in centre.home.rglob("*"):
        if path.is_file() and SECRET.encode() in path.read_bytes():
            assert path.suffix in (".tfstate", ".backup"), path
            assert path.stat().st_mode & 0o077 == 0, path


def test_what_is_destroyed_is_named_by_a_person(centre: Centre) -> None:
    centre.environment("hub-a")
    centre.run("plan", "hub-a")
    centre.run("apply", "hub-a", *_hands(centre))
    made = centre.folder / "made" / "hub-a" / "hosts"

    centre.answer("hub-a", 4)
    planned = centre.read("plan", "hub-a")
    assert [(one["address"], one["action"]) for one in planned["changes"]] == [
        ("terraform_data.cluster", "replace")
    ]
    refused = centre.run("apply", "hub-a", *_hands(centre), ends=7)
    assert "--destroys terraform_data.cluster" in " ".join(refused.stderr.split())
    wrong = centre.run("apply", "hub-a", *_hands(centre), "--destroys", "local_file.hosts", ends=2)
    assert "destroys no local_file.hosts" in wrong.stderr
    centre.run("apply", "hub-a", *_hands(centre), "--destroys", "terraform_data.cluster")

    refused = centre.run("destroy", "hub-a", *_hands(centre), ends=7)
    assert "--destroys hub-a" in " ".join(refused.stderr.split())
    assert made.exists()
    centre.run("apply", "hub-a", *_hands(centre), ends=7)  # that plan destroys all of it
    centre.run("destroy", "hub-a", *_hands(centre), "--destroys", "hub-a")
    assert not made.exists()
    assert "0 resources" in centre.run("list").stdout


def test_a_plan_that_no_longer_holds_is_told_before_anything_is_begun(centre: Centre) -> None:
    folder = centre.environment("hub-a")
    made = centre.folder / "made" / "hub-a" / "hosts"
    centre.run("plan", "hub-a")

    (folder / "main.tf").write_text((folder / "main.tf").read_text() + "# changed\n")
    refused = centre.run("apply", "hub-a", *_hands(centre), ends=7)
    assert "changed since the plan was made" in " ".join(refused.stderr.split())

    centre.run("plan", "hub-a")
    centre.run("apply", "hub-a", *_hands(centre))
    centre.answer("hub-a", 5)
    centre.run("plan", "hub-a")
    state = folder / "terraform.tfstate"
    moved = json.loads(state.read_text())
    state.write_text(json.dumps({**moved, "serial": moved["serial"] + 1}))
    named = ("--destroys", "terraform_data.cluster")
    refused = centre.run("apply", "hub-a", *_hands(centre), *named, ends=7)
    assert "older than the state" in refused.stderr

    state.write_text(json.dumps({**moved, "lineage": "0" * 8 + moved["lineage"][8:]}))
    refused = centre.run("apply", "hub-a", *_hands(centre), *named, ends=7)
    assert "not the one that this environment had" in " ".join(refused.stderr.split())

    state.write_text(json.dumps({**moved, "version": 5}))
    refused = centre.run("apply", "hub-a", *_hands(centre), *named, ends=7)
    assert "newer program" in " ".join(refused.stderr.split())

    state.write_text(json.dumps(moved))
    applied = json.loads((folder / "applied.json").read_text())
    (folder / "applied.json").write_text(json.dumps({**applied, "version": "9.9.9"}))
    refused = centre.run("plan", "hub-a", ends=7)
    assert "applied with OpenTofu 9.9.9" in " ".join(refused.stderr.split())
    assert made.exists()


def test_a_state_that_somebody_holds_is_told_with_who_and_since_when(centre: Centre) -> None:
    with state_server() as states:
        backend = (
            f'backend "http" {{\n    address        = "{states.address}"\n'
            f'    lock_address   = "{states.address}"\n'
            f'    unlock_address = "{states.address}"\n  }}'
        )
        centre.environment("hub-b", backend=backend)
        centre.run("plan", "hub-b")
        states.lock = json.dumps(
            {"ID": "8479166f", "Operation": "OperationTypeApply", "Info": "", "Who": "ann@desk",
             "Version": "1.12.6", "Created": "2026-11-30T08:03:33.29Z", "Path": ""}
        ).encode()  # fmt: skip
        for words in (("apply", *_hands(centre)), ("drift",)):
            refused = centre.run(words[0], "hub-b", *words[1:], ends=7)
            said = " ".join(refused.stderr.split())
            assert "ann@desk has held the state since 2026-11-30 08:03:33 UTC for apply" in said
        assert not states.state
        wrong = centre.run("unlock", "hub-b", *_hands(centre), "--lock", "another", ends=5)
        assert "the lock is 8479166f now" in " ".join(wrong.stdout.split())
        assert states.lock
        centre.run("unlock", "hub-b", *_hands(centre), "--lock", "8479166f")
        assert not states.lock
        centre.run("apply", "hub-b", *_hands(centre))
        _is_locked_while_it_is_written(states)
    assert not (centre.folder / "environments/hub-b/terraform.tfstate").exists()


def _is_locked_while_it_is_written(states: States) -> None:
    written = states.asked.index("POST 200")
    before, after = states.asked[:written], states.asked[written:]
    assert "LOCK 200" in before
    assert "UNLOCK 200" in after
    assert not states.lock


SLOW = """resource "terraform_data" "slow" {
  provisioner "local-exec" {
    command = "touch %s/begun; until [ -e %s/go ]; do sleep 0.1; done"
  }
}
"""


def test_an_apply_whose_session_was_killed_goes_on_and_is_attached_to(centre: Centre) -> None:
    folder = centre.environment("hub-a")
    (folder / "main.tf").write_text(SLOW % (centre.home, centre.home))
    (folder / "environment.yaml").write_text("environment: iac-lite-tps-1\n")
    centre.run("plan", "hub-a")
    words = ("apply", "hub-a", *_hands(centre), "--centre", str(centre.folder))
    killed = subprocess.Popen(
        [sys.executable, "-I", "-m", "installer", "environments", *words],
        env={"PATH": os.environ["PATH"], "HOME": str(centre.home)},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_until((centre.home / "begun").exists, "the apply to begin", seconds=300)
    killed.kill()
    killed.wait(300)
    assert "has held the state since" in centre.run("drift", "hub-a", ends=7).stderr

    (centre.home / "go").touch()
    done = centre.run("apply", "hub-a", *_hands(centre))
    assert "Goes on with the run" in done.stderr
    assert "1 resource" in centre.run("list").stdout
    assert centre.read("drift", "hub-a")["differs"] is False


def test_a_provider_that_is_in_no_mirror_is_told_and_nothing_is_fetched(centre: Centre) -> None:
    (centre.folder / "centre.yaml").write_text(f"line: iac-lite\nprogram: {build.opentofu()}\n")
    centre.environment("hub-a")
    failed = centre.run("init", "hub-a", ends=5)
    assert "not in the folder of providers" in " ".join(failed.stdout.split())
