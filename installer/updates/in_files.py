"""What a Compose project or a bundle says that runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from foundation.documents import parse_yaml, read_text
from foundation.problems import InputProblem
from foundation.terminal import clean_line
from installer.updates.origins import BundleOrigin
from installer.updates.running import Found, Place

_VARIABLE: Final = re.compile(r"\$(?!\$)")


def of_compose(path: Path) -> Found:
    """The images of a Compose project's file; raises InputProblem.

    A name with a variable in it is told: `docker compose config` writes the file with all of them
    filled in, and that can be named.
    """
    value = parse_yaml(read_text(path), where=str(path))
    services = value.get("services") if isinstance(value, dict) else None
    if not isinstance(services, dict):
        raise InputProblem(
            "it has no services, as a Compose project has",
            where=str(path),
            remedy="Name the project's file, or what `docker compose config` writes.",
        )
    found = Found()
    for key, service in services.items():
        name = clean_line(str(key))
        image = service.get("image") if isinstance(service, dict) else None
        if not isinstance(image, str) or not image:
            found.tell(f"{path}: the service {name} names no image (it is built, or extends)")
        elif not image.isprintable():
            found.tell(f"{path}: the image of {name} is named by no name")
        elif _VARIABLE.search(image):
            found.tell(
                f"{path}: the image of {name} has a variable ({image}); name the file that "
                "`docker compose config` writes"
            )
        else:
            found.add(image, Place("compose", name))
    if isinstance(value, dict) and value.get("include"):
        found.tell(f"{path}: it includes other files, which are not read")
    return found


def of_bundle(origin: BundleOrigin, *, before: float | None = None) -> Found:
    """The images of the bundle that a site was installed from, with their digests.

    `before` is when the bundle was made that they are held against (Unix seconds): of one that is
    older than this one, other bytes under the same tag are older bytes, so that no digests are
    given, and it is told.
    """
    from bundles.format import media

    found = Found()
    older = before is not None and before < origin.created
    if older:
        found.tell(
            "the bundle that is looked into was made before the one that was installed, so that "
            "what was built again under the same tag is not looked for"
        )
    place = Place("bundle", f"{origin.index.solution} {origin.index.version}")
    platforms: dict[str, set[str]] = {}
    indexes: dict[str, set[str]] = {}
    for item in origin.index.items:
        if item.kind not in (media.IMAGE, media.IMAGE_INDEX):
            continue
        if item.name not in found.places:
            found.add(item.name, place)
        digests = platforms if item.kind == media.IMAGE else indexes
        digests.setdefault(item.name, set()).add(item.digest)
    for name in () if older else found.places:
        # By one platform's own digest it is the same in whatever index it comes again.
        one = platforms.get(name, set())
        for digest in one if len(one) == 1 else indexes.get(name, set()):
            found.runs(name, digest)
    return found
