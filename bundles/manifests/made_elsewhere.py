"""Files from which another program makes manifests or images, and objects that name charts oddly.

Jsonnet, CUE, Terraform and their kin are programs, and none of them is run here. What stands in
them as text is a perhaps; that there is more to it is told, once for each kind of file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

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
    return PROGRAMS.get(PurePosixPath(path).suffix, "")


def images_written(text: str) -> list[str]:
    """The images that stand whole in a program, where it gives one to an `image`."""
    return [one for one in _ASSIGNED.findall(text) if ":" in one or "/" in one]


def told_of_programs(files: Mapping[str, bytes]) -> Iterator[str]:
    """A sentence for each kind of program that speaks of images or charts."""
    found: dict[str, list[str]] = {}
    for path in sorted(files):
        text = files[path].decode("utf-8", "replace")
        if (whose := program_of(path)) and _SAYS.search(text):
            found.setdefault(whose, []).append(path)
    for whose, paths in found.items():
        yield (
            f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: what {whose} "
            "makes of it; name its images and charts in the recipe"
        )


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
