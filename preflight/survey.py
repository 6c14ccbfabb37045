"""Survey: look at every machine of a site, each on its own, none waiting for another."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from foundation.hosts.connection import Become, Connector
from foundation.hosts.model import Host
from foundation.problems import ProbeProblem, Problem
from preflight.assessment import Seen
from preflight.probe import run_probe

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SurveyOptions:
    """With which rights to look, and how long to wait for one machine's answer."""

    become: Become = Become.IF_ALLOWED
    probe_timeout: float = 20.0
    """Seconds for the probe itself; its own bound on the machine is ten."""


async def look(connector: Connector, host: Host, options: SurveyOptions = SurveyOptions()) -> Seen:
    """One machine as it is now: one login, one script; a problem becomes part of the answer."""
    started = time.monotonic()
    facts = None
    problem: Problem | None = None
    try:
        connection = await connector.connect(host)
        facts = await run_probe(connection, become=options.become, timeout=options.probe_timeout)
    except Problem as error:
        problem = error
    except Exception as error:
        # A mistake of ours on one machine must not cost the person the other machines' results.
        log.exception("looking at %s failed", host.name)
        problem = ProbeProblem(
            f"Sitewright met an error of its own: {type(error).__name__}: {error}",
            where=host.name,
            remedy="The other machines are not affected. Please report it with the log.",
        )
    return Seen(
        host=host,
        facts=facts,
        problem=problem,
        seen_at=datetime.now(UTC),
        seconds=time.monotonic() - started,
    )


async def survey(
    connector: Connector, hosts: Iterable[Host], options: SurveyOptions = SurveyOptions()
) -> AsyncIterator[Seen]:
    """Every machine as soon as it has answered or failed, in the order in which they end."""
    tasks = [asyncio.create_task(look(connector, host, options)) for host in hosts]
    try:
        for next_seen in asyncio.as_completed(tasks):
            yield await next_seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
