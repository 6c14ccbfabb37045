"""What Vault keeps, in a backup and back: the real program of the backup, real Vaults with Raft.

The Vaults are OpenBao's, the cluster around them a stand-in (`tests/stand_ins/vault_pods.py`);
whose token of Kubernetes it is, the test answers as the API's TokenReview does.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.installer.pm4ml.backup.keys import Keys
from tests.installer.pm4ml.backup.saved_master import PM4ML, Cluster
from tests.lab.openbao import openbao
from tests.stand_ins.vault_pods import Vaults

ACCOUNT = "sitewright-backup"


def token_of(account: str) -> str:
    """A token as Kubernetes makes it; nobody but the API can tell whether it is one."""
    claims = {
        "iss": "https://kubernetes.default.svc",
        "sub": f"system:serviceaccount:vault:{account}",
        "kubernetes.io": {"namespace": "vault", "serviceaccount": {"name": account, "uid": "u-1"}},
    }
    parts = [json.dumps(one).encode() for one in ({"alg": "RS256", "typ": "JWT"}, claims)]
    return ".".join(
        base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in [*parts, b"0" * 256]
    )


class Review(BaseHTTPRequestHandler):
    """STAND-IN for the API's TokenReview: it knows the account that the token names."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        claims = asked["spec"]["token"].split(".")[1]
        name = json.loads(base64.urlsafe_b64decode(claims + "==="))["sub"]
        user = {"username": name, "uid": "u-1", "groups": ["system:serviceaccounts"]}
        answer = {**asked, "status": {"authenticated": True, "user": user}}
        body = json.dumps(answer).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """It says nothing."""


@pytest.fixture
def review() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Review)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def authority(folder: Path) -> str:
    """A certificate that nobody asks for: the API of this test is reached without TLS."""
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test"
    pem = folder / "authority.pem"
    subprocess.run(
        [*words.split(), "-keyout", "/dev/null", "-out", str(pem)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return pem.read_text()


class Opened:
    """Vaults that were initialised, opened and given the solution's first rights."""

    def __init__(self, cluster: Cluster, folder: Path, review: str) -> None:
        self.program = cluster.parts.vault.vaults
        self.vaults = Vaults(folder / "cluster", openbao(), count=2)
        self.program.KUBECTL = (str(self.vaults.kubectl), "kubectl")
        (self.vaults.place / "token").write_text(token_of(ACCOUNT))
        text = (PM4ML.folder / "vault/first-rights.yaml").read_text()
        text = text.replace("{{ pm4ml_id }}", "bank-one").replace("{{ vault_namespace }}", "vault")
        self.rights = yaml.safe_load(text.replace("/vault/audit", str(folder)))
        self.rights["auth"]["kubernetes"]["config"] = {
            "kubernetes_host": review, "disable_local_ca_jwt": True,
            "kubernetes_ca_cert": authority(folder),
        }  # fmt: skip
        cluster.config["vault"] = {"namespace": "vault"}

    def make(self) -> None:
        """Initialise, open, keep a word, give the rights."""
        made = self.program.init("vault", {"pod": "vault-0", "shares": 3, "threshold": 2})
        self.shares = made["shares"][:2]
        assert self.program.unseal("vault", {"shares": self.shares})["opened"]
        name = self.program.active("vault")
        self.vaults.ask(name, "sys/mounts/secret", made["root"], {"type": "kv"})
        self.vaults.ask(name, "secret/bank-one", made["root"], {"word": "the-hubs-secret"})
        # Before the rights, with which every root token goes; it may read, and is another's.
        policy = {"policy": 'path "secret/*" { capabilities = ["read"] }'}
        self.vaults.ask(name, "sys/policies/acl/reader", made["root"], policy)
        reader = self.vaults.ask(
            name, "auth/token/create-orphan", made["root"], {"policies": ["reader"]}
        )
        self.reader = reader["auth"]["client_token"]
        given = self.program.rights("vault", {"root": made["root"], "rights": self.rights})
        assert (given["why"], given["revoked"]) == ("", "")

    def empty(self) -> None:
        """Lose every volume, as machines that burnt."""
        self.vaults.end()
        for name in self.vaults.pods:
            folder = self.vaults.place / name / "data"
            for file in sorted(folder.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
        self.vaults.begin()

    def word(self) -> str:
        """What it keeps, read by a token of before."""
        told = self.vaults.ask(self.program.active("vault"), "secret/bank-one", self.reader)
        return str(told["data"]["word"])


@pytest.fixture
def opened(cluster: Cluster, tmp_path: Path, review: str) -> Iterator[Opened]:
    made = Opened(cluster, tmp_path, review)
    made.vaults.begin()
    try:
        made.make()
        yield made
    finally:
        made.vaults.end()


@pytest.mark.processes
def test_what_vault_keeps_is_saved_lost_and_put_back(
    opened: Opened, cluster: Cluster, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    parts, objection = cluster.parts, cluster.parts.told.Objection
    name = cluster.make()
    key = cluster.key_of(name, keys)
    verdict = cluster.read(name, key)
    assert "what Vault keeps is in it, to Raft's index" in verdict.text()
    assert verdict.snapshot.bytes > 0
    # Neither it nor the login is anything that Vault would know again, or that lies about.
    assert not [path for path in parts.told.STATE.rglob("*") if path.name == "vault.snap"]
    calls = (opened.vaults.place / "calls").read_text()
    assert "hvs." not in calls

    # Never over what one holds, open or sealed.
    parts.restoring.note_checked(parts.reading.chosen(parts.target.target_of(cluster.config), name))
    with pytest.raises(objection, match=r"vault-0 is .*: a snapshot is put into Vaults that"):
        parts.vault_back.apply(cluster.config, name, key)
    opened.empty()
    other = {**cluster.config, "domain": "other.test"}
    assert "it is of another site: its domain is 'bank.test'" in " ".join(
        parts.vault_back.fit(other, name)
    )
    assert parts.vault_back.fit(cluster.config, name) == []
    told = parts.vault_back.apply(cluster.config, name, key)
    assert "opened by the shares of the Vault that it was taken of, 2 of 3" in told
    assert not parts.vault_back.BEGUN.exists()

    assert sorted(opened.program.unseal("vault", {"shares": opened.shares})["opened"]) == [
        "vault-0", "vault-1",
    ]  # fmt: skip
    assert opened.word() == "the-hubs-secret"
    assert "hvs." not in capsys.readouterr().out
    # And it is backed up as before, by the rights that came back with it.
    assert cluster.make() != name


@pytest.mark.processes
def test_one_that_was_cut_off_goes_on(
    opened: Opened, cluster: Cluster, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = cluster.parts
    name = cluster.make()
    key = cluster.key_of(name, keys)
    parts.restoring.note_checked(parts.reading.chosen(parts.target.target_of(cluster.config), name))
    opened.empty()
    put = parts.vault._put
    for before in (True, False):

        def dies(*given: Any, early: bool = before) -> None:
            if not early:
                put(*given)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(parts.vault, "_put", dies)
            with pytest.raises(KeyboardInterrupt):
                parts.vault_back.apply(cluster.config, name, key)
        assert parts.vault_back.BEGUN.stat().st_mode & 0o777 == 0o600
    assert "is back in vault-0" in parts.vault_back.apply(cluster.config, name, key)
    opened.program.unseal("vault", {"shares": opened.shares})
    assert opened.word() == "the-hubs-secret"


@pytest.mark.processes
def test_a_backup_without_what_vault_keeps_is_sent_and_is_a_failure(
    opened: Opened, cluster: Cluster, keys: Keys
) -> None:
    objection = cluster.parts.told.Objection
    names = [cluster.make() for _ in range(2)]
    # Another's account; no role; all sealed; no answer.
    for spoil, why in (
        (lambda: (opened.vaults.place / "token").write_text(token_of("default")), "has no role"),
        (lambda: opened.vaults.tell("delete", "pod", *opened.vaults.pods), "no Vault is open"),
        (opened.vaults.end, "no Vault is open"),
    ):
        spoil()
        with pytest.raises(objection, match=f"lies at the target without what Vault.*{why}"):
            cluster.make()
    # All are there, and none of the older went for them.
    assert len(cluster.files) == 2 * (len(names) + 3)
    last = sorted({file.stem for file in cluster.files})[-1]
    verdict = cluster.read(last, cluster.key_of(last, keys))
    assert "what Vault keeps is not in it" in verdict.text()
    assert any("no Vault is open" in one for one in verdict.inner["not_in_it"])
    good, text = cluster.parts.saving.age(cluster.config)
    assert not good
    assert "What Vault keeps is not in it: no Vault is open" in text
    assert f"what Vault keeps is not in the backup {last}" in " ".join(
        cluster.parts.vault_back.fit(cluster.config, last)
    )


def snapshot(**parts: bytes) -> bytes:
    """A snapshot as Raft's library writes it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in parts.items():
            member = tarfile.TarInfo(name.replace("_", "."))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip.compress(buffer.getvalue())


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "does not say what it is|cannot be read"),
        (b"not gzip at all", "cannot be read"),
        (snapshot(), "does not say what it is"),
        (snapshot(meta_json=b"[]"), "does not say what it is"),
        (snapshot(meta_json=b'{"Index": 7}', state_bin=b"x", SHA256SUMS=b""), "meta.json is not"),
        (snapshot(meta_json=b'{"Index": 7}', state_bin=b"x")[:-9], "cannot be read"),
    ],
)
def test_a_bad_snapshot_is_told(parts: Any, raw: bytes, why: str) -> None:
    with pytest.raises(parts.told.Objection, match=why):
        parts.vault.prove(io.BytesIO(raw))
