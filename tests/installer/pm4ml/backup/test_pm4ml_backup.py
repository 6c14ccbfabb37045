"""The backup of a site: what counts as one, who can open it, and what a bad one is told as."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from foundation.problems import InputProblem
from foundation.secrets import Secret
from installer.planning.backups import backup_values, person_of
from installer.planning.make import make_plan
from installer.sites.site_backup import Backup
from installer.steps.kind import StepFailed
from installer.steps.opened import session_key
from installer.steps.record import archive_of
from installer.steps.record_back import unpack
from installer.steps.stage_files import operations_of_backup
from tests.installer.planning.test_planning import site
from tests.installer.pm4ml.backup.keys import PASSPHRASE, Keys
from tests.installer.pm4ml.backup.saved_master import CANARY, PM4ML, Cluster, archive, whole


@pytest.mark.parametrize(
    ("entries", "against"),
    [
        ([], "an archive with 0 entries and said that all was well"),
        (whole()[:-1], f"the object {CANARY}, written right before, is not in it"),
        ([one for one in whole() if "/namespaces/shop" not in one], "are not in it: shop"),
        (whole(), ""),
    ],
)
def test_an_archive_counts_by_what_is_in_it(parts: Any, entries: list[str], against: str) -> None:
    proof = parts.datastore.prove(io.BytesIO(archive(*entries)))
    assert against in proof.against(CANARY, {"shop", "kube-system"})
    assert bool(against) == bool(proof.against(CANARY, {"shop", "kube-system"}))


def test_a_cut_archive_is_told(parts: Any) -> None:
    with pytest.raises(parts.told.Objection, match="cannot be read"):
        parts.datastore.prove(io.BytesIO(archive(*whole())[:-200]))


@pytest.mark.processes
def test_a_backup_is_opened_by_whom_it_is_sealed_to(cluster: Cluster, keys: Keys) -> None:
    name = cluster.make()
    assert not any(b"the key of the authority" in file.read_bytes() for file in cluster.files)
    verdict = cluster.read(name, cluster.key_of(name, keys))
    assert verdict.entries == len(cluster.entries) + 1
    assert {one["name"] for one in verdict.inner["members"]} == {
        "datastore.tar.gz", "microk8s/certs/ca.key",
    }  # fmt: skip
    header = cluster.files[0].read_bytes()[:4096]
    with pytest.raises(StepFailed, match="this key does not open the backup: it is sealed to"):
        session_key(header, keys.strangers, Secret(PASSPHRASE))
    with pytest.raises(InputProblem, match="the passphrase does not open the private key"):
        session_key(header, keys.private, Secret("another"))
    for nothing in (b"", b"no packet", header[:20], b"\xd2\xff"):
        with pytest.raises(StepFailed, match="no beginning of a sealed file"):
            session_key(nothing, keys.private, Secret(PASSPHRASE))
    with pytest.raises(InputProblem, match="holds no private OpenPGP key"):
        session_key(header, keys.public, Secret(""))
    # Another backup has another key.
    other = cluster.make()
    with pytest.raises(cluster.parts.told.Objection, match="it is not what was sealed"):
        cluster.read(other, cluster.key_of(name, keys))


@pytest.mark.processes
def test_an_empty_archive_sends_nothing_and_touches_no_older_one(cluster: Cluster) -> None:
    cluster.make()
    before = [(file, file.read_bytes()) for file in cluster.files]
    cluster.entries = []
    with pytest.raises(cluster.parts.told.Objection, match="0 entries"):
        cluster.make()
    assert [(file, file.read_bytes()) for file in cluster.files] == before
    young, text = cluster.parts.saving.age(cluster.config)
    assert young
    assert "The last try" in text
    cluster.now += 14 * 3600
    young, text = cluster.parts.saving.age(cluster.config)
    assert not young
    assert "More than two were missed" in text


@pytest.mark.processes
def test_the_oldest_go_and_never_for_a_doubtful_one(cluster: Cluster) -> None:
    names = [cluster.make() for _ in range(3)]
    assert [file.name for file in cluster.files] == [
        f"{name}{end}" for name in names[1:] for end in (".gpg", ".json")
    ]
    cluster.entries = cluster.entries[40:] + [f"/registry/x/{n}" for n in range(30)]
    cluster.entries = [*cluster.entries[:22], *cluster.entries[-28:]]
    more = [f"/registry/y/{n}" for n in range(200)]
    cluster.entries, few = [*cluster.entries, *more], cluster.entries
    names.append(cluster.make())
    cluster.entries = few
    names.append(cluster.make())
    assert {file.stem for file in cluster.files} == set(names[2:])


@pytest.mark.processes
def test_what_is_cut_off_has_no_name_of_a_backup(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = cluster.parts.target.Folder
    put = target.put

    def full(own: Any, name: str, chunks: Any) -> None:
        put(own, name, (next(iter(chunks))[:100],))
        raise cluster.parts.told.Objection("the target took no more: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(target, "put", full)
        with pytest.raises(cluster.parts.told.Objection, match="No space left"):
            cluster.make()
    assert cluster.files == []
    # One of a machine that died under it is swept by the next.
    folder = cluster.target / str(cluster.config["site"])
    (folder / "20260101T000000Z.gpg.part").write_bytes(b"half")
    name = cluster.make()
    assert {file.stem for file in cluster.files} == {name}


@pytest.mark.processes
def test_a_bad_backup_is_told_before_it_is_opened(cluster: Cluster, keys: Keys) -> None:
    name = cluster.make()
    key = cluster.key_of(name, keys)
    sealed, listed = cluster.files
    good, told = sealed.read_bytes(), json.loads(listed.read_text())
    objection = cluster.parts.told.Objection
    sealed.write_bytes(good[:-100])
    with pytest.raises(objection, match="no whole backup"):
        cluster.read(name, key)
    sealed.write_bytes(good[:-100] + bytes(100))
    with pytest.raises(objection, match="is not what was sent"):
        cluster.read(name, key)
    sealed.write_bytes(good)
    listed.write_text(json.dumps({**told, "format": 2}))
    with pytest.raises(objection, match="newer than this one"):
        cluster.read(name, key)
    listed.write_text(json.dumps({**told, "domain": "other.test"}))
    with pytest.raises(objection, match="another than the one inside of it"):
        cluster.read(name, key)
    listed.write_text("{}")
    with pytest.raises(objection, match="no whole backup"):
        cluster.read(name, key)


def test_a_disk_that_is_not_mounted_takes_no_backup(parts: Any, tmp_path: Path) -> None:
    (tmp_path / "snap").mkdir()
    (tmp_path / "usb").mkdir()
    with pytest.raises(parts.told.Objection, match="lies on this machine's own disk"):
        parts.target.Folder(str(tmp_path / "usb"), "site").check()
    with pytest.raises(parts.told.Objection, match="mount the backup disk there"):
        parts.target.Folder(str(tmp_path / "none"), "site").check()


def test_a_file_of_a_backup_stays_in_its_folder(
    parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.restoring, "WORK", tmp_path / "work")
    with pytest.raises(parts.told.Objection, match="leads out of its folder"):
        parts.restoring._unpack("../evil", io.BytesIO(b"x"))
    assert not (tmp_path / "evil").exists()


# ---- the site file and the plan


@pytest.mark.parametrize(
    ("target", "host_key"),
    [
        ("mnt/backup", ""),
        ("/mnt/../etc", ""),
        ("/mnt/a b", ""),
        ("ssh://keeper@10.0.0.9/srv", ""),
        ("ssh://10.0.0.9/srv", "ssh-ed25519 " + "A" * 68),
        ("ssh://keeper:word@10.0.0.9/srv", "ssh-ed25519 " + "A" * 68),
        ("ssh://-oProxyCommand=x@10.0.0.9/srv", "ssh-ed25519 " + "A" * 68),
        ("s3://bucket", ""),
    ],
)
def test_what_is_no_target_is_refused(target: str, host_key: str) -> None:
    with pytest.raises(ValidationError):
        Backup(target=target, host_key=host_key, keys=("a.asc",))


@pytest.mark.processes
def test_who_can_open_it_is_named_by_gnupg(keys: Keys, tmp_path: Path) -> None:
    person = person_of(keys.public)
    assert person.name == "A. Name <a@bank.test>"
    assert len(person.fingerprint) == 40
    with pytest.raises(InputProblem, match="this is a private key"):
        person_of(keys.private)
    with pytest.raises(InputProblem, match="it holds 2 public keys"):
        person_of(keys.public.with_name("both.asc"))
    nonsense = tmp_path / "x.asc"
    nonsense.write_text("nothing")
    with pytest.raises(InputProblem, match="no public OpenPGP key"):
        person_of(nonsense)


@pytest.mark.processes
def test_the_plan_says_where_to_and_for_whom(keys: Keys, tmp_path: Path) -> None:
    told = site().model_copy(
        update={"backup": Backup(target="/mnt/backup", keys=(str(keys.public),))}
    )
    values = backup_values(told, tmp_path, "pm4ml-production-0123456789")
    operations = operations_of_backup(PM4ML)
    assert set(operations) == {"backup", "backup-schedule", "backup-list", "backup-verify",
                               "restore", "restore-vault"}  # fmt: skip
    for operation in operations.values():
        more = {"record": "pm4ml-production-0123456789", "name": "latest", "key_file": ""}
        plan = make_plan(PM4ML, told, (), operation=operation, knows={"backup": {**values, **more}})
        steps = plan.stages[0].steps
        assert {host for step in steps for host in step.hosts} == {"m1"}
        (config,) = (step for step in steps if step.id == "config")
        assert "/mnt/backup, opened by A. Name <a@bank.test> (" in config.title
        assert json.loads(dict(config.files)["/etc/sitewright/backup/backup.json"])["keep"] == 28


def test_verify_asks_for_the_backup_where_the_site_has_one() -> None:
    def asked(told: Any) -> bool:
        plan = make_plan(PM4ML, told, ())
        return any(step.key == "verify/backup" for stage in plan.stages for step in stage.steps)

    assert not asked(site())
    with_one = {"backup": Backup(target="/mnt/backup", keys=("a.asc",))}
    assert asked(site().model_copy(update=with_one))


def test_the_record_holds_the_runs_of_one_site(tmp_path: Path) -> None:
    key = "pm4ml-production-0123456789"
    for place in (f"{key}/20260101-000000-aaaa", f"{key}-backup/20260102-000000-bbbb",
                  "pm4ml-production-9876543210/20260103-000000-cccc"):  # fmt: skip
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "events.jsonl").write_text("{}\n")
    (tmp_path / key / "lock").write_text("")
    for place in (key, f"{key}-backup"):
        (tmp_path / place / "ends").mkdir()
    (tmp_path / f"{key}-backup/ends/20260102-000000-bbbb.json").write_text("{}")
    (tmp_path / key / "ends/20250101-000000-dddd.json").write_text("{}")  # of one that is gone
    packed, runs, left = archive_of(tmp_path, key)
    assert (runs, left) == (2, 0)
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        assert set(tar.getnames()) == {
            f"{key}/20260101-000000-aaaa/events.jsonl",
            f"{key}-backup/20260102-000000-bbbb/events.jsonl",
            f"{key}-backup/ends/20260102-000000-bbbb.json",
        }
    assert archive_of(tmp_path, key, most=0)[1:] == (1, 1)
    # On another computer; a run that lies there stays as it is.
    own = tmp_path / "other" / key / "20260101-000000-aaaa/events.jsonl"
    own.parent.mkdir(parents=True)
    own.write_text("its own\n")
    assert unpack(packed, tmp_path / "other", key) == (1, 1)
    assert own.read_text() == "its own\n"
    assert (tmp_path / "other" / f"{key}-backup/20260102-000000-bbbb/events.jsonl").is_file()
    assert (tmp_path / "other" / f"{key}-backup/ends/20260102-000000-bbbb.json").is_file()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "pm4ml-production-0123456789/lock", "a/b/c"])
def test_a_record_with_other_names_lays_nothing(tmp_path: Path, name: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for each in ("pm4ml-production-0123456789/20260101-000000-aaaa/plan.json", name):
            tar.addfile(tarfile.TarInfo(each))
    with pytest.raises(ValueError, match="is no file of a run"):
        unpack(buffer.getvalue(), tmp_path / "runs", "pm4ml-production-0123456789")
    assert list((tmp_path / "runs").iterdir()) == []


def test_the_loss_is_told_in_seconds(parts: Any) -> None:
    assert parts.told.ago(41.6) == "42 s"
    assert parts.told.ago(3 * 3600 + 61) == "10861 s (3 h 1 min)"
