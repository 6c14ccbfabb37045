"""Replacing: what stands against it that a machine which is dead is replaced by another one.

It is asked before anything is begun, so that nothing of the dead one is given up for a new one that
could not join.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from foundation.hosts.connection import Credentials
from foundation.hosts.model import Inventory
from foundation.hosts.pool import Pool
from foundation.problems import (
    ConnectionProblem,
    ConnectTimeout,
    Problem,
    Refused,
    Unreachable,
)
from installer.running.begin import CONNECT_TIMEOUT, Occasion
from installer.running.gate import look_at, objections


async def lives(
    inventory: Inventory,
    name: str,
    credentials: Credentials,
    connect_timeout: float = CONNECT_TIMEOUT,
) -> Refused | None:
    """Why a machine is not dead: it answers to SSH, if only with a refusal. None: it is silent."""
    host = next(host for host in inventory if host.name == name)
    async with Pool(inventory, credentials=credentials, connect_timeout=connect_timeout) as pool:
        try:
            await pool.connect(host)
        except (Unreachable, ConnectTimeout):
            return None
        except ConnectionProblem as problem:
            said = f"{name} answers to SSH ({problem.cause.rstrip('.')})"
        else:
            said = f"{name} answers to SSH, and lives"
    return Refused(
        said,
        where=host.address,
        remedy="Only what is dead is replaced. To take it out as it lives: sitewright machine "
        "remove. If it is to be dead: switch it off, and wait until its node is not Ready for five "
        "minutes.",
    )


async def stands_against(occasion: Occasion, tell: Callable[[str], None]) -> Sequence[Problem]:
    """What preflight says of the site with the new machine in it, and without the dead one."""
    async with Pool(
        occasion.inventory,
        credentials=occasion.credentials,
        connect_timeout=occasion.connect_timeout,
    ) as pool:
        assessment = await look_at(
            pool,
            occasion.site,
            occasion.solution,
            base=occasion.base.absolute() if occasion.fetches else None,
            tell=tell,
        )
    return objections(assessment)
