"""What a Compose project or a bundle says that runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from foundation.documents import parse_yaml, read_text
from foundation.problems import InputProblem
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
    for name, service in services.items():
        image = service.get("image") if isinstance(service, dict) else None
        if not isinstance(image, str) or not image:
            found.tell(f"{path}: the service {name} names no image (it is built, or extends)")
        elif _VARIABLE.search(image):
            found.tell(
                f"{path}: the image of {name} has a variable ({image}); name the file that "
                "`docker compose config` writes"
            )
        else:
            found.add(image, Place("compose", str(name)))
    if isinstance(value, dict) and value.get("include"):
        found.tell(f"{path}: it includes other files, which are not read")
    return found


def of_bundle(origin: BundleOrigin) -> Found:
    """The images of the bundle that a site was installed from."""
    from bundles.format import media

    found = Found()
    for item in origin.index.items:
        if item.kind not in (media.IMAGE, media.IMAGE_INDEX):
            continue
        place = Place("bundle", f"{origin.index.solution} {origin.index.version}")
        if place not in found.places.get(item.name, ()):
            found.add(item.name, place)
    return found
