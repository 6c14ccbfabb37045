"""The way to a cluster as a person typed it, for both faces."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from foundation.problems import InputProblem
from foundation.wording import listed
from installer.record.errand import Errand
from screens.answers.answers import Answers
from screens.services.services import (
    Access,
    ClusterWay,
    Order,
    Services,
    ToApply,
    ToUpdate,
    UpdatesSeen,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from foundation.hosts.connection import Credentials
    from installer.plans.plan import Plan
    from preflight.assessment import Assessment


async def look_and_judge(
    way: ClusterWay, answers: Answers, access: Access, services: Services
) -> Assessment:
    """The cluster at the end of a way, judged; raises InputProblem and ProgramsNotAllowed."""
    way, access = await reached(way, answers, access, services)
    return await services.judge_cluster(await services.look_at_cluster(way, access))


async def look_for_updates(
    asked: ToUpdate, answers: Answers, access: Access, services: Services
) -> UpdatesSeen:
    """What is newer than what runs there; raises Problem and ProgramsNotAllowed."""
    if asked.on:
        on = list[str]()
        for word in asked.on:
            name, access = await _machine(word, answers, access, services)
            on.append(name)
        to_ask = replace(asked, on=tuple(dict.fromkeys(on)))
    else:
        way, access = await reached(asked.way, answers, access, services)
        to_ask = replace(asked, way=way)
    seen = await services.look_for_updates(to_ask, answers, access)
    return replace(seen, asked=asked)  # a second look resolves what was typed again


async def reached(
    way: ClusterWay, answers: Answers, access: Access, services: Services
) -> tuple[ClusterWay, Access]:
    """A way whose machine, if one was typed, is one of those that there is access to."""
    if way.machine:
        name, access = await _machine(way.machine, answers, access, services)
        way = replace(way, machine=name)
    return way, access


async def _machine(
    word: str, answers: Answers, access: Access, services: Services
) -> tuple[str, Access]:
    """A machine's name by a word for it, and the access to it; raises InputProblem."""
    if any(host.name == word for host in access.inventory):
        return word, access
    hosts = await services.hosts_from_text(word)
    if len(hosts) != 1:
        raise InputProblem(
            "it is not one machine" if hosts else "it is no machine",
            where="Machine",
            remedy="Name the one machine that is to be asked, with a comma between several.",
        )
    (host,) = hosts
    for known in access.inventory:
        if (known.address, known.port) == (host.address, host.port) and host.user in (
            None,
            known.user,
        ):
            return known.name, access
    # It is reached as the others are: the same user, the same bastion.
    inventory = answers.with_machines((*access.inventory, host)).inventory()
    return host.name, replace(access, inventory=inventory)


def machines_in(text: str) -> tuple[str, ...]:
    """The machines that a line names, with a comma or a blank between them."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def asked_words(asked: ToUpdate) -> str:
    """What is asked for what runs, in a few words."""
    return f"Docker on {listed(asked.on)}" if asked.on else way_words(asked.way)


def way_words(way: ClusterWay) -> str:
    """A way in a few words."""
    if way.facts is not None:
        return f"the facts in {way.facts}"
    if way.machine:
        return f"the cluster of {way.machine}"
    context = f"the context {way.context}" if way.context else "the current context"
    return f"{context} of {way.kubeconfig}" if way.kubeconfig is not None else context


async def prepare(
    asked: ToUpdate,
    chosen: tuple[str, ...],
    answers: Answers,
    credentials: Credentials,
    services: Services,
) -> ToApply:
    """The update of what was chosen, planned for the site of these answers; raises Problem."""
    access = Access(answers.inventory(), credentials, answers.login.sudo)
    way = asked.way
    if asked.on:
        names = {word: await _of_site(word, access, services) for word in asked.on}
        chosen = tuple(_by_its_site(one, names) for one in chosen)
        asked = replace(asked, on=tuple(dict.fromkeys(names.values())))
        return await services.prepare_update(asked, chosen, answers, access)
    if way.machine and all(host.name != way.machine for host in access.inventory):
        hosts = await services.hosts_from_text(way.machine)
        if len(hosts) == 1:
            # The site knows this machine by its own name, and by which login it is reached.
            asked = replace(asked, way=replace(way, machine=hosts[0].address))
    return await services.prepare_update(asked, chosen, answers, access)


async def left_to_apply(run: Path, credentials: Credentials, services: Services) -> ToApply:
    """An update that was begun and not seen to its end, as its own folder tells it."""
    from screens.services.live_updates import update_command

    answers, plan = await services.reopen(run)
    access = Access(answers.inventory(), credentials, answers.login.sudo)
    asked = ToUpdate()
    return ToApply(asked, (), answers, access, plan, update_command(asked, (), answers), run=run)


def _by_its_site(chosen: str, names: Mapping[str, str]) -> str:
    """A service by the name that the site has for its machine."""
    machine, _, service = chosen.partition("/")
    return f"{names.get(machine, machine)}/{service}"


async def _of_site(word: str, access: Access, services: Services) -> str:
    """The name by which the site knows a machine; raises InputProblem for none of its own."""
    hosts = list(access.inventory)
    if any(host.name == word for host in hosts):
        return word
    meant = {host.address for host in await services.hosts_from_text(word)}
    for host in hosts:
        if host.address in meant:
            return host.name
    raise InputProblem(
        f'the site has no machine "{word}"',
        where="Compose on",
        remedy=f"Its machines are {listed([host.name for host in hosts[:20]])}.",
    )


def order_of(to_apply: ToApply, plan: Plan, by: str) -> Order:
    """The update as a person confirmed it; it stands in the record as that of the command."""
    from installer.updates.applying.plans import OPERATION

    return Order(
        to_apply.answers, plan, to_apply.access, {}, by, to_apply.run,
        errand=Errand.OPERATE, operation=OPERATION,
    )  # fmt: skip


async def site_in(path: Path, services: Services) -> Answers:
    """The answers of a site file; raises InputProblem for what is none."""
    found = (await services.machine_file(path)).answers
    if found is None or found.solution is None:
        raise InputProblem(
            "it is no site file that names a solution",
            where=str(path),
            remedy="Name the file of the site: an update stands in its record, and it says when, "
            "by whom and after which backup one may begin.",
        )
    return found
