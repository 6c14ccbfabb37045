"""Fuzz, bounded: whatever comes from outside ends in a value or a Problem, and in nothing else.

What machines answer to the probe, what servers and login shells say, journals and support bundles.
More by hand: pytest tests/test_fuzz_outside.py --hypothesis-seed=N, as often as one likes.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from functools import cache
from typing import Any

import asyncssh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.login import Attempt
from foundation.hosts.openssh.ssh_config import config_file, resolve
from foundation.hosts.openssh.trusted import TrustedKeys
from foundation.hosts.refusals import as_problem, not_ssh
from foundation.problems import Problem
from foundation.terminal import visible
from installer.events import Kind
from installer.record.journal import Journal
from installer.record.journal_lines import FIRST, digest
from installer.record.state import replay
from installer.record.support_bundle import write_support_bundle
from installer.record.support_files import unpack
from preflight.facts import Facts
from preflight.probe import parse_probe
from tests.installer.told_run import write_run
from tests.preflight.probe_shells import run_script

NONCE = "probe-0123456789abcdef"
SECTIONS = st.sampled_from(
    ["clock", "login", "os", "cpu", "memory", "disks", "mounts", "network", "sockets", "kernel",
     "software", "docker", "firewall", "sudo", "names", "wear", "room", "ended", "x", ""]
)  # fmt: skip
HOST = Host("m1", "192.0.2.1", user="anna")
TARGET = resolve(HOST, config_file(Inventory((HOST,), use_ssh_config=False)))
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY, inner, max_size=4),
    max_leaves=12,
)


@st.composite
def probe_outputs(draw: st.DrawFn) -> bytes:
    """What a machine might answer: frames of ours in any order, torn, doubled, with noise."""
    parts: list[str] = []
    for _ in range(draw(st.integers(0, 12))):
        name = draw(SECTIONS)
        begin, end = f"{NONCE} begin {name}\n", f"{NONCE} end {name} {draw(ANY)[:12]}\n"
        body = "\n".join(draw(st.lists(ANY, max_size=5))) + "\n"
        parts += draw(st.sampled_from([[begin, body, end], [begin, body], [body, end], [body]]))
    return "".join(parts).encode("utf-8", "surrogatepass") + draw(st.binary(max_size=40))


@cache
def real_answer() -> bytes:
    """A real machine's answer: this one's, its beginning."""
    return run_script().output[:30_000]


@given(probe_outputs())
def test_any_answer_of_a_probe_is_facts_or_a_problem(output: bytes) -> None:
    with contextlib.suppress(Problem):
        facts = parse_probe(output, NONCE)
        assert isinstance(facts, Facts)
        assert all(note == visible(note) for note in facts.notes)


@settings(max_examples=30)
@given(st.data())
def test_a_damaged_answer_of_a_real_machine_is_facts_or_a_problem(data: st.DataObject) -> None:
    damaged = bytearray(real_answer())
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, max(len(damaged) - 1, 0)))
        kind = data.draw(st.sampled_from(["cut", "change", "insert", "remove", "double"]))
        piece = data.draw(st.binary(min_size=1, max_size=30))
        if kind == "cut":
            del damaged[max(at, 100) :]
        elif kind == "change":
            damaged[at : at + len(piece)] = piece
        elif kind == "insert":
            damaged[at:at] = piece
        elif kind == "remove":
            del damaged[at : at + 200]
        else:
            damaged[at:at] = damaged[at : at + 300]
    with contextlib.suppress(Problem):
        parse_probe(bytes(damaged), "probe")


@st.composite
def login_errors(draw: st.DrawFn) -> BaseException:
    """What a login may end with, in any words of the server's."""
    words = draw(ANY)
    return draw(
        st.sampled_from(
            [
                asyncssh.DisconnectError(draw(st.integers(1, 15)), words),
                asyncssh.ConnectionLost(words),
                asyncssh.PermissionDenied(words),
                asyncssh.ProtocolError(words),
                asyncssh.KeyExchangeFailed(words),
                asyncssh.ChannelOpenError(draw(st.integers(1, 4)), words),
                asyncssh.ProtocolNotSupported(words),
                asyncssh.HostKeyNotVerifiable(words),
                OSError(draw(st.integers(0, 140)), words),
                OSError(words),
                TimeoutError(words),
                ValueError(words),
            ]
        )
    )


@given(login_errors(), st.booleans(), st.sampled_from(["", "OpenSSH_9.2"]))
def test_any_words_of_a_server_come_to_a_problem_fit_to_be_shown(
    error: BaseException, connected: bool, version: str
) -> None:
    attempt = Attempt(connected=connected, version=version)
    problem = as_problem(error, TARGET, attempt, TrustedKeys(()), 5.0)
    for text in (problem.title, problem.cause, problem.remedy, str(problem)):
        assert text == visible(text)
    assert problem.cause
    assert problem.remedy


@given(ANY)
def test_any_greeting_that_is_no_ssh_comes_to_a_problem(first: str) -> None:
    assert not_ssh(TARGET, first).cause


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(list(Kind)), JSON, JSON, JSON), max_size=6))
def test_any_journal_is_a_state_or_a_problem(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[Kind, Any, Any, Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.jsonl"
    previous, lines = FIRST, []
    for kind, stage, time, data in told:
        value = {
            "prev": previous, "kind": kind.value, "stage": stage if stage else "s", "step": "t",
            "host": "m1", "time": time if isinstance(time, float) else 1.0,
            "data": data if isinstance(data, dict) else {"outcome": data, "attempt": data},
        }  # fmt: skip
        # The lines follow from one another, so that what they say is looked at.
        lines.append(json.dumps(value, separators=(",", ":")).encode())
        previous = digest(lines[-1])
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    with contextlib.suppress(Problem):
        replay(path)


@given(st.binary(max_size=300), st.integers(0, 4000), st.booleans())
def test_any_damage_to_a_journal_is_told(
    tmp_path_factory: pytest.TempPathFactory, piece: bytes, at: int, insert: bool
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz-run"
    run = write_run(folder) if not folder.exists() else None
    whole = folder.rglob("events.jsonl") if run is None else iter([run.journal])
    raw = next(iter(whole)).read_bytes()
    at %= len(raw)
    damaged = raw[:at] + piece + raw[at if insert else at + len(piece) :]
    path = tmp_path_factory.getbasetemp() / "damaged.jsonl"
    path.write_bytes(damaged)
    with contextlib.suppress(Problem):
        replay(path)
    with contextlib.suppress(Problem), Journal(path):
        pass


@pytest.fixture(scope="module")
def support_bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A support bundle, unpacked from its gzip, to be damaged."""
    folder = tmp_path_factory.mktemp("support")
    run = write_run(folder / "runs")
    write_support_bundle(run, folder / "bundle.tar.gz")
    return gzip.decompress((folder / "bundle.tar.gz").read_bytes())


@pytest.mark.processes
@given(st.binary(max_size=60), st.integers(0, 1 << 20), st.sampled_from(["change", "cut", "add"]))
def test_any_damage_to_a_support_bundle_is_a_problem_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, support_bundle: bytes, piece: bytes, at: int,
    kind: str,
) -> None:  # fmt: skip
    at %= len(support_bundle)
    rest = {"change": at + len(piece), "cut": len(support_bundle), "add": at}[kind]
    folder = tmp_path_factory.mktemp("unpacked")
    path = folder / "damaged.tar.gz"
    damaged = support_bundle[:at] + piece + support_bundle[rest:]
    path.write_bytes(gzip.compress(damaged, compresslevel=1))
    (folder / "into").mkdir()
    with contextlib.suppress(Problem):
        unpack(path, folder / "into")
    # Nothing is ever written beside the folder.
    assert sorted(one.name for one in folder.iterdir()) == ["damaged.tar.gz", "into"]
