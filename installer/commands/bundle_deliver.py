"""`sitewright bundle deliver`: bring a bundle to the machines of a site, only what each lacks."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.problems import ExitCode, InputProblem
from foundation.wording import counted, human_size
from installer.commands.interrupts import in_the_midst
from installer.commands.options import (
    add_login_options,
    add_older_option,
    narrator,
    settle_programs,
    write_result,
)

if TYPE_CHECKING:
    from bundles.deliver.delivery import Consignment, Delivered, News
    from bundles.read.signers import Signer
    from bundles.read.structure import Structure
    from foundation.hosts.model import Host, Inventory
    from installer.commands.bundle_progress import ProgressLine
    from installer.sites.site import Site

_GRAVEST = (
    ExitCode.BUNDLE_INVALID,
    ExitCode.UNREACHABLE,
    ExitCode.NOT_READY,
    ExitCode.STAGE_FAILED,
)


def add_deliver_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright bundle deliver`, without those that all bundle commands share."""
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--site", type=Path, required=True, metavar="FILE", help="a site file")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="ITEM-GLOB",
        help="only these items, such as images:docker.io/mojaloop/* or kubectl",
    )
    parser.add_argument(
        "--host", action="append", default=[], metavar="NAME", help="only these machines"
    )
    parser.add_argument(
        "--to",
        metavar="TARGET",
        help="everything suiting there, instead of where the site's plan puts it: "
        "containers-docker, containers-microk8s, apt, snap, folder",
    )
    parser.add_argument(
        "--parallel", type=int, default=8, metavar="N", help="machines at once (default 8)"
    )
    parser.add_argument("--json-lines", action="store_true", help="events as lines of JSON")
    add_older_option(parser, "an older bundle than a machine had")
    parser.add_argument("--take-over", action="store_true", help="take the site's lock over")
    login = parser.add_argument_group("login")
    add_login_options(login)


def deliver(options: argparse.Namespace, signers: tuple[Signer, ...], line: ProgressLine) -> int:
    """Verify, then bring; a machine that fails does not hold up the others."""
    from bundles.read.verify import verify_bundle
    from installer.record.identity import site_key
    from installer.sites.site import load_site
    from installer.supply.supplies import made_for, makers_of

    site = load_site(options.site)
    inventory = settle_programs(_chosen(site.inventory(options.site.parent), options.host), options)
    # What is typed with --keys is asked here. Where the plan of the site says what goes where, the
    # site's list and this machine's own are asked too, as for every plan (`_consigned`).
    if options.keys is None:
        signers = makers_of(site, options.site.absolute().parent, options.bundle)
    # Nothing of a bundle is used before every byte of it was verified.
    verified = verify_bundle(options.bundle, signers, progress=line.bytes)
    line.end()
    made_for(site, verified.structure, str(options.bundle))
    consignments = _consigned(options, site, verified.structure)
    with in_the_midst(
        "what reached a machine stays there, and what was being put in its place may be half done",
        again="The same command goes on where this one was.",
    ):
        delivered = asyncio.run(
            _deliver(options, inventory, verified.structure, consignments, site_key(site))
        )
    if options.only and not any(one.items or one.problem for one in delivered):
        raise InputProblem(
            f"nothing that goes to these machines is called {', '.join(options.only)}",
            where="--only",
            remedy="See the names with `sitewright bundle inspect BUNDLE`.",
        )
    result = _result(options, verified.structure, delivered)
    if options.json_lines:
        print(json.dumps({"event": "result", **result}))
    else:
        text = json.dumps(result, indent=2) if options.format == "json" else _text(delivered)
        write_result(text, None)
    codes = {one.problem.exit_code for one in delivered if one.problem is not None}
    return next((code for code in (*_GRAVEST, *sorted(codes)) if code in codes), ExitCode.DONE)


def _chosen(inventory: Inventory, names: Sequence[str]) -> Inventory:
    from dataclasses import replace

    known = inventory.hosts_by_name
    for name in names:
        if name not in known:
            raise InputProblem(
                f'the site has no machine "{name}"',
                where="--host",
                remedy=f"Its machines are {', '.join(known)}.",
            )
    if not names:
        return inventory
    return replace(inventory, hosts=tuple(host for host in inventory if host.name in names))


def _consigned(
    options: argparse.Namespace, site: Site, structure: Structure
) -> dict[str, tuple[Consignment, ...]]:
    """What each machine gets: by --to, else as the plan of the site delivers it."""
    from bundles.deliver.delivery import Consignment
    from bundles.deliver.selection import KINDS, TARGETS
    from installer.catalogue.solution import load_solution
    from installer.planning.make import make_plan
    from installer.steps.kind import step_kind
    from installer.supply.supplies import read_supplies

    names = [host.name for host in site.hosts]
    if options.to:
        if options.to not in TARGETS:
            raise InputProblem(
                f'nothing can be delivered to "{options.to}"',
                where="--to",
                remedy=f"Choose one of: {', '.join(TARGETS)}.",
            )
        there = {item.kind for item in structure.index.items}
        words = tuple(f"{w}:*" for w in TARGETS[options.to] if KINDS[w] in there)
        if not words:
            raise InputProblem(f"the bundle has nothing that goes to {options.to}", where="--to")
        return dict.fromkeys(names, (Consignment(words, options.to, f"delivered-{options.to}"),))
    if site.solution is None:
        raise InputProblem(
            "the site file names no solution, so nobody knows what belongs where",
            where=str(options.site),
            remedy="Add `solution:`, or say where everything goes with --to TARGET.",
        )
    supplies = site.supplies.model_copy(update={"bundle": str(options.bundle.absolute())})
    supplied_site = site.model_copy(update={"supplies": supplies})
    supplied = read_supplies(
        supplied_site, options.site.absolute().parent, allow_older=options.allow_older
    )
    plan = make_plan(
        load_solution(site.solution),
        supplied_site,
        (),
        supplied=supplied,
        base=options.site.absolute().parent,
    )
    consignments: dict[str, tuple[Consignment, ...]] = {}
    for stage in plan.stages:
        for step in stage.steps:
            found = step_kind(step.kind).delivers(step)
            if found is None:
                continue
            consignment = Consignment(found.items, found.target, found.record)
            for name in step.hosts:
                consignments[name] = (*consignments.get(name, ()), consignment)
    if not consignments:
        raise InputProblem(
            f"the plan of {site.solution} delivers nothing to machines",
            where=str(options.site),
            remedy="Say where everything goes with --to TARGET, or serve the bundle: "
            "sitewright bundle serve.",
        )
    return consignments


async def _deliver(
    options: argparse.Namespace,
    inventory: Inventory,
    structure: Structure,
    consignments: dict[str, tuple[Consignment, ...]],
    key: str,
) -> list[Delivered]:
    from bundles.deliver.delivery import Delivery
    from bundles.read.age import stamp_of
    from bundles.read.opened import open_bundle
    from foundation.hosts.pool import Pool
    from installer.commands.options import read_credentials
    from installer.running.others.held_machines import held

    told = _News(options)
    pairs: list[tuple[Host, Sequence[Consignment]]] = [
        (host, consignments[host.name]) for host in inventory if host.name in consignments
    ]
    with open_bundle(options.bundle) as bundle:
        async with (
            Pool(
                inventory,
                credentials=read_credentials(options),
                connect_timeout=options.connect_timeout,
            ) as pool,
            # What is put in place there must not meet a run of somebody else.
            held(
                [host for host, _ in pairs], pool.connect, key, told.say,
                take_over=options.take_over,
            ) as reach,
        ):  # fmt: skip
            delivery = Delivery(
                bundle,
                structure.index,
                reach,
                parallel=max(1, options.parallel),
                stamp=stamp_of(structure.index, structure.index_digest),
                older=options.allow_older,
                listener=told,
            )
            return await delivery.deliver(pairs, options.only)


class _News:
    """Prints what happens on each machine: lines of JSON, or sentences now and then."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._json_lines = options.json_lines
        self.say = narrator(options)
        self._next: dict[str, float] = {}

    def __call__(self, news: News) -> None:
        """Take one piece of news."""
        if self._json_lines:
            fields: dict[str, Any] = {"event": news.kind, "host": news.host}
            if news.kind == "bytes":
                left = (news.total - news.done) / news.rate if news.rate > 0 else None
                fields |= {"done": news.done, "total": news.total, "rate": round(news.rate),
                           "seconds_left": left if left is None else round(left, 1)}  # fmt: skip
            print(json.dumps({**fields, "text": news.text}), flush=True)
            return
        if news.kind == "bytes":
            now = time.monotonic()
            if now < self._next.get(news.host, 0.0) and news.done < news.total:
                return
            self._next[news.host] = now + (1.0 if sys.stderr.isatty() else 5.0)
        words = {"delivered": "delivered", "failed": f"FAILED: {news.text}"}
        self.say(f"{news.host}: {words.get(news.kind, news.text)}")


def _result(
    options: argparse.Namespace, structure: Structure, delivered: Sequence[Delivered]
) -> dict[str, Any]:
    return {
        "schema": "sitewright.bundle-delivered/1",
        "bundle": str(options.bundle),
        "index": structure.index_digest,
        "hosts": [
            {
                "name": one.host,
                "items": one.items,
                "total_bytes": one.total,
                "sent_bytes": one.sent,
                "seconds": round(one.seconds, 3),
                "problem": one.problem.as_dict() if one.problem else None,
                "output": one.lines if one.problem else [],
            }
            for one in delivered
        ],
    }


def _text(delivered: Sequence[Delivered]) -> str:
    width = max((len(one.host) for one in delivered), default=4)
    lines = []
    for one in delivered:
        words = (
            f"{one.host:<{width}}  {counted(one.items, 'item')}, {human_size(one.total)}; "
            f"{human_size(one.sent)} sent in {one.seconds:.1f} s"
        )
        if one.problem is None:
            lines.append(f"{words}  delivered and verified there")
            continue
        lines.append(f"{one.host:<{width}}  NOT delivered: {one.problem.cause}")
        if one.problem.remedy:
            lines.append(f"{'':<{width}}  Do: {one.problem.remedy}")
    return "\n".join(lines)
