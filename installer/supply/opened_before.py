"""Opened before: which site files, folders of playbooks and bundles this operator used already.

What comes from elsewhere and is used for the first time is told apart from one's own, once: a site
file decides machines and settings, playbooks and bundles are programs. What was used, or written
here, is noted in the state folder; the note grants nothing, it only spares the sentence.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation import bounded_files
from foundation.paths import data_folder, state_folder, write_private
from installer.plans.pinned_playbooks import SITE

if TYPE_CHECKING:
    from installer.plans.plan import Plan

_LARGEST: Final = 4 * 1024 * 1024
_MOST: Final = 2000
"""Things that are remembered; the oldest are forgotten."""


def first_time(plan: Plan, site_file: Path | None) -> list[str]:
    """A sentence on each thing of a plan that was never used here; none where all were."""
    known = _read()
    return [said for key, said in _things(plan, site_file) if key not in known]


def remember(plan: Plan, site_file: Path | None) -> None:
    """Note that a person took all of it, after they saw it."""
    _note(key for key, _ in _things(plan, site_file))


def remember_own(site_file: Path) -> None:
    """Note a site file that was written here."""
    _note([_site(site_file)])


def _things(plan: Plan, site_file: Path | None) -> list[tuple[str, str]]:
    things = []
    if site_file is not None and not site_file.absolute().is_relative_to(data_folder()):
        said = (
            f"The site file {site_file} is used here for the first time, and was not written here. "
            "It decides machines, logins and settings: read it."
        )
        things.append((_site(site_file), said))
    for name, folder, _ in plan.carries:
        if name == SITE:
            said = f"The playbooks in {folder} are used here for the first time. They are programs."
            things.append((f"playbooks {Path(folder).absolute()}", said))
    supplies = dict(plan.supplies)
    if supplies:
        said = f"The bundle {supplies['bundle']} is used here for the first time."
        things.append((f"bundle {supplies['index']}", said))
    return things


def _site(file: Path) -> str:
    return f"site {file.absolute()}"


def _file() -> Path:
    return state_folder() / "opened.json"


def _read() -> dict[str, str]:
    try:
        value = json.loads(bounded_files.read_bytes(_file(), _LARGEST))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(key): str(when) for key, when in value.items()} if isinstance(value, dict) else {}


def _note(keys: Iterable[str]) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    known = {**_read(), **dict.fromkeys(keys, now)}
    latest = dict(sorted(known.items(), key=lambda one: one[1])[-_MOST:])
    # Where it cannot be written, it is said again.
    with contextlib.suppress(OSError):
        write_private(_file(), json.dumps(latest, indent=1, ensure_ascii=False) + "\n")
