"""Which run a command looks at: one that is named, or the last one of a site."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.wording import counted

if TYPE_CHECKING:
    from installer.record.runs import Run


def add_run_name(parser: argparse.ArgumentParser, what: str) -> None:
    """RUN, or `--site`; `what` says what the run may be named by, and which holds without."""
    # Only one can be meant; the parser knows it, so that no advice has both.
    which = parser.add_mutually_exclusive_group()
    which.add_argument("run", nargs="?", metavar="RUN", help=what)
    which.add_argument("--site", type=Path, metavar="FILE", help="instead: the last run of a site")


@contextmanager
def named_run(options: argparse.Namespace, *, installed: bool = False) -> Iterator[tuple[Run, str]]:
    """The run that is meant, and where it is from; raises Problem.

    Who has more than one site on this computer and names none is told on standard error which it
    is: a hand-over of another site looks the same.
    """
    from installer.record.recorded_run import recorded_run

    if options.site is not None:
        from installer.record.identity import site_key
        from installer.sites.site import load_site

        key = site_key(load_site(options.site))
        with recorded_run(None, installed=installed, site=key) as found:
            yield found
        return
    with recorded_run(options.run, installed=installed) as found:
        if options.run is None:
            _told_which(found[0])
        yield found


def _told_which(run: Run) -> None:
    from installer.record.runs import all_sites, site_of

    sites = {site_of(key) for key in all_sites()}
    if len(sites) > 1:
        print(
            f"Of {counted(len(sites), 'site')} on this computer this is {site_of(run.site_key)}, "
            "at which the last work was. For another: --site FILE",
            file=sys.stderr,
        )
