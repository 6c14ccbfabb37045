"""Runs that took machines out, as the record keeps them."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from pathlib import Path

from installer.events import Event, Kind, Outcome
from installer.plans.plan import Plan
from installer.record.identity import site_key
from installer.record.journal import Journal
from installer.record.runs import Run, create_run
from installer.running.begin import Occasion, begun
from installer.running.order import Order
from installer.sites.site import Site, dump_site, load_site
from installer.steps.kind import done_on
from tests.installer.engine_site import nobody
from tests.installer.pm4ml.machines.cluster import PM4ML

_SECONDS = count(1)


def ran(site: Site, plan: Plan, operation: str = "", ends: str = "", **outcomes: Outcome) -> Run:
    """A run of a site that did all steps of its first stage, or those up to `ends`."""
    key = "-".join(filter(None, (site_key(site), operation)))
    made = create_run(key, plan, site_text=dump_site(site))
    run = Run(made.folder.rename(made.folder.parent / f"20261121-{next(_SECONDS):06d}-1f3a"))
    with Journal(run.journal) as journal:
        journal.append(Event(Kind.RUN_STARTED, 1.0, data={"run": run.id}))
        for step in plan.stages[0].steps:
            for host in done_on(step):
                how = outcomes.get(step.id, Outcome.DONE).value
                journal.append(Event(Kind.STEP_FINISHED, 2.0, step.stage, step.id, host,
                                     {"outcome": how}))  # fmt: skip
            if step.id == ends:
                break
    run.note_begun()
    return run


def whole(plan: Plan) -> Plan:
    """As the installation has it: nobody leaves."""
    return replace(plan, leaving="")


async def begins(
    site: Site, plan: Plan, file: Path, run: Run | None = None, joins: str = ""
) -> None:
    """Whether an installation comes as far as the machines, which are not asked here."""
    occasion = Occasion(site=site, base=file.parent, solution=PM4ML, run=run, joins=joins,
                        inventory=site.inventory(file.parent), site_file=file)  # fmt: skip
    async with begun(Order(plan=plan), occasion, nobody):
        raise AssertionError("no machine answers here")


def workers(file: Path) -> list[str]:
    return [host.name for host in load_site(file).hosts if host.roles == ("worker",)]
