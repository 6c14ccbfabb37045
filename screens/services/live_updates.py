"""Live services for updates: what runs in a cluster and what is newer, as the command reads it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from foundation.typed_paths import typed_path
from screens.services.live_clusters import access_of, machine_of
from screens.services.services import Access, ClusterWay, ToUpdate, UpdatesSeen

if TYPE_CHECKING:
    from foundation.clusters.api import Api
    from installer.updates.lookup import Question
    from installer.updates.origins import BundleOrigin
    from installer.updates.serving import Ways
    from screens.answers.answers import Answers

MODULES = (
    "installer.updates.serving",
    "installer.updates.applying.workloads",
    "installer.updates.in_cluster",
)
"""What a look needs; imported off the event loop."""


class LiveUpdates:
    """The part of the live services that knows updates; nothing here changes a cluster."""

    async def look_for_updates(self, asked: ToUpdate, access: Access) -> UpdatesSeen:
        """One read of the cluster, one question an image; raises Problem."""
        source, usual = await asyncio.to_thread(origin_of, asked)
        async with _api(asked.way, access) as api:
            serving, workloads, in_cluster = await asyncio.to_thread(
                lambda: [import_module(name) for name in MODULES]
            )
            found = await in_cluster.read_running(api)
            review = await serving.reviewed(source, found, usual)
            applications = await in_cluster.read_applications(api)
            changed = await workloads.read_workloads(api, review, applications)
            note = await asyncio.to_thread(_unchecked, asked)
            return UpdatesSeen(asked, api.where, api.way, review, changed, note)


@asynccontextmanager
async def _api(way: ClusterWay, access: Access) -> AsyncIterator[Api]:
    """The cluster at the end of a way; raises Problem, ProgramsNotAllowed."""
    if way.machine:
        machine = await asyncio.to_thread(import_module, "foundation.clusters.machine")
        async with machine_of(way.machine, access) as (pool, host):
            yield await machine.MachineApi.found(await pool.connect(host))
        return
    https = await asyncio.to_thread(import_module, "foundation.clusters.https")
    cluster = await asyncio.to_thread(access_of, way)
    async with https.HttpsApi(cluster) as api:
        yield api


def origin_of(asked: ToUpdate) -> tuple[Ways | BundleOrigin, Question]:
    """Who is asked, and what; raises InputProblem, BundleProblem."""
    import argparse

    from installer.commands.image_watcher import (
        add_origin_options,
        add_question_options,
        usual_of,
    )
    from installer.commands.image_watcher import origin_of as origin

    parser = argparse.ArgumentParser(add_help=False)
    add_origin_options(parser)
    add_question_options(parser)
    options = parser.parse_args([])
    options.strategy = asked.strategy
    kind, text = newer_option(asked.newer)
    if kind == "bundle":
        options.bundle = typed_path(text)
    elif kind:
        setattr(options, kind, [text])
    return origin(options), usual_of(options)


def _unchecked(asked: ToUpdate) -> str:
    """That nobody checked who made the bundle, where this computer has no list of makers."""
    from bundles.read.signers import read_signers
    from installer.supply.supplies import own_signers

    listed = own_signers()
    if newer_option(asked.newer)[0] != "bundle" or (listed.is_file() and read_signers(listed)):
        return ""
    return f"The signature of the bundle is NOT checked: {listed} names no maker."


def apply_words(asked: ToUpdate) -> list[str]:
    """The words by which `sitewright updates apply` finds the same cluster and the same newer."""
    way, words = asked.way, list[str]()
    if way.machine:
        words += ["--through", way.machine]
    elif way.kubeconfig is not None:
        words += ["--kubeconfig", str(way.kubeconfig)]
    if way.context or not words:
        words += ["--cluster", *([way.context] if way.context else [])]
    kind, place = newer_option(asked.newer)
    words += [f"--{kind}", place] if kind else []
    return words + (["--strategy", asked.strategy] if asked.strategy != "bugfix" else [])


def update_command(asked: ToUpdate, chosen: str, answers: Answers) -> str:
    """The command that applies one workload, or all of them where none is chosen."""
    file = answers.site_file
    line = ["sitewright", "updates", "apply", "--site", "SITE.yaml" if file is None else str(file)]
    return shlex.join([*line, *apply_words(asked), *(["--workload", chosen] if chosen else [])])


def newer_option(text: str) -> tuple[str, str]:
    """By which option of the command a place is named, and its value; ("", "") for the usual."""
    if not text:
        return "", ""
    if text.startswith(("/", "~", ".")) or text.endswith(".bundle"):
        return "bundle", text
    return ("mirror" if "=" in text else "registry"), text
