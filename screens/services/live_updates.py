"""Live services for updates: what runs and what is newer, as the command reads it."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from foundation.typed_paths import typed_path
from foundation.wording import listed
from screens.services.live_clusters import access_of, machine_of, machines_of
from screens.services.live_install import site_of
from screens.services.services import Access, ClusterWay, ToUpdate, UpdatesSeen

if TYPE_CHECKING:
    from foundation.clusters.api import Api
    from installer.compose.found import Projects
    from installer.updates.lookup import Question
    from installer.updates.origins import BundleOrigin
    from installer.updates.serving import Ways
    from screens.answers.answers import Answers


class LiveUpdates:
    """The part of the live services that knows updates; nothing here changes what runs."""

    async def look_for_updates(
        self, asked: ToUpdate, answers: Answers, access: Access
    ) -> UpdatesSeen:
        """One read of what runs, one question an image; raises Problem."""
        source, usual, note = await asyncio.to_thread(source_of, asked)
        prepared: Any = await asyncio.to_thread(
            import_module, "installer.updates.applying.prepared"
        )
        if asked.on:
            read = await projects_on(asked.on, access)
            # What brought a project up is known of a site that is named, and of no other.
            site = site_of(answers) if answers.solution is not None else None
            projects = dict.fromkeys(asked.on, ())
            review, services = await prepared.seen_on_machines(read, projects, source, usual, site)
            where, way = listed(asked.on), "Docker there"
            return UpdatesSeen(asked, where, way, review, (), note, services, asked.on)
        async with _api(asked.way, access) as api:
            review, changed = await prepared.seen_in_cluster(api, source, usual)
            return UpdatesSeen(asked, api.where, api.way, review, changed, note)


async def projects_on(names: Sequence[str], access: Access) -> dict[str, Projects]:
    """What Docker has of Compose projects, by machine; raises Problem where one is silent."""
    in_docker: Any = await asyncio.to_thread(import_module, "installer.updates.in_docker")
    async with machines_of(names, access) as (pool, hosts):
        return {
            host.name: await in_docker.read_projects(await pool.connect(host)) for host in hosts
        }


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


def source_of(asked: ToUpdate) -> tuple[Ways | BundleOrigin, Question, str]:
    """Who is asked, what, and what a person must know of it; raises InputProblem, BundleProblem."""
    from installer.updates.serving import Sought

    kind, text = newer_option(asked.newer)
    sought = Sought(
        registries=(text,) if kind == "registry" else (),
        mirrors=(text,) if kind == "mirror" else (),
        bundle=typed_path(text) if kind == "bundle" else None,
        strategy=asked.strategy,
    )
    source, note = sought.source()
    return source, sought.usual(), note


def apply_words(asked: ToUpdate) -> list[str]:
    """The words by which `sitewright updates apply` finds the same of what runs and of newer."""
    way, words = asked.way, list[str]()
    for name in asked.on:
        words += ["--on", name]
    if not asked.on:
        if way.machine:
            words += ["--through", way.machine]
        elif way.kubeconfig is not None:
            words += ["--kubeconfig", str(way.kubeconfig)]
        if way.context or not words:
            words += ["--cluster", *([way.context] if way.context else [])]
    kind, place = newer_option(asked.newer)
    words += [f"--{kind}", place] if kind else []
    return words + (["--strategy", asked.strategy] if asked.strategy != "bugfix" else [])


def update_command(
    asked: ToUpdate, chosen: Sequence[str], answers: Answers, *, by_commit: bool = False
) -> str:
    """The command that applies what is chosen, or all of it where nothing is.

    `by_commit`: it is Argo CD's or Flux's, so the commit that it needs is made.
    """
    file = answers.site_file
    line = ["sitewright", "updates", "apply", "--site", "SITE.yaml" if file is None else str(file)]
    line += apply_words(asked)
    for one in chosen:
        line += ["--workload", one]
    line += ["--repository", "FOLDER", "--branch", "NAME"] if by_commit else []
    return shlex.join(line)


def newer_option(text: str) -> tuple[str, str]:
    """By which option of the command a place is named, and its value; ("", "") for the usual."""
    if not text:
        return "", ""
    if text.startswith(("/", "~", ".")) or text.endswith(".bundle"):
        return "bundle", text
    return ("mirror" if "=" in text else "registry"), text
