"""`sitewright bundle serve`: give a bundle to the machines of a site, until Ctrl-C or the hour."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from installer.commands.event_lines import EventLines
from installer.commands.options import add_older_option, add_overwrite_option

if TYPE_CHECKING:
    from bundles.read.signers import Signer
    from bundles.read.verify import Verified
    from bundles.registries.mirrors import Mirror
    from bundles.serve import Served
    from bundles.serve.certificates import Identity
    from installer.commands.bundle_progress import ProgressLine

_LONGEST_MINUTES = 7 * 24 * 60


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright bundle serve`, without those that all bundle commands share."""
    parser.add_argument("bundle", type=Path)
    parser.add_argument(
        "--address", required=True, metavar="A", help="the address of this machine to listen on"
    )
    parser.add_argument("--port", type=port, default=5443, metavar="P", help="default 5443")
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        metavar="HOST",
        help="a further name or address under which machines reach it; the first one is used",
    )
    parser.add_argument(
        "--for", type=_minutes, metavar="MINUTES", dest="minutes", help="end by itself after that"
    )
    add_overwrite_option(parser)
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="DIR",
        help="write the authority and the settings of containerd, Docker, apt and pip there",
    )
    parser.add_argument(
        "--certificate", type=Path, metavar="FILE", help="the site's own, PEM, with its chain"
    )
    parser.add_argument("--certificate-key", type=Path, metavar="FILE", help="its key, mode 0600")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="the authority machines trust")
    parser.add_argument(
        "--plain-http", action="store_true", help="without encryption; only where nobody listens"
    )
    add_older_option(parser, "an older bundle than was served before")
    parser.add_argument("--json-lines", action="store_true", help="events as lines of JSON")
    parser.add_argument("--quiet", action="store_true", help="no line for each request")


def serve(options: argparse.Namespace, signers: tuple[Signer, ...], line: ProgressLine) -> int:
    """Serve until Ctrl-C, SIGTERM or the hour; a bundle that is invalid ends with 6."""
    return asyncio.run(_serve(options, signers, line))


async def _serve(
    options: argparse.Namespace, signers: tuple[Signer, ...], line: ProgressLine
) -> int:
    from bundles.serve import serve_bundle
    from bundles.serve.serving import LIFETIME
    from installer.supply.bundle_order import GivenOut

    news = _News(json_lines=options.json_lines, quiet=options.quiet)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    lifetime = timedelta(minutes=options.minutes) if options.minutes else LIFETIME
    order: list[GivenOut] = []

    def accept(verified: Verified) -> None:
        other = "the one that was served from here before"
        order.append(GivenOut(verified, "served", other, allow_older=options.allow_older))

    async with serve_bundle(
        options.bundle,
        options.address,
        options.port,
        tls=_identity(options),
        names=options.name,
        signers=signers,
        lifetime=lifetime,
        tell=news,
        progress=line.bytes,
        accept=accept,
    ) as served:
        line.end()
        order[0].begun()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, ended.set)
        mirror = mirror_of(served)
        if options.settings:
            write_settings(served, mirror, options.settings, overwrite=options.overwrite)
        news.serving(served, lifetime, options.settings)
        try:
            await asyncio.wait_for(ended.wait(), lifetime.total_seconds())
        except TimeoutError:
            news.note("the time is over")
        else:
            news.note("ending; answers under way are finished")
    return ExitCode.DONE


def mirror_of(served: Served) -> Mirror:
    """What the settings of machines are written from."""
    from bundles.registries.mirrors import AUTHORITY_FILE, Mirror

    return Mirror(
        base=served.base,
        registries=served.registries,
        apt=served.apt,
        suites=served.suites,
        wheels=served.wheels,
        git=served.git,
        authority=AUTHORITY_FILE if served.ca else "",
    )


def write_settings(
    served: Served, mirror: Mirror, folder: Path, *, overwrite: bool = False
) -> None:
    """Write every settings file below a folder, as it lies on a machine; raises InputProblem."""
    from bundles.registries.mirrors import (
        ARCHIVE_KEY_FILE,
        AUTHORITY_FILE,
        DOCKER_FILE,
        docker_authority,
        docker_daemon,
        settings_files,
    )
    from foundation.named_files import check_named, write_named

    files = dict(settings_files(mirror))
    if served.registries:
        files[DOCKER_FILE] = docker_daemon(mirror)
    if served.ca:
        files[AUTHORITY_FILE] = served.ca
    if served.ca and served.registries:
        files[docker_authority(mirror)] = served.ca
    contents = {path: text.encode() for path, text in files.items()}
    if served.archive_key:
        contents[ARCHIVE_KEY_FILE] = served.archive_key
    places = {folder / path.lstrip("/"): raw for path, raw in contents.items()}
    for place in places:
        check_named(place, overwrite=overwrite)  # all of them, before the first is written
    try:
        for place, raw in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            write_named(place, raw, overwrite=overwrite)
    except OSError as error:
        raise InputProblem(
            f"the settings cannot be written: {error.strerror or error}", where=str(folder)
        ) from error


def _identity(options: argparse.Namespace) -> Identity | bool:
    if options.plain_http:
        if options.certificate or options.certificate_key or options.ca:
            raise InputProblem("plain HTTP has no certificate", where="--plain-http")
        return False
    if not options.certificate and not options.certificate_key:
        if options.ca:
            raise InputProblem("an authority goes with a certificate", where="--ca")
        return True
    if not options.certificate or not options.certificate_key:
        raise InputProblem(
            "a certificate and its key go together", where="--certificate, --certificate-key"
        )
    from bundles.serve.certificates import load_identity

    return load_identity(options.certificate, options.certificate_key, options.ca)


class _News(EventLines):
    """What happens while a bundle is served."""

    def serving(self, served: Served, lifetime: timedelta, settings: Path | None) -> None:
        """The addresses, once they are answered."""
        signer = served.verified.signer
        if self.json_lines:
            self.line(
                {
                    "schema": "sitewright.bundle-serving/1",
                    "kind": "addresses",
                    "base": served.base,
                    "registry": served.registry,
                    "registries": list(served.registries),
                    "apt": served.apt,
                    "suites": list(served.suites),
                    "charts": served.charts,
                    "git": served.git,
                    "files": served.files,
                    "wheels": served.wheels,
                    "snaps": served.snaps,
                    "ca": served.ca,
                    "archive_key": b64encode(served.archive_key).decode(),
                    "signer": signer.name if signer else None,
                    "seconds": lifetime.total_seconds(),
                }
            )
            return
        for line in _lines(served, lifetime, settings):
            print(line)
        sys.stdout.flush()


def _lines(served: Served, lifetime: timedelta, settings: Path | None) -> list[str]:
    from bundles.registries.mirrors import docker_cannot
    from bundles.serve.certificates import fingerprint

    signer = served.verified.signer
    signed = f"good, by {signer.name}" if signer else "NOT checked, since no keys were given"
    lines = [
        f"serving {served.base} (read-only); signature: {signed}",
    ]
    origins = ", ".join(served.registries)
    for name, value in (
        ("images", origins and f"{served.registry}, a mirror of {origins}"),
        ("packages", f"{served.apt} {' '.join(served.suites)}" if served.apt else ""),
        ("charts", served.charts),
        ("Git", served.git and f"{served.git}/NAME.git"),
        ("Python", served.wheels),
        ("files", served.files),
        ("snaps", served.snaps),
    ):
        if value:
            lines.append(f"  {name:<9} {value}")
    parts = ", its Git repositories as well" if served.git else ""
    lines.append(
        f"  read by whoever reaches this address, without a login: all of it{parts}; a firewall "
        "bounds who that is"
    )
    if served.ca:
        lines.append(f"  authority SHA-256 {fingerprint(served.ca)}")
    else:
        lines.append("  NOT encrypted: whoever is on the way can change what machines are given")
    if settings:
        lines.append(f"  settings for the machines are in {settings}")
        others = docker_cannot(served.registries)
        if others:
            names = ", ".join(others)
            lines.append(f"  Docker asks a mirror for docker.io alone; load the images of {names}")
    hours = lifetime.total_seconds() / 3600
    lines.append(
        f"  until Ctrl-C, at most {hours:.0f} h"
        if hours > 2
        else f"  until Ctrl-C, at most {lifetime.total_seconds() / 60:.0f} min"
    )
    return lines


def port(text: str) -> int:
    """A port to listen on; raises ArgumentTypeError."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError("a port from 0 (any) to 65535")
    return value


def _minutes(text: str) -> float:
    value = float(text)
    if not 0 < value <= _LONGEST_MINUTES:
        raise argparse.ArgumentTypeError(f"minutes, at most {_LONGEST_MINUTES} (a week)")
    return value
