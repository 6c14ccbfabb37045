"""`sitewright self-update`: bring Sitewright itself on, from a signed bundle.

The signature comes first, then every byte, then what is new in it; the newer one is put beside
this one, tried, and only then what `sitewright` starts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.isolation import environment
from foundation.problems import ExitCode, InputProblem, Problem, Refused
from foundation.secrets import cut
from foundation.terminal import clean_line
from foundation.version import __version__
from foundation.wording import counted
from installer.commands.options import add_older_option

if TYPE_CHECKING:
    from bundles.read.verify import Verified
    from installer.supply.own_bundle import Brought

_SECONDS: Final = 900
_LAST: Final = 600
_WIDTH: Final = 78
_COPY: Final = "bringing-"
_OWN_KINDS: Final = ("wheel", "record")
"""Items that its install.sh reads."""


class NotInPlace(Problem):
    """A newer Sitewright that could not be put beside this one, or does not start."""

    code = "self-update-failed"
    title = "Sitewright was not updated"
    exit_code = ExitCode.STAGE_FAILED


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright self-update`."""
    parser.add_argument("bundle", type=Path, help="a bundle's folder that brings Sitewright")
    parser.add_argument(
        "--keys", type=Path, metavar="FILE",
        help="allowed_signers: who may have made it; this computer's own list holds beside it",
    )  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="without asking")
    add_older_option(parser, "an older one than this")
    parser.add_argument("--quiet", action="store_true", help="no narration while it works")


def run(options: argparse.Namespace) -> int:
    """Verify, show what is new, ask, put it beside this one, and have it started from then on."""
    from installer.supply import own_versions
    from installer.supply.own_bundle import follows, own_changelog, whats_new

    program = own_versions.this_program()
    found, new = _verified(options)
    where = str(options.bundle)
    if not follows(new.version, allow_older=bool(options.allow_older), where=where):
        print(f"The bundle brings Sitewright {new.version}, which runs here.", file=sys.stderr)
        return ExitCode.DONE
    _refuse_older(options, found)
    signer = found.signer.name if found.signer is not None else ""
    print(f"Sitewright {new.version}, signed by {signer}; this is {__version__}.")
    lines = whats_new(new.changelog, own_changelog(program))
    print("What is new in it:" if lines else "It says nothing of what is new in it.")
    for line in lines:
        print(textwrap.fill(line, _WIDTH, subsequent_indent="    ", break_on_hyphens=False))
    runs = own_versions.under_way()
    if runs:
        print(
            f"\n{counted(len(runs), 'run')} under way: {', '.join(one.id for one in runs)}. Each"
            " is gone on with by the version that began it, which stays."
        )
    sys.stdout.flush()
    _agreed(options, new.version)
    with own_versions.alone():
        digest = found.structure.index_digest[7:19]
        place = own_versions.versions_folder() / f"{new.version}-{digest}"
        made = _installed(options, place, new, found)
        front = own_versions.put_in_front(new.version, made)
    _remember(found, options.allow_older)
    print(
        f"Done. {front} is Sitewright {new.version} from now on. To go back: {front} self-update "
        "with the bundle of the one before, and --allow-older NAME.",
        file=sys.stderr,
    )
    return ExitCode.DONE


def _verified(options: argparse.Namespace) -> tuple[Verified, Brought]:
    """The bundle, every byte of it, and what it brings; raises SignatureProblem, BundleProblem."""
    from bundles.read.folder import FolderBundle
    from bundles.read.opened import open_bundle
    from bundles.read.signers import read_signers
    from bundles.read.verify import verify_open
    from installer.commands.bundle_progress import ProgressLine
    from installer.supply.own_bundle import brought
    from installer.supply.supplies import nobody_named, own_signers, signed_by

    own = own_signers()
    keys = options.keys or (own if own.exists() else None)
    if keys is None:
        raise nobody_named(options.bundle)
    line = ProgressLine(quiet=options.quiet)
    with open_bundle(options.bundle) as bundle:
        if not isinstance(bundle, FolderBundle):
            raise InputProblem(
                "Sitewright is installed from a bundle's folder, and this is a file",
                where=str(options.bundle),
                remedy="Unpack it first: tar -xf FILE -C FOLDER.",
            )
        beside = own if own.exists() and own.resolve() != keys.resolve() else None
        signed_by(bundle, keys, beside)
        found = verify_open(bundle, read_signers(keys), progress=line.bytes)
        line.end()
        return found, brought(bundle, found.structure)


def _memory(found: Verified) -> Path:
    from urllib.parse import quote

    from foundation.paths import state_folder

    name = quote(f"sitewright {found.structure.index.solution}", safe=" ").replace(" ", "+")
    return state_folder() / "bundles" / f"{name[:200]}.json"


def _refuse_older(options: argparse.Namespace, found: Verified) -> None:
    from bundles.read.age import stamp_of
    from installer.supply.bundle_order import refuse_older

    if not options.allow_older:
        stamp = stamp_of(found.structure.index, found.structure.index_digest)
        other = "the one from which this Sitewright was updated"
        refuse_older(stamp, _memory(found), str(options.bundle), other)


def _remember(found: Verified, allowed_by: str) -> None:
    from bundles.read.age import stamp_of
    from installer.supply.bundle_order import remember

    stamp = stamp_of(found.structure.index, found.structure.index_digest)
    remember(stamp, _memory(found), allowed_by)


def _agreed(options: argparse.Namespace, version: str) -> None:
    from installer.commands.asking import choose

    if options.yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            "a person must agree to it, and there is no terminal to ask on; nothing was changed",
            where=str(options.bundle),
            remedy="Read what is new above, then add --yes.",
        )
    if choose(f"Have Sitewright {version} started from now on?") != "yes":
        raise Refused("it was not agreed to; nothing was changed", where=str(options.bundle))


def _installed(options: argparse.Namespace, place: Path, new: Brought, found: Verified) -> Path:
    """Put the bundle's Sitewright into a place of its own and try it; raises NotInPlace.

    Its install.sh is started from a copy of ours, compared with what was verified: the bundle's
    folder may be another's to write into, and a person took their time to agree.
    """
    from bundles.read.laid_out import lay_out
    from bundles.read.opened import open_bundle
    from installer.supply.supplies import own_signers

    keys = options.keys or own_signers()
    with tempfile.TemporaryDirectory(prefix=_COPY, dir=place.parent) as name:
        folder = Path(name) / "bundle"
        with open_bundle(options.bundle) as bundle:
            items = (one for one in found.structure.index.items if one.kind in _OWN_KINDS)
            lay_out(bundle, found.structure, items, folder)
        return _tried(options, place, new, folder, keys)


def _tried(
    options: argparse.Namespace, place: Path, new: Brought, folder: Path, keys: Path
) -> Path:
    """Run the install.sh of a folder of ours and ask what it made for its version."""
    where = str(options.bundle.absolute())
    try:
        done = subprocess.run(
            ["/bin/sh", str(folder / "install.sh"), "--version"],
            env=environment({
                "SITEWRIGHT_VENV": str(place), "SITEWRIGHT_KEYS": str(keys.absolute()),
                "SITEWRIGHT_PYTHON": os.path.realpath(sys.executable),
            }),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_SECONDS, check=False, cwd=folder,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotInPlace(
            f"its install.sh came to no end in {_SECONDS} s; what runs here stays",
            where=where, remedy="See what holds it: sh install.sh, in that folder.",
        ) from error  # fmt: skip
    program = place / "bin/sitewright"
    if done.returncode != 0 or done.stdout.strip() != f"sitewright {new.version}":
        said = cut(clean_line(" ".join((done.stderr or done.stdout).split())), _LAST)
        raise NotInPlace(
            f"the newer one cannot be installed or does not start; what runs here stays: {said}",
            where=where,
            remedy="Mend what it names, then give the same command again.",
        )
    return program
