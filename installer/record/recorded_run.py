"""A run to look at, wherever it lies: its folder, its id, or a support bundle with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from foundation.problems import InputProblem
from foundation.typed_paths import typed_path
from installer.record.record_check import gone_runs, gone_sites, record_gone, refuse_gone
from installer.record.runs import Run, all_sites, errand_of, latest_run, open_run, runs_of, site_of

_ID: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}(-dry)?")


@contextmanager
def recorded_run(
    name: str | None, *, installed: bool = False, site: str | None = None
) -> Iterator[tuple[Run, str]]:
    """The run that a person names, and where it is from; the last one where none is named.

    With `site` that is the last one of the site with this key. With `installed` it is the
    installation of the site, though it was verified or stopped since.
    A support bundle is unpacked into a private folder for the time of the block. Raises
    InputProblem, and RecordGone where what is looked for was here.
    """
    path = typed_path(name) if name is not None else None
    if path is None or (not path.exists() and _ID.fullmatch(str(name))):
        run = _last(installed, site) if path is None else _by_id(str(name))
        yield run, str(run.folder)
    elif path.is_dir():
        yield open_run(path), str(path)
    elif path.is_file():
        from installer.record.support_files import RUN, opened_archive

        with opened_archive(path) as (folder, manifest):
            # A run is called by the name of its folder.
            yield open_run((folder / RUN).rename(folder / manifest.run)), str(path)
    else:
        raise InputProblem(
            "there is no such run",
            where=str(name),
            remedy="Name the folder of a run, its id, or a support bundle; `sitewright status` "
            "has the folders.",
        )


def _last(installed: bool, site: str | None) -> Run:
    keys = [key for key in all_sites() if site is None or site_of(key) == site]
    found = [run for key in keys if (run := latest_run(key)) is not None]
    if not found:
        refuse_gone(site)
    if not found and site is not None:
        raise InputProblem(
            "this site has no run on this computer",
            where=site,
            remedy="Begin one: sitewright install --site FILE.",
        )
    if not found:
        raise InputProblem(
            "there is no run on this machine",
            where="this machine",
            remedy="Name the folder of a run, or a support bundle.",
        )
    last = max(found, key=lambda run: run.id)
    if installed and errand_of(last.site_key):
        return latest_run(site_of(last.site_key)) or last
    return last


def _by_id(name: str) -> Run:
    for key in all_sites():
        for run in runs_of(key, dry=True):
            if run.id == name:
                return run
    for key, last in gone_sites().items():
        if name in gone_runs(key):
            raise record_gone(key, last)
    raise InputProblem(
        "no run on this machine has this id",
        where=name,
        remedy="`sitewright status` names the last run of every site.",
    )
