"""`sitewright preflight --cluster`: how is this cluster, and can it carry a solution?"""

from __future__ import annotations

import argparse
import asyncio
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.problems import InputProblem
from installer.commands.options import (
    Targets,
    ask_about_programs,
    narrator,
    read_targets,
    write_result,
)

if TYPE_CHECKING:
    from installer.sites.site import Site
    from preflight.assessment import Assessment, SeenCluster
    from preflight.cluster.probes.wish import Wish
    from preflight.findings import Waiver
    from preflight.needs import SolutionNeeds

_PULLED: Final = 10
"""Images that --pull takes, each pulled on some nodes."""


def add_cluster_options(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and by which way."""
    group = parser.add_argument_group("a cluster, instead of machines")
    group.add_argument(
        "--cluster",
        nargs="?",
        const="",
        metavar="CONTEXT",
        help="judge a Kubernetes cluster: a context of a kubeconfig, else its current one",
    )
    group.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="instead of $KUBECONFIG and ~/.kube/config",
    )
    group.add_argument(
        "--through",
        metavar="MACHINE",
        help="the cluster of this machine, asked by its own microk8s, k3s, RKE2 or kubectl",
    )
    group.add_argument(
        "--probe",
        action="store_true",
        help="also try it with pods, in a namespace that is made and removed: images, DNS, network"
        " policies, a volume",
    )
    group.add_argument(
        "--probe-image",
        metavar="IMAGE",
        help="the image of these pods, with busybox's programs (else busybox by its digest)",
    )
    group.add_argument(
        "--pull",
        action="append",
        default=[],
        metavar="IMAGE",
        help="with --probe: another image that nodes are to pull; nothing of it is started",
    )
    group.add_argument(
        "--probe-class",
        action="append",
        default=[],
        metavar="NAME",
        help="with --probe: the storage class of which a volume is made (else the default one)",
    )


def is_of_cluster(options: argparse.Namespace) -> bool:
    """Whether the options ask for a cluster; raises InputProblem where they contradict."""
    named = options.cluster is not None or options.through is not None
    _probes_have_a_cluster(options, named=named or options.kubeconfig is not None)
    if options.kubeconfig is not None and options.through is not None:
        raise InputProblem(
            "--kubeconfig and --through are two ways to a cluster; give one of them",
            where="the command line",
        )
    if options.facts is not None:
        if named or options.kubeconfig is not None:
            raise InputProblem(
                "--facts judges what was seen before, so it takes no cluster",
                where="the command line",
            )
        from preflight.cluster.recorded import SCHEMA
        from preflight.recorded import schema_of

        # One of a newer form is of a cluster as well, and is told as that.
        return schema_of(options.facts).startswith(f"{SCHEMA.partition('/')[0]}/")
    return named or options.kubeconfig is not None


def _probes_have_a_cluster(options: argparse.Namespace, *, named: bool) -> None:
    for option, given in (("--probe-image", options.probe_image), ("--pull", options.pull),
                          ("--probe-class", options.probe_class)):  # fmt: skip
        if given and not options.probe:
            raise InputProblem(
                f"{option} says with what a cluster is tried, and nothing is to be tried",
                where="the command line",
                remedy="Add --probe.",
            )
    if options.probe and (options.facts is not None or not named):
        raise InputProblem(
            "--probe tries a cluster with pods, and "
            + ("--facts asks none" if options.facts is not None else "none was named"),
            where="the command line",
            remedy="Name one: --cluster, --kubeconfig FILE or --through MACHINE.",
        )


def _wish(options: argparse.Namespace) -> Wish | None:
    """What is to be tried with pods; None where nobody asked for it."""
    if not options.probe:
        return None
    from bundles.format.reference import parse_reference
    from preflight.cluster.probes.objects import DEFAULT_IMAGE, Image
    from preflight.cluster.probes.wish import Wish

    def image(text: str) -> Image:
        reference = parse_reference(text)
        host = reference.registry.partition(":")[0]
        # An address, and a name of one part, are nothing that the world's names have.
        resolved = "." in host and any(letter.isalpha() for letter in host)
        return Image(str(reference), host if resolved else "")

    if len(options.pull) > _PULLED:
        raise InputProblem(
            f"--pull takes {_PULLED} images at most, and was given {len(options.pull)}",
            where="the command line",
        )
    return Wish(
        image=image(options.probe_image or DEFAULT_IMAGE),
        pull=tuple(image(text) for text in options.pull),
        classes=tuple(dict.fromkeys(options.probe_class)),
        tell=narrator(options),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    needs: SolutionNeeds
    waivers: tuple[Waiver, ...]
    site: Site | None


def assess_cluster_of(options: argparse.Namespace) -> Assessment:
    """Look at the cluster that the options name, and judge it."""
    from foundation.version import __version__
    from preflight.cluster.judge import assess_cluster

    _only_a_cluster(options)
    asked = _asked(options)
    seen = _seen(options, asked.site)
    if options.save_facts is not None:
        from preflight.cluster.recorded import cluster_facts_text

        write_result(
            cluster_facts_text(seen), options.save_facts, private=True, overwrite=options.overwrite
        )
        narrator(options)(f"What was seen is in {options.save_facts}.")
    assessment = assess_cluster(seen, asked.needs, waivers=asked.waivers, now=datetime.now(UTC))
    extra = {"version": __version__, "next": _again(options)}
    if options.site is not None:
        extra["site"] = str(options.site)
    if options.facts is not None:
        extra["facts"] = str(options.facts)
    return replace(assessment, extra=extra)


def _only_a_cluster(options: argparse.Namespace) -> None:
    if options.machines:
        raise InputProblem(
            f"a cluster is judged by itself, and {options.machines[0]} is a machine",
            where="the command line",
            remedy=f"The cluster of that machine: --through {options.machines[0]}. The machines"
            " themselves: the same command without --cluster.",
        )
    for option, given in (("--role", options.role), ("--egress", options.egress)):
        if given:
            raise InputProblem(
                f"{option} is about machines, and a cluster is judged",
                where="the command line",
                remedy=f"Leave {option} out.",
            )


def _asked(options: argparse.Namespace) -> _Asked:
    """What the cluster is judged against: a solution, the site's, or how it is."""
    from installer.catalogue.solution import load_solution
    from installer.sites.site import load_site
    from preflight.cluster.case import no_solution

    site = load_site(options.site) if options.site is not None else None
    waivers = tuple(site.waivers) if site is not None else ()
    chosen = options.solution or (site.solution if site is not None else None)
    if chosen is None:
        if options.environment or options.sizing:
            raise InputProblem(
                "--environment and --sizing belong to a solution; name it with --solution",
                where="the command line",
                remedy="See `sitewright solutions`.",
            )
        return _Asked(no_solution(), waivers, site)
    needs = (
        load_solution(chosen)
        .needs(
            options.environment or (site.environment if site else None),
            options.sizing or (site.sizing if site else None),
        )
        .with_settings(site.settings if site else {})
    )
    return _Asked(needs, waivers, site)


def _seen(options: argparse.Namespace, site: Site | None) -> SeenCluster:
    if options.facts is not None:
        from preflight.cluster.recorded import load_cluster_facts

        return load_cluster_facts(options.facts)
    wish = _wish(options)
    if options.through is not None:
        return asyncio.run(_through(_machine(options, site), options, wish))
    from foundation.clusters.https import require_allowed
    from foundation.clusters.kubeconfig import kubeconfig_files, read_access
    from preflight.cluster.look import look_by_kubeconfig

    access = read_access(kubeconfig_files(options.kubeconfig, os.environ), options.cluster or None)
    if access.program is not None:
        ask_about_programs(
            (access.program.shown,),
            "To log in to the cluster",
            allow=options.allow_programs,
            where=access.source,
        )
    require_allowed(access, allowed=options.allow_programs)
    return asyncio.run(look_by_kubeconfig(access, wish))


def _machine(options: argparse.Namespace, site: Site | None) -> Targets:
    """The one machine that --through names: of the site or the inventory, else by its address."""
    given = vars(options)
    if options.cluster:
        raise InputProblem(
            "--through asks the machine's own kubectl, which has a cluster of its own",
            where="the command line",
            remedy="Leave the context out: --cluster --through MACHINE.",
        )
    if site is None and options.inventory is None:
        return read_targets(argparse.Namespace(**{**given, "machines": [options.through]}))
    targets = read_targets(options)
    found = [host for host in targets.inventory if host.name == options.through]
    if not found:
        from foundation.wording import listed, nearest

        names = [host.name for host in targets.inventory]
        close = nearest(options.through, names)
        raise InputProblem(
            f'there is no machine "{options.through}"'
            + (f'; did you mean "{close}"?' if close else ""),
            where="--through",
            remedy=f"The machines are {listed(names[:20])}.",
        )
    inventory = replace(targets.inventory, hosts=(found[0],), hosts_by_name={})
    return replace(targets, inventory=inventory)


async def _through(targets: Targets, options: argparse.Namespace, wish: Wish | None) -> SeenCluster:
    from foundation.hosts.pool import Pool
    from preflight.cluster.look import look_through

    async with Pool(
        targets.inventory,
        credentials=targets.credentials,
        connect_timeout=options.connect_timeout,
    ) as pool:
        return await look_through(pool, targets.inventory.hosts[0], wish)


def _again(options: argparse.Namespace) -> str:
    """The same question once more, which is what comes after mending."""
    import shlex

    words = ["sitewright", "preflight"]
    if options.facts is not None:
        return "on the site: sitewright preflight --cluster --save-facts FILE"
    words += ["--cluster", *([options.cluster] if options.cluster else [])]
    for option in ("kubeconfig", "through", "solution", "environment", "sizing", "site"):
        if (value := getattr(options, option)) is not None:
            words += [f"--{option}", str(value)]
    if options.probe:
        words.append("--probe")
        words += ["--probe-image", options.probe_image] if options.probe_image else []
        words += [word for name in options.probe_class for word in ("--probe-class", name)]
        words += [word for name in options.pull for word in ("--pull", name)]
    return shlex.join(words)
