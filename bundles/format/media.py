"""Media types: what may stand in a bundle, by the kind of the item.

Images and charts keep the types that registries and Helm gave them; everything else is an OCI
artifact with a type of our own. Nothing else is accepted.
"""

from __future__ import annotations

from typing import Final

OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
HELM_CONFIG: Final = "application/vnd.cncf.helm.config.v1+json"
HELM_CHART: Final = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
HELM_PROVENANCE: Final = "application/vnd.cncf.helm.chart.provenance.v1.prov"

BUNDLE: Final = "application/vnd.sitewright.bundle.v1"

INDEXES: Final = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS: Final = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
SCHEMA_1: Final = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
"""Docker's first format of images, in which nothing has been made for years."""

IMAGE: Final = "image"
IMAGE_INDEX: Final = "image-index"
CHART: Final = "chart"
RECORD: Final = "record"
ARTIFACTS: Final = {
    kind: f"application/vnd.sitewright.{kind}.v1"
    for kind in ("snap", "deb", "wheel", "git", "file", RECORD)
}
"""Kinds whose manifest is an artifact of ours, with its artifactType; records are the bundle's own
papers: recipe, lock, list of contents."""

KINDS: Final = (IMAGE, IMAGE_INDEX, CHART, *ARTIFACTS)

LAYERS: Final = {
    kind: f"{media.removesuffix('.v1')}.content.v1" for kind, media in ARTIFACTS.items()
}

EMPTY: Final = b"{}"
"""The content of an empty configuration, as OCI 1.1 prescribes it."""

FOREIGN: Final = ("nondistributable", "foreign")
"""Words in the types of layers that registries need not have."""

_IMAGE_LAYERS: Final = frozenset(
    {
        f"{base}{suffix}"
        for base in (
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.oci.image.layer.nondistributable.v1.tar",
        )
        for suffix in ("", "+gzip", "+zstd")
    }
    | {
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    }
)


def config_types(kind: str) -> frozenset[str]:
    """The media types that the configuration of an item of this kind may have."""
    if kind == IMAGE:
        return frozenset({OCI_CONFIG, DOCKER_CONFIG})
    return frozenset({HELM_CONFIG}) if kind == CHART else frozenset({OCI_EMPTY})


def layer_types(kind: str) -> frozenset[str]:
    """The media types that the contents of an item of this kind may have."""
    if kind == IMAGE:
        return _IMAGE_LAYERS
    if kind == CHART:
        return frozenset({HELM_CHART, HELM_PROVENANCE})
    return frozenset({LAYERS[kind]})
