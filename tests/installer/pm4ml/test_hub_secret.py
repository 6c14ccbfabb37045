"""The hub's secret: with a token that was given, and by the right of ten minutes without one.

ansible-playbook is real; `microk8s` is a stand-in that keeps what it is told over standard input.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installer.pm4ml.test_pm4ml import PLAYBOOKS
from tests.installer.pm4ml.test_pm4ml_first import HERE, run

pytestmark = pytest.mark.processes

_MICROK8S = """\
#!/bin/sh
echo "$*" >> {place}/calls
case $* in
*" create token "*) echo login-of-ten-minutes ;;
*" exec "*) cat > {place}/stdin; echo written ;;
esac
"""
WRITES = "cat > {place}/stdin; echo written"


def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **secrets: str) -> str:
    """What the part that writes it says, on a first master that was chosen before."""
    program = tmp_path / "bin/microk8s"
    program.parent.mkdir()
    program.write_text(_MICROK8S.format(place=shlex.quote(str(tmp_path))))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    written = yaml.safe_load((PLAYBOOKS / "hub_secret.yml").read_text())
    playbook = tmp_path / "writes.yml"
    playbook.write_text(yaml.safe_dump(written[1:], sort_keys=False))
    site: dict[str, Any] = {"vault_namespace": "vault", "vault_pod": "vault-0", "pm4ml_id": "bank"}
    host = {**HERE, **site, **secrets}
    groups: dict[str, Any] = {"first_master": {"hosts": {"m1": {}}}}
    inventory = {"all": {"hosts": {"m1": host}, "children": groups}}
    return run(tmp_path, str(playbook), inventory, tmp_path)


def test_without_a_token_one_of_ten_minutes_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is where Sitewright initialised Vault: nobody has a token that could be given."""
    said = played(tmp_path, monkeypatch, mcmdev_client_secret="known-hub-secret")
    assert "failed=0" in said
    told = (tmp_path / "stdin").read_text().splitlines()
    assert told[:3] == ["", "known-hub-secret", "login-of-ten-minutes"]
    assert "known-hub-secret" not in said
    assert "login-of-ten-minutes" not in said


def test_a_token_that_was_given_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"mcmdev_client_secret": "known-hub-secret", "vault_token": "given-token"}
    assert "failed=0" in played(tmp_path, monkeypatch, **secrets)
    told = (tmp_path / "stdin").read_text().splitlines()
    assert told[:3] == ["given-token", "known-hub-secret", ""]
    assert " create " not in (tmp_path / "calls").read_text()


def test_without_the_hubs_secret_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = played(tmp_path, monkeypatch, mcmdev_client_secret="")
    assert "The hub's client secret is missing" in said
    assert not (tmp_path / "calls").exists()


def test_why_vault_did_not_take_it_is_told_without_the_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuses = 'echo "of $(cat): permission denied" >&2; exit 2'
    monkeypatch.setattr(sys.modules[__name__], "_MICROK8S", _MICROK8S.replace(WRITES, refuses))
    secrets = {"mcmdev_client_secret": "known-hub-secret", "vault_token": "wrong-token"}
    said = " ".join(played(tmp_path, monkeypatch, **secrets).split())
    assert "failed=1" in said
    assert "Vault did not take the secret: of ****** ******" in said.replace("\\n", " ")
    assert "permission denied" in said
    assert "known-hub-secret" not in said
    assert "wrong-token" not in said
