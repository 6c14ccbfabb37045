"""The options of `sitewright bundle`, one set for each thing that it can do."""

from __future__ import annotations

import argparse
import re
from datetime import date
from pathlib import Path

from installer.commands.bundle_check import add_check_options
from installer.commands.bundle_deliver import add_deliver_options
from installer.commands.bundle_recipe import add_value_options
from installer.commands.bundle_serve import add_serve_options
from installer.commands.options import (
    add_older_option,
    add_output_options,
    add_overwrite_option,
)

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def add_bundle_options(parser: argparse.ArgumentParser) -> None:
    """Everything that `sitewright bundle` understands."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _create(actions.add_parser("create", help="make a bundle, or finish one", allow_abbrev=False))
    inspect = actions.add_parser("inspect", help="list what is in a bundle", allow_abbrev=False)
    inspect.add_argument("bundle", type=Path)
    inspect.add_argument("--sbom", action="store_true", help="the SPDX document instead")
    inspect.add_argument("--summary", action="store_true", help="numbers only, no list")
    _keys(inspect)
    add_output_options(inspect, formats=("text", "json"))
    verify = actions.add_parser(
        "verify", help="signature first, then every byte", allow_abbrev=False
    )
    verify.add_argument("bundle", type=Path)
    verify.add_argument("--base", type=Path, metavar="BUNDLE", help="what a difference builds on")
    _keys(verify)
    add_output_options(verify, formats=("text", "json"))
    check = actions.add_parser(
        "check", help="what is missing in it, before it moves", allow_abbrev=False
    )
    add_check_options(check)
    _keys(check)
    add_output_options(check, formats=("text", "json"))
    _diff(actions.add_parser("diff", help="only what a site lacks", allow_abbrev=False))
    _split(actions.add_parser("split", help="cut into volumes with parity", allow_abbrev=False))
    _join(
        actions.add_parser(
            "join", help="join volumes, or a difference with its base", allow_abbrev=False
        )
    )
    _push(actions.add_parser("push", help="into a registry of the site", allow_abbrev=False))
    deliver = actions.add_parser(
        "deliver", help="to machines, only what each lacks", allow_abbrev=False
    )
    add_deliver_options(deliver)
    _keys(deliver)
    _short_output(deliver)
    serve = actions.add_parser(
        "serve", help="give it to machines over HTTPS, read-only", allow_abbrev=False
    )
    add_serve_options(serve)
    _keys(serve)


def _create(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--solution", metavar="ID", help="its recipe; else that of the site's")
    what.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe of your own")
    what.add_argument("--lock", type=Path, metavar="FILE", help="the same bundle again")
    parser.add_argument("--environment", metavar="NAME")
    add_value_options(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the bundle")
    parser.add_argument("--write-lock", type=Path, metavar="FILE", help="the lock as a file too")
    parser.add_argument("--one-file", type=Path, metavar="FILE", help="the bundle as one file too")
    add_overwrite_option(parser)
    parser.add_argument("--key", type=Path, metavar="FILE", help="sign with this Ed25519 key")
    parser.add_argument("--ask-passphrase", action="store_true", help="ask for the key's")
    parser.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="a file of mode 0600 with it"
    )
    _registry(parser)
    parser.add_argument(
        "--counter", type=_counter, metavar="N",
        help="which of your bundles it is: a site takes no smaller number after a larger one",
    )  # fmt: skip
    parser.add_argument(
        "--maintained-until",
        type=_day,
        metavar="DATE",
        help="the last day on which you look after it",
    )
    parser.add_argument(
        "--mirror",
        action="append",
        default=[],
        type=_mirror,
        metavar="REGISTRY=HOST[/PREFIX]",
        help="ask this server first for images of a registry",
    )
    parser.add_argument(
        "--registries-conf",
        action="store_true",
        help="ask for images where this machine's registries.conf (podman's) leads",
    )
    parser.add_argument(
        "--snap-store",
        metavar="URL",
        help="take snaps from here (an Enterprise Store), not from api.snapcraft.io",
    )
    parser.add_argument(
        "--strict", action="store_true", help="end with 3 where something could not be told"
    )
    _short_output(parser)


def _counter(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,14}", text):
        raise argparse.ArgumentTypeError("a whole number from 1")
    return int(text)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a day as 2027-06-30") from None


def _diff(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="the new bundle")
    parser.add_argument("--have", type=Path, required=True, metavar="BUNDLE", help="the site's")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    _keys(parser)
    _short_output(parser)


def _split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--size", type=size_in_bytes, required=True, metavar="SIZE", help="4.7GB, 700MB, 16GiB"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--group",
        type=int,
        default=10,
        metavar="N",
        help="one parity volume for every N volumes (default 10)",
    )
    _keys(parser)
    _short_output(parser)


def _join(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("parts", type=Path, nargs="+", help="volumes, folders, or a difference")
    parser.add_argument("--base", type=Path, metavar="BUNDLE", help="what a difference builds on")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE or DIR")
    _keys(parser)
    _short_output(parser)


def _push(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path)
    parser.add_argument("target", metavar="REGISTRY[/PROJECT]")
    parser.add_argument(
        "--keep-registry", action="store_true", help="keep docker.io and the like in the names"
    )
    add_older_option(parser, "an older bundle than was pushed before")
    _registry(parser)
    _keys(parser)
    _short_output(parser)


def _registry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parallel", type=_parallel, default=6, metavar="N")
    parser.add_argument(
        "--plain-http",
        action="append",
        default=[],
        metavar="HOST",
        help="this registry speaks HTTP without encryption",
    )


def _keys(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="allowed_signers: who may have made it (else Sitewright's own, where there is one)",
    )


def _short_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.add_argument("--quiet", action="store_true", help="no narration while it works")


def size_in_bytes(text: str) -> int:
    """A size such as 4.7GB (decimal) or 16GiB (binary) in bytes."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?", text.strip().lower())
    if not found:
        raise argparse.ArgumentTypeError("a size such as 4.7GB, 700MB or 16GiB")
    unit = _UNITS[found[2]]
    if found[3]:
        unit = 1024 ** (list(_UNITS).index(found[2]))
    return int(float(found[1]) * unit)


def _mirror(text: str) -> tuple[str, str]:
    registry, found, mirror = text.partition("=")
    if not found or not registry or not mirror:
        raise argparse.ArgumentTypeError("REGISTRY=HOST[/PREFIX], such as docker.io=mirror.local")
    return registry, mirror


def _parallel(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 64:
        raise argparse.ArgumentTypeError("a number from 1 to 64")
    return value
