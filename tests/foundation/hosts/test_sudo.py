"""sudo: what is sent when, and what each refusal comes to; on a stand-in, and on real machines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.hosts import sudo
from foundation.hosts.connection import Become, Credentials
from foundation.hosts.local import LocalConnection
from foundation.hosts.model import Host, Inventory
from foundation.hosts.pool import Pool
from foundation.hosts.running import Ended
from foundation.hosts.sudo import Elevation, Seen
from foundation.problems import ConnectTimeout, SudoRefused
from foundation.secrets import Secret
from tests.lab.lab import Lab
from tests.lab.lending import LabMachines
from tests.lab.machine import Machine

WHO = ["sh", "-c", "id -un; cat"]


def waiting() -> Elevation:
    """A command that waits for sudo, with words that are easy to read."""
    return Elevation(["x"], prompt=b"<ask?", marker=b"<go>")


def test_a_password_is_asked_for_once() -> None:
    elevation = waiting()
    assert elevation.feed(b"lecture\n<ask?anna>") == (Seen.PROMPT, b"")
    assert elevation.feed(b"\nSorry, try again.\n<ask?anna>") == (Seen.SECOND_PROMPT, b"")


def said_of(elevation: Elevation, ended: Ended) -> str:
    """What a person hears of a command that did not get to run as root."""
    standing = sudo.SudoState("anna", "n1", has_password=True)
    with pytest.raises(SudoRefused) as caught:
        standing.must_run_plainly(elevation, Become.ROOT, ended, b"")
    return f"{caught.value.cause} | {caught.value.remedy}"


def test_the_one_whose_password_is_asked_for_is_named() -> None:
    elevation = waiting()
    assert elevation.feed(b"<ask?root>")[0] is Seen.PROMPT
    assert elevation.feed(b"Sorry, try again.\n<ask?root>")[0] is Seen.SECOND_PROMPT
    told = said_of(elevation, Ended(wrong_password=True))
    assert 'asks for the password of "root"' in told
    assert "Defaults:anna !rootpw" in told


def test_a_question_after_the_password_is_no_wrong_password() -> None:
    """With passprompt_override a second factor is asked for in the words of the password."""
    elevation = waiting()
    elevation.feed(b"<ask?anna>")
    assert elevation.feed(b"<ask?anna>")[0] is Seen.SECOND_PROMPT
    assert elevation.asked_for_more
    assert "did not say that it was wrong" in said_of(elevation, Ended())


@pytest.mark.parametrize(
    ("before", "asked"),
    [
        (b"<ask?anna>", "Verification code:"),
        (b"[sudo: <ask?anna>] Password: ", "[sudo: <ask?anna>] Verification code:"),
        (b"[sudo: <ask?anna>] Password: ", "[sudo: <ask?anna>] One-time password (OATH):"),
        (b"", "[sudo: <ask?anna>] Verification code:"),
        (b"", "Zweiter Faktor"),
    ],
)
def test_a_second_factor_is_told_in_its_words_and_gets_no_password(
    before: bytes, asked: str
) -> None:
    elevation = waiting()
    if before:
        assert elevation.feed(before)[0] is Seen.PROMPT
        assert elevation.unfinished == ""
    assert elevation.feed(asked.encode() + b" ") == (Seen.NOTHING, b"")
    own = asked.removeprefix("[sudo: <ask?anna>] ")
    assert elevation.unfinished.strip() == own
    told = said_of(elevation, Ended(asked=own))
    assert f'asks "{own}"' in told
    assert ("was not sent" in told) is not bool(before)


def test_the_other_sudo_is_answered_once_it_has_said_what_it_asks() -> None:
    elevation = waiting()
    assert elevation.feed(b"[sudo: <ask?anna>]")[0] is Seen.NOTHING
    assert elevation.feed(b" Password: ")[0] is Seen.PROMPT
    again = b"sudo: Authentication failed, try again.\n[sudo: <ask?anna>] Password: "
    assert elevation.feed(again)[0] is Seen.SECOND_PROMPT
    assert not elevation.asked_for_more


def test_a_command_that_started_owns_its_errors() -> None:
    elevation = waiting()
    assert elevation.feed(b"sudo: unable to resolve host n1\n<go>mine") == (Seen.STARTED, b"mine")
    assert elevation.feed(b"<ask>") == (Seen.NOTHING, b"<ask>")
    assert not elevation.waits


@given(st.data())
def test_pieces_of_any_size_come_to_the_same(data: st.DataObject) -> None:
    text = b"noise<ask?anna>more noise<go>the rest <ask?anna> <go>"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(text) - 1))))
    elevation, seen, rest = waiting(), [], b""
    for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        what, own = elevation.feed(text[begin:end])
        seen += [what] if what is not Seen.NOTHING else []
        rest += own
    # In one piece the command has already begun, and no password is needed any more.
    assert seen in ([Seen.PROMPT, Seen.STARTED], [Seen.STARTED])
    assert rest == b"the rest <ask?anna> <go>"


def test_endless_noise_is_bounded() -> None:
    elevation = waiting()
    for _ in range(100):
        elevation.feed(b"x" * 10_000)
    assert len(elevation.noise) <= sudo.NOISE_LIMIT
    assert elevation.feed(b"<ask?anna>")[0] is Seen.PROMPT


def test_words_of_a_command_never_become_shell() -> None:
    command = ["echo", "$(reboot)", "`id`", "a;b", "'", '"']
    for become in Become:
        for with_password in (False, True):
            argv = sudo.elevate(command, become, with_password=with_password).argv
            assert argv[-len(command) :] == command
            if argv != command:
                assert argv[:2] == ["sh", "-c"]
                assert "reboot" not in argv[2]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("sudo: a password is required\n", "none was given"),
        ("sudo: interactive authentication is required\n", "none was given"),
        ("anna is not in the sudoers file.\n", "may not use sudo"),
        ("Sorry, user anna may not run sudo on n1.\n", "may not use sudo"),
        ("Sorry, user anna is not allowed to execute '/bin/sh' as root\n", "some commands only"),
        ("sudo: sorry, you must have a tty to run sudo\n", "requiretty"),
        ("Password expired. Change your password now.\n", "has expired"),
        ("sh: 1: exec: sudo: not found\n", "no sudo on this machine"),
        ("sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set\n", "setuid"),
        ("sudo: no valid sudoers sources found, quitting\n", "sudoers files"),
        ("Sorry, try again.\nsudo: 1 incorrect password attempt\n", "did not take the password"),
        ("something new\n", '"something new"'),
        ("", "said nothing"),
    ],
)
def test_every_refusal_has_its_sentence(said: str, words: str) -> None:
    problem = sudo.refusal(waiting(), said.encode(), 1, user="anna", where="n1")
    assert words in problem.cause
    assert problem.remedy
    assert "{user}" not in problem.cause + problem.remedy


@given(st.binary(max_size=300))
def test_any_words_of_sudo_come_to_a_problem(said: bytes) -> None:
    assert sudo.refusal(waiting(), said, 1, user="anna", where="n1").cause


STAND_IN = r"""#!/bin/sh
# A stand-in for sudo: it asks as sudo does, knows one password, and runs the command as it is.
ask= prompt=
while [ $# -gt 0 ]; do
  case $1 in -n) ask=no ;; -S) ask=yes ;; -p) prompt=$2; shift ;; --) shift; break ;;
    *) break ;; esac
  shift
done
echo "call" >>"$STAND_IN_LOG"
if [ "$STAND_IN_MODE" = free ]; then exec "$@"; fi
if [ "$STAND_IN_MODE" = never ]; then echo "anna is not in the sudoers file." >&2; exit 1; fi
if [ "$ask" = no ]; then echo "sudo: a password is required" >&2; exit 1; fi
for try in 1 2 3; do
  printf %s "$prompt" >&2
  IFS= read -r answer || { echo "sudo: no password was provided" >&2; exit 1; }
  echo "$answer" >>"$STAND_IN_LOG"
  if [ "$answer" = sesame ]; then STAND_IN_ROOT=1; export STAND_IN_ROOT; exec "$@"; fi
  echo "Sorry, try again." >&2
done
exit 1
"""


class StandIn:
    """A stand-in for sudo in the PATH, and what it was asked."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "sudo").write_text(STAND_IN)
        (folder / "sudo").chmod(0o755)
        # The wrapper asks id whether it is root already; here it never is.
        (folder / "id").write_text("#!/bin/sh\necho 1000\n")
        (folder / "id").chmod(0o755)
        self.log = folder / "log"
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setenv("STAND_IN_LOG", str(self.log))
        monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def mode(self, word: str) -> None:
        """Let it be free, ask, or refuse (never)."""
        self._monkeypatch.setenv("STAND_IN_MODE", word)
        self.log.unlink(missing_ok=True)

    @property
    def lines(self) -> list[str]:
        """The calls of the stand-in and the passwords it was given, in order."""
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A stand-in sudo that is free to all."""
    made = StandIn(tmp_path, monkeypatch)
    made.mode("free")
    yield made
    monkeypatch.undo()


def local(password: str | None = None) -> LocalConnection:
    """This machine, with a sudo password or without."""
    secret = Secret(password) if password else None
    return LocalConnection(Host("here", "local"), Credentials(sudo_password=secret))


@pytest.mark.parametrize("password", [None, "sesame"])
@pytest.mark.parametrize("become", [Become.ROOT, Become.IF_ALLOWED])
async def test_a_sudo_that_does_not_ask_gets_no_password(
    stand_in: StandIn, become: Become, password: str | None
) -> None:
    done = await local(password).run(["cat"], stdin=b"input", become=become)
    assert (done.status, done.stdout, done.stderr) == (0, b"input", b"")
    assert set(stand_in.lines) == {"call"}


@pytest.mark.parametrize("become", [Become.ROOT, Become.IF_ALLOWED])
async def test_a_sudo_that_asks_gets_the_password_and_the_command_its_input(
    stand_in: StandIn, become: Become
) -> None:
    stand_in.mode("ask")
    command = ["sh", "-c", "echo $STAND_IN_ROOT; cat; echo mine >&2"]
    done = await local("sesame").run(command, stdin=b"input", become=become)
    assert (done.stdout, done.stderr) == (b"1\ninput", b"mine\n")
    assert stand_in.lines == ["call", "sesame"]


@pytest.mark.parametrize("become", [Become.ROOT, Become.IF_ALLOWED])
async def test_a_wrong_password_is_tried_once_and_never_again(
    stand_in: StandIn, become: Become
) -> None:
    stand_in.mode("ask")
    here = local("barley")
    for _ in range(3):
        with pytest.raises(SudoRefused) as caught:
            await here.run(["cat"], stdin=b"input", become=become)
        assert "tried once" in caught.value.cause
        assert "barley" not in f"{caught.value} {caught.value.remedy}"
    assert stand_in.lines.count("barley") == 1


async def test_a_user_without_sudo_runs_plainly_where_that_will_do(stand_in: StandIn) -> None:
    stand_in.mode("never")
    for password in (None, "sesame"):
        here = local(password)
        done = await here.run(["cat"], stdin=b"input", become=Become.IF_ALLOWED)
        assert (done.status, done.stdout) == (0, b"input")
        with pytest.raises(SudoRefused) as caught:
            await here.run(["true"], become=Become.ROOT)
        assert "may not use sudo" in caught.value.cause


@pytest.mark.usefixtures("stand_in")
async def test_the_status_of_a_command_is_its_own() -> None:
    for become in Become:
        for status in (0, 1, 127):
            done = await local().run(["sh", "-c", f"exit {status}"], become=become)
            assert done.status == status


async def test_a_stream_passes_through_sudo_too(stand_in: StandIn) -> None:
    stand_in.mode("ask")
    command = ["sh", "-c", "cat; echo mine >&2"]
    chunks = [
        (chunk.stream, chunk.data)
        async for chunk in local("sesame").stream(command, stdin=b"in", become=Become.ROOT)
    ]
    assert sorted(chunks) == [("stderr", b"mine\n"), ("stdout", b"in")]
    with pytest.raises(SudoRefused):
        async for _ in local("barley").stream(command, stdin=b"in", become=Become.ROOT):
            pass


# On real machines -----------------------------------------------------------------------------


def inventory(lab: Lab, machine: Machine, user: str) -> Inventory:
    """A lab machine as a site of one, logged in to as one of its users."""
    host = Host(machine.name, machine.address, user=user, identity_files=(lab.key,))
    return Inventory((host,), (lab.known_hosts,), use_ssh_config=False)


async def run_as(
    lab: Lab, machine: Machine, user: str, become: Become, password: str | None = None
) -> str:
    """Who a command is run as, with its input handed through."""
    site = inventory(lab, machine, user)
    secret = Secret(password) if password else None
    async with Pool(site, Credentials(sudo_password=secret)) as pool:
        connection = await pool.connect(site.hosts[0])
        done = await connection.run(WHO, stdin=b"input", become=become)
    name, _, rest = done.stdout.decode().partition("\n")
    assert rest == "input"
    assert done.stderr == b""
    return name


@pytest.mark.lab
async def test_real_sudo_without_a_password(lab: Lab, lab_machines: LabMachines) -> None:
    [machine] = lab_machines(1)
    assert await run_as(lab, machine, "ubuntu", Become.LOGIN) == "ubuntu"
    for password in (None, "not asked for"):
        assert await run_as(lab, machine, "ubuntu", Become.IF_ALLOWED, password) == "root"
        assert await run_as(lab, machine, "ubuntu", Become.ROOT, password) == "root"
    assert await run_as(lab, machine, "root", Become.ROOT) == "root"


@pytest.mark.lab
async def test_real_sudo_with_a_password(lab: Lab, lab_machines: LabMachines) -> None:
    [machine] = lab_machines(1)
    machine.altered = True
    assert await run_as(lab, machine, "engineer", Become.IF_ALLOWED) == "engineer"
    for become in (Become.IF_ALLOWED, Become.ROOT):
        assert await run_as(lab, machine, "engineer", become, lab.password) == "root"
    with pytest.raises(SudoRefused) as caught:
        await run_as(lab, machine, "engineer", Become.ROOT)
    assert "none was given" in caught.value.cause
    for become in (Become.IF_ALLOWED, Become.ROOT):
        with pytest.raises(SudoRefused) as caught:
            await run_as(lab, machine, "engineer", become, "wrong password")
        assert "did not take the password" in caught.value.cause


@pytest.mark.lab
async def test_real_sudo_that_refuses(lab: Lab, lab_machines: LabMachines) -> None:
    [machine] = lab_machines(1)
    machine.altered = True
    assert await run_as(lab, machine, "plain", Become.IF_ALLOWED) == "plain"
    with pytest.raises(SudoRefused):
        await run_as(lab, machine, "plain", Become.ROOT)
    machine.script("echo 'Defaults:ubuntu requiretty' >/etc/sudoers.d/99-tty")
    with pytest.raises(SudoRefused) as caught:
        await run_as(lab, machine, "ubuntu", Become.ROOT)
    assert "requiretty" in caught.value.cause
    assert await run_as(lab, machine, "ubuntu", Become.IF_ALLOWED) == "ubuntu"


@pytest.mark.lab
async def test_a_command_that_takes_too_long_is_ended_by_a_signal(
    lab: Lab, lab_machines: LabMachines
) -> None:
    [machine] = lab_machines(1)
    site = inventory(lab, machine, "ubuntu")
    async with Pool(site) as pool:
        connection = await pool.connect(site.hosts[0])
        with pytest.raises(ConnectTimeout):
            await connection.run(["sleep", "4321"], timeout=0.5)
        wait = "i=0; while pgrep -f 'sleep [4]321'; do i=$((i+1)); [ $i -gt 6000 ] && exit 9; "
        done = await connection.run(["sh", "-c", wait + "sleep 0.02; done"])
        assert done.status == 0
