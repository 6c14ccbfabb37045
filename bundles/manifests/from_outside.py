"""All that the files of a repository name: images, charts elsewhere, charts that lie here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bundles.manifests.named_charts import ChartNamed
from bundles.manifests.named_images import ImagesNamed


@dataclass(slots=True)
class FromOutside:
    """All that a repository's files name."""

    named: ImagesNamed = field(default_factory=ImagesNamed)
    charts: list[ChartNamed] = field(default_factory=list)
    given: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """Charts that lie here, by their folders, with the values that something else gives them."""

    @property
    def images(self) -> dict[str, str]:
        """Each image in full, with the first file that names it."""
        return self.named.images

    @property
    def unread(self) -> list[str]:
        """What a file names and cannot be told, as a sentence each."""
        return self.named.untold
