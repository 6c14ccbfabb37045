"""Helm: a release of a chart, in one version and with one set of values."""

from __future__ import annotations

import json
from typing import Any, Final

from bundles.yaml_documents import read_documents
from installer.steps.kind import StepContext, StepFailed, StepKind
from installer.steps.model import HelmStep
from installer.steps.probed import Probed, must_be_good, parsed, text_of

_PENDING: Final = "another operation (install/upgrade/rollback) is in progress"


class Helm(Probed):
    """`helm upgrade --install` with the values over standard input."""

    def data(self, context: StepContext) -> HelmStep:
        """The step's data."""
        return parsed(context, HelmStep)

    async def is_done(self, context: StepContext) -> bool | None:
        """Whether the release is deployed in this version with these values."""
        data = self.data(context)
        release = await self._release(context, data)
        if release is None:
            return None
        chart = data.chart.rstrip("/").rsplit("/", 1)[-1]
        version = data.version.removeprefix("v")
        deployed = release.get("status") == "deployed" and release.get("chart") in (
            f"{chart}-{version}",
            f"{chart}-v{version}",
        )
        if not deployed or not await self._same_values(context, data):
            return False
        return True if data.done is None else (await context.ask_machine(data.done)).yes

    async def _release(self, context: StepContext, data: HelmStep) -> dict[str, Any] | None:
        """What Helm says of the release; empty where there is none, None where it cannot tell."""
        seen = await context.look(
            (*data.program, "list", "--all", "--namespace", data.namespace, "--filter",
             f"^{data.release}$", "--output", "json")
        )  # fmt: skip
        if seen.status != 0:
            return None
        try:
            releases = json.loads(seen.stdout or b"[]")
        except ValueError:
            return None
        found = releases[0] if isinstance(releases, list) and releases else {}
        return found if isinstance(found, dict) else None

    async def _same_values(self, context: StepContext, data: HelmStep) -> bool:
        seen = await context.look(
            (*data.program, "get", "values", data.release, "--namespace", data.namespace,
             "--output", "json")
        )  # fmt: skip
        try:
            there = json.loads(seen.stdout) if seen.status == 0 else ...
        except ValueError:
            return False
        # As Helm reads them: a lone `=` is a text, and so is a date.
        wanted = read_documents(self._values(context, data))
        values = wanted.values[0] if wanted.values else {}
        return not wanted.broken and bool((there or {}) == values)

    def _values(self, context: StepContext, data: HelmStep) -> str:
        return text_of(context, data.values, data.values)

    async def do(self, context: StepContext) -> str:
        """Install or upgrade, and wait until its workloads are ready."""
        data = self.data(context)
        seconds = max(int(data.timeout_minutes * 60) - 15, 15)
        ended = await context.change(
            f"install {data.chart} {data.version} as {data.release} in {data.namespace}",
            (*data.program, "upgrade", data.release, data.chart, "--install",
             "--namespace", data.namespace, "--create-namespace", "--version", data.version,
             "--values", "-", "--wait", "--timeout", f"{seconds}s"),
            stdin=self._values(context, data).encode(),
        )  # fmt: skip
        if any(_PENDING in line for line in ended.tail):
            raise StepFailed(
                f"an earlier operation on the release {data.release} was cut off in the middle",
                where=context.host.name,
                remedy=f"Take it back, then retry: {' '.join(data.program)} rollback "
                f"{data.release} --namespace {data.namespace} (or uninstall it, where this was "
                "its first installation).",
                output=ended.tail,
                again=False,
            )
        must_be_good(context, ended, f"helm upgrade {data.release}")
        return f"{data.release} is deployed from {data.chart} {data.version}."

    async def undo(self, context: StepContext) -> bool:
        """By the step's `undo`, else by `helm uninstall`."""
        data = self.data(context)
        if data.undo is not None:
            return await super().undo(context)
        if context.step.irreversible:
            return False
        ended = await context.change(
            f"uninstall {data.release} from {data.namespace}",
            (*data.program, "uninstall", data.release, "--namespace", data.namespace,
             "--ignore-not-found", "--wait"),
            label="undo",
        )  # fmt: skip
        must_be_good(context, ended, f"helm uninstall {data.release}")
        return True


KIND: Final[StepKind] = Helm()
