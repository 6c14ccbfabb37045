"""`sitewright image-watcher`: say over HTTP which newer versions of an image there are."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.problems import ExitCode, InputProblem
from installer.commands.bundle_serve import port
from installer.commands.event_lines import EventLines

if TYPE_CHECKING:
    from bundles.serve.certificates import Identity
    from installer.updates.lookup import Question
    from installer.updates.origins import BundleOrigin
    from installer.updates.serving import Watching, Ways


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


def origin_of(options: argparse.Namespace) -> Ways | BundleOrigin:
    """Registries or a bundle, as the options say; raises InputProblem, BundleProblem."""
    from installer.updates.allowed import read_named
    from installer.updates.asked import read_age
    from installer.updates.registry_origin import Times
    from installer.updates.serving import Ways

    if options.bundle is not None:
        others = ("registry", "mirror", "also", "plain_http")
        given = next((name for name in others if getattr(options, name)), None)
        if given is not None:
            raise InputProblem(
                "a bundle is looked into and no registry is asked",
                where=f"--bundle, --{given.replace('_', '-')}",
                remedy="Leave one of the two out.",
            )
        return bundle_origin(options.bundle, options.keys)
    mirrors = tuple(_mirror(text) for text in options.mirror)
    named = options.registry or [registry for registry, _ in mirrors] or ["docker.io"]
    return Ways(
        tuple(read_named(text) for text in named),
        mirrors,
        tuple(name.lower() for name in options.also),
        frozenset(options.plain_http),
        Times(fresh=read_age(options.fresh)),
    )


def bundle_origin(path: Path, keys: Path | None) -> BundleOrigin:
    """A bundle's images, signature first; raises InputProblem, BundleProblem.

    `keys` says who may have made it; without, this machine's own list, where there is one.
    """
    from bundles.read.signers import read_signers
    from installer.supply.supplies import own_signers
    from installer.updates.origins import read_bundle_origin

    listed = keys or own_signers()
    signers = read_signers(listed) if keys or listed.is_file() else ()
    if not signers:
        print(f"{path}: its signature is NOT checked, for want of --keys.", file=sys.stderr)
    return read_bundle_origin(path, signers)


def usual_of(options: argparse.Namespace) -> Question:
    """What a question means that does not say it; raises InputProblem."""
    from bundles.format.reference import Reference
    from installer.updates.asked import read_age, read_strategy
    from installer.updates.lookup import Question

    return Question(
        Reference("", ""),
        read_strategy(options.strategy),
        options.prereleases,
        read_age(options.minimum_age),
    )


def _mirror(text: str) -> tuple[str, str]:
    registry, found, mirror = text.partition("=")
    if not found or not registry or not mirror:
        raise InputProblem(
            f"{text!r} names no mirror",
            where="--mirror",
            remedy="Write it as REGISTRY=HOST[/PREFIX], such as docker.io=registry.site:5000.",
        )
    return registry, mirror


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
