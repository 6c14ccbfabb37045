"""Support bundles: what is in them, what never is, and what is refused when one is opened."""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation import secrets
from foundation.problems import InputProblem, Refused
from foundation.secrets import Secret, know_marks
from installer.cli import main
from installer.record.recorded_run import recorded_run
from installer.record.runs import Run
from installer.record.support_bundle import write_support_bundle
from installer.record.support_files import (
    LARGEST_FILE,
    LARGEST_WHOLE,
    SPARE,
    opened_archive,
    unpack,
)
from tests.installer.told_run import ID, told, write_run


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests made known is not looked for here."""
    for name in ("_known", "_encoded", "_hidden", "_values"):
        monkeypatch.setattr(f"foundation.secrets.{name}", type(getattr(secrets, name))())


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return write_run(tmp_path / "runs")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Path]:
    """A run and its bundle, which are only read; writing one asks programs for their versions."""
    folder = tmp_path_factory.mktemp("made")
    run = write_run(folder / "runs")
    write_support_bundle(run, folder / "bundle.tar.gz")
    return run, folder / "bundle.tar.gz"


@pytest.fixture
def bundle(made: tuple[Run, Path]) -> Path:
    return made[1]


def test_it_holds_the_run_and_this_machine(made: tuple[Run, Path]) -> None:
    run, bundle = made
    with opened_archive(bundle) as (folder, manifest):
        names = {entry.name for entry in manifest.files}
        assert {
            "run/site.yaml", "run/plan.json", "run/events.jsonl", "run/logs/m1.log",
            "this-machine.json",
        } <= names  # fmt: skip
        assert (folder / "run/events.jsonl").read_bytes() == run.journal.read_bytes()
        machine = json.loads((folder / "this-machine.json").read_text())
        assert "OpenSSH" in machine["ssh"]
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    assert bundle.stat().st_mode & 0o077 == 0


def test_tar_reads_it_too(bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        assert archive.getnames()[0] == "manifest.json"


def test_it_is_replayed_and_reported_without_any_machine(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(bundle)]) == 0
    out = capsys.readouterr().out
    assert "[1/2] Prepare the machines" in out
    assert "FAILED: A step failed (w1): exit status 9" in out
    assert main(["replay", str(bundle), "--json-lines"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["kind"] for line in lines] == [e.kind.value for e in told()]
    assert main(["report", str(bundle)]) == 0
    assert f"run {ID}" in capsys.readouterr().out
    with recorded_run(str(bundle)) as (found, _):
        assert found.id == ID
        place = found.folder
    assert not place.exists()


@pytest.mark.parametrize("form", ["tell-tale-5ecret", 'with "quotes" and \\ in it'])
def test_it_is_refused_where_a_known_secret_stands_in_it(
    form: str, run: Run, tmp_path: Path
) -> None:
    path = run.log("m1")
    path.write_text(path.read_text() + json.dumps({"said": f"the token is {form}"}) + "\n")
    target = tmp_path / "refused.tar.gz"
    kept = Secret(form)
    with pytest.raises(Refused) as caught:
        write_support_bundle(run, target)
    assert "line 2" in caught.value.cause
    assert kept.reveal() not in str(caught.value)
    assert list(tmp_path.glob("*.gz*")) == []
    assert list(tmp_path.glob(".refused*")) == []


def test_it_is_refused_where_a_private_key_stands_in_it(run: Run, tmp_path: Path) -> None:
    run.site_file.write_text("# -----BEGIN OPENSSH PRIVATE KEY-----\n")
    with pytest.raises(Refused, match="private key"):
        write_support_bundle(run, tmp_path / "refused.tar.gz")


def test_a_secret_in_a_secret_s_encoding_is_found_too(run: Run, tmp_path: Path) -> None:
    kept = Secret("tell-tale-5ecret")
    manifest = base64.b64encode(json.dumps({"password": kept.reveal()}).encode()).decode()
    path = run.log("m1")
    path.write_text(path.read_text() + base64.b64encode(f"data: {manifest}".encode()).decode())
    with pytest.raises(Refused, match="a secret that was given to this command stands in line 2"):
        write_support_bundle(run, tmp_path / "refused.tar.gz")


def test_what_cannot_be_searched_whole_is_told_as_that_and_not_as_a_secret(
    run: Run, tmp_path: Path
) -> None:
    Secret("tell-tale-5ecret")
    text = "nothing of it stands in here"
    for _ in range(6):
        text = base64.b64encode(text.encode()).decode()
    path = run.log("m1")
    path.write_text(path.read_text() + text)
    with pytest.raises(Refused, match="line 2 has more encodings in one another") as caught:
        write_support_bundle(run, tmp_path / "refused.tar.gz")
    assert "nobody knows" in caught.value.cause
    assert "was written down" not in str(caught.value.remedy)
    assert list(tmp_path.glob("*.gz*")) == []


def test_a_long_line_is_searched_whole_and_is_no_secret(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen's line is masked from where nobody looks any more; nothing was found there."""
    monkeypatch.setattr(secrets, "_marks", {})
    know_marks(b"k" * 32, {(8, "0" * 32)})
    path = run.log("m1")
    path.write_text(path.read_text() + "a b " * 30_000 + "\n")
    write_support_bundle(run, tmp_path / "bundle.tar.gz")


def test_the_command_lists_what_is_in_it_and_keeps_what_is_there(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["support-bundle", str(run.folder)]) == 0
    told = capsys.readouterr()
    assert told.out == f"sitewright-support-{ID}.tar.gz\n"
    assert "run/events.jsonl" in told.err
    assert main(["support-bundle", str(run.folder)]) == 2
    assert "of this name already" in capsys.readouterr().err
    secret = tmp_path / "token"
    secret.touch(mode=0o600)
    secret.write_text("a line of names\n")
    words = ["support-bundle", str(run.folder), "--output", "other.tar.gz"]
    assert main([*words, "--secret-file", str(secret)]) == 7
    assert not (tmp_path / "other.tar.gz").exists()


# ---- hostile archives


def repacked(bundle: Path, change: Callable[[tarfile.TarInfo, bytes], object]) -> bytes:
    """The bundle with each member passed through `change`, which says what is written."""
    out = io.BytesIO()
    with (
        tarfile.open(bundle) as old,
        gzip.GzipFile(fileobj=out, mode="wb") as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as new,
    ):
        for info in old:
            stream = old.extractfile(info)
            assert stream is not None
            data = stream.read()
            changed = change(info, data)
            if isinstance(changed, bytes):
                info.size = len(changed)
                data = changed
            new.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _link(info: tarfile.TarInfo, _data: bytes) -> object:
    if info.name == "run/site.yaml":
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        return b""
    return None


def _above(info: tarfile.TarInfo, data: bytes) -> object:
    if info.name == "manifest.json":
        return data.replace(b"run/site.yaml", b"../site.yamlx")
    if info.name == "run/site.yaml":
        info.name = "../site.yamlx"
    return None


def _other_content(info: tarfile.TarInfo, data: bytes) -> object:
    return data.replace(b"10.10.0.11", b"10.10.0.12") if info.name == "run/site.yaml" else None


def _larger_than_said(info: tarfile.TarInfo, data: bytes) -> object:
    return data + b"more" if info.name == "run/site.yaml" else None


def _long_name(info: tarfile.TarInfo, _data: bytes) -> object:
    if info.name == "run/site.yaml":
        info.name = "run/" + "x" * 5000
    return None


def _no_manifest(info: tarfile.TarInfo, _data: bytes) -> object:
    if info.name == "manifest.json":
        info.name = "manifest.txt"
    return None


def _huge(info: tarfile.TarInfo, data: bytes) -> object:
    if info.name != "manifest.json":
        return None
    value = json.loads(data)
    for entry in value["files"]:
        entry["bytes"] = LARGEST_FILE
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "change",
    [_link, _above, _other_content, _larger_than_said, _long_name, _no_manifest, _huge],
)
def test_a_hostile_archive_is_refused_and_leaves_nothing_outside(
    change: Callable[[tarfile.TarInfo, bytes], object], bundle: Path, tmp_path: Path
) -> None:
    hostile = tmp_path / "hostile.tar.gz"
    hostile.write_bytes(repacked(bundle, change))
    folder = tmp_path / "into" / "here"
    folder.mkdir(parents=True)
    with pytest.raises(InputProblem):
        unpack(hostile, folder)
    assert list((tmp_path / "into").iterdir()) == [folder]
    assert not [path for path in folder.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("cut", [0.0, 0.3, 0.9])
def test_a_cut_archive_is_refused(cut: float, bundle: Path, tmp_path: Path) -> None:
    raw = bundle.read_bytes()
    short = tmp_path / "short.tar.gz"
    short.write_bytes(raw[: int(len(raw) * cut)])
    with pytest.raises(InputProblem), opened_archive(short):
        pass


def test_what_is_no_archive_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.tar.gz"
    other.write_bytes(os.urandom(4096))
    for command in ("replay", "report"):
        assert main([command, str(other)]) == 2
        assert "it is no whole .tar.gz" in capsys.readouterr().err
    assert main(["replay", str(tmp_path / "nowhere")]) == 2
    assert "there is no such run" in capsys.readouterr().err


def test_room_is_asked_for_before_anything_is_unpacked(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=SPARE))
    with pytest.raises(InputProblem) as caught:
        unpack(bundle, tmp_path)
    assert "MB free" in caught.value.cause
    assert "TMPDIR=" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_the_whole_has_a_budget(bundle: Path) -> None:
    assert LARGEST_WHOLE <= 4 * 1024**3


@pytest.mark.parametrize("name", ["site.yaml", "plan.json", "facts.json", "events.jsonl"])
def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path, name: str) -> None:
    """A run that came from elsewhere would carry another file of this computer away."""
    run = write_run(tmp_path / "runs")
    behind = tmp_path / "behind"
    behind.write_bytes((run.folder / name).read_bytes() if (run.folder / name).exists() else b"x")
    (run.folder / name).unlink(missing_ok=True)
    (run.folder / name).symlink_to(behind)
    with pytest.raises(Refused, match="it is a link"):
        write_support_bundle(run, tmp_path / "bundle.tar.gz")
    assert not (tmp_path / "bundle.tar.gz").exists()


def test_a_file_with_a_hole_of_terabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs")
    os.truncate(run.journal, 1 << 42)
    with pytest.raises(InputProblem, match="4398"):
        write_support_bundle(run, tmp_path / "bundle.tar.gz")
