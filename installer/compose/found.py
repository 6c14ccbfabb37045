"""Found: every Compose project of a machine, as the labels of its containers tell it.

A project is known by what Compose itself wrote on its containers: whoever brought it up, and
wherever its files lie. A container has the labels of its image too, and who made that is nobody
whom a machine's root takes files from: what an image says of projects is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bundles.format.reference import Reference, is_digest, parse_reference
from foundation.problems import InputProblem

_LABEL: Final = "com.docker.compose."
_CONTAINER: Final = (
    '@container {"image":{{json .Config.Image}},"id":{{json .Image}},'
    '"labels":{{json .Config.Labels}},"status":{{json .State.Status}},'
    '"path":{{json .Path}},"args":{{json .Args}},'
    '"check":{{if .State.Health}}true{{else}}false{{end}}}'
)
_IMAGE: Final = '@image {"id":{{json .Id}},"digests":{{json .RepoDigests}}}'
_OWN: Final = '@own {"id":{{json .Id}},"labels":{{json .Config.Labels}}}'

LOOK: Final = f"""
ids=$(docker ps --all --quiet --no-trunc --filter label={_LABEL}project \\
    --filter label={_LABEL}oneoff=False) || exit 69
docker compose version >/dev/null 2>&1 && echo @compose
command -v python3 >/dev/null 2>&1 && echo @python
[ -n "$ids" ] || exit 0
# A container may go between the commands; what the others say still counts.
# shellcheck disable=SC2086 # ids are words
docker inspect --type container --format '{_CONTAINER}' $ids 2>/dev/null
# shellcheck disable=SC2086 # ids are words
images=$(docker inspect --type container --format '{{{{.Image}}}}' $ids 2>/dev/null | sort -u)
# shellcheck disable=SC2086 # ids are words
[ -z "$images" ] || docker image inspect --format '{_IMAGE}' $images 2>/dev/null
# shellcheck disable=SC2086 # ids are words
[ -z "$images" ] || docker image inspect --format '{_OWN}' $images 2>/dev/null
exit 0
"""
"""Without arguments. It ends with 69 where Docker does not answer."""


@dataclass(frozen=True, slots=True)
class FoundService:
    """One service of a project, as its containers were made."""

    project: str
    name: str
    image: str
    """As the project's files name it."""
    image_id: str = ""
    """The image that runs, by the machine's own name for it; "" where its containers differ."""
    digest: str | None = None
    """Of the image that runs, as its registry has it; None for one that came in another way."""
    containers: int = 1
    running: int = 1
    directory: str = ""
    files: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    migrates: bool = False
    """Whether its command speaks of a migration."""
    health_check: bool = False

    @property
    def built(self) -> bool:
        """Whether its image has the name that Compose gives to what it builds itself."""
        return self.image in (f"{self.project}-{self.name}", f"{self.project}_{self.name}")


@dataclass(frozen=True, slots=True)
class Projects:
    """What a machine has of Compose projects."""

    services: tuple[FoundService, ...]
    compose: bool = True
    python: bool = True


def projects_of(text: str) -> Projects:
    """The words of `LOOK`; whatever is not of their form is passed over."""
    lines = text.splitlines()
    digests = {
        str(one.get("id")): [str(each) for each in _several(one.get("digests"))]
        for one in _each(lines, "@image ")
    }
    of_images = {str(one.get("id")): one.get("labels") for one in _each(lines, "@own ")}
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in _each(lines, "@container "):
        labels = one.get("labels")
        if not isinstance(labels, dict):
            continue
        own = _own(labels, of_images.get(str(one.get("id")), labels))
        if not own and str(one.get("id")) in of_images:
            continue
        # An image that Compose built says of which project and service it was built; where its
        # files lie, only a container of Compose does.
        project, name = (_text(labels.get(f"{_LABEL}{key}")) for key in ("project", "service"))
        if project and name and _text(one.get("image")):
            found.setdefault((project, name), []).append({**one, "files": own})
    services = tuple(_service(*key, every, digests) for key, every in sorted(found.items()))
    return Projects(services, "@compose" in lines, "@python" in lines)


def _own(labels: Mapping[str, Any], of_image: Any) -> dict[str, Any]:
    """What Compose wrote on a container: its labels without those that it has of its image."""
    inherited = of_image if isinstance(of_image, dict) else {}
    return {
        key: value
        for key, value in labels.items()
        if key.startswith(_LABEL) and inherited.get(key) != value
    }


def _each(lines: list[str], word: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for line in lines:
        if line.startswith(word):
            try:
                value = json.loads(line.removeprefix(word))
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                found.append(value)
    return found


def _service(
    project: str,
    name: str,
    every: list[Mapping[str, Any]],
    digests: Mapping[str, list[str]],
) -> FoundService:
    first = every[0]
    labels = first["files"]
    image, ids = _text(first.get("image")), {_text(one.get("id")) for one in every}
    same = len(ids) == 1 and len({_text(one.get("image")) for one in every}) == 1
    image_id = next(iter(ids)) if same else ""
    words = " ".join(map(str, [first.get("path"), *_several(first.get("args"))]))
    return FoundService(
        project,
        name,
        image,
        image_id,
        _digest(image, digests.get(image_id, ())),
        len(every),
        sum(one.get("status") == "running" for one in every),
        _text(labels.get(f"{_LABEL}project.working_dir")),
        _parted(labels.get(f"{_LABEL}project.config_files")),
        _parted(labels.get(f"{_LABEL}project.environment_file")),
        "migrat" in words.lower(),
        any(one.get("check") is True for one in every),
    )


def _digest(image: str, digests: list[str] | tuple[()]) -> str | None:
    """The digest of what runs, of the repository that its name has."""
    named = _reference(image)
    if named is None:
        return None
    if named.digest is not None:
        return named.digest
    for one in digests:
        other = _reference(one)
        same = other is not None and (other.registry, other.repository) == (
            named.registry,
            named.repository,
        )
        if other is not None and same and other.digest and is_digest(other.digest):
            return other.digest
    return None


def _reference(text: str) -> Reference | None:
    try:
        return parse_reference(text)
    except InputProblem:
        return None


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _parted(value: Any) -> tuple[str, ...]:
    return tuple(part for part in _text(value).split(",") if part)


def _text(value: Any) -> str:
    return value if isinstance(value, str) and value.isprintable() else ""
