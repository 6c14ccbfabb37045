"""The command as a person types it, in a process of its own: words, exit codes, files."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from foundation.version import __version__
from installer.cli import main

RECORDED = Path(__file__).parent.parent.parent / "recorded"
PROGRAM = [sys.executable, "-m", "installer"]
PM4ML = ("--solution", "pm4ml", "--environment", "production")


def sitewright(
    *arguments: str | Path, cwd: Path | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal."""
    return subprocess.run(
        [*PROGRAM, *(str(word) for word in arguments)],
        cwd=cwd,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_version() -> None:
    """The version stands alone on standard output."""
    done = sitewright("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"sitewright {__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [("preflight", "--no-such"), ("no-such",), ("preflight", "--format", "pdf")],
)
def test_wrong_usage_is_2(words: tuple[str, ...]) -> None:
    """A word that does not exist is told without a traceback."""
    done = sitewright(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("install", "site.yaml"), "sitewright install --site site.yaml"),
        (("undo", "way-out", "site.yaml"), "sitewright undo way-out --site site.yaml"),
        (("schema", "site", "site.yaml"), "See what it takes: sitewright schema -h"),
        (("preflight", "site.yaml"), "A site file is named by --site site.yaml"),
        (("trust", "hosts.ini"), "an inventory or a list by --inventory hosts.ini"),
        (("plan", "--site", "sit.yaml"), 'Did you mean "site.yaml"?'),
        (("init", "--solution", "PM4ML-"), 'did you mean "pm4ml"?'),
        (("init", "pm4ml"), "See what it takes: sitewright init -h"),
        (("bundle", "create", "--output", "x", "--no"), "takes: sitewright bundle create -h"),
        (("updates", "apply", "--site", "x", "--no"), "takes: sitewright updates apply -h"),
        (("repository", "check", ".", "--no"), "takes: sitewright repository check -h"),
        (("--no",), "See what it takes: sitewright -h"),
        (("preflght",), "Did you mean: sitewright preflight"),
        (("explain",), "See them all: sitewright -h"),
    ],
)
def test_what_is_mistyped_in_the_first_hour_is_put_right(
    words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A file without its option, a name of a file or a solution that is nearly right."""
    monkeypatch.chdir(tmp_path)
    for name in ("site.yaml", "hosts.ini"):
        (tmp_path / name).write_text("")
    assert main(words) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "usage:" not in said


def test_this_machine_without_a_solution() -> None:
    """Without anything it judges this machine against every solution that fits on one."""
    done = sitewright("preflight", "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode in (0, 3), done.stderr
    assert report["schema"] == "sitewright.preflight/1"
    assert {entry["solution"] for entry in report["carries"]} >= {"core-test-harness", "miniloop"}
    assert report["hosts"][0]["facts"]["cpu"]["logical"] >= 1
    bare = sitewright("--version", stdin="")
    assert bare.returncode == 0


def test_no_terminal_and_no_command_is_the_preflight_of_this_machine() -> None:
    """`sitewright` in a pipe prints the report that `sitewright preflight` prints."""
    done = sitewright()
    assert done.returncode in (0, 3)
    assert "Core Test Harness" in done.stdout


def test_the_documented_worker_passes(tmp_path: Path) -> None:
    """The recorded production worker is ready, in each form of report."""
    facts = RECORDED / "pm4ml-worker.json"
    for form in ("text", "json", "html", "junit"):
        out = tmp_path / f"report.{form}"
        done = sitewright(
            "preflight",
            "--facts",
            facts,
            *PM4ML,
            "--role",
            f"worker={host_of(facts)}",
            "--format",
            form,
            "--output",
            out,
        )
        report = out.read_text()
        assert "Traceback" not in done.stderr
        if form == "json":
            (host,) = json.loads(report)["hosts"]
            assert host["verdict"] in ("ready", "ready-with-warnings"), host["findings"]
        if form == "junit":
            assert ElementTree.fromstring(report).tag.startswith("testsuite")  # noqa: S314 - our own


def host_of(facts: Path) -> str:
    """The name of the machine in a recorded file."""
    return str(json.loads(facts.read_text())["machines"][0]["host"]["name"])


def test_one_nvme_less_fails_with_the_sentence(tmp_path: Path) -> None:
    """The same worker with one NVMe less fails once, in words that name the disk."""
    facts = RECORDED / "pm4ml-worker.json"
    seen = json.loads(facts.read_text())
    disks = seen["machines"][0]["facts"]["disks"]
    gone = next(disk for disk in disks if disk["kind"] == "nvme" and not disk.get("mounts"))
    disks.remove(gone)
    short = tmp_path / "short.json"
    short.write_text(json.dumps(seen))
    name = host_of(facts)
    done = sitewright(
        "preflight", "--facts", short, *PM4ML, "--role", f"worker={name}", "--format", "json"
    )
    (host,) = json.loads(done.stdout)["hosts"]
    failed = [finding for finding in host["findings"] if finding["severity"] == "fail"]
    assert [finding["id"] for finding in failed] == ["disk.nvme"]
    assert failed[0]["title"] == f"{name} has 1 NVMe disk of at least 500 GB; a worker needs 2."
    assert done.returncode == 3


def test_facts_are_saved_and_judged_again(tmp_path: Path) -> None:
    """What `facts` saves is judged elsewhere as it was here, and only its owner may read it."""
    file = tmp_path / "seen.json"
    saved = sitewright("facts", "--output", file)
    assert saved.returncode == 0, saved.stderr
    assert file.stat().st_mode & 0o077 == 0
    here = json.loads(sitewright("preflight", "--format", "json").stdout)
    there = json.loads(sitewright("preflight", "--facts", file, "--format", "json").stdout)
    assert [c["verdict"] for c in here["carries"]] == [c["verdict"] for c in there["carries"]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("solutoin: pm4ml\n", 'did you mean "solution"'),
        ("solution: pm4m\nhosts: [{name: a, address: local}]\n", "pm4ml"),
        ("solution: pm4ml\nhosts: 7\n", "hosts"),
        ("solution: pm4ml\nhosts: [{name: a, address: local, roles: [wroker]}]\n", "worker"),
        (
            "solution: pm4ml\nhosts:\n  - {name: a, address: local}\n  - {name: a, address: b}\n",
            "a",
        ),
        ("solution: pm4ml\nsolution: mosip\n", "twice"),
        ("a: b: c\n", "line 1"),
        ("\x00", "YAML"),
        ("", "empty"),
    ],
)
def test_a_wrong_site_file_is_one_problem(tmp_path: Path, text: str, words: str) -> None:
    """Each mistake is told once, with the word that would have been right, and the code is 2."""
    file = tmp_path / "site.yaml"
    file.write_text(text)
    done = sitewright("preflight", "--site", file)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_machines_are_named_once() -> None:
    """A site file and machines on the command line contradict each other."""
    done = sitewright("preflight", "local", "--inventory", "x.ini")
    assert done.returncode == 2
    assert "give one of them" in done.stderr


def test_several_machines_need_a_solution() -> None:
    """Two machines and nothing to judge them against: the remedy names the option."""
    done = sitewright("preflight", "a=10.0.0.1", "b=10.0.0.2")
    assert done.returncode == 2
    assert "--solution" in done.stderr


def test_a_result_that_cannot_be_written() -> None:
    """A folder that is not there is told in one sentence."""
    done = sitewright("solutions", "--output", "/nonexistent/x")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    """`sitewright solutions | head -1` ends quietly."""
    shell = f"{sys.executable} -m installer solutions pm4ml | head -n 1"
    done = subprocess.run(
        ["sh", "-c", shell],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent.parent.parent,
    )
    assert done.stderr == ""


def test_trust_without_a_terminal_confirms_nothing(tmp_path: Path) -> None:
    """An address where nobody is gives 4, in one sentence."""
    done = sitewright("trust", "127.0.0.1:1", "--known-hosts", tmp_path / "known")
    assert done.returncode == 4
    assert not (tmp_path / "known").exists()


def test_the_schemas_are_json() -> None:
    """Both schemas can be read by a program."""
    for what in ("site", "preflight"):
        assert json.loads(sitewright("schema", what).stdout)["type"] == "object"


def test_no_secret_is_written_anywhere(tmp_path: Path) -> None:
    """Passwords given by file and environment are in no output, report, facts or log."""
    canary = "CANARY-correct-horse-battery"
    file = tmp_path / "password"
    file.write_text(canary + "\n")
    file.chmod(0o600)
    home = Path(os.environ["HOME"])
    os.environ["SITEWRIGHT_SUDO_PASSWORD"] = canary + "-2"
    try:
        done = sitewright(
            "preflight",
            "x=nobody@127.0.0.1:1",
            *PM4ML,
            "--password-file",
            file,
            "--format",
            "json",
            "--save-facts",
            tmp_path / "facts.json",
        )
    finally:
        del os.environ["SITEWRIGHT_SUDO_PASSWORD"]
    assert done.returncode == 4
    written = [path for path in (*tmp_path.rglob("*"), *home.rglob("*")) if path.is_file()]
    texts = [done.stdout, done.stderr] + [p.read_text() for p in written if p != file]
    assert not any(canary in text for text in texts)


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """A password file with mode 0644 is told with the command that mends it."""
    file = tmp_path / "password"
    file.write_text("x\n")
    file.chmod(0o644)
    done = sitewright("preflight", "x=nobody@127.0.0.1:1", *PM4ML, "--password-file", file)
    assert done.returncode == 2
    assert "chmod 600" in done.stderr


def test_interrupting_says_so(tmp_path: Path) -> None:
    """Ctrl-C on a terminal ends with 130 and a sentence."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(Path(__file__).parent.parent.parent.parent)
        os.environ["TERM"] = "dumb"
        # A runner in the background has it ignored, and a child would inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(sys.executable, [*PROGRAM, "--text"])  # noqa: S606 - a terminal needs fork and exec
    seen = b""
    sent = False
    try:
        while select.select([terminal], [], [], 30)[0]:
            try:
                piece = os.read(terminal, 4096)
            except OSError:
                break
            if not piece:
                break
            seen += piece
            if not sent and b"1" in seen:
                os.write(terminal, b"\x03")
                sent = True
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130, seen


def test_a_terminal_that_was_taken_away_is_no_fault_of_a_disk(tmp_path: Path) -> None:
    """A closed window or a lost login: nothing is told, for nobody is there, and it is logged."""
    parent, child = pty.openpty()
    waits, goes = os.pipe()
    code = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN);"
        f"os.read({waits}, 1); from installer.cli import main; sys.exit(main(['checks']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=child,
        stdout=child,
        stderr=child,
        pass_fds=(waits,),
        start_new_session=True,
        env={
            **os.environ,
            "HOME": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).parent.parent.parent.parent),
        },
    )
    os.close(child)
    os.close(parent)
    os.write(goes, b"x")
    os.close(goes)
    os.close(waits)
    assert process.wait(60) == 130
    logged = "".join(each.read_text() for each in tmp_path.rglob("*.log"))
    assert "Errno 5" in logged
