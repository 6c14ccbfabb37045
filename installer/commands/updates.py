"""`sitewright updates`: which of the images that run have something newer."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from foundation.secrets import Secret, secret_from_file
from foundation.wording import counted
from installer.commands.image_watcher import (
    add_origin_options,
    add_question_options,
    bundle_origin,
    origin_of,
    usual_of,
)
from installer.commands.options import add_overwrite_option, narrator, write_result

if TYPE_CHECKING:
    from installer.updates.lookup import Question
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
        "--allow-programs",
        action="store_true",
        help="start what the kubeconfig names to log in with",
    )
    group.add_argument(
        "--compose", type=Path, action="append", default=[], metavar="FILE", help="a Compose file"
    )
    group.add_argument(
        "--site", type=Path, metavar="FILE", help="a site file: the bundle that it names"
    )
    group.add_argument(
        "--installed", type=Path, metavar="BUNDLE", help="the bundle that a site was made from"
    )
    add_origin_options(parser)
    add_question_options(parser, "bugfix")
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
        help="tell the webhook whose address is in this file, mode 0600, once for each change",
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
    given = (options.images, options.compose, options.installed, options.kubeconfig, options.site)
    if not any(given) and options.cluster is None:
        raise InputProblem(
            "nothing was named that runs",
            where="the command line",
            remedy="Name images, or what has them: --cluster, --compose FILE, --installed BUNDLE, "
            "--site FILE.",
        )
    webhook = secret_from_file(options.webhook_file) if options.webhook_file else None
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
    usual = usual_of(options)
    source = await asyncio.to_thread(origin_of, options)
    running = await _running(options, source)
    narrator(options)(f"asking what is newer than {counted(len(running.places), 'image')}")
    return await review_of(source, running, usual)


async def review_of(source: Ways | BundleOrigin, running: Found, usual: Question) -> Review:
    """What is newer than what runs; raises BundleProblem."""
    from installer.updates.origins import BundleOrigin
    from installer.updates.review import review
    from installer.updates.serving import registry_origin

    if isinstance(source, BundleOrigin):
        return await review(source, running, usual)
    async with registry_origin(source) as origin:
        return await review(origin, running, usual)


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
        found.take(await asyncio.to_thread(_of_site, options.site, before))
    if options.cluster is not None or options.kubeconfig is not None:
        found.take(await _in_cluster(options))
    return found


def _of_site(file: Path, before: float | None) -> Found:
    """The images of the bundle that a site's file names."""
    from installer.sites.site import load_site
    from installer.supply.supplies import keys_of
    from installer.updates.in_files import of_bundle

    site, base = load_site(file), file.absolute().parent
    bundle = site.bundle_path(base)
    if bundle is None:
        raise InputProblem(
            "the site has no bundle, so its file does not say which images it runs",
            where=str(file),
            remedy="Ask its cluster (--cluster), or name its Compose file (--compose FILE).",
        )
    return of_bundle(bundle_origin(bundle, keys_of(site, base)), before=before)


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
