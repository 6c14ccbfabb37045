"""Words of machines, files and bundles on their way to a terminal, and faults of our own disk."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import struct
from pathlib import Path

import pytest

from foundation import own_log
from foundation.paths import data_folder, make_private, state_folder
from foundation.problems import Problem
from installer.cli import main
from installer.events import Event, Kind
from installer.record.journal import Journal
from installer.record.journal_lines import BrokenJournal
from installer.record.runs import HostLogs, Run
from installer.record.state import replay
from tests.foundation.peers import tcp_peer
from tests.foundation.test_terminal import EVIL, harmless
from tests.installer.told_run import write_run

MARK = "\x1b]0;PWNED\x07\x1b[31mEVIL\x1b[2J\u202e"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, with nothing in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("DATA", "STATE", "CONFIG", "CACHE"):
        monkeypatch.delenv(f"XDG_{name}_HOME", raising=False)
    return home


async def disconnects(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak SSH as far as to end it in words of one's own, before any host key is shown."""
    words = f"{MARK} Trusted. Press yes.".encode()
    payload = b"\x01" + struct.pack(">I", 11) + struct.pack(">I", len(words)) + words
    payload += struct.pack(">I", 0)
    padding = 8 - (len(payload) + 5) % 8 + 8
    packet = struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)
    writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" + packet)
    await writer.drain()
    await reader.read(4096)
    writer.close()


@pytest.mark.parametrize("command", ["preflight", "trust", "doctor", "facts"])
async def test_words_before_any_host_key_move_no_cursor(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    async with tcp_peer(tmp_path, disconnects) as peer:
        words = [command, f"ubuntu@127.0.0.1:{peer.port}"]
        code = await asyncio.to_thread(main, words)
    told = capfd.readouterr()
    assert code != 0
    assert "Trusted. Press yes" in told.out + told.err
    assert harmless(told.out + told.err)
    # Who ended it before any key was shown is not to be trusted by one.
    assert "compare it" not in told.out + told.err


def hostile_files(folder: Path) -> dict[str, list[str]]:
    """Commands over files that hold escape sequences where a person would be shown them."""
    (folder / "inventory").write_text(f"[all]\nm1 ansible_{MARK}=1 ansible_port={MARK}\n")
    (folder / "key.yaml").write_text('solution: pm4ml\n"x\\e[31mEVIL\\e]0;P\\a": 1\n')
    twice = '"x\\e[31mEVIL": 1\n' * 2
    (folder / "twice.yaml").write_text(f"solution: pm4ml\n{twice}")
    bundle = folder / "bundle"
    bundle.mkdir()
    (bundle / f"stray{MARK}").write_text("x")
    return {
        "inventory": ["preflight", "--inventory", str(folder / "inventory")],
        "site key": ["plan", "--site", str(folder / "key.yaml")],
        "key twice": ["plan", "--site", str(folder / "twice.yaml")],
        "bundle": ["bundle", "verify", str(bundle)],
        "name": ["plan", "--site", str(folder / f"no{MARK}.yaml")],
        "word": [f"no{MARK}"],
    }


@pytest.mark.parametrize("what", ["inventory", "site key", "key twice", "bundle", "name", "word"])
def test_words_of_files_move_no_cursor(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    try:
        code = main(hostile_files(tmp_path)[what])
    except SystemExit as ended:
        code = int(ended.code or 0)
    told = capfd.readouterr()
    assert code != 0
    assert told.err
    assert harmless(told.out + told.err)


def test_a_name_that_deceives_is_refused_in_a_site(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("hosts: [{name: m1\u202e, address: 10.0.0.1}]\n", encoding="utf-8")
    assert main(["preflight", "--site", str(site)]) == 2
    assert "the letters round" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("preflght", "preflight"), ("instal", "install"), ("resum", "resume"), ("undoo", "undo")],
)
def test_a_wrong_command_is_told_with_the_nearest(
    capfd: pytest.CaptureFixture[str], typed: str, meant: str
) -> None:
    for words in ([typed], [typed, "--site", "preflight"], ["--text", typed]):
        assert main(words) == 2
        told = capfd.readouterr().err
        assert f'"{typed}" is no command' in told
        assert f"Did you mean: sitewright {meant}" in told


def test_a_word_that_resembles_none_is_told_where_all_are(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["xyzzy"]) == 2
    assert "sitewright -h" in capfd.readouterr().err


def as_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log as a command does: without the handlers of the tests."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    own_log.keep_own_log()


# Our own disk ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "words"),
    [(30, "can only be read"), (28, "is full"), (13, "no right to it"), (5, "does not read")],
)
def test_an_error_of_the_disk_is_a_sentence(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    from installer.commands import solutions

    def fails(_options: object) -> int:
        raise OSError(number, os.strerror(number), "/data/sitewright/runs")

    monkeypatch.setattr(solutions, "run", fails)
    assert main(["solutions"]) == 2
    told = capfd.readouterr().err
    assert words in told
    assert "/data/sitewright/runs" in told
    assert "Do: " in told
    assert "Traceback" not in told
    assert "error of its own" not in told


def test_every_folder_of_ours_is_private(own_home: Path) -> None:
    os.umask(0o022)
    runs = data_folder() / "runs" / "pm4ml-staging-1"
    (data_folder()).mkdir(parents=True, mode=0o755)  # as an earlier version left it
    make_private(runs)
    for folder in (runs, runs.parent, data_folder()):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    make_private(state_folder())
    assert stat.S_IMODE(state_folder().stat().st_mode) == 0o700
    assert stat.S_IMODE(own_home.stat().st_mode) == 0o755  # what is not ours is left alone


def test_a_full_disk_under_a_log_is_one_sentence_and_the_run_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_a_command(monkeypatch)
    run = Run(tmp_path / "20260101-000000-abcd")
    run.folder.mkdir()  # and no folder for logs in it
    seen: list[Event] = []
    with Journal(run.journal) as journal:
        journal.subscribe(HostLogs(run))
        journal.subscribe(seen.extend)
        for host in ("m1", "m2"):
            data = {"text": "said", "stream": "stdout", "cursor": "", "unit": ""}
            journal.append(Event(Kind.LINE, 1.0, "s", "t", host, dict(data)), sync=True)
    assert [event.host for event in seen] == ["m1", "m2"]
    told = capfd.readouterr().err
    assert told.count("cannot be written here") == 1
    assert "Traceback" not in told


def test_what_is_logged_goes_to_the_log_and_no_traceback_to_a_person(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    as_a_command(monkeypatch)
    try:
        raise ValueError(f"odd {EVIL}")
    except ValueError:
        logging.getLogger("sitewright.test").exception("a view failed")
    told = capfd.readouterr().err
    assert "a view failed: odd" in told
    assert "Traceback" not in told
    assert harmless(told)
    log = (state_folder() / "sitewright.log").read_text()
    assert "Traceback" in log
    assert harmless(log)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.STEP_FINISHED, {"outcome": "excellent", "seconds": 1, "sentence": ""}),
        (Kind.STEP_FINISHED, {"seconds": 1}),
        (Kind.RUN_FINISHED, {"outcome": None}),
        (Kind.STAGE_FINISHED, {"outcome": ["done"]}),
        (Kind.JOB_STARTED, {"job": "x"}),
        (Kind.STEP_STARTED, {"title": "x", "attempt": 1e999}),
    ],
)
def test_a_record_that_says_what_we_never_write_is_a_broken_journal(
    tmp_path: Path, kind: Kind, data: dict[str, object]
) -> None:
    path = tmp_path / "events.jsonl"
    attempt = data.get("attempt")
    with Journal(path) as journal:
        if attempt is not None:
            data = {**data, "attempt": 1e308}
        journal.append(Event(kind, 1.0, "s", "t", "m1", data))  # type: ignore[arg-type]
    if attempt is not None:
        path.write_bytes(path.read_bytes().replace(b"1e+308", b"1e+999"))
    with pytest.raises(BrokenJournal) as caught:
        replay(path)
    assert "line 1" in caught.value.cause
    assert isinstance(caught.value, Problem)


@pytest.mark.parametrize("hidden", ["\x1b[8m", "\x1b[31m", "\x1b]0;x\x07", "\u202e"])
def test_a_folder_that_came_from_elsewhere_colours_no_result(
    capfd: pytest.CaptureFixture[str], hidden: str
) -> None:
    """Colours pass where a page of ours set them, and in no other result: some of them hide."""
    site = make_private(data_folder() / "runs") / f"pm4ml-production-{hidden}-0123456789"
    write_run(site)
    assert main(["status"]) == 0
    told = capfd.readouterr()
    assert "run 20251124-160000-ab12" in told.out
    assert harmless(told.out)
