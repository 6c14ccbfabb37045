"""What others have in hands between a backup and its restore: the target, its lists, a record.

Nothing that lies there is followed, nothing of it runs, and what was agreed to is what is restored.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foundation.problems import Refused
from foundation.secrets import Secret
from installer.commands.machine import removal_plan
from installer.plans.plan_files import BROUGHT
from installer.record.identity import last_site
from installer.record.runs import runs_folder, runs_of, site_of
from installer.running.unfinished import cut_off
from installer.sites.site import dump_site
from installer.steps.record import archive_of
from installer.steps.record_back import unpack
from tests.installer.planning.test_planning import site as planned_site
from tests.installer.pm4ml.backup.keys import Keys
from tests.installer.pm4ml.backup.saved_master import Cluster
from tests.installer.pm4ml.machines.removals import begins, ran, workers

KEY = "pm4ml-production-0123456789"
OTHER = "pm4ml-production-9876543210"


# ---- a folder that others can write to


@pytest.fixture
def folder(parts: Any, tmp_path: Path) -> Any:
    (tmp_path / "usb" / KEY).mkdir(parents=True)
    return parts.target.Folder(str(tmp_path / "usb"), KEY)


@pytest.mark.parametrize("name", ["trial.part", "20261129T190000Z.gpg.part"])
def test_a_link_at_the_target_leads_no_backup_elsewhere(
    folder: Any, tmp_path: Path, name: str
) -> None:
    """It is written as root: a link to /etc/shadow on a stick would be written through."""
    victim = tmp_path / "shadow"
    victim.write_text("root:*")
    (folder.path / name).symlink_to(victim)
    folder.try_it()
    folder.put("20261129T190000Z.gpg", [b"sealed"])
    folder.finish("20261129T190000Z.gpg")
    assert victim.read_text() == "root:*"
    assert (folder.path / "20261129T190000Z.gpg").read_bytes() == b"sealed"


def test_a_folder_that_is_a_link_is_refused(folder: Any, parts: Any, tmp_path: Path) -> None:
    victim = tmp_path / "etc"
    victim.mkdir()
    folder.path.rmdir()
    folder.path.symlink_to(victim)
    for act in (
        folder.try_it,
        folder.sizes,
        lambda: folder.put("x.json", [b"x"]),
        lambda: folder.remove("x.json"),
    ):
        with pytest.raises(parts.told.Objection, match="is a link, and backups follow none"):
            act()
    assert list(victim.iterdir()) == []


@pytest.mark.parametrize("lay", ["link", "pipe"])
def test_what_is_no_file_is_not_read(
    folder: Any,
    parts: Any,
    tmp_path: Path,
    lay: str,
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of another")
    place = folder.path / "20261129T190000Z.json"
    place.symlink_to(secret) if lay == "link" else os.mkfifo(place)
    assert folder.sizes() == {}
    with pytest.raises(parts.told.Objection), folder.reading(place.name):
        pass


# ---- lists that nobody of ours wrote


@pytest.mark.processes
@pytest.mark.parametrize(
    "change",
    [
        lambda told: "[" * 200_000,
        lambda told: json.dumps({**told, "canary": {**told["canary"], "written": float("nan")}}),
        lambda told: json.dumps({**told, "made": 1e300}),
        lambda told: json.dumps({**told, "entries": "many"}),
        lambda told: json.dumps({**told, "members": [{"name": "x", "bytes": -1, "sha256": ""}]}),
        lambda told: json.dumps({**told, "microk8s": {}}),
        lambda told: json.dumps({**told, "opened_by": [{"nobody": 1}]}),
        lambda told: json.dumps({**told, "format": "two"}),
        lambda told: json.dumps({**told, "sha256": "none"}),
        lambda told: json.dumps({**told, "master": "m1. Its SHA-256 is " + "0" * 64}),
        lambda told: json.dumps({**told, "site": "\x1b[2J"}),
        lambda told: "null",
    ],
)
def test_a_list_that_is_none_is_passed_over_and_told(
    cluster: Cluster,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Any], str],
) -> None:
    cluster.make()
    _, listed = cluster.files
    listed.write_text(change(json.loads(listed.read_text())))
    capsys.readouterr()
    target = cluster.parts.target.target_of(cluster.config)
    assert cluster.parts.saving.kept(target) == []
    assert "is no list of a backup" in capsys.readouterr().out


@pytest.mark.processes
def test_what_was_agreed_to_is_what_is_restored(
    cluster: Cluster,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever has the target and the public keys can seal another under the name agreed to."""
    restoring, objection = cluster.parts.restoring, cluster.parts.told.Objection
    monkeypatch.setattr(restoring, "WORK", restoring.STATE / "restore", raising=True)
    monkeypatch.setattr(restoring, "CHECKED", restoring.STATE / "checked")
    monkeypatch.setattr(restoring, "fit", lambda config, name: [])
    done: list[str] = []

    def restored(*_: object) -> str:
        done.append("restored")
        return "restored"

    monkeypatch.setattr(restoring, "_apply", restored)
    name = cluster.make()
    target = cluster.parts.target.target_of(cluster.config)
    with pytest.raises(objection, match="not the one that was looked through here"):
        restoring.apply(cluster.config, name, "")
    restoring.note_checked(cluster.parts.reading.chosen(target, name))
    assert "only that sum, compared with" in restoring.loss(cluster.config, name)
    assert restoring.apply(cluster.config, name, "") == "restored"
    # Another lies under its name now, sealed to the same persons and whole.
    there = cluster.target / KEY
    forged = cluster.make()
    told = json.loads((there / f"{forged}.json").read_text())
    (there / f"{name}.json").write_text(json.dumps({**told, "name": name}))
    shutil.copy(there / f"{forged}.gpg", there / f"{name}.gpg")
    with pytest.raises(objection, match="not the one that was looked through here"):
        restoring.loss(cluster.config, name)
    with pytest.raises(objection, match="not the one that was looked through here"):
        restoring.apply(cluster.config, name, "")
    assert done == ["restored"]


@pytest.mark.processes
def test_the_bytes_that_are_opened_are_those_of_the_sum(
    cluster: Cluster,
    keys: Keys,
) -> None:
    """A target may show one file to who compares and another to who opens."""
    name = cluster.make()
    target = cluster.parts.target.target_of(cluster.config)
    outer = cluster.parts.reading.chosen(target, name)
    key = Secret(cluster.key_of(name, keys)).reveal()
    assert cluster.parts.reading.read_through(target, outer, key).entries
    with pytest.raises(cluster.parts.told.Objection, match="it was changed meanwhile"):
        cluster.parts.reading.read_through(target, {**outer, "sha256": "0" * 64}, key)


# ---- a record that a machine gave


def packed(*names: str, head: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for each in names:
            tar.addfile(tarfile.TarInfo(each))
    return gzip.compress(head + gzip.decompress(buffer.getvalue()))


def test_a_record_of_another_site_lays_nothing(tmp_path: Path) -> None:
    """Its next resume would do what the machine of this one wrote."""
    raw = packed(f"{KEY}/20260101-000000-aaaa/plan.json", f"{OTHER}/20260101-000000-aaaa/plan.json")
    with pytest.raises(ValueError, match="is of another site"):
        unpack(raw, tmp_path / "runs", KEY)
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_head_of_a_record_has_a_bound(tmp_path: Path) -> None:
    """A megabyte, packed, that tarfile would take a gigabyte of memory for."""
    head = tarfile.TarInfo("head")
    head.type, head.size = tarfile.XHDTYPE, 64 << 20
    raw = packed(f"{KEY}/20260101-000000-aaaa/plan.json", head=head.tobuf() + bytes(64 << 20))
    with pytest.raises(tarfile.TarError, match="the head of a file in it is too large"):
        unpack(raw, tmp_path / "runs", KEY)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(dump_site(planned_site()))
    return path


async def test_a_run_that_a_machine_gave_is_looked_at_and_never_gone_on_with(file: Path) -> None:
    """Its plan was reviewed elsewhere, and its copies of playbooks would run on this computer."""
    site, _, plan, operation = removal_plan(file, workers(file)[0])
    run = ran(site, plan, operation, "fit")
    key = site_of(run.site_key)
    raw, count, _ = archive_of(runs_folder(), key)
    assert count == 1
    assert cut_off(site, operation, of=plan) == run
    shutil.rmtree(run.folder)
    assert unpack(raw, runs_folder(), key) == (1, 0)
    (back,) = runs_of(run.site_key)
    assert back.id == run.id
    assert back.brought
    assert cut_off(site, operation, of=plan) is None
    assert last_site(key) == site
    assert last_site(key, reviewed=True) is None
    with pytest.raises(Refused, match="came to this computer out of a backup"):
        await begins(site, plan, file, back)
    # The next backup takes it along, and whoever gets that one marks it anew.
    again, _, _ = archive_of(runs_folder(), key)
    with tarfile.open(fileobj=io.BytesIO(again)) as tar:
        assert not any(name.endswith(BROUGHT) for name in tar.getnames())
