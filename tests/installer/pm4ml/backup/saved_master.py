"""A master whose datastore is a list of entries, and the program of the backup as it runs there."""

from __future__ import annotations

import importlib
import io
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from foundation.secrets import Secret
from installer.catalogue.solution import load_solution
from installer.planning.backups import person_of
from installer.steps.opened import session_key
from tests.installer.pm4ml.backup.keys import PASSPHRASE, Keys, make_keys

PM4ML = load_solution("pm4ml")
PARTS = (
    "told", "target", "sealed", "datastore", "vault", "saving", "reading", "restoring", "vault_back"
)  # fmt: skip
CANARY = "sitewright-canary-20261129t190000z"


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The program as it runs on a master, with its state below a folder of the test."""
    monkeypatch.syspath_prepend(str(PM4ML.folder / "operations"))
    found = {name: importlib.import_module(f"backup.{name}") for name in PARTS}
    state = tmp_path / "state"
    for module in found.values():
        for name, path in (("STATE", state), ("LAST", state / "last.json"),
                           ("RECORD", state / "record.tar.gz"),
                           ("BEGUN", state / "vault-begun.json"),
                           ("CHECKED", state / "checked"), ("WORK", state / "restore"),
                           ("DONE", state / "restored"), ("SNAP", tmp_path / "snap"),
                           ("BACKEND", tmp_path / "snap/backend")):  # fmt: skip
            if hasattr(module, name):
                monkeypatch.setattr(module, name, path)
    yield SimpleNamespace(**found)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("backup", "vaults")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("keys"))


def archive(*entries: str) -> bytes:
    """What dbctl writes: two files for each entry, in a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        folder = tarfile.TarInfo("datastore")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for number, key in enumerate(entries):
            for end, data in (("key", key.encode()), ("data", b"k8s\0")):
                member = tarfile.TarInfo(f"datastore/{number}.{end}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def whole(canary: str = CANARY) -> list[str]:
    return [
        *(f"/registry/pods/shop/pod-{n}" for n in range(60)),
        "/registry/namespaces/shop",
        "/registry/namespaces/kube-system",
        f"/registry/configmaps/kube-system/{canary}",
    ]


class Cluster:
    """A master whose datastore is a list of entries, and the folder that its backups go to."""

    def __init__(self, parts: Any, folder: Path, keys: Keys, patch: pytest.MonkeyPatch) -> None:
        self.parts, self.entries = parts, whole("")[:-1]
        (folder / "snap/backend").mkdir(parents=True)
        (folder / "snap/certs").mkdir()
        (folder / "snap/certs/ca.key").write_text("the key of the authority")
        self.target = folder / "usb"
        self.target.mkdir()
        person = person_of(keys.public)
        self.config = {
            "site": "pm4ml-production-0123456789", "solution": "pm4ml",
            "environment": "production", "domain": "bank.test", "pm4ml_id": "bank-one",
            "sitewright": "1", "target": str(self.target), "host_key": "", "keep": 2,
            "every_hours": 6,
            "people": [{"name": person.name, "fingerprint": person.fingerprint,
                        "key": person.key}],
        }  # fmt: skip
        self.now = 1_790_000_000.0
        patch.setattr(parts.datastore, "write_canary", self._canary)
        patch.setattr(parts.datastore, "save", self._save)
        patch.setattr(parts.datastore, "namespaces", lambda: {"shop", "kube-system"})
        patch.setattr(parts.datastore, "canaries", set)
        patch.setattr(parts.datastore, "forget_canaries", lambda names: None)
        patch.setattr(parts.target.Folder, "check", lambda own: own.path.mkdir(exist_ok=True))
        patch.setattr(parts.saving, "snap", lambda: {"version": "v1.31.14", "revision": "8000",
                                                     "channel": "1.31/stable"})  # fmt: skip
        patch.setattr(parts.saving.time, "time", lambda: self.now)

    def _canary(self, stamp: str) -> tuple[str, float]:
        self.canary = self.parts.datastore.CANARY + stamp.lower()
        return self.canary, self.now

    def _save(self, folder: Path) -> Path:
        path = folder / "datastore.tar.gz"
        key = f"/registry/configmaps/kube-system/{self.canary}"
        path.write_bytes(archive(*self.entries, *([key] if self.entries else [])))
        return path

    def make(self) -> str:
        self.now += 3600
        return str(self.parts.saving.make(self.config))

    @property
    def files(self) -> list[Path]:
        return sorted(path for path in self.target.rglob("*") if path.is_file())

    def read(self, name: str, key: str) -> Any:
        target = self.parts.target.target_of(self.config)
        outer = self.parts.reading.chosen(target, name)
        self.parts.reading.unchanged(target, outer)
        return self.parts.reading.read_through(target, outer, key)

    def key_of(self, name: str, keys: Keys) -> str:
        header = (self.target / str(self.config["site"]) / f"{name}.gpg").read_bytes()[: 16 * 1024]
        return session_key(header, keys.private, Secret(PASSPHRASE)).reveal()


@pytest.fixture
def cluster(parts: Any, tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    return Cluster(parts, tmp_path, keys, monkeypatch)
