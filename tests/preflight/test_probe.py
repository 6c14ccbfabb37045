"""The probe at our end, over the real way to this machine, and what it makes of broken answers."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.hosts import sudo
from foundation.hosts.connection import Become
from foundation.hosts.local import LocalConnection
from foundation.hosts.model import LOCAL_ADDRESS, Host
from foundation.problems import ProbeProblem
from preflight.facts import Facts, Unknown, known
from preflight.parse.clock import Timing
from preflight.parse.frames import split_frames
from preflight.probe import OUTPUT_LIMIT, looked_without_root, parse_probe, run_probe
from preflight.recorded import facts_for_report, facts_from_json, facts_to_json
from tests.preflight.probe_shells import stand_in

RAW = Path(__file__).parent.parent / "recorded" / "raw"
HERE = Host(name="here", address=LOCAL_ADDRESS)
NAMES = sorted(path.stem for path in RAW.glob("*.txt"))


def raw(name: str) -> bytes:
    """What the probe wrote on a recorded system."""
    return (RAW / f"{name}.txt").read_bytes()


async def probed() -> Facts:
    """The facts of this machine over its local connection."""
    async with LocalConnection(HERE) as connection:
        return await run_probe(connection, become=Become.LOGIN)


async def test_this_machine_is_told_in_one_run() -> None:
    before = time.time()
    facts = await probed()
    assert facts.identity.hostname == os.uname().nodename
    assert facts.identity.uid == os.getuid()
    offset, uncertainty = known(facts.time.offset_seconds), known(facts.time.uncertainty_seconds)
    assert offset is not None
    assert uncertainty is not None
    # Both clocks are the same one, so nought must lie within what is claimed.
    assert abs(offset) <= uncertainty
    assert 0 < uncertainty <= time.time() - before


@pytest.fixture
def other_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is first on the path, for a `sh` that is none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def stand_in_shell(folder: Path, script: str) -> None:
    """Put a program in the place of `sh`; it is run by the real one."""
    stand_in(folder, "sh", script)


async def test_garbage_is_one_problem_with_its_first_readable_line(other_shell: Path) -> None:
    stand_in_shell(other_shell, r"printf '\033[31m\n\a\nThis account is \033[1mnot available\n'")
    with pytest.raises(ProbeProblem) as caught:
        await probed()
    assert '"[31m"' in caught.value.cause
    assert "\033" not in caught.value.cause
    assert caught.value.where == "here"
    assert caught.value.remedy


async def test_a_shell_that_says_no_on_its_error_output_is_quoted(other_shell: Path) -> None:
    stand_in_shell(other_shell, "echo 'sh: not for you' >&2; exit 126")
    with pytest.raises(ProbeProblem, match=r"wrote nothing.*not for you.*status was 126"):
        await probed()


async def test_endless_output_is_stopped_and_named(other_shell: Path) -> None:
    stand_in_shell(other_shell, "exec head -c 10000000 /dev/zero | tr '\\0' 'x'")
    with pytest.raises(ProbeProblem, match=r"more than 2 MiB.*xxx"):
        await probed()


@pytest.mark.parametrize("name", NAMES)
def test_every_real_recording_becomes_facts(name: str) -> None:
    facts = parse_probe(raw(name), "probe")
    assert facts.memory.total_bytes == 24684084 * 1024
    assert facts.memory.installed_bytes == 24 << 30
    assert facts.cpu.logical == 2
    assert facts.cpu.level == 4
    assert [disk.name for disk in known(facts.disks) or ()] == ["vda"]
    assert facts.network.sockets != Unknown("the probe did not report it")
    assert facts_from_json(facts_to_json(facts)) == facts


def test_a_recording_without_systemd_through_sudo_names_the_login() -> None:
    facts = parse_probe(raw("debian-12-container-sudo"), "probe")
    assert (facts.identity.user, facts.identity.uid) == ("ubuntu", 1000)
    assert facts.identity.root is True
    assert facts.identity.sudo == "passwordless"
    assert facts.cpu.virtualization == "podman"
    assert facts.time.daemon == "chrony"


def test_busybox_alone_tells_addresses_routes_and_room_that_is_unknown() -> None:
    facts = parse_probe(raw("busybox-only"), "probe")
    (eth0,) = (nic for nic in known(facts.network.nics) or () if nic.name == "eth0")
    assert [str(one) for one in eth0.addresses if one.scope == "global"] == ["192.0.2.10/24"]
    assert next(one.gateway for one in known(facts.network.routes) or ()) == "192.0.2.1"
    assert isinstance(facts.network.resolves_itself, Unknown)
    # Without fractions of a second the clock is known to half a second at best.
    timed = parse_probe(raw("busybox-only"), "probe", timing=Timing(0.0, 0.1, 0.001))
    assert (known(timed.time.uncertainty_seconds) or 0) >= 0.5


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_half_an_answer_gives_what_came_and_says_so(share: float) -> None:
    whole = raw("debian-12-vm-root")
    facts = parse_probe(whole[: int(len(whole) * share)], "probe")
    assert any("cut short" in note for note in facts.notes)
    assert facts.identity.user == "root"
    assert facts.filesystems == Unknown("the probe was cut short")
    if share >= 0.5:
        assert facts.memory.total_bytes == 24684084 * 1024


@given(st.binary(max_size=400))
def test_output_without_a_frame_is_a_problem_whatever_it_is(output: bytes) -> None:
    with pytest.raises(ProbeProblem) as caught:
        parse_probe(output, "a-nonce-of-this-test")
    assert caught.value.cause.isprintable()


_SECTIONS = sorted(
    {name for recorded in NAMES for name in split_frames(raw(recorded), "probe").sections}
)


@settings(max_examples=150, deadline=None)
@given(
    recorded=st.sampled_from(NAMES),
    changes=st.dictionaries(
        st.sampled_from(_SECTIONS),
        st.tuples(
            st.binary(max_size=300),
            st.sampled_from([b"0", b"1", b"137", b"missing", b"skipped", b"\xff", b"7 7"]),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_any_bytes_in_any_section_give_facts(
    recorded: str, changes: dict[str, tuple[bytes, bytes]]
) -> None:
    output = raw(recorded)
    for name, (text, status) in changes.items():
        output += b"\nprobe begin %s\n%s\nprobe end %s %s\n" % (
            name.encode(), text, name.encode(), status,
        )  # fmt: skip
    facts = parse_probe(output, "probe", timing=Timing(1.0, 0.1, 0.01))
    assert facts_from_json(facts_to_json(facts)) == facts
    assert facts_for_report(facts)


@settings(max_examples=150, deadline=None)
@given(recorded=st.sampled_from(NAMES), data=st.data())
def test_a_recording_with_any_line_damaged_gives_facts(recorded: str, data: st.DataObject) -> None:
    lines = raw(recorded).split(b"\n")
    for _ in range(data.draw(st.integers(1, 20))):
        index = data.draw(st.integers(0, len(lines) - 1))
        line = lines[index]
        cut = data.draw(st.integers(0, len(line)))
        lines[index] = line[:cut] + data.draw(st.binary(max_size=20)) + line[cut + 3 :]
    facts = parse_probe(b"\n".join(lines), "probe", timing=Timing(1.0, 0.1, 0.01))
    assert facts_from_json(facts_to_json(facts)) == facts


def test_control_characters_reach_no_fact() -> None:
    output = raw("debian-12-vm-root").replace(
        b'PRETTY_NAME="Debian', b'PRETTY_NAME="\x1b]0;owned\x07\xe2\x80\xaeDebian\xc2\x9b'
    )
    pretty = known(parse_probe(output, "probe").os.pretty_name)
    assert pretty == "]0;ownedDebian GNU/Linux 12 (bookworm)"


def test_the_answer_is_bounded_before_it_is_read() -> None:
    huge = raw("debian-12-vm-root") + b"\nprobe begin sockets\n" + b"x" * (2 * OUTPUT_LIMIT)
    assert parse_probe(huge, "probe").memory.total_bytes == 24684084 * 1024


def test_a_sudo_that_asked_something_else_is_not_told_as_a_password_that_was_not_given() -> None:
    why = 'sudo asks "First Factor:", and not for the password that was given'
    asks = replace(Facts(), identity=replace(Facts().identity, sudo="asks"))
    told = looked_without_root(asks, why)
    assert told.identity.sudo == Unknown(why)
    assert why in told.notes[0]
    none = replace(Facts(), identity=replace(Facts().identity, sudo="none"))
    assert looked_without_root(none, "it is not in the sudoers file").identity.sudo == "none"
    # One that the probe does not find, since it lies on the login's own path, and that asks.
    heard = sudo.asks_in_its_own_words("First Factor:", user="anna", where="n1").cause
    assert looked_without_root(none, heard).identity.sudo == Unknown(heard)
