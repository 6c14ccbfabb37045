"""`sitewright trust`: look at the machines' host keys and confirm them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.documents import read_text
from foundation.problems import ExitCode, Problem, Refused
from installer.commands.options import Targets, add_machine_options, read_targets

if TYPE_CHECKING:
    from foundation.hosts.hostkeys import HostKeyOffer
    from foundation.hosts.model import Host


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright trust`."""
    add_machine_options(parser)
    parser.add_argument(
        "--fingerprints",
        type=Path,
        metavar="FILE",
        help="confirm the keys whose SHA256:… stands in this file (from the consoles, say)",
    )


def run(options: argparse.Namespace) -> int:
    """Show each machine's fingerprint; trust those that a person or a file confirms."""
    from foundation.hosts.hostkeys import default_known_hosts, trust

    targets = read_targets(options)
    expected = _expected(options.fingerprints) if options.fingerprints else None
    offers, problems = asyncio.run(_offers(targets, options.connect_timeout))
    for name, problem in problems:
        print(f"{name}: {problem.cause}\n  Do: {problem.remedy}", file=sys.stderr)
    width = max((len(offer.host.name) for offer in offers), default=0)
    for offer in offers:
        print(f"{offer.host.name:<{width}}  {offer.state:<8} {offer.algorithm} {offer.fingerprint}")
        if offer.state == "changed":
            print(f"{'':<{width}}  trusted  {offer.known_fingerprint} ({offer.known_in})")
    changed = [offer for offer in offers if offer.state == "changed"]
    unknown = [offer for offer in offers if offer.state == "unknown"]
    if expected is not None:
        confirmed = [offer for offer in unknown if offer.fingerprint in expected]
        refused = [offer for offer in unknown if offer.fingerprint not in expected]
    elif unknown and not sys.stdin.isatty():
        raise Refused(
            f"{len(unknown)} keys are not confirmed, and there is no terminal to ask on",
            where=", ".join(offer.host.name for offer in unknown),
            remedy="Run it on a terminal, or give the fingerprints with --fingerprints FILE.",
        )
    else:
        confirmed = _ask(unknown)
        refused = [offer for offer in unknown if offer not in confirmed]
    if confirmed:
        file = default_known_hosts(targets.inventory)
        trust(confirmed, file)
        print(f"{len(confirmed)} keys are trusted now, in {file}.", file=sys.stderr)
    for offer in changed:
        print(
            f"{offer.host.name}: the key has CHANGED. If the machine was set up anew, remove the "
            f"old key ({offer.known_in}) and run this again; if not, ask who answers there.",
            file=sys.stderr,
        )
    if changed or problems:
        return ExitCode.UNREACHABLE
    return ExitCode.REFUSED if refused else ExitCode.DONE


def _expected(file: Path) -> set[str]:
    return {word.rstrip(",;") for word in read_text(file).split() if word.startswith("SHA256:")}


async def _offers(
    targets: Targets, timeout: float
) -> tuple[list[HostKeyOffer], list[tuple[str, Problem]]]:
    from foundation.hosts.hostkeys import offered_key

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
    print(
        "Compare each fingerprint with the machine's console:\n"
        "  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        file=sys.stderr,
    )
    confirmed: list[HostKeyOffer] = []
    for place, offer in enumerate(unknown):
        rest = len(unknown) - place
        more = f", all to trust these {rest}" if rest > 1 else ""
        print(f"Trust {offer.host.name} {offer.fingerprint}? yes, no{more}: ", end="", flush=True)
        answer = sys.stdin.readline().strip().lower()
        if answer == "all" and rest > 1:
            return [*confirmed, *unknown[place:]]
        if answer in ("y", "yes"):
            confirmed.append(offer)
    return confirmed
