"""Helm-values: the workloads of a Helm release brought to other images, by the release's values.

What belongs to Helm is changed through Helm: `on_machine/release.py` upgrades the release with the
chart that it has and the values that it has but for the images, after a dry run that shows that no
other line changes; and rolls it back where a workload does not stand.
"""

from __future__ import annotations

from typing import Final, Literal

from installer.plans.plan import PlannedStep
from installer.steps.kind import StepContext, StepKind
from installer.steps.probed import parsed
from installer.steps.rollout import (
    InWindow,
    OfWorkload,
    Watched,
    bring,
    order_of,
    program,
)


class HelmValuesStep(Watched):
    """The workloads of a Helm release brought to other images."""

    kind: Literal["helm-values"]
    release: str
    namespace: str
    helm: tuple[str, ...]
    workloads: tuple[OfWorkload, ...]


class HelmValues(InWindow):
    """One release, by its values."""

    model = HelmValuesStep

    def data(self, context: StepContext) -> HelmValuesStep:
        """The step's data."""
        return parsed(context, HelmValuesStep)

    def programs(self, step: PlannedStep) -> tuple[str, ...]:
        """None of the bundle: they are those of the way that the list was made by."""
        return ()

    async def do(self, context: StepContext) -> str:
        """Upgrade it; raises StepFailed, by then rolled back where a workload did not stand."""
        data = self.data(context)
        what = f"the Helm release {data.namespace}/{data.release}"
        order = {
            "helm": list(data.helm),
            "release": data.release,
            "namespace": data.namespace,
            "migrates": data.migrates,
            "workloads": [order_of(data, one) for one in data.workloads],
        }
        where = "its newer images by its values"
        return await bring(context, what, where, order, program("release.py"))


KIND: Final[StepKind] = HelmValues()
