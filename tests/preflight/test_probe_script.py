"""The probe's script in real shells: what it tells, what it survives, and what it leaves alone."""

from __future__ import annotations

import os
import random
import socket
import subprocess
from pathlib import Path

import pytest

from preflight.facts import Facts, Unknown, known
from preflight.probe import parse_probe, probe_script
from tests.lab.host import wait_until
from tests.preflight.probe_shells import (
    NONCE,
    SHELLS,
    SHORT,
    SHORTER,
    Ran,
    folder_of_tools,
    installed,
    left_over,
    run_script,
    stand_in,
)

pytestmark = pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="this is not Linux")

shells = pytest.mark.parametrize(
    "shell",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(not installed(name), reason=f"there is no {name} here")
        )
        for name in SHELLS
    ],
)
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root may run as another user")
USUAL = ("grep", "sed", "ls", "date", "cat", "awk", "timeout", "sleep", "uname", "tr")


def facts_of(ran: Ran) -> Facts:
    """The facts in what a run wrote."""
    return parse_probe(ran.output, NONCE)


@shells
def test_every_shell_ends_the_probe_and_tells_the_same_machine(shell: str) -> None:
    ran = run_script(shell)
    assert ran.status == 0
    assert ran.answer.complete
    facts = facts_of(ran)
    own = os.uname()
    assert facts.identity.hostname == own.nodename
    assert facts.os.kernel == own.release
    assert facts.os.architecture == own.machine
    assert facts.cpu.logical == len(os.sched_getaffinity(0))
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert facts.memory.total_bytes == pages
    assert facts.identity.uid == os.getuid()


def test_the_script_that_is_sent_has_no_comments_and_the_same_frames() -> None:
    sent = probe_script().decode()
    assert not any(line.startswith(("#", " ")) for line in sent.split("\n"))
    assert sent.endswith("exit 0\n")


def test_a_script_cut_on_its_way_does_nothing() -> None:
    whole = probe_script()
    done = subprocess.run(
        ["sh", "-s", NONCE], input=whole[: len(whole) * 9 // 10], capture_output=True, check=False
    )
    assert done.stdout == b""


def test_frames_end_with_their_status_and_nothing_is_left_open() -> None:
    ran = run_script()
    assert {section.status for section in ran.answer.sections.values()} & {"cut"} == set()
    assert next(iter(ran.answer.sections)) == "clock"
    assert list(ran.answer.sections)[-1] == "ended"


def test_noise_before_the_first_frame_does_not_matter() -> None:
    ran = run_script(before="printf '*** Authorised use only ***\\nno newline at the end'")
    assert b"Authorised" in ran.output
    assert facts_of(ran).identity.hostname == os.uname().nodename


def test_another_locale_changes_nothing() -> None:
    plain = facts_of(run_script())
    foreign = facts_of(
        run_script(environment={"LANG": "de_DE.UTF-8", "LC_ALL": "ar_EG.UTF-8", "LANGUAGE": "ru"})
    )
    assert foreign.filesystems is not None
    assert foreign.cpu == plain.cpu
    assert foreign.identity == plain.identity
    assert [one.name for one in known(foreign.disks) or ()] == [
        one.name for one in known(plain.disks) or ()
    ]


def test_without_ip_ss_lsblk_and_df_the_rest_is_still_told(tmp_path: Path) -> None:
    tools = folder_of_tools(tmp_path / "bin", *USUAL)
    # Others' interfaces may come and go here: the looks count where nothing did between them.
    for _ in range(20):
        everything = facts_of(run_script())
        facts = facts_of(run_script("sh", path=tools))
        if facts_of(run_script()).network == everything.network:
            break
    else:
        pytest.fail("the network of this machine did not rest")
    assert facts.filesystems == Unknown("there is no df on the machine")
    assert facts.memory.total_bytes == everything.memory.total_bytes
    assert known(facts.disks) == known(everything.disks)
    assert facts.network.routes == everything.network.routes
    with_addresses = {
        (nic.name, str(one))
        for nic in known(facts.network.nics) or ()
        for one in nic.addresses
        if one.scope == "global"
    }
    assert with_addresses == {
        (nic.name, str(one))
        for nic in known(everything.network.nics) or ()
        for one in nic.addresses
        if one.scope == "global"
    }


def test_with_no_tool_at_all_the_shell_alone_still_tells_the_size(tmp_path: Path) -> None:
    ran = run_script("sh", path=folder_of_tools(tmp_path / "bin"))
    facts = facts_of(ran)
    assert ran.answer.complete
    assert facts.memory.total_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert facts.cpu.logical == len(os.sched_getaffinity(0))
    assert known(facts.disks) is not None


@pytest.fixture
def forever() -> str:
    """A command that does not end, and that no other test's can be mistaken for."""
    return f"sleep {random.randint(10**6, 10**8)}"  # noqa: S311 - a name, not a secret


@pytest.mark.parametrize("bounding", ["timeout", "sleep alone"])
def test_a_df_that_never_answers_is_cut_and_costs_no_other_fact(
    tmp_path: Path, forever: str, bounding: str
) -> None:
    tools = set(USUAL) - ({"timeout"} if bounding == "sleep alone" else set())
    folder = tmp_path / "bin"
    path = folder_of_tools(folder, *tools)
    stand_in(folder, "df", f"{forever}; echo never")
    ran = run_script("sh", path=path, bounds=SHORT)
    facts = facts_of(ran)
    assert ran.answer.complete
    assert facts.filesystems == Unknown("df did not answer in 2 s")
    assert 'the command for "room" did not answer in 2 s' in facts.notes
    assert left_over(forever) == []


@pytest.mark.parametrize("bounding", ["timeout", "sleep alone"])
def test_when_many_commands_hang_the_last_ones_are_not_asked(
    tmp_path: Path, forever: str, bounding: str
) -> None:
    tools = set(USUAL) - ({"timeout"} if bounding == "sleep alone" else set())
    folder = tmp_path / "bin"
    path = folder_of_tools(folder, *tools)
    for name in ("systemd-detect-virt", "ip", "ss", "getent", "chronyc", "sudo", "blkid", "df"):
        stand_in(folder, name, forever)
    ran = run_script("sh", path=path, bounds=SHORTER)
    facts = facts_of(ran)
    assert ran.answer.complete
    # It counts whole seconds, so the first of them may already come too late here.
    assert ran.answer.status("virt") in {"137", "skipped"}
    assert ran.answer.status("room") == "skipped"
    assert facts.memory.total_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert isinstance(facts.filesystems, Unknown)
    assert left_over(forever) == []


def test_a_command_that_hangs_where_none_is_bounded_is_ended_by_the_watchdog(
    tmp_path: Path, forever: str
) -> None:
    folder = tmp_path / "bin"
    path = folder_of_tools(folder, *USUAL)
    stand_in(folder, "ls", f"while :; do {forever}; done")
    ran = run_script("sh", path=path, bounds=SHORTER)
    facts = facts_of(ran)
    assert not ran.answer.complete
    assert facts.memory.total_bytes == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert facts.filesystems == Unknown("the probe was cut short")
    assert any("cut short" in note for note in facts.notes)
    assert left_over(forever) == []


@as_root
def test_an_ordinary_user_is_told_apart_and_the_reasons_name_root(tmp_path: Path) -> None:
    facts = facts_of(run_script(user=65534))
    assert facts.identity.uid == 65534
    assert facts.identity.root is False
    assert facts.firewall.nftables == Unknown("needs root")
    assert facts.memory.total_bytes == facts_of(run_script()).memory.total_bytes


def test_proxies_are_told_without_their_passwords() -> None:
    ran = run_script(environment={"https_proxy": "http://sam:geheim@proxy.example.org:3128"})
    facts = facts_of(ran)
    assert facts.identity.proxies["https_proxy"] == "http://***@proxy.example.org:3128"


def test_a_socket_that_listens_is_seen_with_its_program() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        found = [
            one
            for one in known(facts_of(run_script()).network.sockets) or ()
            if one.port == port and one.protocol == "tcp"
        ]
    assert [one.address for one in found] == ["127.0.0.1"]
    if os.getuid() == 0:
        assert found[0].pid == os.getpid()


@as_root
@pytest.mark.parametrize("with_ss", [True, False])
def test_the_program_of_a_socket_is_found_with_ss_and_without(
    tmp_path: Path, *, with_ss: bool
) -> None:
    tools = (*USUAL, "ss") if with_ss else USUAL
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        ran = run_script("sh", path=folder_of_tools(tmp_path / "bin", *tools))
        found = [
            one
            for one in known(facts_of(ran).network.sockets) or ()
            if one.port == port and one.protocol == "udp"
        ]
    assert [one.pid for one in found] == [os.getpid()]


def test_it_leaves_no_file_and_no_process_behind(tmp_path: Path) -> None:
    before = set(Path("/tmp").iterdir())
    ran = run_script(environment={"TMPDIR": str(tmp_path)})
    assert ran.answer.complete
    assert list(tmp_path.iterdir()) == []

    def left() -> list[Path]:
        new = set(Path("/tmp").iterdir()) - before
        return [path for path in new if path.name.startswith(("sh-thd", "probe"))]

    # A shell of another test beside this one has such a file for a moment.
    wait_until(lambda: not left(), "no file is left")
