"""The probe at our end: sends the script to a machine, and makes facts of what comes back."""

from __future__ import annotations

import asyncio
import platform
import secrets
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Final

from foundation.hosts import sudo
from foundation.hosts.connection import Become, Connection
from foundation.problems import ProbeProblem
from preflight.facts import Facts, Unknown
from preflight.parse.certificates import parse_certificates
from preflight.parse.clock import Timing, parse_clock, probe_seconds
from preflight.parse.cpu import parse_cpu
from preflight.parse.disks import parse_arrays, parse_disks
from preflight.parse.docker import parse_docker
from preflight.parse.filesystems import far_mounts, parse_filesystems
from preflight.parse.firewall import parse_firewall
from preflight.parse.frames import Answer, split_frames
from preflight.parse.identity import is_root, parse_identity
from preflight.parse.kernel import parse_kernel
from preflight.parse.memory import parse_memory
from preflight.parse.network import parse_network
from preflight.parse.software import parse_commands, parse_software
from preflight.parse.system import parse_system
from preflight.parse.text import decoded, plain

OUTPUT_LIMIT: Final = 2 * 1024 * 1024
"""Bytes of one machine's answer; an ordinary one has 20 to 60 kB."""

PROBE_SECONDS: Final = 9
"""The script's own bound; it ends itself after this."""

_LONGEST_NOTE: Final = 400

_REMEDY: Final = (
    "Log in by hand and run `sh -c 'echo ok'`: if anything else than \"ok\" appears, or nothing, "
    "the login shell or its start-up files need mending."
)


@cache
def probe_script() -> bytes:
    """The script as it is sent: without comments and indentation, to be small on a slow line."""
    text = files("preflight").joinpath("probe.sh").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("#")).encode() + b"\n"


async def run_probe(
    connection: Connection, *, become: Become = Become.IF_ALLOWED, timeout: float = 20.0
) -> Facts:
    """The facts of a machine, by one command over a live connection.

    Raises ProbeProblem where nothing readable came back, and whatever ConnectionProblem the
    connection itself meets.
    """
    if connection.host.local and platform.system() != "Linux":
        from preflight.local_facts import local_facts

        return await asyncio.to_thread(local_facts)
    # A name that the machine cannot know beforehand keeps its own output from posing as frames.
    nonce = f"probe-{secrets.token_hex(8)}"
    done = await connection.run(
        ["sh", "-s", nonce],
        stdin=probe_script(),
        become=become,
        timeout=timeout,
        limit=OUTPUT_LIMIT,
    )
    where = connection.host.name
    if done.truncated:
        raise ProbeProblem(
            f"it wrote more than {OUTPUT_LIMIT // (1024 * 1024)} MiB and was stopped; it began "
            f"with {_first_line(done.stdout)}",
            where=where,
            remedy=_REMEDY,
        )
    try:
        facts = parse_probe(
            done.stdout,
            nonce,
            timing=Timing(done.started, done.seconds, connection.round_trip),
        )
    except ProbeProblem as problem:
        detail = problem.cause
        if done.stderr.strip():
            detail += f"; the error output begins with {_first_line(done.stderr)}"
        if done.status not in {0, -1}:
            detail += f"; the exit status was {done.status}"
        raise ProbeProblem(detail, where=where, remedy=_REMEDY) from None
    if done.why_not_root:
        facts = looked_without_root(facts, done.why_not_root)
    return facts


def looked_without_root(facts: Facts, why: str) -> Facts:
    """The facts of a machine that was to be looked at as root and was not, for this reason.

    Where a password was given and sudo asked something else, "asks" would blame the person.
    """
    note = plain(f"it was looked at without root's rights: {why}", _LONGEST_NOTE)
    facts = replace(facts, notes=(note, *facts.notes))
    # A sudo that asks is there, wherever the probe looked for one.
    heard = facts.identity.sudo == "none" and why.startswith(sudo.IS_THERE)
    if facts.identity.sudo == "asks" or heard:
        unknown = Unknown(plain(why, _LONGEST_NOTE))
        facts = replace(facts, identity=replace(facts.identity, sudo=unknown))
    return facts


def parse_probe(output: bytes, nonce: str, *, timing: Timing | None = None) -> Facts:
    """The facts in a probe's output; half an answer gives half the facts, with notes.

    Raises ProbeProblem where there is no frame in it at all, and nothing else.
    """
    answer = split_frames(output[:OUTPUT_LIMIT], nonce)
    if not answer.sections:
        raise ProbeProblem(_nothing_said(output), remedy=_REMEDY)
    return Facts(
        identity=parse_identity(answer),
        os=parse_system(answer),
        cpu=parse_cpu(answer),
        memory=parse_memory(answer),
        disks=parse_disks(answer),
        arrays=parse_arrays(answer),
        filesystems=parse_filesystems(answer),
        network=parse_network(answer),
        kernel=parse_kernel(answer),
        firewall=parse_firewall(answer),
        time=parse_clock(answer, timing),
        software=parse_software(answer),
        commands=parse_commands(answer),
        docker=parse_docker(answer),
        certificates=parse_certificates(answer),
        notes=_notes(answer),
        probe_seconds=probe_seconds(answer) or 0.0,
    )


def _notes(answer: Answer) -> tuple[str, ...]:
    """What the probe could not see, and why, one phrase each."""
    notes = []
    if not answer.complete:
        last = plain(next(reversed(list(answer.sections)), ""), 40)
        notes.append(f'the probe was cut short in or after "{last}"; what comes later is unknown')
    if "login" in answer.sections and not is_root(answer):
        notes.append(
            "without root's rights: packet filter rules, disk wear, the product UUID and other "
            "users' programs stay unknown"
        )
    for name, section in list(answer.sections.items())[:200]:
        if section.status in {"124", "137", "143"}:
            notes.append(f'the command for "{plain(name, 40)}" did not answer in 2 s')
        elif section.status == "skipped":
            notes.append(f'there was no time left to ask for "{plain(name, 40)}"')
    notes += [
        plain(f"{mount.kind} at {mount.point} was not measured: another machine serves it")
        for mount in far_mounts(answer)[:20]
    ]
    return tuple(notes)


def _nothing_said(output: bytes) -> str:
    """Why an output without a single frame is of no use."""
    if not output.strip():
        return "the probe ran and wrote nothing"
    beginning = _first_line(output)
    return f"nothing of the probe can be found in what it wrote, which begins with {beginning}"


def _first_line(output: bytes) -> str:
    """The first line with something to read in it, in quotes, controls removed, cut short."""
    for line in decoded(output[:65536]).split("\n"):
        shown = plain(line, 80)
        if any(character.isprintable() and not character.isspace() for character in shown):
            return f'"{shown}"'
    return "nothing printable"
