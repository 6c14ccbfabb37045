"""Helm-look: what a release would be and change, before anything of it starts.

It is rendered with its values and held against the chart's schema, against the cluster's own kinds
and whoever else's objects (Helm), against admission and what cannot be changed (a dry run on the
server, where the namespace is there), and against the namespace's quotas. Nothing is changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final, Literal

from pydantic import Field

from foundation.hosts.connection import Completed
from foundation.secrets import cut
from foundation.wording import counted
from installer.events import Kind
from installer.steps.helm import HelmStep, named, release_in, taken_back
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.probed import Probed, parsed, text_of
from installer.steps.releases.quotas import refusals
from installer.steps.releases.refused import refusal
from installer.steps.releases.rendered import Manifest, changes, manifest_of, shown

_RENDER_SECONDS: Final = 300.0
_MOST: Final = 25
"""Changes that are told one by one."""
_MOST_WARNINGS: Final = 20
_UNDER_WAY: Final = re.compile(r"pending-(install|upgrade|rollback)|uninstalling")
_VIOLATES: Final = re.compile(r'would violate PodSecurity "([a-z]+):[^"]*": (.*)')
_ENFORCED: Final = "pod-security.kubernetes.io/enforce"


class HelmLookStep(HelmStep):
    """A look at a release before `helm` makes it; it says the same as that step."""

    kind: Literal["helm-look"]  # type: ignore[assignment]  # what it says is that of `helm`
    will_hold: dict[str, str] = Field(default_factory=dict)
    """What the quota `sitewright` of the namespace will be, where a later step sets it."""
    will_request: dict[str, str] = Field(default_factory=dict)
    """What its limits will give a container that says nothing."""


class HelmLook(Probed):
    """It is never found done: what it tells is of now."""

    model = HelmLookStep

    def data(self, context: StepContext) -> HelmLookStep:
        """The step's data."""
        return parsed(context, HelmLookStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Never."""
        return False

    async def verify(self, context: StepContext) -> None:
        """It was just looked at."""

    async def do(self, context: StepContext) -> str:
        """Render it, hold it against all that, and tell what changes; raises StepFailed."""
        data = self.data(context)
        there = await self._there(context, data)
        after = await self._rendered(context, data, upgrade=bool(there))
        before = await self._before(context, data) if there else Manifest({})
        told = await self._by_the_server(context, data, after)
        await self._by_quotas(context, data, after[1], before)
        for text in told:
            context.emit(Kind.NOTE, text=text)
        said = changes(before, after[1])
        if not there:
            return (
                f"{data.release} would be new in {data.namespace}: {after[1].sentence}, from"
                f" {counted(len(after[1].images), 'image')}. {_who_asked(told)}"
            )
        for text in shown(said, _MOST):
            context.emit(Kind.NOTE, text=text)
        from_to = f"{there.get('chart', '?')} (revision {there.get('revision', '?')})"
        if not said:
            return f"{data.release} would stay as it is: {from_to}. {_who_asked(told)}"
        return (
            f"{counted(len(said), 'object')} of {data.release} would change, from {from_to} to"
            f" {named(data)[0]}. {_who_asked(told)}"
        )

    async def _there(self, context: StepContext, data: HelmLookStep) -> dict[str, Any]:
        """The release as Helm lists it; raises StepFailed where it is nobody's to go on with."""
        release, seen = await release_in(context, data)
        if release is None:
            raise _failed(context, seen, f"Helm does not say what is in {data.namespace}")
        if not release:
            return {}
        chart = str(release.get("chart") or "")
        own = named(data)[0].removesuffix(f"-{data.version.removeprefix('v')}")
        if not re.fullmatch(rf"{re.escape(own)}-v?[0-9].*", chart):
            raise StepFailed(
                f"there is a release {data.release} in {data.namespace} already, and it is"
                f" {cut(chart, 80) or 'of no told chart'}: somebody else's",
                where=context.host.name,
                remedy="Take another namespace in the settings, or have whoever installed it"
                " remove it.",
                again=False,
            )
        status = str(release.get("status") or "")
        if _UNDER_WAY.fullmatch(status):
            raise StepFailed(
                f"the release {data.release} in {data.namespace} is {status} since"
                f" {cut(str(release.get('updated') or '?'), 40)}: somebody installs it"
                " just now, or was cut off in the middle",
                where=context.host.name,
                remedy=f"See that nobody is at it. {taken_back(data, release)}",
                again=False,
            )
        return release

    async def _rendered(
        self, context: StepContext, data: HelmLookStep, *, upgrade: bool
    ) -> tuple[bytes, Manifest]:
        repository = data.repository and not data.chart.startswith("/")
        seen = await context.look(
            (*data.program, "template", data.release, data.chart, "--namespace", data.namespace,
             "--version", data.version, *(("--repo", data.repository) if repository else ()),
             "--values", "-", "--validate", "--dry-run=server", "--no-hooks",
             *(("--is-upgrade",) if upgrade else ())),
            stdin=text_of(context, data.values, data.values).encode(),
            timeout=_RENDER_SECONDS,
        )  # fmt: skip
        if seen.status != 0:
            raise _failed(context, seen, f"{data.chart} {data.version} cannot be installed")
        manifest = manifest_of(seen.stdout)
        if seen.truncated or manifest.broken:
            why = "; ".join(shown(manifest.broken, 3)) or "it is longer than is read"
            raise StepFailed(f"what {data.chart} comes to cannot be read: {why}",
                             where=context.host.name)  # fmt: skip
        return seen.stdout, manifest

    async def _before(self, context: StepContext, data: HelmLookStep) -> Manifest:
        seen = await context.look(
            (*data.program, "get", "manifest", data.release, "--namespace", data.namespace)
        )
        if seen.status != 0:
            raise _failed(context, seen, f"Helm does not say what {data.release} holds now")
        return manifest_of(seen.stdout)

    async def _by_the_server(
        self, context: StepContext, data: HelmLookStep, after: tuple[bytes, Manifest]
    ) -> list[str]:
        """What the API warns of; raises StepFailed for what it refuses."""
        seen = await context.look(
            (*data.kubectl, "get", "namespace", data.namespace, "--ignore-not-found",
             "--output", "json")
        )  # fmt: skip
        if seen.status != 0:
            raise _failed(context, seen, f"the cluster does not say whether {data.namespace} is")
        if not seen.stdout.strip():
            return [
                (
                    f"The namespace {data.namespace} is not there yet: the server's own dry run"
                    " comes when it is."
                )
            ]
        if not after[1].objects:
            return []
        dry = await context.look(
            (*data.kubectl, "apply", "--server-side", "--dry-run=server", "--force-conflicts",
             "--field-manager=helm", "--namespace", data.namespace, "--filename", "-"),
            stdin=after[0],
            timeout=_RENDER_SECONDS,
        )  # fmt: skip
        if dry.status != 0:
            raise _failed(context, dry, f"the cluster would not take {data.release}")
        warnings = _warnings(dry)
        enforced = _label(seen.stdout, _ENFORCED)
        for text in warnings:
            found = _VIOLATES.search(text)
            if found and found[1] == enforced:
                raise StepFailed(
                    f"PodSecurity of {data.namespace} ({enforced}) would let no such pod in:"
                    f" {cut(found[2], 300)}",
                    where=context.host.name,
                    remedy="Set the setting pod_security to a level that the chart keeps, or the"
                    " chart's security contexts in its values.",
                    again=False,
                )
        return [f"The cluster warns: {text}" for text in warnings]

    async def _by_quotas(
        self, context: StepContext, data: HelmLookStep, after: Manifest, before: Manifest
    ) -> None:
        seen = await context.look(
            (*data.kubectl, "get", "resourcequotas,limitranges", "--namespace", data.namespace,
             "--output", "json")
        )  # fmt: skip
        said = None
        if seen.status == 0:
            said = refusals(
                seen.stdout, after, before, will_hold=data.will_hold, will_request=data.will_request
            )
        if said is None:
            raise _failed(context, seen, f"the quotas of {data.namespace} could not be read")
        if said:
            raise StepFailed(
                "; ".join(said),
                where=context.host.name,
                remedy="Raise the quota (the settings quota_cpu, quota_memory, quota_pods where it"
                " is ours; else whoever runs the cluster), or ask for less: fewer replicas,"
                " smaller requests.",
                again=False,
            )


def _warnings(seen: Completed) -> list[str]:
    lines = seen.stderr.decode("utf-8", "replace").splitlines()
    said = (line.removeprefix("Warning: ") for line in lines if line.startswith("Warning: "))
    return shown(list(dict.fromkeys(cut(text, 700) for text in said)), _MOST_WARNINGS)


def _label(answer: bytes, name: str) -> str:
    try:
        return str((json.loads(answer)["metadata"].get("labels") or {}).get(name, ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""


def _who_asked(told: Sequence[str]) -> str:
    later = any("is not there yet" in text for text in told)
    return (
        "The chart's schema and Helm take it."
        if later
        else "The chart's schema, Helm, the server's dry run and the quotas take it."
    )


def _failed(context: StepContext, seen: Completed, what: str) -> StepFailed:
    found = refusal(seen.stderr.decode("utf-8", "replace"))
    return StepFailed(
        f"{what}: {found.why}", where=context.host.name, remedy=found.remedy, again=False
    )


KIND: Final[StepKind] = HelmLook()
