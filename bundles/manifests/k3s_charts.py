"""The charts that K3s and RKE2 install from an object, with what a second object lays over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bundles.manifests.gitops_forms import as_mapping, laid_over, value_at
from bundles.manifests.yaml_documents import helm_text, read_documents


@dataclass(frozen=True, slots=True)
class K3sChart:
    """A HelmChart, or a HelmChartConfig whose chart is nowhere here."""

    chart: Any
    repository: Any
    version: Any
    values: Mapping[str, Any]
    untold: tuple[str, ...] = ()
    is_here: bool = True
    """Whether the chart is named here, and is none that comes with K3s or RKE2 itself."""


def k3s_chart(document: Mapping[Any, Any], objects: Iterable[Mapping[Any, Any]]) -> K3sChart | None:
    """What an object has K3s install; None for values of a chart that another object here names.

    `objects` are all of the repository.
    """
    spec, name = as_mapping(document.get("spec")), _name(document)
    others = [one for one in objects if _name(one) == name]
    untold = tuple(
        f"what the {key} of {name[:100]} holds"
        for key in ("valuesSecrets", "chartContent")
        if spec.get(key)
    )
    values = k3s_values(spec)
    if document.get("kind") == "HelmChart":
        for one in others:
            if one.get("kind") == "HelmChartConfig":
                values = laid_over(values, k3s_values(as_mapping(one.get("spec"))))
        if spec.get("chartContent") and not spec.get("chart"):
            return K3sChart(None, None, None, values, untold, is_here=False)
        return K3sChart(spec.get("chart"), spec.get("repo"), spec.get("version"), values, untold)
    if any(one.get("kind") == "HelmChart" for one in others):
        return None
    own = (
        f"which images the values lead to that it gives to the chart {name[:100]}, which comes "
        "with K3s or RKE2 and not from here; name them under `images`"
    )
    return K3sChart(None, None, None, values, (*untold, own), is_here=False)


def k3s_values(spec: Mapping[Any, Any]) -> dict[str, Any]:
    """What K3s gives to a chart: its text of values, its values, and what is set one by one."""
    values = read_documents(helm_text(spec.get("valuesContent")), by_helm=True).mapping
    values = laid_over(values, as_mapping(spec.get("values")))
    for name, value in as_mapping(spec.get("set")).items():
        values = laid_over(values, value_at(str(name), value))
    return values


def _name(document: Mapping[Any, Any]) -> str:
    return helm_text(as_mapping(document.get("metadata")).get("name"))
