"""`sitewright support-bundle`: everything about a run in one file, for those who help from afar."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from foundation.problems import ExitCode, InputProblem
from foundation.secrets import secret_from_file
from foundation.wording import counted
from installer.commands.which_run import add_run_name, named_run


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright support-bundle`."""
    add_run_name(parser, "the folder of a run or its id; the last by default")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the .tar.gz to write")
    parser.add_argument(
        "--secret-file",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a secret that must not be in it, in a file of mode 0600; may be given again",
    )


def run(options: argparse.Namespace) -> int:
    """Gather, search for secrets, write, and list what is in it."""
    from installer.record.support_bundle import write_support_bundle

    _know_secrets(options.secret_file)
    with named_run(options) as (found, _):
        target = options.output or Path(f"sitewright-support-{found.id}.tar.gz")
        if not target.parent.is_dir():
            raise InputProblem("there is no such folder", where=str(target.parent))
        known = found.plan().secrets
        manifest = write_support_bundle(found, target)
    print(target)
    size = target.stat().st_size
    print(f"{counted(len(manifest.files), 'file')}, {size / 1e6:.1f} MB packed:", file=sys.stderr)
    for entry in manifest.files:
        print(f"  {entry.bytes:>12,}  {entry.name}", file=sys.stderr)
    print(
        "It names machines, addresses, users and settings of the site. It holds none of the "
        f"secrets that Sitewright knew when each line was written{_named(known)}. Look at it "
        "before you send it; `sitewright replay` and `sitewright report` open it.",
        file=sys.stderr,
    )
    return ExitCode.DONE


def _named(secrets: tuple[str, ...]) -> str:
    return f" ({', '.join(secrets)})" if secrets else ""


def _know_secrets(files: list[Path]) -> None:
    """Make every secret known that can be had, so that the search can find it.

    Those of the environment are known from the beginning of the command.
    """
    for path in files:
        secret_from_file(path)
