"""The charts that Kustomize would fetch, laid where it looks for them before it asks a network.

Kustomize takes a chart as it lies in `charts/NAME-VERSION/NAME` beside its file (`charts/NAME` for
one without a repository), and starts Helm only to render it. So they are fetched as any other
chart of the bundle, and the folder is rendered as the site would.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bundles.format.problems import HostileBundle, SourceProblem, WrongContent
from bundles.format.recipe import ChartWanted
from bundles.manifests.chart_archive import unpack_chart
from bundles.manifests.gitops_forms import as_mapping, charts_of, plain_text
from bundles.manifests.yaml_documents import helm_text
from bundles.sources.charts import gather_chart
from bundles.sources.renderers import RenderFailed
from bundles.sources.workshop import Workshop

OF_THE_NAME: Final = {
    *(errno.ENAMETOOLONG, errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EILSEQ)
}
"""What names bring about that no folder can hold; a full disk is no fault of them."""


async def lay_charts(shop: Workshop, folder: Path, document: Mapping[Any, Any]) -> None:
    """Put every chart that a kustomization names beside it; raises RenderFailed."""
    shared = helm_text(as_mapping(document.get("helmGlobals")).get("chartHome"))
    for chart in charts_of(document):
        home = folder / (helm_text(chart.get("chartHome")) or shared or "charts")
        name, repository, version = (
            plain_text(chart.get(key)) for key in ("name", "repo", "version")
        )
        if ".." in home.parts or not home.is_relative_to(folder):
            raise RenderFailed(f"its chart {name[:100]} lies outside of its folder")
        if not repository:
            continue  # it lies there, or Kustomize says that it does not
        if not version:
            raise RenderFailed(f"it takes the chart {name[:100]} in whatever version there is")
        place = home / f"{name}-{version}"
        try:
            if not (place / name).exists():
                await _lay(shop, place, name, repository, version)
        except OSError as error:
            if error.errno not in OF_THE_NAME:
                raise
            raise RenderFailed(
                f"its chart {name[:100]} cannot be laid beside it ({os.strerror(error.errno)})"
            ) from error


async def _lay(shop: Workshop, place: Path, name: str, repository: str, version: str) -> None:
    of = f"the chart {name} {version}"[:200]
    try:
        wanted = ChartWanted(name=name, repository=repository, version=version, images=False)
        item = (await gather_chart(shop, wanted, ()))[0]
        files = await asyncio.to_thread(_files, shop.store.path(item.content or ""), of)
        await asyncio.to_thread(_write, place, files)
    except (SourceProblem, WrongContent, HostileBundle) as problem:
        raise RenderFailed(f"{of}, which it takes in: {problem.cause}") from problem
    except ValidationError as error:
        raise RenderFailed(f"{of}, which it takes in, is no chart's name") from error


def _files(archive: Path, of: str) -> dict[str, bytes]:
    with archive.open("rb") as file:
        return unpack_chart(file, of, whole=True)


def _write(place: Path, files: Mapping[str, bytes]) -> None:
    for name, raw in files.items():
        path = place / name  # judged when it was unpacked: it leaves no folder
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
