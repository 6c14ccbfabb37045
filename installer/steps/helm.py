"""Helm: a release of a chart, in one version and with one set of values."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

from bundles.manifests.yaml_documents import read_documents
from foundation.hosts.connection import Completed
from foundation.problems import ConnectionProblem, InputProblem
from foundation.secrets import cut
from installer.catalogue.stages import Planned, Planning, StepData
from installer.events import Json, Kind
from installer.plans.plan import PlannedStep
from installer.steps import workloads
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, must_be_good, parsed, text_of, usual_program

_CUT_OFF: Final = (
    "another operation (install/upgrade/rollback) is in progress",
    # A removal that was cut off: it is no operation in progress, and nothing is deployed.
    "has no deployed releases",
)
"""How Helm 3.17 refuses a release on which an operation was cut off."""


_WAITS: Final = {
    "ready": ("--wait",),
    "jobs": ("--wait", "--wait-for-jobs"),
    "namespace": (),
    "no": (),
}
"""How Helm is told until when a release waits."""

_STAND: Final = "custom-columns=AVAILABLE:.status.conditions[?(@.type=='Available')].status"
"""How every deployment of a namespace stands, a word each."""

_PODS_EVERY: Final = 10.0
"""Seconds between looks at the pods while Helm waits for them."""


class HelmStep(StepData):
    """A Helm release (`helm upgrade --install`)."""

    kind: Literal["helm"]
    release: str
    namespace: str
    chart: str
    version: str
    values: str = ""
    """A template of the values file."""
    program: tuple[str, ...] = ("helm",)
    repository: str = ""
    """The address of the chart's repository, where `chart` is a name in it; nothing of it is kept
    among Helm's own repositories."""
    kubectl: tuple[str, ...] = ()
    """With which the pods are asked why they do not come; empty asks nobody."""
    mark: str = ""
    """A label that a release has in Helm which this step brought first (NAME=VALUE, Helm 3.13): who
    removes it knows it by that. One that stood before is not marked. Empty marks none."""
    waits: str = "ready"
    """Until when it waits: "ready", its workloads; "jobs", its jobs too; "namespace", every
    deployment of its namespace, whoever installed it (`kubectl` asks); "no" goes on at once."""

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """With the values, rendered."""
        waits, values = str(spec["waits"]), str(spec["values"])
        if waits not in _WAITS or (waits == "namespace" and not self.kubectl):
            raise InputProblem(
                f'a release does not wait for "{waits}"',
                where=f"{where}, waits",
                remedy=f"Say one of {', '.join(_WAITS)}; namespace needs kubectl as well.",
            )
        files = ((values, planning.renderer.file(values)),) if values else ()
        return Planned(dict(spec), files)


def _until_available(data: HelmStep, seconds: int) -> tuple[str, ...]:
    """How kubectl is asked to wait until every deployment of the namespace is there."""
    return (
        "wait", "--namespace", data.namespace, "deployment", "--all",
        "--for=condition=Available", f"--timeout={seconds}s",
    )  # fmt: skip


def named(data: HelmStep) -> tuple[str, str]:
    """What Helm calls the chart in its version."""
    chart = data.chart.rstrip("/").rsplit("/", 1)[-1]
    version = data.version.removeprefix("v")
    # A packaged chart is a file that has its version in its name.
    chart = chart.removesuffix(".tgz").removesuffix(f"-{data.version}").removesuffix(f"-{version}")
    return f"{chart}-{version}", f"{chart}-v{version}"


class Helm(Probed):
    """`helm upgrade --install` with the values over standard input."""

    model = HelmStep

    def data(self, context: StepContext) -> HelmStep:
        """The step's data."""
        return parsed(context, HelmStep)

    def programs(self, step: PlannedStep) -> tuple[str, ...]:
        """Its own."""
        return usual_program(step, "helm")

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether the release is deployed in this version with these values."""
        data = self.data(context)
        release = await self._release(context, data)
        if release is None:
            return None
        deployed = release.get("status") == "deployed" and release.get("chart") in named(data)
        if not deployed or not await self._same_values(context, data):
            return False
        if data.waits == "namespace" and not await self._all_there(context, data):
            return False
        return True if data.done is None else (await context.ask_machine(data.done)).yes

    async def _release(self, context: StepContext, data: HelmStep) -> dict[str, Any] | None:
        """What Helm says of the release; empty where there is none, None where it cannot tell."""
        return (await release_in(context, data))[0]

    async def _all_there(self, context: StepContext, data: HelmStep) -> bool:
        seen = await context.look(
            (
                *data.kubectl,
                "get",
                "deployments",
                "--namespace",
                data.namespace,
                "--no-headers",
                "--output",
                _STAND,
            )
        )
        words = seen.stdout.decode("utf-8", "replace").split()
        return seen.status == 0 and bool(words) and set(words) == {"True"}

    async def _same_values(self, context: StepContext, data: HelmStep) -> bool:
        seen = await context.look(
            (*data.program, "get", "values", data.release, "--namespace", data.namespace,
             "--output", "json")
        )  # fmt: skip
        try:
            there = json.loads(seen.stdout) if seen.status == 0 else ...
        except (ValueError, RecursionError):
            return False
        # As Helm reads them: a lone `=` is a text, and so is a date.
        wanted = read_documents(self._values(context, data), by_helm=True)
        values = wanted.values[0] if wanted.values else {}
        return not wanted.broken and bool((there or {}) == values)

    def _values(self, context: StepContext, data: HelmStep) -> str:
        return text_of(context, data.values, data.values)

    async def do(self, context: StepContext) -> str:
        """Install or upgrade, and wait until its workloads are ready."""
        data = self.data(context)
        seconds = max(int(data.timeout_minutes * 60) - 15, 15)
        repository = data.repository and not data.chart.startswith("/")
        # Helm keeps the mark of a release through every upgrade, whoever does it.
        new = bool(data.mark) and await self._release(context, data) == {}
        async with _pods_watched(context, data):
            ended = await context.change(
                f"install {data.chart} {data.version} as {data.release} in {data.namespace}",
                (*data.program, "upgrade", data.release, data.chart, "--install",
                 "--namespace", data.namespace, "--create-namespace", "--version", data.version,
                 *(("--repo", data.repository) if repository else ()),
                 *(("--labels", data.mark) if new else ()),
                 "--values", "-", *_WAITS[data.waits], "--timeout", f"{seconds}s"),
                stdin=self._values(context, data).encode(),
            )  # fmt: skip
            if ended.good and data.waits == "namespace":
                ended = await context.change(
                    f"wait for every deployment of {data.namespace}",
                    (*data.kubectl, *_until_available(data, seconds)),
                    label="wait",
                )
        if any(words in line for line in ended.tail for words in _CUT_OFF):
            there = await self._release(context, data)
            since = cut(str((there or {}).get("updated") or ""), 40)
            # Helm's own mark is the same for who works and for who died: two who work on one
            # release at once would each take the other's half back.
            raise StepFailed(
                f"the release {data.release} is {cut(str((there or {}).get('status') or '?'), 40)}"
                f"{f' since {since}' if since else ''}: somebody else works on it just now, or was"
                " cut off in the middle",
                where=context.host.name,
                remedy="See that nobody is at it, on another computer or in a pipeline. "
                + taken_back(data, there),
                output=ended.tail,
                again=False,
            )
        if not ended.good and (found := await _standing(context, data)) and found.troubles:
            raise _not_up(context, data, found, ended.tail)
        must_be_good(context, ended, f"helm upgrade {data.release}")
        return f"{data.release} is deployed from {data.chart} {data.version}."

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`, else by `helm uninstall`."""
        data = self.data(context)
        if data.undo is not None:
            return await super().undo(context)
        if context.step.irreversible:
            return False
        await self._was_ours(context, data)
        ended = await context.change(
            f"uninstall {data.release} from {data.namespace}",
            (*data.program, "uninstall", data.release, "--namespace", data.namespace,
             "--ignore-not-found", "--wait"),
            label="undo",
        )  # fmt: skip
        must_be_good(context, ended, f"helm uninstall {data.release}")
        return True

    async def _was_ours(self, context: StepContext, data: HelmStep) -> None:
        """Raise StepFailed where the release stood before this step, or nobody says so."""
        release = await self._release(context, data)
        if release == {}:
            return
        seen = await context.look(
            (*data.program, "history", data.release, "--namespace", data.namespace, "--max", "256",
             "--output", "json")
        )  # fmt: skip
        try:
            known = release is not None and seen.status == 0
            first = json.loads(seen.stdout)[0] if known else {}
            revision, chart = int(first["revision"]), str(first["chart"])
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError) as error:
            raise StepFailed(
                f"Helm does not say since when the release {data.release} is there, so it was left",
                where=context.host.name,
                remedy="See that the cluster answers (kubectl get nodes), then undo again.",
            ) from error
        if revision != 1 or chart not in named(data):
            # Helm keeps the last revisions alone, ten as a rule.
            why = (
                f"Helm knows the release {data.release} from revision {revision} on alone, so "
                "nobody can tell whether it was there before this step"
                if revision != 1
                else f"the release {data.release} was there before this step, as {chart}"
            )
            raise StepFailed(
                f"{why}; it was left",
                where=context.host.name,
                remedy="See its revisions and go back to one of them: "
                f"{' '.join(data.program)} history {data.release} --namespace {data.namespace}; "
                f"{' '.join(data.program)} rollback {data.release} REVISION "
                f"--namespace {data.namespace}",
                again=False,
            )


async def release_in(
    context: StepContext, data: HelmStep
) -> tuple[dict[str, Any] | None, Completed]:
    """What Helm says of a release, and its own words: empty where there is none, None where it
    cannot tell."""
    seen = await context.look(
        (*data.program, "list", "--all", "--namespace", data.namespace, "--filter",
         f"^{data.release}$", "--output", "json")
    )  # fmt: skip
    if seen.status != 0:
        return None, seen
    try:
        releases = json.loads(seen.stdout or b"[]")
    except (ValueError, RecursionError):
        return None, seen
    found = releases[0] if isinstance(releases, list) and releases else {}
    return (found if isinstance(found, dict) else None), seen


async def _standing(context: StepContext, data: HelmStep) -> workloads.Standing | None:
    """How the pods of the release's namespace stand; None where nobody can or need tell."""
    if not data.kubectl or context.dry_run:
        return None
    seen = await context.look((*data.kubectl, *workloads.ASK, data.namespace))
    return workloads.standing(seen.stdout) if seen.status == 0 else None


def _not_up(
    context: StepContext, data: HelmStep, found: workloads.Standing, tail: tuple[str, ...]
) -> StepFailed:
    """What Helm waited for in vain: the earliest cause, and what else does not stand."""
    first, *others = found.troubles
    said = next((line for line in reversed(tail) if line.startswith("Error:")), "")
    besides = f" Others wait or fail besides: {len(others)}." if others else ""
    return StepFailed(
        f"{first.sentence}.{besides} ({found.sentence} in {data.namespace}"
        f"{'; Helm: ' + said.removeprefix('Error: ')[:200] if said else ''})",
        where=context.host.name,
        remedy=f"{first.remedy(data.kubectl, data.namespace)}. Then retry it: sitewright resume.",
        output=[*(one.sentence for one in found.troubles[:20]), *tail[-5:]],
    )


@asynccontextmanager
async def _pods_watched(context: StepContext, data: HelmStep) -> AsyncIterator[None]:
    """Say how many pods are ready, and at once what no waiting mends, while Helm only waits."""
    if not data.kubectl or context.dry_run:
        yield
        return
    watching = asyncio.create_task(_watch_pods(context, data))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def _watch_pods(context: StepContext, data: HelmStep) -> None:
    told: set[str] = set()
    while True:
        await asyncio.sleep(_PODS_EVERY)
        try:
            found = await _standing(context, data)
        except ConnectionProblem:
            continue  # this is only a view; the job itself is followed elsewhere
        if found is None:
            continue
        context.emit(Kind.STEP_PROGRESS, done=found.ready, total=found.total, text=found.sentence)
        for one in found.troubles:
            if one.hopeless and one.name not in told:
                told.add(one.name)
                context.emit(Kind.NOTE, text=f"{one.sentence}. Helm goes on waiting.")


def taken_back(data: HelmStep, release: dict[str, Any] | None) -> str:
    """What ends an operation that was cut off: a first installation has nothing to go back to."""
    program, named = shlex.join(data.program), f"{data.release} --namespace {data.namespace}"
    # A rollback that does not wait calls the release deployed at once, whether it runs or not.
    words = {
        "uninstall": f"{program} uninstall {named}",
        "rollback": f"{program} rollback {named} --wait --timeout 10m",
    }
    if not release:
        return (
            f"Take it back, then retry: {words['rollback']}; or, where this was its first "
            f"installation: {words['uninstall']}"
        )
    first = str(release.get("revision")) == "1"
    verb = "uninstall" if first or release.get("status") == "uninstalling" else "rollback"
    return f"Take it back, then retry: {words[verb]}"


KIND: Final[StepKind] = Helm()
