"""`sitewright updates`: which of the images that run have something newer."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from foundation.secrets import Secret, secret_from_environment, secret_from_file
from foundation.wording import counted, listed
from installer.commands.image_watcher import (
    add_origin_options,
    add_question_options,
    bundle_origin,
    origin_of,
    usual_of,
)
from installer.commands.options import (
    add_login_options,
    add_overwrite_option,
    narrator,
    read_credentials,
    settle_programs,
    write_result,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from installer.compose.found import Projects
    from installer.sites.site import Site
    from installer.updates.origins import BundleOrigin
    from installer.updates.review import Review
    from installer.updates.running import Found
    from installer.updates.serving import Ways


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright updates`."""
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="an image that runs")
    group = parser.add_argument_group("what runs")
    group.add_argument(
        "--cluster",
        nargs="?",
        const="",
        metavar="CONTEXT",
        help="the workloads of a Kubernetes cluster: a context, else the current one",
    )
    group.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="instead of $KUBECONFIG and ~/.kube/config"
    )
    group.add_argument(
        "--compose", type=Path, action="append", default=[], metavar="FILE", help="a Compose file"
    )
    group.add_argument(
        "--site",
        type=Path,
        metavar="FILE",
        help="a site file: the Compose projects that its record says were brought up, asked of "
        "their machines; else the bundle that it names",
    )
    group.add_argument(
        "--on",
        action="append",
        default=[],
        metavar="MACHINE",
        help="every Compose project of this machine of the site, whoever brought it up",
    )
    group.add_argument(
        "--installed", type=Path, metavar="BUNDLE", help="the bundle that a site was made from"
    )
    add_origin_options(parser)
    add_question_options(parser, "bugfix")
    add_login_options(parser.add_argument_group("login, to a machine or a cluster"))
    output = parser.add_argument_group("output")
    output.add_argument(
        "--format",
        choices=("text", "json", "message"),
        default="text",
        help="message: for a chat, as document 004 has it, with kubectl's commands",
    )
    output.add_argument("--output", type=Path, metavar="FILE", help="a file instead of the screen")
    add_overwrite_option(output)
    output.add_argument(
        "--webhook-file",
        type=Path,
        metavar="FILE",
        help="tell the webhook whose address is in this file, mode 0600, once for each change; "
        "else that of SITEWRIGHT_SECRET_WEBHOOK",
    )
    output.add_argument(
        "--webhook",
        choices=("slack", "plain"),
        default="slack",
        help='what it takes: slack ({"text": …}, the default) or the message plain',
    )
    output.add_argument("--quiet", action="store_true", help="no narration while it works")
    output.add_argument(
        "--strict", action="store_true", help="end with 3 where something is newer, or not told"
    )


def run(options: argparse.Namespace) -> int:
    """Look at what runs, ask what is newer, and say so."""
    if options.on and options.site is None:
        raise InputProblem(
            "which site the machine is of was not said",
            where="--on",
            remedy="Name its file: --site FILE --on MACHINE.",
        )
    given = (options.images, options.compose, options.installed, options.kubeconfig, options.site)
    if not any(given) and options.cluster is None:
        raise InputProblem(
            "nothing was named that runs",
            where="the command line",
            remedy="Name images, or what has them: --cluster, --compose FILE, --installed BUNDLE, "
            "--site FILE (with --on MACHINE: all Compose projects of it).",
        )
    webhook = (
        secret_from_file(options.webhook_file)
        if options.webhook_file
        else secret_from_environment("SITEWRIGHT_SECRET_WEBHOOK")
    )
    found = asyncio.run(_run(options))
    if options.format == "json":
        text = json.dumps(found.as_dict(), indent=2, ensure_ascii=False)
    else:
        from installer.updates.messages import message, table

        text = message(found) if options.format == "message" else table(found)
    write_result(text, options.output, overwrite=options.overwrite)
    if webhook is not None:
        _alert(found, webhook, options)
    if not found.judged:
        return ExitCode.NOT_READY
    if len(found.unjudged) == len(found.judged):
        # Nothing was learned: whoever waits for the exit code must not take that for good.
        return found.judged[0].problem.exit_code if found.judged[0].problem else ExitCode.DONE
    if options.strict and (found.newer or not found.complete):
        return ExitCode.NOT_READY
    return ExitCode.DONE


def _alert(found: Review, webhook: Secret, options: argparse.Namespace) -> None:
    from installer.updates.alerts import Form, alert

    sent = asyncio.run(alert(found, webhook, Form(options.webhook)))
    narrator(options)("the webhook was told" if sent else "the webhook knows that already")


async def _run(options: argparse.Namespace) -> Review:
    from installer.updates.serving import reviewed

    usual = usual_of(options)
    source = await asyncio.to_thread(origin_of, options)
    running = await _running(options, source)
    narrator(options)(f"asking what is newer than {counted(len(running.places), 'image')}")
    return await reviewed(source, running, usual)


async def _running(options: argparse.Namespace, source: Ways | BundleOrigin) -> Found:
    from installer.updates.in_files import of_bundle, of_compose
    from installer.updates.origins import BundleOrigin
    from installer.updates.running import of_words

    found = of_words(options.images)
    for path in options.compose:
        found.take(of_compose(path))
    before = source.created if isinstance(source, BundleOrigin) else None
    if options.installed is not None:
        installed = await asyncio.to_thread(bundle_origin, options.installed, options.keys)
        found.take(of_bundle(installed, before=before))
    if options.site is not None:
        found.take(await _of_site(options, before))
    if options.cluster is not None or options.kubeconfig is not None:
        found.take(await _in_cluster(options))
    return found


async def _of_site(options: argparse.Namespace, before: float | None) -> Found:
    """What runs of a site's Compose projects; the images of its bundle where it has none."""
    from installer.sites.site import load_site
    from installer.supply.supplies import keys_of
    from installer.updates.in_docker import found_in
    from installer.updates.in_files import of_bundle
    from installer.updates.running import Found

    file = options.site
    site, base = load_site(file), file.absolute().parent
    asked = await asyncio.to_thread(compose_machines, site, options.on)
    if asked:
        found = Found()
        for name, projects in (await read_machines(options, site, list(asked))).items():
            found.take(found_in(projects, name, asked[name]))
        return found
    bundle = site.bundle_path(base)
    if bundle is None:
        raise InputProblem(
            "the site has no bundle, so its file does not say which images it runs",
            where=str(file),
            remedy="Ask its cluster (--cluster), or the Compose projects of a machine "
            "(--on MACHINE).",
        )
    keys = keys_of(site, base)
    return of_bundle(await asyncio.to_thread(bundle_origin, bundle, keys), before=before)


def compose_machines(site: Site, named: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The machines to be asked for Compose projects, each with the projects that are meant.

    None named after a machine means all of it: of those that a person names with --on. Where
    nobody names one, the site's record does. Raises InputProblem.
    """
    from installer.updates.in_docker import recorded

    known = [host.name for host in site.hosts]
    for name in named:
        if name not in known:
            raise InputProblem(
                f'the site has no machine "{name}"',
                where="--on",
                remedy=f"Its machines are {listed(known[:20])}.",
            )
    if named:
        return dict.fromkeys(named, ())
    found: dict[str, tuple[str, ...]] = {}
    for one in recorded(site):
        found[one.machine] = (*found.get(one.machine, ()), one.project)
    return found


async def read_machines(
    options: argparse.Namespace, site: Site, names: Sequence[str]
) -> dict[str, Projects]:
    """What each machine's Docker has of Compose projects; raises Problem."""
    from foundation.hosts.pool import Pool
    from installer.updates.in_docker import read_projects

    base = options.site.absolute().parent
    async with Pool(
        settle_programs(site.inventory(base), options),
        credentials=read_credentials(options),
        connect_timeout=options.connect_timeout,
    ) as pool:
        hosts = {host.name: host for host in pool.inventory}
        narrator(options)(f"asking Docker on {listed(list(names))}")
        return {name: await read_projects(await pool.connect(hosts[name])) for name in names}


async def _in_cluster(options: argparse.Namespace) -> Found:
    from foundation.clusters.https import HttpsApi, require_allowed
    from foundation.clusters.kubeconfig import kubeconfig_files, read_access
    from installer.commands.options import ask_about_programs
    from installer.updates.in_cluster import read_running

    files = kubeconfig_files(options.kubeconfig, os.environ)
    if options.kubeconfig is None and not any(file.exists() for file in files):
        raise InputProblem(
            "there is no such file",
            where=", ".join(map(str, files)),
            remedy="Name the kubeconfig of the cluster: --kubeconfig FILE.",
        )
    access = read_access(files, options.cluster or None)
    if access.program is not None:
        ask_about_programs(
            (access.program.shown,),
            "To log in to the cluster",
            allow=options.allow_programs,
            where=access.source,
        )
    require_allowed(access, allowed=options.allow_programs)
    narrator(options)(f"reading the workloads of {access.server}")
    async with HttpsApi(access) as api:
        return await read_running(api)
