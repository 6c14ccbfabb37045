"""Files from which another program makes manifests or images, and objects that name charts oddly.

Jsonnet, CUE, Terraform and their kin are programs, as scripts are, and none of them is run here.
What stands in them as text is a perhaps; that there is more to it is told, once for each kind of
file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from bundles.manifests.scripts import SCRIPTS, images_in_script, told_of_script

PROGRAMS: Final[Mapping[str, str]] = {
    ".jsonnet": "Jsonnet", ".libsonnet": "Jsonnet", ".cue": "CUE", ".tf": "Terraform",
    ".hcl": "Terraform or Nomad", ".kcl": "KCL", ".pkl": "Pkl", ".dhall": "Dhall",
}  # fmt: skip
"""What files end with that are programs, and whose."""
READ_AS_SUCH: Final = (
    "argoproj.io/",
    "helm.cattle.io/",
    "kustomize",
    "builtin",
    "helm.toolkit.",
    "source.toolkit.",
)
"""How the groups begin whose charts are read as what they are."""
_SAYS: Final = re.compile(r"image|helm_release|chart", re.IGNORECASE)
_ASSIGNED: Final = re.compile(r"""["']?image["']?[ \t]*[:=]+[ \t]*["']([^"'\s${}]{3,300})["']""")
_PLACES: Final = (
    "url",
    "repo",
    "repository",
    "repoURL",
    "repoUrl",
    "remoteChart",
    "chart",
    "chartName",
)


def program_of(path: str) -> str:
    """Whose program a file is; empty for any other file."""
    whose = PROGRAMS.get(PurePosixPath(path).suffix, "")
    return whose or ("a shell" if path.endswith(SCRIPTS) else "")


def images_written(path: str, text: str) -> list[str]:
    """The images that stand whole in a program, where it gives one to an `image`."""
    if path.endswith(SCRIPTS):
        return images_in_script(text)
    return [one for one in _ASSIGNED.findall(text) if ":" in one or "/" in one]


def told_of_programs(files: Mapping[str, bytes]) -> Iterator[str]:
    """A sentence for each kind of program that speaks of images or charts, and for scripts that
    fetch some."""
    found: dict[str, list[str]] = {}
    for path in sorted(files):
        text = files[path].decode("utf-8", "replace")
        if path.endswith(SCRIPTS):
            yield from told_of_script(path, text)
        elif (whose := program_of(path)) and _SAYS.search(text):
            found.setdefault(whose, []).append(path)
    for whose, paths in found.items():
        yield (
            f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: what {whose} "
            "makes of it; name its images and charts in the recipe"
        )


def charts_of_plays(value: Any, depth: int = 0) -> Iterator[str]:
    """A sentence for each chart, and each manifest elsewhere, that a play of Ansible installs."""
    if depth > 20:
        return
    if isinstance(value, list):
        for one in value:
            yield from charts_of_plays(one, depth + 1)
    elif isinstance(value, dict):
        for name, one in value.items():
            module = str(name).rpartition(".")[2]
            chart = one.get("chart_ref") if isinstance(one, dict) else None
            source = one.get("src") if isinstance(one, dict) and module == "k8s" else None
            if module in ("helm", "helm_pull", "helm_template") and isinstance(chart, str):
                if not chart.startswith((".", "/")):
                    yield (
                        f"which chart is {chart[:200]}, which Ansible installs; give it a line of "
                        "its own under `charts`"
                    )
            elif isinstance(source, str) and "://" in source:
                yield f"what {source[:300]} holds, which Ansible fetches; name it under `files`"
            else:
                yield from charts_of_plays(one, depth + 1)


def charts_named_oddly(value: Any, key: str = "", depth: int = 0) -> Iterator[str]:
    """The names of charts that stand in an object in a form that no reader here knows."""
    if depth > 20:
        return
    if isinstance(value, list):
        for one in value:
            yield from charts_named_oddly(one, key, depth + 1)
    elif isinstance(value, dict):
        place = next((value[one] for one in _PLACES if isinstance(value.get(one), str)), None)
        odd = "remoteChart" in value or re.search(r"charts?$", key, re.IGNORECASE)
        version = value.get("version", value.get("chartVersion"))
        if odd and version is not None and (place or value.get("name")) is not None:
            yield f"{value.get('name', place)!s:.100} {version!s:.50}"
            return
        for name, one in value.items():
            yield from charts_named_oddly(one, str(name), depth + 1)
