"""What an application of Argo CD is made of: its sources, with what each is given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bundles.manifests.gitops_forms import as_list, as_mapping, as_mappings, laid_over, value_at
from bundles.manifests.yaml_documents import helm_text, read_documents

_COMPUTED: Final = re.compile(r"\{\{|\$")


@dataclass(frozen=True, slots=True)
class ArgoSource:
    """One source of an application."""

    address: str
    folder: str
    """In its repository; "." for the whole, also where it names none."""
    names_folder: bool
    chart: Any
    version: Any
    files: tuple[tuple[str, str], ...]
    """Files of values, each with the repository in which it lies; empty for that of the source."""
    values: Mapping[str, Any]
    """What stands in the application itself, which is laid over those files."""
    images: tuple[str, ...]
    """What Kustomize is told to call an image instead."""
    patches: tuple[Any, ...]
    untold: tuple[str, ...]
    """What is given to it in a way that nobody can follow here, as a sentence each."""


def argo_sources(spec: Mapping[Any, Any]) -> Iterator[ArgoSource]:
    """The sources of an application, by its `spec`."""
    sources = [as_mapping(spec.get("source")), *as_mappings(spec.get("sources"))]
    refs = {helm_text(one.get("ref")): helm_text(one.get("repoURL")) for one in sources}
    for source in sources:
        if source:
            yield _source(source, refs)


def _source(source: Mapping[Any, Any], refs: Mapping[str, str]) -> ArgoSource:
    helm, kustomize = as_mapping(source.get("helm")), as_mapping(source.get("kustomize"))
    values = read_documents(helm_text(helm.get("values")), by_helm=True).mapping
    values = laid_over(values, as_mapping(helm.get("valuesObject")))
    for parameter in as_mappings(helm.get("parameters")):
        values = laid_over(
            values, value_at(helm_text(parameter.get("name")), parameter.get("value"))
        )
    named = [str(one) for one in as_list(kustomize.get("images"))]
    computed = [one for one in named if _COMPUTED.search(one)]
    untold = [f"which image is meant by {one[:100]}" for one in computed]
    untold += [
        f"what the file {helm_text(one.get('path'))[:200]} sets for its chart"
        for one in as_mappings(helm.get("fileParameters"))
    ]
    if source.get("plugin") is not None:
        name = helm_text(as_mapping(source.get("plugin")).get("name")) or "that fits"
        untold.append(f"what the plugin {name[:100]} of Argo CD makes")
    if as_mapping(as_mapping(source.get("directory")).get("jsonnet")):
        untold.append("what its files of Jsonnet make")
    return ArgoSource(
        address=helm_text(source.get("repoURL")),
        folder=helm_text(source.get("path")).strip("/") or ".",
        names_folder=bool(source.get("path")),
        chart=source.get("chart"),
        version=source.get("targetRevision"),
        files=tuple(
            (one, refs.get(one[1:].partition("/")[0], "") if one.startswith("$") else "")
            for one in as_list(helm.get("valueFiles"))
            if isinstance(one, str)
        ),
        values=values,
        images=tuple(one.rpartition("=")[2] for one in named if not _COMPUTED.search(one)),
        patches=tuple(as_list(kustomize.get("patches"))),
        untold=tuple(untold),
    )
