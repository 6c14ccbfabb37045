"""`sitewright doctor`: why does a login fail, and is it the machine's fault or ours?"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, Problem
from installer.commands.options import Targets, add_machine_options, read_targets

if TYPE_CHECKING:
    from foundation.hosts.model import Host


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright doctor`."""
    add_machine_options(parser)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried, and what came of it."""

    what: str
    worked: bool
    sentence: str
    unseen: bool = False
    """Whether there was nothing to judge: a host key that nobody showed."""


def run(options: argparse.Namespace) -> int:
    """Try every machine step by step with two SSH clients and say where it fails."""
    targets = read_targets(options)
    healthy = True
    for host in targets.inventory:
        steps = asyncio.run(_examine(host, targets, options.connect_timeout))
        print(f"{host.name} ({host.endpoint})")
        for step in steps:
            print(f"  {'ok' if step.worked else 'FAILS':<6}{step.what}: {step.sentence}")
        print(f"  => {conclusion(steps)}")
        healthy = healthy and all(step.worked for step in steps)
    return ExitCode.DONE if healthy else ExitCode.UNREACHABLE


async def _examine(host: Host, targets: Targets, timeout: float) -> list[Step]:
    from foundation.hosts.openssh import second_client
    from foundation.hosts.openssh.hostkeys import offered_key
    from foundation.hosts.openssh.ssh_config import config_file, resolve
    from foundation.hosts.pool import Pool

    if host.local:
        return [Step("this machine", True, "needs no login")]
    steps = []
    try:
        target = await asyncio.to_thread(lambda: resolve(host, config_file(targets.inventory)))
    except Problem as problem:
        return [Step("ssh config", False, f"{problem.cause} — {problem.remedy}")]
    if target.direct:
        worked, sentence = await asyncio.to_thread(
            second_client.greeting, target.address, target.port, timeout=min(timeout, 5.0)
        )
        steps.append(Step("network", worked, sentence))
    try:
        offer = await offered_key(host, targets.inventory, timeout=timeout)
        words = f"{offer.state}, {offer.algorithm} {offer.fingerprint}"
        steps.append(Step("host key", offer.state == "trusted", words))
    except Problem as problem:
        steps.append(Step("host key", False, problem.cause, unseen=True))
    async with Pool(
        targets.inventory, credentials=targets.credentials, connect_timeout=timeout
    ) as pool:
        try:
            connection = await pool.connect(host)
            answer = await connection.run(["id", "-un"], timeout=timeout)
            user = answer.stdout.decode(errors="replace").strip()
            steps.append(Step("login", True, f"Sitewright logs in as {user}"))
        except Problem as problem:
            steps.append(Step("login", False, f"{problem.cause} — {problem.remedy}"))
    worked, sentence = await asyncio.to_thread(
        second_client.login, host, targets.inventory, targets.credentials, timeout=timeout
    )
    steps.append(Step("second client", worked, sentence))
    return steps


def conclusion(steps: list[Step]) -> str:
    """One sentence that says where to look."""
    outcome = {step.what: step.worked for step in steps}
    if all(outcome.values()):
        return "Everything works."
    if not outcome.get("network", True):
        return "The network or the machine: no SSH client can get further."
    if any(step.unseen for step in steps):
        return "No host key was seen, so there is none to compare or to trust: see the lines above."
    if not outcome.get("host key", True):
        return "The host key is not trusted: compare it, then run `sitewright trust`."
    ours, other = outcome.get("login", True), outcome.get("second client", True)
    if not ours and not other:
        return "Two independent clients are refused: look at the machine and the credentials."
    if not ours:
        return "Only Sitewright fails: please report this with the lines above."
    return "Sitewright works; only the second client fails, which does no harm."
