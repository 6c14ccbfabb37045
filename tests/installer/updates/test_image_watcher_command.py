"""`sitewright image-watcher`: what it refuses before it listens, and a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from bundles.serve.certificates import new_identity
from installer.cli import main
from tests.bundles.places import RunningRegistry
from tests.foundation.processes import PATIENCE
from tests.installer.updates.registries import fill_fast


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--registry", "https://docker.io"), "is no registry"),
        (("--registry", "docker.io/Mojaloop"), "is no registry"),
        (("--mirror", "docker.io"), "names no mirror"),
        (("--strategy", "newest"), "is no strategy"),
        (("--minimum-age", "soon"), "is no age"),
        (("--fresh", "x"), "is no age"),
        (("--address", "here"), "is no address"),
        (("--certificate", "file"), "go together"),
        (("--bundle", "x", "--registry", "docker.io"), "no registry is asked"),
        (("--bundle", "/nowhere/at/all"), "cannot be opened"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["image-watcher", "--port", "0", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.processes
def test_it_answers_over_tls_until_it_is_interrupted(
    registry: RunningRegistry, tmp_path: Path
) -> None:
    fill_fast(registry, "test/command", ["v11.0.0", "v11.0.1"])
    identity = new_identity(["127.0.0.1"], timedelta(hours=1))
    (tmp_path / "cert.pem").write_text(identity.certificate)
    (tmp_path / "key.pem").write_text(identity.key.reveal())
    (tmp_path / "key.pem").chmod(0o600)
    (tmp_path / "ca.pem").write_text(identity.authority)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "installer", "image-watcher", "--port", "0", "--json-lines"),
            *("--mirror", f"docker.io={registry.host}", "--strategy", "bugfix"),
            *("--certificate", str(tmp_path / "cert.pem")),
            *("--certificate-key", str(tmp_path / "key.pem")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert process.stdout is not None
    begun = json.loads(process.stdout.readline())
    assert begun["schema"] == "sitewright.image-watcher/1"
    import ssl

    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with httpx.Client(base_url=begun["base"], verify=context, trust_env=False) as client:
        found = client.get("/image/test/command/v11.0.0").json()
        assert found["fullImage"] == "test/command:v11.0.1"
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    asked = [json.loads(line) for line in rest.splitlines()]
    assert [one["status"] for one in asked if one["kind"] == "request"] == [200]
    kept = tmp_path / "cache/sitewright/updates.json"
    assert kept.stat().st_mode & 0o777 == 0o600
