"""Platforms of images: what runs on what, and which of several is the better one.

The order is that of containerd's `platforms.Only`, which the machines' own runtimes follow: what
is asked for first, then older variants of the same processor, newest first. Whoever names no
variant asks for the oldest one (amd64: v1; arm64: v8; arm: v7), since it runs everywhere. Unlike
containerd nothing of another processor is taken (386 on amd64): a bundle says what it holds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

ALIASES: Final = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armel": "arm",
    "i386": "386",
}
"""Other names of processors, as containerd takes them."""
_ALIAS_VARIANTS: Final = {"armhf": 7, "armel": 6}
_STANDARD: Final = {"amd64": 1, "arm64": 8, "arm": 7}
"""The variant that is meant where none is named."""
_OLDEST: Final = {"amd64": 1, "arm64": 8, "arm": 5}
_VARIANT: Final = re.compile(r"v?([0-9]{1,3})(?:\.([0-9]{1,3}))?")


class Kind(NamedTuple):
    """A platform in one form, whatever its writer called it."""

    os: str
    architecture: str
    variant: tuple[int, int] | str
    """Major and minor number; for processors without numbered variants the word itself."""


def kind_of(platform: str) -> Kind:
    """A platform such as linux/arm64/v8 in its one form."""
    os, _, rest = platform.lower().partition("/")
    named, _, variant = rest.partition("/")
    architecture = ALIASES.get(named, named)
    os = {"macos": "darwin"}.get(os, os)
    if architecture not in _STANDARD:
        return Kind(os, architecture, variant)
    if not variant:
        return Kind(os, architecture, (_ALIAS_VARIANTS.get(named, _STANDARD[architecture]), 0))
    number = _VARIANT.fullmatch(variant)
    return Kind(os, architecture, (int(number[1]), int(number[2] or 0)) if number else variant)


def in_one_form(platform: str) -> str:
    """A platform with the usual name of its processor, as bundles state it."""
    os, _, rest = platform.lower().partition("/")
    named, _, variant = rest.partition("/")
    if not variant and named in _ALIAS_VARIANTS:
        variant = f"v{_ALIAS_VARIANTS[named]}"
    return "/".join(part for part in (os, ALIASES.get(named, named), variant) if part)


def rank(wanted: str, offered: str) -> tuple[int, int] | None:
    """How far what is offered lies from what is wanted: (0, 0) is the same, None does not run."""
    want, offer = kind_of(wanted), kind_of(offered)
    if want == offer:
        return (0, 0)
    if want[:2] != offer[:2] or isinstance(want.variant, str) or isinstance(offer.variant, str):
        return None
    if (_OLDEST[want.architecture], 0) <= offer.variant < want.variant:
        return (want.variant[0] - offer.variant[0], 1000 - offer.variant[1])
    return None


def runs_on(wanted: str, offered: str) -> bool:
    """Whether an image of one platform runs where another is wanted."""
    return rank(wanted, offered) is not None


def nearest(wanted: str, offered: Sequence[str]) -> int | None:
    """The place of the best of several; of equal ones the first, None where none runs."""
    ranks = [
        (found, place)
        for place, one in enumerate(offered)
        if (found := rank(wanted, one)) is not None
    ]
    return min(ranks)[1] if ranks else None
