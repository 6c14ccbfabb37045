"""Who owns a workload: what would take a change of its images back, or must make it.

Helm, Argo CD and Flux leave marks. What Argo CD itself says of its applications goes before marks:
where it tracks by the label `app.kubernetes.io/instance` (its way before version 3), the objects of
a chart that it rendered look like Helm's (argo-cd.readthedocs.io, Resource Tracking).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from foundation.terminal import clean_line

APPLICATIONS: Final = "/apis/argoproj.io/v1alpha1/applications"
_FLUX: Final = (("kustomize", "Kustomization"), ("helm", "HelmRelease"))
_RELEASE: Final = "meta.helm.sh/release-name"
_RELEASE_NAMESPACE: Final = "meta.helm.sh/release-namespace"
_TRACKING: Final = "argocd.argoproj.io/tracking-id"
_ARGO_LABEL: Final = "argocd.argoproj.io/instance"
_MANAGED_BY: Final = "app.kubernetes.io/managed-by"

_HELMS: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,51}[a-z0-9])?")
"""What Helm may call a release; whoever may annotate a workload writes what they like there."""

Item = TypeVar("Item")
Many = Annotated[tuple[Item, ...], BeforeValidator(lambda value: [] if value is None else value)]


class By(StrEnum):
    """What owns it."""

    HELM = "helm"
    ARGO = "argo"
    FLUX = "flux"
    UNKNOWN = "unknown"
    """Something rendered it as Helm would, and nobody says what."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner, by its own name."""

    by: By
    kind: str
    """What a person calls it: Helm release, Argo CD application, Flux's HelmRelease."""
    name: str
    namespace: str = ""
    source: str = ""
    """Where its manifests lie, in words; "" where nobody says so."""
    folders: tuple[str, ...] = ()
    """The parts of its repository that it is made of."""

    @property
    def words(self) -> str:
        """The owner for a person."""
        if self.by is By.UNKNOWN:
            return clean_line(f"whoever rendered it as {self.kind} {self.name}".rstrip())
        return clean_line(f"{self.kind} {self.name}")


class _Object(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class _Meta(_Object):
    name: str = ""
    namespace: str = ""


class _Resource(_Object):
    group: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""


class _Status(_Object):
    resources: Many[_Resource] = ()


class _Source(_Object):
    repository: str = Field("", alias="repoURL")
    path: str = ""
    chart: str = ""
    revision: str = Field("", alias="targetRevision")


class _Spec(_Object):
    source: _Source | None = None
    sources: Many[_Source] = ()


class Application(_Object):
    """An application of Argo CD, as far as it says what it owns and where that comes from."""

    metadata: _Meta = _Meta()
    spec: _Spec = _Spec()
    status: _Status | None = None

    @property
    def sources(self) -> tuple[_Source, ...]:
        """Where it comes from."""
        return self.spec.sources or ((self.spec.source,) if self.spec.source else ())

    def origin(self) -> str:
        """Where its manifests lie, in words; "" where it does not say."""
        found = [
            f"{one.repository} ({one.chart or one.path or '.'}, {one.revision or 'HEAD'})"
            for one in self.sources
            if one.repository
        ]
        return clean_line("; ".join(found))


Resource = tuple[str, str, str]
"""Kind, namespace and name; the kind in small letters."""


@dataclass(slots=True)
class Applications:
    """What Argo CD says that it owns."""

    owns: dict[Resource, Application] = field(default_factory=dict)
    unread: str = ""
    """Why it could not be asked; "" where it was, or is not there."""

    def take(self, one: Application) -> None:
        """An application with its resources."""
        for resource in one.status.resources if one.status else ():
            place = (resource.kind.lower(), resource.namespace, resource.name)
            self.owns.setdefault(place, one)


def owner_of(
    place: Resource,
    labels: Mapping[str, str],
    notes: Mapping[str, str],
    applications: Applications,
) -> Owner | None:
    """Who owns a workload; None where nothing says that anybody does."""
    application = applications.owns.get(place)
    if application is not None:
        meta = application.metadata
        folders = tuple(one.path for one in application.sources if one.path)
        return Owner(By.ARGO, "the Argo CD application", meta.name, meta.namespace,
                     application.origin(), folders)  # fmt: skip
    argo = notes.get(_TRACKING, "").partition(":")[0] or labels.get(_ARGO_LABEL, "")
    if argo:
        return Owner(By.ARGO, "the Argo CD application", argo)
    for word, what in _FLUX:
        flux = labels.get(f"{word}.toolkit.fluxcd.io/name", "")
        if flux:
            space = labels.get(f"{word}.toolkit.fluxcd.io/namespace", "")
            return Owner(By.FLUX, f"Flux's {what}", flux, space)
    release = notes.get(_RELEASE, "")
    if release and _HELMS.fullmatch(release):
        return Owner(By.HELM, "the Helm release", release, notes.get(_RELEASE_NAMESPACE, place[1]))
    if release or labels.get(_MANAGED_BY, "") == "Helm":
        # Helm itself writes its name as well; Argo CD and `helm template` leave this label alone.
        return Owner(By.UNKNOWN, "the Helm release", labels.get("app.kubernetes.io/instance", ""))
    return None
