"""Login shells: what every shell of the field passes on, and what start-up files do to it.

Real shells behind a real sshd; a server's ForceCommand stands in for the shell of an account.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.hosts import login_shell, machine_lock
from foundation.hosts.connection import Become, Credentials
from foundation.hosts.jobs import jobs
from foundation.hosts.jobs.jobs_model import JobSpec, JobState
from foundation.hosts.jobs.output_lines import clean_line
from foundation.hosts.login_shell import Passage, encoded
from foundation.hosts.pool import Pool
from foundation.hosts.ssh import SshConnection
from foundation.problems import ConnectTimeout, MachineProblem, ProbeProblem, SudoRefused
from foundation.secrets import Secret
from preflight.probe import run_probe
from tests.foundation.processes import BOUNDS
from tests.foundation.sshd import Sshd, StartSshd

SHELLS = {
    "sh": ["sh"],
    "bash": ["bash"],
    "dash": ["dash"],
    "busybox": ["busybox", "sh"],
    "tcsh": ["tcsh"],
    "fish": ["fish"],
    "zsh": ["zsh"],
    "ksh": ["ksh"],
    "rbash": ["bash", "-r"],
}
"""The login shells that servers have; each is a package of Debian's."""

ODD = [
    "a b", "$HOME", "`id`", "'", '"', "\\", "\\\\", "", "ünï", "*", "line\nline", "!x", "a!b",
    ";&|", "{a,b}", "~", "=ls", "%1", "^a^b", "#", "\t", "\x1b[31m", "end\n", "-n", "(x)", "\\0101",
    "%s",
]  # fmt: skip


def shell(name: str) -> list[str]:
    """A shell's command; a test without it is skipped, but not in CI."""
    words = SHELLS[name]
    if shutil.which(words[0]) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{words[0]} is missing, and CI must have it: apt-get install {words[0]}")
        pytest.skip(f"{words[0]} is missing: apt-get install {words[0]}")
    return words


def server_with(start_sshd: StartSshd, name: str, folder: Path) -> Sshd:
    """A server whose account has this shell and an empty home."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    words = " ".join([*shell(name), "-c", '"$SSH_ORIGINAL_COMMAND"'])
    return start_sshd(f"ForceCommand exec {words}", f"SetEnv HOME={home}")


@pytest.mark.parametrize("name", sorted(SHELLS))
async def test_every_login_shell_passes_on_a_command_its_input_and_its_arguments(
    start_sshd: StartSshd, tmp_path: Path, name: str
) -> None:
    server = server_with(start_sshd, name, tmp_path)
    async with Pool(server.inventory()) as pool:
        connection = await pool.connect(server.host())
        said = await connection.run(["printf", "%s\\0", *ODD])
        assert said.stdout.decode().split("\0")[:-1] == ODD
        assert said.stderr == b""
        script = 'if [ "$1" = go ]; then\n  cat; echo "it\'s !" >&2\nfi\nexit 3'
        given = b"in\0put\n\n!last"
        done = await connection.run(["sh", "-c", script, "sh", "go"], stdin=given)
        assert (done.status, done.stdout, done.stderr) == (3, given, b"it's !\n")
        # A program as long as the longest that is sent (receive.py has 12 kB).
        long = "x = '!'\n" * 4000
        done = await connection.run(["sh", "-c", 'printf %s "$1" | wc -c', "sh", long])
        assert done.stdout.strip() == str(len(long)).encode()


@pytest.mark.parametrize("name", sorted(SHELLS))
async def test_a_probe_a_lock_and_a_job_work_behind_every_login_shell(
    start_sshd: StartSshd, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = server_with(start_sshd, name, tmp_path)
    lock = tmp_path / "lock"
    for script in ("_TAKE", "_RELEASE"):
        text = getattr(machine_lock, script).replace(machine_lock.PATH, str(lock))
        monkeypatch.setattr(machine_lock, script, text)
    async with Pool(server.inventory()) as pool:
        connection = await pool.connect(server.host())
        facts = await run_probe(connection)
        assert facts.identity.hostname == os.uname().nodename
        assert await machine_lock.take(connection, "a" * 32, "one!\ntwo") is None
        assert lock.read_text() == f"{'a' * 32}\none!\ntwo\n"
        spec = JobSpec(
            id=f"trial-{name}-{os.getpid()}", command=("sh", "-c", "cat; echo 'hel!lo'; exit 7"),
            stdin=b"first\n",
        )  # fmt: skip
        await jobs.start(connection, spec, become=Become.LOGIN)
        lines = [line.text async for line in jobs.follow(connection, spec.id, become=Become.LOGIN)]
        assert lines == ["first", "hel!lo"]
        status = await jobs.status(connection, spec.id, become=Become.LOGIN)
        assert (status.state, status.exit_status) == (JobState.FAILED, 7)
        await jobs.forget(connection, spec.id, become=Become.LOGIN)


GREETS_AND_ASKS = """\
echo "*** Authorised use only: SITE-7 ***"
echo "a warning" >&2
read -r -t 5 -p "Press enter to accept the policy: " _x
read -r again
"""


async def connected(server: Sshd, pool: Pool) -> SshConnection:
    """The connection to a server."""
    connection = await pool.connect(server.host())
    assert isinstance(connection, SshConnection)
    return connection


def server_of(start_sshd: StartSshd, folder: Path, bashrc: str, *more: str) -> Sshd:
    """A server whose account is bash's, with this start-up file."""
    home = folder / "home"
    home.mkdir()
    (home / ".bashrc").write_text(bashrc)
    words = 'SHLVL=0 exec bash -c "$SSH_ORIGINAL_COMMAND"'
    return start_sshd(f"ForceCommand {words}", f"SetEnv HOME={home}", *more)


async def test_a_start_up_file_that_greets_and_asks_takes_nothing_away(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    server = server_of(start_sshd, tmp_path, GREETS_AND_ASKS)
    async with Pool(server.inventory()) as pool:
        connection = await connected(server, pool)
        done = await connection.run(["cat"], stdin=b"first line\nsecond\n")
        assert (done.stdout, done.stderr) == (b"first line\nsecond\n", b"")
        assert (await connection.run(["echo", "no input"])).stdout == b"no input\n"
        facts = await run_probe(connection)
        assert facts.identity.hostname == os.uname().nodename
        # What is asked of a machine before its jobs must not be taken for the greeting.
        assert await jobs.durable_kind(connection) in ("systemd", "detached")
        pieces = [c.data async for c in connection.stream(["cat"], stdin=b"x" * 100_000)]
        assert b"".join(pieces) == b"x" * 100_000


async def test_a_start_up_file_that_reads_everything_is_told(
    start_sshd: StartSshd, tmp_path: Path
) -> None:
    server = server_of(start_sshd, tmp_path, "cat >/dev/null\n")
    async with Pool(server.inventory()) as pool:
        connection = await connected(server, pool)
        with pytest.raises(ProbeProblem) as caught:
            await connection.run(["cat"], stdin=b"all of it\n")
        assert "read what was meant for the command" in caught.value.cause
        assert (await connection.run(["echo", "still"])).stdout == b"still\n"


@pytest.mark.parametrize("name", sorted(set(SHELLS) - {"rbash"}))
async def test_input_is_never_run_by_a_shell_that_a_start_up_file_starts(
    start_sshd: StartSshd, tmp_path: Path, name: str
) -> None:
    again = f'[ -n "$AGAIN" ] || AGAIN=1 exec {" ".join(shell(name))}\n'
    server = server_of(start_sshd, tmp_path, again)
    async with Pool(server.inventory()) as pool:
        connection = await connected(server, pool)
        with pytest.raises(ProbeProblem) as caught:
            await connection.run(["cat"], stdin=f"touch {tmp_path}/run\n".encode())
        assert "another shell in its place" in caught.value.cause
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("bashrc", "words"),
    [
        ("echo This account is currently not available.; exit 1", "no login shell (nologin)"),
        (
            'echo \'Please login as the user "ubuntu" rather than the user "root".\'; exit 142',
            "only to say which user to take instead",
        ),
        ("echo odd words; exit 5", '(exit status 5): it wrote "odd words"'),
        ("while :; do echo again; done", "writes without an end"),
        ("exit 0", "ForceCommand, or command= in authorized_keys), and said nothing"),
    ],
)
async def test_a_shell_that_begins_no_command_is_told_in_its_own_words(
    start_sshd: StartSshd, tmp_path: Path, bashrc: str, words: str
) -> None:
    server = server_of(start_sshd, tmp_path, bashrc)
    async with Pool(server.inventory()) as pool:
        connection = await connected(server, pool)
        for stdin in (None, b"input"):
            with pytest.raises(ProbeProblem) as caught:
                await connection.run(["true"], stdin=stdin, timeout=60)
            assert words in caught.value.cause
            assert caught.value.remedy
        with pytest.raises(ProbeProblem) as caught:
            await run_probe(connection)
        assert words in caught.value.cause


@pytest.mark.parametrize(
    ("name", "file", "left_open"),
    [
        ("bash", ".bashrc", "Loading modules: "),
        ("zsh", ".zshenv", "quota:"),
        ("tcsh", ".tcshrc", "Free on /data (GB): "),
        ("fish", ".config/fish/config.fish", "[conda]"),
    ],
)
async def test_a_start_up_file_that_leaves_a_line_open_and_works_asks_nothing(
    start_sshd: StartSshd,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    file: str,
    left_open: str,
) -> None:
    monkeypatch.setattr("foundation.hosts.running._PROMPT_SECONDS", 0.1)
    monkeypatch.setattr("foundation.hosts.running._START_UP_SECONDS", 0.2, raising=False)
    started = tmp_path / "home" / file
    started.parent.mkdir(parents=True)
    started.write_text(f"/usr/bin/printf '{left_open}'\n/bin/sleep 0.7\necho done\n")
    words = f'SHLVL=0 exec {" ".join(shell(name))} -c "$SSH_ORIGINAL_COMMAND"'
    server = start_sshd(f"ForceCommand {words}", f"SetEnv HOME={tmp_path}/home")
    async with Pool(server.inventory()) as pool:
        connection = await connected(server, pool)
        done = await connection.run(["cat"], stdin=b"as it was")
        assert (done.status, done.stdout) == (0, b"as it was")


async def test_a_question_of_the_login_is_told_once_nobody_can_be_at_work_behind_it(
    start_sshd: StartSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("foundation.hosts.running._PROMPT_SECONDS", 0.1)
    server = server_of(start_sshd, tmp_path, "printf 'Checking token: '; sleep 0.7\n")
    async with Pool(server.inventory()) as pool:
        connection = await connected(server, pool)
        assert (await connection.run(["echo", "it began"])).stdout == b"it began\n"
        monkeypatch.setattr("foundation.hosts.running._START_UP_SECONDS", 0.3)
        (tmp_path / "home" / ".bashrc").write_text("printf 'Checking token: '; sleep 30\n")
        with pytest.raises(ProbeProblem) as caught:
            await connection.run(["true"])
        assert 'the login asks "Checking token:"' in caught.value.cause


ASKS_ITSELF = r"""#!/bin/bash
# A stand-in for sudo where PAM asks with its own words (IPA, LDAP, OTP): -p is not honoured.
n=
while [ $# -gt 0 ]; do
  case $1 in -n) n=1 ;; -S) ;; -p) shift ;; --) shift; break ;; *) break ;; esac
  shift
done
if [ -n "$n" ]; then echo "sudo: a password is required" >&2; exit 1; fi
cat "$SUDO_LOG.asks" >&2
IFS= read -r pw || { echo >&2; echo "sudo: no password was provided" >&2; exit 1; }
echo "got $pw" >>"$SUDO_LOG"
[ "$pw" = secret1 ] || { echo "Sorry, try again." >&2; exit 1; }
exec "$@"
"""


def server_that_asks(start_sshd: StartSshd, folder: Path, asks: str) -> Sshd:
    """A server whose sudo asks in words of its own, and whose account is not root's."""
    tools = folder / "tools"
    tools.mkdir()
    for name, text in (("sudo", ASKS_ITSELF), ("id", "#!/bin/sh\necho 1000\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    (folder / "log.asks").write_text(asks)
    return start_sshd(f"SetEnv PATH={tools}:/usr/bin:/bin SUDO_LOG={folder}/log")


@pytest.mark.parametrize(
    "asks", ["First Factor: ", "Verification code: ", "Password for anna@EXAMPLE.ORG:", "PIN? "]
)
async def test_a_question_of_pam_is_told_at_once_with_its_words(
    start_sshd: StartSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asks: str
) -> None:
    monkeypatch.setattr("foundation.hosts.running._PROMPT_SECONDS", 0.3)
    server = server_that_asks(start_sshd, tmp_path, asks)
    given = Credentials(sudo_password=Secret("secret1"))
    async with Pool(server.inventory(), given) as pool:
        connection = await connected(server, pool)
        # The login of these tests may be root's, who needs no sudo; this one is no root.
        monkeypatch.setattr(connection, "_target", _nobody(connection))
        facts = await run_probe(connection, timeout=20)
        assert facts.identity.hostname == os.uname().nodename
        assert any(f'sudo asks "{asks.strip()}"' in note for note in facts.notes)
        with pytest.raises(SudoRefused) as caught:
            await connection.run(["true"], become=Become.ROOT)
        assert f'"{asks.strip()}"' in caught.value.cause
        assert "secret1" not in f"{caught.value} {caught.value.remedy}"
    assert not (tmp_path / "log").exists()  # the password went to no question but sudo's own


async def test_a_sudo_that_is_silent_for_long_is_told_as_sudo(
    start_sshd: StartSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = server_that_asks(start_sshd, tmp_path, "Please touch the device.\n")
    monkeypatch.setattr("foundation.hosts.running.SUDO_SECONDS", 2.5)
    monkeypatch.setattr("foundation.hosts.running._PROMPT_SECONDS", 0.3)
    async with Pool(server.inventory(), Credentials(sudo_password=Secret("secret1"))) as pool:
        connection = await connected(server, pool)
        monkeypatch.setattr(connection, "_target", _nobody(connection))
        with pytest.raises(SudoRefused) as caught:
            await connection.run(["true"], become=Become.ROOT)
        assert "Please touch the device." in caught.value.cause
        done = await connection.run(["echo", "plainly"], become=Become.IF_ALLOWED)
        assert done.stdout == b"plainly\n"
        assert "sudo did not begin" in done.why_not_root


def _nobody(connection: SshConnection) -> object:
    from dataclasses import replace

    return replace(connection._target, user="anna")


async def test_a_time_out_carries_the_last_words_and_what_they_mean(sshd: Sshd) -> None:
    async with Pool(sshd.inventory()) as pool:
        connection = await pool.connect(sshd.host())
        script = "echo 'E: Could not get lock /var/lib/dpkg/lock' >&2; sleep 60"
        cause = ""
        for seconds in BOUNDS:
            with pytest.raises(ConnectTimeout) as caught:
                await connection.run(["sh", "-c", script], timeout=seconds)
            cause = caught.value.cause
            if "its last words" in cause:
                break
        assert 'its last words: "E: Could not get lock' in cause
        assert "another program installs packages" in cause
        for seconds in BOUNDS:
            half = connection.stream(["sh", "-c", "echo half; sleep 60"], timeout=seconds)
            with pytest.raises(ConnectTimeout) as caught:
                async for _ in half:
                    pass
            cause = caught.value.cause
            if "its last words" in cause:
                break
        assert 'its last words: "half"' in cause


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
                min_size=1, max_size=6))  # fmt: skip
def test_any_words_are_decoded_as_they_were(words: list[str]) -> None:
    passage = Passage(["printf", "%s\\0", *words], with_input=False)
    assert passage.line.isascii()
    assert not set(passage.line) & set("\n!")
    done = subprocess.run(["sh", "-c", passage.line], capture_output=True, check=True)
    assert passage.feed("stdout", done.stdout).decode().split("\0")[:-1] == words


@given(st.binary(max_size=300), st.binary(max_size=300), st.sets(st.integers(1, 600)))
def test_a_greeting_and_the_output_are_told_apart_in_pieces_of_any_size(
    greeting: bytes, output: bytes, cuts: set[int]
) -> None:
    passage = Passage(["true"], with_input=False)
    text = greeting + passage._mark + output
    ends = [*sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    assert b"".join(passage.feed("stdout", piece) for piece in pieces) == output
    assert passage.begun
    assert passage.unfinished == ""


@given(st.binary(max_size=400), st.binary(max_size=400), st.integers(-1, 255))
def test_any_words_of_a_login_shell_come_to_a_problem(out: bytes, err: bytes, status: int) -> None:
    passage = Passage(["true"], with_input=True)
    assert passage.feed("stdout", out) == passage.feed("stderr", err) == b""
    problem = passage.problem(status, "n1", asked=passage.unfinished)
    assert problem.cause
    assert problem.remedy
    assert problem.cause == clean_line(problem.cause)


async def test_endless_greetings_are_bounded() -> None:
    passage = Passage(["true"], with_input=False)
    for _ in range(20):
        passage.feed("stdout", b"x" * 10_000)
        await asyncio.sleep(0)
    assert passage.overflown
    assert sum(len(said) for said in passage._said.values()) <= login_shell.GREETING_LIMIT


def test_the_line_has_only_what_all_shells_agree_on() -> None:
    assert encoded("a'b!\\\n\té") == "a\\0047b\\0041\\0134\\0012\\0011\\0303\\0251"


async def test_a_full_disk_is_told_as_a_disk_and_not_as_a_machine_out_of_reach(
    sshd: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = "echo 'mkdir: cannot create directory: No space left on device' >&2; exit 92\n"
    monkeypatch.setattr(machine_lock, "_TAKE", full)
    async with Pool(sshd.inventory()) as pool:
        connection = await pool.connect(sshd.host())
        with pytest.raises(MachineProblem) as caught:
            await machine_lock.take(connection, "a" * 32, "me")
    assert "reached" not in caught.value.title
    assert "a disk of the machine is full" in caught.value.cause
    assert "df -h" in caught.value.remedy
