"""`sitewright bundle serve` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.bundles.conftest import Keys
from tests.bundles.serve.conftest import Everything
from tests.foundation.processes import PATIENCE

pytestmark = pytest.mark.processes


def start(*words: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "installer", "bundle", "serve", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_serves_until_it_is_interrupted(
    everything: Everything, keys: Keys, tmp_path: Path
) -> None:
    process = start(
        everything.folder, "--address", "127.0.0.1", "--port", "0", "--keys", keys.allowed,
        "--settings", tmp_path / "machine", "--json-lines",
    )  # fmt: skip
    assert process.stdout is not None
    addresses = {}
    for line in process.stdout:
        if (addresses := json.loads(line))["kind"] == "addresses":
            break
    assert addresses["signer"] == "maker@example.org"
    context = ssl.create_default_context(cadata=addresses["ca"])
    with httpx.Client(verify=context, trust_env=False) as client:
        assert client.get(f"{addresses['files']}/kubectl").status_code == 200
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    events = [json.loads(line) for line in rest.splitlines()]
    assert [event["kind"] for event in events][-1] == "ended"
    asked = [event for event in events if event["kind"] == "request"]
    assert [(event["path"], event["status"]) for event in asked] == [("/files/kubectl", 200)]
    written = {
        str(path.relative_to(tmp_path / "machine"))
        for path in (tmp_path / "machine").rglob("*")
        if path.is_file()
    }
    assert {
        "etc/containerd/certs.d/quay.io/hosts.toml",
        "etc/apt/sources.list.d/sitewright-bundle.sources",
        "etc/sitewright/trust/bundle-ca.pem",
        "etc/sitewright/trust/bundle-archive.gpg",
        "etc/docker/daemon.json",
        "etc/pip.conf",
    } <= written


def test_it_ends_by_itself_when_the_time_is_over(everything: Everything) -> None:
    process = start(everything.folder, "--address", "127.0.0.1", "--port", "0", "--for", "0.005")
    shown, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert "NOT checked, since no keys were given" in shown
    assert "the time is over" in errors


def test_a_stranger_s_bundle_is_not_served(everything: Everything, tmp_path: Path) -> None:
    from tests.foundation.sshd import keygen

    keygen(tmp_path / "other")
    allowed = tmp_path / "allowed"
    allowed.write_text(f"other@example.org {(tmp_path / 'other.pub').read_text()}")
    process = start(everything.folder, "--address", "127.0.0.1", "--port", "0", "--keys", allowed)
    shown, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 6
    assert "does not trust" in errors
    assert shown == ""


def test_a_certificate_of_the_site_s_own_is_used(everything: Everything, tmp_path: Path) -> None:
    from datetime import timedelta

    from bundles.serve.certificates import new_identity

    identity = new_identity(["127.0.0.1"], timedelta(days=1))
    (tmp_path / "cert.pem").write_text(identity.certificate)
    key = tmp_path / "key.pem"
    key.write_text(identity.key.reveal())
    words = (
        everything.folder, "--address", "127.0.0.1", "--port", "0", "--json-lines",
        "--certificate", tmp_path / "cert.pem", "--certificate-key", key,
    )  # fmt: skip
    key.chmod(0o644)
    refused = start(*words)
    assert "key.pem" in refused.communicate(timeout=PATIENCE)[1]
    assert refused.returncode == 2
    key.chmod(0o600)
    (tmp_path / "ca.pem").write_text(identity.authority)
    process = start(*words, "--ca", tmp_path / "ca.pem")
    assert process.stdout is not None
    for line in process.stdout:
        if (addresses := json.loads(line))["kind"] == "addresses":
            assert addresses["ca"] == identity.authority
            context = ssl.create_default_context(cadata=identity.authority)
            assert httpx.get(addresses["base"], verify=context, trust_env=False).status_code == 200
            break
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
