"""`sitewright image-watcher`: say over HTTP which newer versions of an image there are."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from foundation.problems import ExitCode, InputProblem
from installer.commands.bundle_serve import port
from installer.commands.event_lines import EventLines

if TYPE_CHECKING:
    from bundles.serve.certificates import Identity
    from installer.updates.lookup import Question
    from installer.updates.origins import BundleOrigin
    from installer.updates.serving import Sought, Watching, Ways

Source = TypeVar("Source")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright image-watcher`."""
    add_origin_options(parser)
    add_question_options(parser)
    listening = parser.add_argument_group("where it answers")
    listening.add_argument(
        "--address", default="127.0.0.1", metavar="A", help="to listen on (default 127.0.0.1)"
    )
    listening.add_argument("--port", type=port, default=4006, metavar="P", help="default 4006")
    listening.add_argument(
        "--certificate", type=Path, metavar="FILE", help="answer over TLS with this one, PEM"
    )
    listening.add_argument(
        "--certificate-key", type=Path, metavar="FILE", help="its key, mode 0600"
    )
    parser.add_argument("--json-lines", action="store_true", help="events as lines of JSON")
    parser.add_argument("--quiet", action="store_true", help="no line for each request")


def add_origin_options(parser: argparse.ArgumentParser) -> None:
    """Where newer versions are looked for."""
    group = parser.add_argument_group("where newer versions are looked for")
    group.add_argument(
        "--registry",
        action="append",
        default=[],
        metavar="HOST[:PORT][/NAMESPACE]",
        help="may be asked; no other is (default docker.io). Logins are those of podman and docker",
    )
    group.add_argument(
        "--mirror",
        action="append",
        default=[],
        metavar="REGISTRY=HOST[/PREFIX]",
        help="ask this server in the place of a registry: the site's own, where it is offline",
    )
    group.add_argument(
        "--bundle", type=Path, metavar="BUNDLE", help="ask nobody: what a bundle has is there"
    )
    group.add_argument(
        "--keys", type=Path, metavar="FILE", help="allowed_signers: who may have made the bundle"
    )
    group.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="a registry may lead there (its token server, its redirects)",
    )
    group.add_argument(
        "--plain-http",
        action="append",
        default=[],
        metavar="HOST",
        help="this registry speaks HTTP without encryption",
    )
    group.add_argument(
        "--fresh",
        default="5m",
        metavar="AGE",
        help="what a registry said is asked for again after that (default 5m)",
    )


def add_question_options(parser: argparse.ArgumentParser, strategy: str = "patch") -> None:
    """What is asked where a question does not say it."""
    group = parser.add_argument_group("what a question means that does not say it")
    group.add_argument(
        "--strategy",
        default=strategy,
        metavar="S",
        help="patch (same X.Y.Z, built again), bugfix (same X.Y), minor (same X) or major; "
        f"default {strategy}",
    )
    group.add_argument(
        "--prereleases", action="store_true", help="alpha, beta, rc, snapshot and the like too"
    )
    group.add_argument(
        "--minimum-age",
        default="0s",
        metavar="AGE",
        help="nothing younger, such as 3d; where an image states no time, since it was seen here",
    )


def run(options: argparse.Namespace) -> int:
    """Answer until Ctrl-C or SIGTERM."""
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    from installer.updates.serving import serve_watcher

    lines = EventLines(json_lines=options.json_lines, quiet=options.quiet)
    source = await asyncio.to_thread(origin_of, options)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    quiet = options.quiet and not options.json_lines
    async with serve_watcher(
        source,
        _address(options.address),
        options.port,
        usual=usual_of(options),
        identity=_identity(options),
        tell=lines,
        requests=not quiet,
    ) as watching:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, ended.set)
        _tell(watching, options, lines)
        await ended.wait()
        lines.note("ending; answers under way are finished")
    return ExitCode.DONE


def sought_of(options: argparse.Namespace) -> Sought:
    """Where newer versions are looked for and how far they may go, as the options say."""
    from installer.updates.serving import Sought

    return Sought(
        registries=options.registry,
        mirrors=options.mirror,
        bundle=options.bundle,
        keys=options.keys,
        also=options.also,
        plain_http=options.plain_http,
        fresh=options.fresh,
        strategy=options.strategy,
        prereleases=options.prereleases,
        minimum_age=options.minimum_age,
    )


def origin_of(options: argparse.Namespace) -> Ways | BundleOrigin:
    """Registries or a bundle, as the options say; raises InputProblem, BundleProblem."""
    return _told(sought_of(options).source())


def bundle_origin(path: Path, keys: Path | None) -> BundleOrigin:
    """A bundle's images, signature first; raises InputProblem, BundleProblem."""
    from installer.updates.serving import bundle_source

    return _told(bundle_source(path, keys))


def _told(found: tuple[Source, str]) -> Source:
    """The source, once what a person must know of it was said."""
    source, note = found
    if note:
        print(note, file=sys.stderr)
    return source


def usual_of(options: argparse.Namespace) -> Question:
    """What a question means that does not say it; raises InputProblem."""
    return sought_of(options).usual()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise InputProblem(
            f"{text!r} is no address of this machine",
            where="--address",
            remedy="Name one such as 127.0.0.1 or 10.10.0.1.",
        ) from error


def _identity(options: argparse.Namespace) -> Identity | None:
    if not options.certificate and not options.certificate_key:
        return None
    if not options.certificate or not options.certificate_key:
        raise InputProblem(
            "a certificate and its key go together", where="--certificate, --certificate-key"
        )
    from bundles.serve.certificates import load_identity

    return load_identity(options.certificate, options.certificate_key)


def _tell(watching: Watching, options: argparse.Namespace, lines: EventLines) -> None:
    if lines.json_lines:
        lines.line(
            {
                "schema": "sitewright.image-watcher/1",
                "kind": "address",
                "base": watching.base,
                "origin": watching.origin,
            }
        )
        return
    print(f"answering at {watching.base}; versions are those of {watching.origin}")
    print(f"  curl {watching.base}/image/mojaloop/central-ledger/v11.0.0?strategy=bugfix")
    if not ipaddress.ip_address(options.address).is_loopback:
        print("  whoever reaches this address may ask; a firewall bounds who that is")
        if not options.certificate:
            print("  NOT encrypted: whoever is on the way can change what is answered")
    print("  until Ctrl-C", flush=True)
