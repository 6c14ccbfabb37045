"""Which files of a repository may name something: manifests, charts, programs and scripts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from bundles.manifests.chart_archive import READ, is_read
from bundles.manifests.gitops_forms import below, chart_folders
from bundles.manifests.made_elsewhere import PROGRAMS
from bundles.manifests.scripts import SCRIPTS

TEMPLATES: Final = (".tpl", ".tmpl", ".gotmpl", ".tftpl", ".j2")
"""What templates of other programs than Helm end with."""
_ENDS: Final = (*READ, *TEMPLATES, *PROGRAMS, *SCRIPTS, "Chart.lock")


def looked_into(paths: Iterable[str]) -> set[str]:
    """Those of the files of a repository that may name something, by their paths in it."""
    every = set(paths)
    charts = chart_folders(dict.fromkeys(every, b""))
    return {
        path
        for path in every
        if path.endswith(_ENDS)
        or (is_read(path) and any(_is_template(path, folder) for folder in charts))
    }


def _is_template(path: str, folder: str) -> bool:
    """Whether Helm renders a file of a chart, or of one that lies in it."""
    rest = below(path, folder) or ""
    return rest.startswith("templates/") or (rest.startswith("charts/") and "/templates/" in rest)
