"""Sitewright brought on by a bundle: signed, newer, shown, put beside, and the one before kept.

What is installed is a stand-in, of two lines of shell; that a real one is installed from a bundle
is told in test_sitewright.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundles.format.layout import Item
from bundles.format.media import RECORD
from bundles.format.recipe import Recipe
from bundles.make.create import CreateOptions, create_bundle
from bundles.read.archive_write import write_archive
from bundles.read.signature import load_signing_key
from bundles.sources import sitewright
from bundles.sources.workshop import Workshop
from foundation.version import __version__
from installer.cli import main
from installer.commands import going_on, self_update
from installer.events import Event, Kind
from installer.record.journal import Journal
from installer.record.runs import Run, create_run
from installer.supply import own_versions
from installer.supply.own_bundle import whats_new
from installer.supply.own_versions import AnotherVersion, beginner_of, read_versions
from installer.updates.schedule import program_here
from tests.bundles.conftest import Keys
from tests.installer.engine_site import plan, step

ROOT = Path(__file__).parents[3]
OLD, NEW = "2027-01-01T00:00:00Z", "2027-06-01T00:00:00Z"
INSTALL = """#!/bin/sh
[ ! -e "{ill}" ] || {{ echo "no room" >&2; exit 1; }}
mkdir -p "$SITEWRIGHT_VENV/bin"
printf '#!/bin/sh\\necho "sitewright {version}"\\n' > "$SITEWRIGHT_VENV/bin/sitewright"
chmod +x "$SITEWRIGHT_VENV/bin/sitewright"
exec "$SITEWRIGHT_VENV/bin/sitewright" "$@"
"""

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A bundle that brings a Sitewright that says its version and no more."""

    def made(version: str, created: str = NEW, changelog: str = "", *, signed: bool = True) -> Path:
        async def gather(shop: Workshop, *_: object) -> list[Item]:
            blob = shop.store.add(b"a wheel")
            script = INSTALL.format(version=version, ill=tmp_path / "ill").encode()
            records = {"install.sh": script, "CHANGELOG.md": changelog.encode()}
            return [
                shop.artifact("wheel", [("s.whl", blob)], name="sitewright", origin="x",
                              version=version, pins={"file": "s.whl"}),
                *(shop.artifact(RECORD, [(name, shop.store.add(raw))], name=name, origin="x")
                  for name, raw in records.items() if raw),
            ]  # fmt: skip

        monkeypatch.setattr(sitewright, "gather_sitewright", gather)
        folder = tmp_path / f"{version}-{created[:7]}-{signed}"
        line: dict[str, Any] = {"solution": "pm4ml", "version": "1", "sitewright": [{}]}
        key = load_signing_key(keys.key) if signed else None
        options = CreateOptions(created=created, key=key)
        asyncio.run(create_bundle(Recipe.model_validate(line), folder, options))
        return folder

    return made


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a person starts: the program of an environment that an install.sh made."""
    for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    prefix = tmp_path / "venv"
    (prefix / "bin").mkdir(parents=True)
    (prefix / ".stamp").touch()
    (prefix / "CHANGELOG.md").write_text("## 0.1.0\n- What it had.\n")
    program = prefix / "bin/sitewright"
    program.write_text(f'#!/bin/sh\necho "sitewright {__version__}"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "prefix", str(prefix))
    monkeypatch.setattr(own_versions, "_checkout", lambda: None)
    return program


def says(program: Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True,
                          check=True, timeout=60).stdout.strip()  # fmt: skip


def told(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    return " ".join((out + err).split())


def test_as_the_page_has_it(
    make: Make, front: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command of docs/updates.md, and what it says that comes of it."""
    page = (ROOT / "docs/updates.md").read_text()
    (line,) = re.findall(r"^    sitewright (self-update \S+ --keys \S+)$", page, re.MULTILINE)
    bundle = make("0.2.0", changelog="## 0.2.0\n- New: it\n  flies.\n## 0.1.0\n- What it had.\n")
    words = [{"newer.bundle": str(bundle), "signers": str(keys.allowed)}.get(word, word)
             for word in line.split()]  # fmt: skip
    assert main(words) == 7  # nobody is there to agree
    said = told(capsys)
    assert f"Sitewright 0.2.0, signed by maker@example.org; this is {__version__}." in said
    assert "What is new in it: 0.2.0 - New: it flies." in said
    assert "What it had" not in said
    assert says(front) == f"sitewright {__version__}"
    assert main([*words, "--yes"]) == 0
    assert says(front) == "sitewright 0.2.0"
    # The one before is there under its own name.
    assert says(front.with_name(f"sitewright-{__version__}")) == f"sitewright {__version__}"
    assert set(read_versions().programs) == {__version__, "0.2.0"}
    # A timer that is written now starts what a person starts, whatever comes later.
    assert program_here() == (str(front),)
    # A later one, and back: what is started stays in one place.
    assert main(["self-update", str(make("0.3.0")), "--keys", str(keys.allowed), "--yes"]) == 0
    assert says(front) == "sitewright 0.3.0"
    words = ["self-update", str(bundle), "--keys", str(keys.allowed), "--yes"]
    assert main([*words, "--allow-older"]) == 2
    assert "it is noted by name; say who allows it" in told(capsys)
    assert main([*words, "--allow-older", "A. Name"]) == 0
    [memory] = (Path(os.environ["XDG_STATE_HOME"]) / "sitewright/bundles").iterdir()
    assert json.loads(memory.read_bytes())["older_by"] == "A. Name"
    assert says(front) == "sitewright 0.2.0"


def test_what_is_not_signed_or_of_nobody_named_is_refused(
    make: Make, front: Path, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unsigned = make("0.2.0", signed=False)
    assert main(["self-update", str(unsigned), "--keys", str(keys.allowed), "--yes"]) == 6
    assert main(["self-update", str(make("0.2.0")), "--yes"]) == 6
    assert "nobody is named who may have made it" in told(capsys)
    other = tmp_path / "other"
    other.write_text(keys.allowed.read_text().replace("maker@example.org", "x", 1)[:60] + "\n")
    bundle = make("0.2.0")
    for blob in (bundle / "blobs/sha256").iterdir():
        if blob.read_bytes() == b"a wheel":
            blob.write_bytes(b"another")
    assert main(["self-update", str(bundle), "--keys", str(keys.allowed), "--yes"]) == 6
    assert "is damaged" in told(capsys)
    assert says(front) == f"sitewright {__version__}"
    assert read_versions().programs == {}


def script_beside(bundle: Path, other: Path, evil: bytes) -> None:
    (bundle / "install.sh").write_bytes(evil)


def script_everywhere(bundle: Path, other: Path, evil: bytes) -> None:
    beside = (bundle / "install.sh").read_bytes()
    for blob in (bundle / "blobs/sha256").iterdir():
        if blob.read_bytes() == beside:
            blob.write_bytes(evil)
    (bundle / "install.sh").write_bytes(evil)


def wheel(bundle: Path, other: Path, evil: bytes) -> None:
    for blob in (bundle / "blobs/sha256").iterdir():
        if blob.read_bytes() == b"a wheel":
            blob.write_bytes(b"A wheel")


def another_signed_one(bundle: Path, other: Path, evil: bytes) -> None:
    bundle.rename(bundle.with_name("away"))
    shutil.copytree(other, bundle)


def link_for_the_script(bundle: Path, other: Path, evil: bytes) -> None:
    (bundle / "evil").write_bytes(evil)
    (bundle / "install.sh").unlink()
    (bundle / "install.sh").symlink_to("evil")


@pytest.mark.parametrize(
    ("change", "code"),
    [(script_beside, 0), (link_for_the_script, 0), (script_everywhere, 6), (wheel, 6),
     (another_signed_one, 6)],
    ids=lambda one: getattr(one, "__name__", str(one)),
)  # fmt: skip
def test_what_is_started_is_what_was_verified(
    make: Make, front: Path, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], change: Callable[[Path, Path, bytes], None], code: int,
) -> None:  # fmt: skip
    """Whoever may write into the bundle's folder changes it while a person reads what is new."""
    bundle, other = make("0.2.0"), make("0.1.5", OLD)
    evil = f"#!/bin/sh\ntouch {tmp_path}/PWNED\necho sitewright 0.2.0\n".encode()
    monkeypatch.setattr(self_update, "_agreed", lambda *_: change(bundle, other, evil))
    assert main(["self-update", str(bundle), "--keys", str(keys.allowed), "--yes"]) == code
    said = told(capsys)
    assert not (tmp_path / "PWNED").exists()
    if code:
        assert "is another than was verified a moment ago" in said
    assert says(front) == f"sitewright {__version__ if code else '0.2.0'}"
    assert not list(own_versions.versions_folder().glob("bringing-*"))


def test_an_older_one_is_refused_by_its_version_and_by_its_bundle(
    make: Make, front: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--keys", str(keys.allowed), "--yes"]
    assert main(["self-update", str(make("0.0.9")), *more]) == 7
    assert f"it brings Sitewright 0.0.9, and this is {__version__}, which is newer" in told(capsys)
    assert main(["self-update", str(make(__version__)), *more]) == 0
    assert "which runs here" in told(capsys)
    assert main(["self-update", str(make("0.2.0")), *more]) == 0
    # A higher version in a bundle that was made before the last one.
    assert main(["self-update", str(make("0.3.0", OLD)), *more]) == 2
    assert "it is older than the one from which this Sitewright was updated" in told(capsys)
    assert says(front) == "sitewright 0.2.0"


def test_what_cannot_be_installed_leaves_what_runs(
    make: Make, front: Path, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = make("0.2.0")
    (tmp_path / "ill").touch()
    words = ["self-update", str(bundle), "--keys", str(keys.allowed), "--yes"]
    assert main(words) == 5
    assert "what runs here stays: no room" in told(capsys)
    assert says(front) == f"sitewright {__version__}"
    (tmp_path / "ill").unlink()
    with own_versions.alone():
        assert main(words) == 7
    assert "another self-update is under way" in told(capsys)
    write_archive(bundle, tmp_path / "one.tar")
    assert main(["self-update", str(tmp_path / "one.tar"), *words[2:]]) == 2
    assert "Unpack it first" in told(capsys)
    assert main(words) == 0


def test_a_checkout_and_what_somebody_else_installed_are_left(
    make: Make, front: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ["self-update", str(make("0.2.0")), "--keys", str(keys.allowed), "--yes"]
    monkeypatch.setattr(own_versions, "_checkout", lambda: tmp_path)
    assert main(words) == 2
    assert "runs from a checkout" in told(capsys)
    monkeypatch.setattr(own_versions, "_checkout", lambda: None)
    (front.parents[1] / ".stamp").unlink()
    assert main(words) == 2
    assert "was not installed by an install.sh of ours" in told(capsys)


def begun_by(version: str) -> Run:
    """A run of a site that was begun by a version, and is not at its end."""
    run = create_run("pm4ml-production-e5939c05ee", plan(step("a", "w1")))
    run.note_begun()
    journal = Journal(run.journal)
    journal.append(Event(Kind.RUN_STARTED, 1.0, data={"version": version} if version else {}))
    journal.close()
    return run


def test_a_run_under_way_is_gone_on_with_by_the_version_that_began_it(
    make: Make, front: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    run = begun_by(__version__)
    assert main(["self-update", str(make("0.2.0")), "--keys", str(keys.allowed), "--yes"]) == 0
    assert f"1 run under way: {run.id}" in told(capsys)
    assert beginner_of(run) is None
    became: list[tuple[Path, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *given: became.append(given))
    monkeypatch.setattr(sys, "argv", ["sitewright", "resume", "--site", "s.yaml"])
    newer = begun_by("0.2.0")
    going_on.go_by_the_beginner(newer)
    ((program, words, given),) = became
    assert says(program) == "sitewright 0.2.0"
    assert words[1:] == ["resume", "--site", "s.yaml"]
    assert given["HOME"] == os.environ["HOME"]
    # The wizard, which cannot become another, says by which it is gone on with.
    with pytest.raises(AnotherVersion) as caught:
        own_versions.require_this(newer)
    assert str(program) in caught.value.remedy
    # One that did not say its version is gone on with as ever.
    assert beginner_of(begun_by("")) is None


@pytest.mark.parametrize("version", ["9.9.9", "/bin/sh", "../../bin/sh"])
def test_a_version_that_is_not_here_is_refused_and_nothing_it_names_is_started(
    front: Path, version: str
) -> None:
    with pytest.raises(AnotherVersion) as caught:
        beginner_of(begun_by(version))
    assert "that one is not on this computer" in caught.value.cause
    assert "--with-this-version" in caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", '{"front": 1}', '{"front": "/x", "programs": []}'])
def test_a_damaged_note_of_the_versions_is_no_version(front: Path, text: str) -> None:
    folder = own_versions.versions_folder()
    folder.mkdir(parents=True)
    (folder / "versions.json").write_text(text)
    assert read_versions().programs == {}
    (folder / "versions.json").write_text(json.dumps({"front": "/x", "programs": {"0.2.0": "/y"}}))
    with pytest.raises(AnotherVersion):  # what is noted and gone
        beginner_of(begun_by("0.2.0"))


def test_what_is_new_is_what_the_other_has_not_and_no_sequence_of_a_terminal() -> None:
    now = "# Changelog\n## Unreleased\n### Added\n- \x1b[31mRed.\n- Old\n  one.\n\n## 0.1.0\n- A.\n"
    assert whats_new(now, "## Unreleased\n- Old one.\n- A.\n") == ["Unreleased", "  - Red."]
    assert whats_new(now, now) == []
    many = "## 1\n" + "".join(f"- Entry {number}.\n" for number in range(70))
    lines = whats_new(many, "")
    assert len(lines) == 62
    assert lines[-1].startswith("  … and 10 more")
