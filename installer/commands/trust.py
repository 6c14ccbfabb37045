"""`sitewright trust`: look at the machines' host keys and confirm them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.documents import read_text
from foundation.problems import ExitCode, Problem, Refused
from foundation.wording import counted
from installer.commands.asking import choose
from installer.commands.options import Targets, add_machine_options, read_targets

if TYPE_CHECKING:
    from foundation.hosts.model import Host
    from foundation.hosts.openssh.fingerprints import ConsoleWords
    from foundation.hosts.openssh.hostkeys import HostKeyOffer


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright trust`."""
    add_machine_options(parser)
    parser.add_argument(
        "--fingerprints",
        type=Path,
        metavar="FILE",
        help="confirm the keys whose SHA256:… stands in this file: what the consoles printed; a "
        "line that names a machine speaks of that machine alone",
    )


def run(options: argparse.Namespace) -> int:
    """Show each machine's fingerprints; trust those that a person or a file confirms."""
    from foundation.hosts.openssh.fingerprints import read_console, shared_keys
    from foundation.hosts.openssh.hostkeys import default_known_hosts, trust

    targets = read_targets(options)
    text = read_text(options.fingerprints) if options.fingerprints else None
    offers, problems = asyncio.run(_offers(targets, options.connect_timeout))
    for name, problem in problems:
        print(f"{name}: {problem.cause}\n  Do: {problem.remedy}", file=sys.stderr)
    for line in _table(offers):
        print(line)
    for shared in shared_keys(offers):
        print(f"Note: {shared.sentence}.", file=sys.stderr)
    changed = [offer for offer in offers if offer.state == "changed"]
    unknown = [offer for offer in offers if offer.state == "unknown"]
    if text is not None:
        words = read_console(text, targets.inventory)
        confirmed = _told(offers, unknown, words, options.fingerprints)
    elif unknown and not sys.stdin.isatty():
        raise Refused(
            f"{_keys(len(unknown))} not confirmed, and there is no terminal to ask on",
            where=", ".join(offer.host.name for offer in unknown),
            remedy="Run it on a terminal, or give the fingerprints with --fingerprints FILE.",
        )
    else:
        confirmed = _ask(unknown)
    if confirmed:
        file = default_known_hosts(targets.inventory)
        trust(confirmed, file)
        print(f"{_keys(len(confirmed))} trusted now, in {file}.", file=sys.stderr)
    for offer in changed:
        print(
            f"{offer.host.name}: the key has CHANGED. If the machine was set up anew, remove the "
            f"old key ({offer.known_in}) and run this again; if not, ask who answers there.",
            file=sys.stderr,
        )
    if changed or problems:
        return ExitCode.UNREACHABLE
    done = {offer.host.name for offer in confirmed}
    refused = [offer.host.name for offer in unknown if offer.host.name not in done]
    if refused and text is None:
        names = ", ".join(refused)
        print(f"Not trusted: {names}. Run this again when its console agrees.", file=sys.stderr)
    return ExitCode.REFUSED if refused else ExitCode.DONE


def _table(offers: list[HostKeyOffer]) -> list[str]:
    """A line a key: first the one that ssh shows, below it the other types."""
    width = max((len(offer.host.name) for offer in offers), default=0)
    lines = []
    for offer in offers:
        state = offer.state
        lines.append(
            f"{offer.host.name:<{width}}  {state:<8} {offer.algorithm} {offer.fingerprint}"
        )
        if offer.state == "changed":
            lines.append(f"{'':<{width}}  trusted  {offer.known_fingerprint} ({offer.known_in})")
        lines += [
            f"{'':<{width}}  {'or':<8} {key.algorithm} {key.fingerprint}" for key in offer.others
        ]
    return lines


def _told(
    offers: list[HostKeyOffer], unknown: list[HostKeyOffer], words: ConsoleWords, file: Path
) -> list[HostKeyOffer]:
    """The unknown keys that a file of fingerprints confirms; why it does not confirm the others."""
    from foundation.hosts.openssh.fingerprints import compare

    compared = [one for one in compare(offers, words) if one.offer in unknown]
    for one in compared:
        if one.verdict != "agrees":
            print(f"{one.offer.host.name}: not confirmed, {one.reason}.", file=sys.stderr)
    if any(one.verdict != "agrees" for one in compared):
        print(f"{file}: {len(words.told)} SHA256 fingerprints were read.", file=sys.stderr)
    for sentence in words.shortcomings() if compared else ():
        print(f"{file}: {sentence}.", file=sys.stderr)
    return [offer for one in compared for offer in one.agreeing]


async def _offers(
    targets: Targets, timeout: float
) -> tuple[list[HostKeyOffer], list[tuple[str, Problem]]]:
    from foundation.hosts.openssh.hostkeys import offered_key

    async def one(host: Host) -> HostKeyOffer | Problem:
        try:
            return await offered_key(host, targets.inventory, timeout=timeout)
        except Problem as problem:
            return problem

    hosts = [host for host in targets.inventory if not host.local]
    answers = await asyncio.gather(*(one(host) for host in hosts))
    offers = [answer for answer in answers if not isinstance(answer, Problem)]
    problems = [
        (host.name, answer)
        for host, answer in zip(hosts, answers, strict=True)
        if isinstance(answer, Problem)
    ]
    return offers, problems


def _ask(unknown: list[HostKeyOffer]) -> list[HostKeyOffer]:
    if not unknown:
        return []
    from foundation.hosts.openssh.hostkeys import console_command

    commands = dict.fromkeys(console_command(offer.algorithm) for offer in unknown)
    print(
        "Compare each fingerprint with the machine's console:\n"
        + "\n".join(f"  {command}" for command in commands),
        file=sys.stderr,
    )
    confirmed: list[HostKeyOffer] = []
    for place, offer in enumerate(unknown):
        rest = len(unknown) - place
        asked = f"{offer.host.name} {offer.kind} {offer.fingerprint}"
        words = ("yes", "no", f"all (these {rest})") if rest > 1 else ("yes", "no")
        answer = choose(f"Trust {asked}?", words)
        if answer == "all":
            return [*confirmed, *unknown[place:]]
        if answer == "yes":
            confirmed.append(offer)
    return confirmed


def _keys(count: int) -> str:
    return f"{counted(count, 'key')} {'is' if count == 1 else 'are'}"
