"""The lab by hand: `python -m tests.lab up|site|build|kubernetes|opentofu|clean|packages`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

from tests.lab import recipe
from tests.lab.host import LabError


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    up = verbs.add_parser(
        "up", help="start machines, print them as JSON, keep them until stdin closes or SIGTERM"
    )
    up.add_argument("count", type=int, metavar="N")
    up.add_argument("--netem", type=float, default=0.0, metavar="MS", help="add to a round trip")
    up.add_argument("--loss", type=float, default=0.0, metavar="PERCENT")
    up.add_argument("--variant", choices=sorted(recipe.RECIPES), default="full")
    up.add_argument("--ubuntu", action="store_true", help="os-release stands in for Ubuntu 24.04")
    up.add_argument("--trouble", action="store_true", help="dead, silent and filtered addresses")
    up.add_argument("--ignore-stdin", action="store_true", help="only a signal ends it")
    up.set_defaults(act=_up)

    site = verbs.add_parser("site", help="bring up a site to install on, and say what to type")
    site.add_argument("--environment", default="production", metavar="NAME")
    site.add_argument(
        "--host", action="append", default=[], metavar="NAME=ROLE", help="machines with roles"
    )
    site.set_defaults(act=_site)

    build = verbs.add_parser("build", help="build and import the images")
    build.add_argument("variant", nargs="*", metavar="VARIANT", help="default: all")
    build.set_defaults(act=_build)

    kubernetes = verbs.add_parser("kubernetes", help="build the programs of a real Kubernetes")
    kubernetes.set_defaults(act=_kubernetes)

    opentofu = verbs.add_parser("opentofu", help="build a real OpenTofu")
    opentofu.set_defaults(act=_opentofu)

    clean = verbs.add_parser("clean", help="remove dead labs and old images")
    clean.add_argument("--all", action="store_true", help="remove the present images too")
    clean.set_defaults(act=_clean)

    packages = verbs.add_parser("packages", help="print the Debian packages the lab needs")
    packages.set_defaults(act=_packages)

    guard = verbs.add_parser("guard", help="remove one lab when stdin closes")
    guard.add_argument("lab", metavar="LAB")
    guard.set_defaults(act=_guard)
    return parser


def _end_by_signal() -> None:
    """Have SIGTERM and Ctrl-C leave every `with` block in order."""
    ends = (signal.SIGTERM, signal.SIGINT)

    def end(_number: int, _frame: FrameType | None) -> None:
        for each in ends:  # a second Ctrl-C must not stop the tidying up
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(0)

    for each in ends:
        signal.signal(each, end)


def _site(options: argparse.Namespace) -> int:
    from tests.lab.lab import Lab
    from tests.lab.site import ROLES, bring_up, what_to_type

    named = dict(word.partition("=")[::2] for word in options.host) or dict(ROLES)
    _end_by_signal()
    recipe.ensure(recipe.FULL)
    with Lab() as lab:
        machines, site = bring_up(lab, named, options.environment)
        print(what_to_type(lab, machines, site), flush=True)
        threading.Event().wait()
    return 0


def _up(options: argparse.Namespace) -> int:
    from tests.lab.lab import Lab

    _end_by_signal()
    began = time.monotonic()
    chosen = recipe.RECIPES[options.variant]
    recipe.ensure(chosen)
    with Lab() as lab:
        stand_in = recipe.UBUNTU_24_04 if options.ubuntu else None
        machines = lab.machines(options.count, recipe=chosen, stand_in=stand_in)
        if options.netem or options.loss:
            for machine in machines:
                machine.netem(options.netem, options.loss)
        password = lab.folder / "engineer.password"
        password.touch(mode=0o600)
        password.write_text(lab.password + "\n")
        description: dict[str, Any] = {
            "lab": lab.name,
            "subnet": str(lab.subnet),
            "bridge": lab.place.bridge,
            "key": str(lab.key),
            "known_hosts": str(lab.known_hosts),
            "users": list(recipe.USERS),
            "password_user": recipe.PASSWORD_USER,
            "password_file": str(password),
            "seconds": round(time.monotonic() - began, 2),
            "machines": [
                {
                    "name": machine.name,
                    "address": machine.address,
                    "port": machine.port,
                    "fingerprint": machine.fingerprint,
                    "variant": machine.recipe.variant,
                    "stand_in": machine.stand_in.name if machine.stand_in else None,
                    "container": machine.container,
                }
                for machine in machines
            ],
        }
        if options.trouble:
            description["dead_address"] = lab.dead_address()
            description["silent_address"] = lab.silent.address
            description["black_hole_address"] = lab.black_hole.address
        print(json.dumps(description, indent=2), flush=True)
        if options.ignore_stdin:
            threading.Event().wait()
        _until_stdin_closes()
    return 0


def _until_stdin_closes() -> None:
    while os.read(0, 4096):
        pass


def _build(options: argparse.Namespace) -> int:
    unknown = sorted(set(options.variant) - set(recipe.RECIPES))
    if unknown:
        raise LabError(f"no such image: {', '.join(unknown)}")
    for variant in options.variant or recipe.RECIPES:
        began = time.monotonic()
        image = recipe.ensure(recipe.RECIPES[variant])
        print(f"{image} {time.monotonic() - began:.1f} s")
    return 0


def _kubernetes(_options: argparse.Namespace) -> int:
    from tests.lab.kubernetes import build

    reason = build.missing()
    if reason is not None:
        raise LabError(reason)
    started = time.monotonic()
    print(f"{build.kubernetes()} {time.monotonic() - started:.1f} s")
    return 0


def _opentofu(_options: argparse.Namespace) -> int:
    from tests.lab.opentofu import build

    reason = build.missing()
    if reason is not None:
        raise LabError(reason)
    started = time.monotonic()
    print(f"{build.opentofu()} {time.monotonic() - started:.1f} s")
    return 0


def _clean(options: argparse.Namespace) -> int:
    from tests.lab.lab import remove_stale

    remove_stale()
    recipe.forget(everything=options.all)
    return 0


def _packages(_options: argparse.Namespace) -> int:
    print("\n".join(recipe.DEBIAN_PACKAGES))
    return 0


def _guard(options: argparse.Namespace) -> int:
    from tests.lab.lab import remove

    _until_stdin_closes()
    remove(options.lab)
    return 0


if __name__ == "__main__":
    sys.exit(main())
