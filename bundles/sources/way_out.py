"""The way out of the maker's machine: what apt and pip need of its settings, and nothing else.

Both run with a configuration of their own, so that a bundle does not hang on how this machine is
set up. Without its proxies, its authorities and its package index they would reach nothing, so
these are taken over and told; whatever else they are told to do here counts for nothing.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bundles.format.problems import SourceProblem
from bundles.registries.web_answers import shown
from foundation.isolation import ISOLATED, child_environment
from foundation.problems import InputProblem

if TYPE_CHECKING:
    from bundles.sources.workshop import Workshop

_APT_LINE: Final = re.compile(r'(Acquire::(https?)::(Proxy|CaInfo)(?:::([^\s"]+))?) "([^"\n]*)";')
_PIP_LINE: Final = re.compile(r"([a-z:][a-z0-9_:-]*)\.([a-z0-9_-]+)=('.*'|\".*\")", re.IGNORECASE)
_PIP_SECTIONS: Final = ("global", "install", ":env:")
"""In the order in which the later one counts."""
_PIP_KEPT: Final = (
    *("index-url", "proxy", "cert", "client-cert", "trusted-host"),
    *("timeout", "default-timeout", "retries"),
)
_PIP_QUIET: Final = frozenset(
    {
        "timeout",
        "default-timeout",
        "retries",
        "disable-pip-version-check",
        "cache-dir",
        "no-cache-dir",
    }
    | {"no-color", "progress-bar", "quiet", "verbose", "no-input", "require-virtualenv"}
)
"""Settings that nobody needs to hear of, kept or not."""


async def apt_way_out(shop: Workshop) -> tuple[str, ...]:
    """Options of apt for the proxies and authorities that this machine's own apt has."""
    await shop.remember(("proxies",), lambda: _tell_proxies(shop))
    return await shop.remember(("apt's way out",), lambda: _apt(shop))


async def pip_way_out(shop: Workshop) -> Mapping[str, str]:
    """Variables of pip for the proxy, the authority and the index of this machine."""
    await shop.remember(("proxies",), lambda: _tell_proxies(shop))
    return await shop.remember(("pip's way out",), lambda: _pip(shop))


def pip_environment(way_out: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of pip: no configuration but the way out."""
    return child_environment("pip", {**way_out, "PIP_CONFIG_FILE": os.devnull})


def proxies_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The proxies that an environment names, as they may be shown; both spellings are one."""
    found: dict[str, str] = {}
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY"):
        value = environment.get(name.lower()) or environment.get(name)
        if value:
            found[name] = shown(value if "://" in value else f"http://{value}")
    return found


async def _tell_proxies(shop: Workshop) -> None:
    for name, proxy in proxies_of(os.environ).items():
        shop.tracker.note(f"programs go through the proxy {proxy} ({name} of this machine)")


async def _apt(shop: Workshop) -> tuple[str, ...]:
    from bundles.sources.workshop import run_program

    maker = child_environment("apt", _named(("HOME", "APT_CONFIG")))
    try:
        dumped = await run_program(
            ["apt-config", "dump"], what="apt", surroundings=maker, cwd=Path("/")
        )
    except (SourceProblem, InputProblem):
        return ()  # apt itself will say what is wrong
    found = apt_settings(dumped)
    for name, value in found.items():
        shop.tracker.note(
            f"apt goes by {name} {shown(value) if '://' in value else value}, as here"
        )
    return tuple(word for name, value in found.items() for word in ("-o", f"{name}={value}"))


def apt_settings(dumped: str) -> dict[str, str]:
    """The proxies and authorities among the lines of `apt-config dump`."""
    lines = (_APT_LINE.fullmatch(line.strip()) for line in dumped.splitlines())
    return {line[1]: line[5] for line in lines if line is not None and line[5]}


async def _pip(shop: Workshop) -> Mapping[str, str]:
    from bundles.sources.workshop import run_program

    own = {k: v for k, v in os.environ.items() if k.startswith("PIP_")}
    maker = child_environment("pip", own)
    maker |= _named(("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"))
    listed = await run_program(
        [sys.executable, ISOLATED, "-m", "pip", "config", "list"],
        what="pip's settings",
        surroundings=maker,
        cwd=Path("/"),
    )
    kept, left = pip_settings(listed)
    for name, value in kept.items():
        if name not in _PIP_QUIET:
            words = ", ".join(map(shown, value.split())) if "://" in value else value
            shop.tracker.note(f"pip goes by its setting {name} = {words}, as here")
    if left:
        shop.tracker.note(f"settings of pip here that count for nothing: {', '.join(left)}")
    return {f"PIP_{name.upper().replace('-', '_')}": value for name, value in kept.items()}


def pip_settings(listed: str) -> tuple[dict[str, str], list[str]]:
    """The settings of `pip config list` that are the way out, and the names of the others."""
    found: dict[str, dict[str, str]] = {section: {} for section in _PIP_SECTIONS}
    for line in listed.splitlines():
        parts = _PIP_LINE.fullmatch(line.strip())
        if parts is None or parts[1] not in found:
            continue
        try:
            value = ast.literal_eval(parts[3])
        except (ValueError, SyntaxError):
            continue
        found[parts[1]][parts[2].replace("_", "-")] = " ".join(str(value).split())
    merged: dict[str, str] = {}
    for section in _PIP_SECTIONS:
        merged |= found[section]
    kept = {name: value for name, value in merged.items() if name in _PIP_KEPT and value}
    return kept, sorted(merged.keys() - kept.keys() - _PIP_QUIET)


def _named(names: Iterable[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}
