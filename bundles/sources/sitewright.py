"""Sitewright itself in a bundle, so that a machine without the internet can begin from it.

The bundle is given an `install.sh` of its own, which needs nothing but Python with its standard
library: it takes the wheels out of the blobs by the hashes that the index states. The packages are
those of requirements.lock, for each Python that a site may have; pip comes as a wheel as well,
since Debian and Ubuntu part it from Python.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Final

from packaging.markers import Marker

from bundles.format.layout import Item
from bundles.format.lock import LockedItem
from bundles.format.media import RECORD
from bundles.format.problems import SourceProblem
from bundles.format.recipe import SitewrightWanted, WheelsWanted
from bundles.sources.way_out import pip_environment
from bundles.sources.wheels import Wheel, bring_wheels, locked_wheels, solve_wheels
from bundles.sources.workshop import Locked, Workshop, run_program
from foundation.isolation import ISOLATED
from foundation.problems import InputProblem
from foundation.version import __version__

LOCK_NAME: Final = "requirements.lock"
CHANGELOG_NAME: Final = "CHANGELOG.md"
"""What is new in it, which `sitewright self-update` shows before anything is changed."""
_ROOT: Final = Path(__file__).parents[2]
_SCRIPT: Final = Path(__file__).with_name("install.sh")
_PIP: Final = "pip>=24"


async def gather_sitewright(shop: Workshop, wanted: SitewrightWanted, locked: Locked) -> list[Item]:
    """Bring Sitewright, its packages for each Python, pip, and the script that installs them.

    Raises SourceProblem, WrongContent; InputProblem where this Sitewright is no checkout.
    """
    lock_file = _ROOT / LOCK_NAME
    if not (_ROOT / "pyproject.toml").is_file() or not lock_file.is_file():
        raise InputProblem(
            "a bundle brings the Sitewright that makes it, and this one is no checkout",
            where=str(_ROOT),
            remedy="Make the bundle with a checkout of Sitewright, or leave `sitewright` out of "
            "the recipe.",
        )
    lock = lock_file.read_text(encoding="utf-8")
    items = [await _own_wheel(shop), await _pip(shop, locked)]
    for python in wanted.pythons:
        line = WheelsWanted(python=python, platforms=wanted.platforms, requirements=("x",))
        pinned = [item for item in locked if item.platform == f"python{python}"]
        items += await bring_wheels(shop, python, await _packages(shop, line, lock, pinned))
    records = [(LOCK_NAME, lock.encode()), ("install.sh", _SCRIPT.read_bytes())]
    if (_ROOT / CHANGELOG_NAME).is_file():
        records.append((CHANGELOG_NAME, (_ROOT / CHANGELOG_NAME).read_bytes()))
    for name, raw in records:
        origin = f"Sitewright {__version__}"
        items.append(shop.artifact(RECORD, [(name, shop.store.add(raw))], name=name, origin=origin))
    return items


def requirements_for(lock: str, python: str, platforms: tuple[str, ...]) -> tuple[str, ...]:
    """The lines of a lock file that count for a Python and its platforms, without their markers.

    Each keeps its hashes.
    """
    machine = platforms[0].partition("_")[2].removeprefix("2_28_").removeprefix("2_17_")
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
        "extra": "",
    }
    found = []
    for line in lock.replace("\\\n", " ").splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        requirement, *hashes = text.split(" --hash=")
        name, _, marker = requirement.partition(";")
        if not marker.strip() or Marker(marker.strip()).evaluate(environment):
            found.append(" ".join([name.strip(), *(f"--hash={one.strip()}" for one in hashes)]))
    return tuple(found)


async def _packages(
    shop: Workshop, line: WheelsWanted, lock: str, pinned: list[LockedItem]
) -> list[Wheel]:
    if pinned:
        return locked_wheels(pinned)
    # pip judges markers, and what a package asks of Python, by the Python that it runs on; so the
    # markers are judged here for the target's, and the versions are pinned anyway.
    needed = requirements_for(lock, line.python, line.platforms)
    file = shop.store.work / f"requirements-{line.python}.txt"
    await asyncio.to_thread(file.write_text, "\n".join(needed) + "\n")
    return await solve_wheels(
        shop,
        line,
        ["--no-deps", "--require-hashes", "--ignore-requires-python", "-r", str(file)],
        what=f"Sitewright's wheels for Python {line.python}",
    )


async def _pip(shop: Workshop, locked: Locked) -> Item:
    pinned = [item for item in locked if item.kind == "wheel" and item.name == "pip"]
    line = WheelsWanted(requirements=(_PIP,))
    found = (
        locked_wheels(pinned)
        if pinned
        else await solve_wheels(shop, line, ["--no-deps", "--", _PIP], what="pip as a wheel")
    )
    (item,) = await bring_wheels(shop, None, found)
    return item


async def _own_wheel(shop: Workshop) -> Item:
    folder = shop.store.work / "own"
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    folder.mkdir()
    async with shop.programs:
        await run_program(
            [
                *(sys.executable, ISOLATED, "-m", "pip", "wheel"),
                *("--quiet", "--disable-pip-version-check"),
                *("--no-input", "--no-index", "--no-deps", "--no-build-isolation"),
                *("--wheel-dir", str(folder), "--", str(_ROOT)),
            ],
            what="Sitewright's own wheel",
            # The moment of building would make the same source another wheel each time.
            surroundings=pip_environment({"SOURCE_DATE_EPOCH": "1580601600"}),
            cwd=folder,
        )
    wheels = sorted(folder.glob("sitewright-*-py3-none-any.whl"))
    if len(wheels) != 1:
        raise SourceProblem("its wheel was not built", where=str(_ROOT))
    blob = await asyncio.to_thread(shop.store.adopt, wheels[0])
    shop.tracker.expect(blob.size)
    shop.tracker.gained(blob.size)
    return shop.artifact(
        "wheel",
        [(wheels[0].name, blob)],
        name="sitewright",
        version=__version__,
        origin=f"Sitewright {__version__}",
        licence="Apache-2.0",
        pins={"file": wheels[0].name},
    )
