"""A bundle as the screens see it, and the words for it; pure values and pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.wording import duration, human_size

if TYPE_CHECKING:
    from foundation.secrets import Secret

KIND_WORDS: Final = {
    "image": "image",
    "image-index": "index",
    "chart": "chart",
    "deb": "package",
    "snap": "snap",
    "wheel": "wheel",
    "git": "Git",
    "file": "file",
    "record": "record",
}
_BAR: Final = 24
"""Cells of a bar."""


@dataclass(frozen=True, slots=True)
class ItemSeen:
    """One item: what it is, its size in bytes, where it came from, and the hash of its manifest."""

    kind: str
    name: str
    version: str
    size: int
    origin: str
    digest: str
    content: str = ""
    """The hash of the one file that it is, where it is one."""
    platform: str = ""
    licence: str = ""

    def matches(self, words: str) -> bool:
        """Whether every word of a filter stands in it."""
        text = " ".join((self.kind, KIND_WORDS.get(self.kind, ""), self.name, self.version))
        return all(word in text.lower() for word in words.lower().split())


@dataclass(frozen=True, slots=True)
class BundleSeen:
    """A bundle whose index was read; sizes in bytes."""

    path: Path
    solution: str
    version: str
    environment: str
    created: str
    index: str
    size: int
    items: tuple[ItemSeen, ...]
    signer: str = ""
    """Who signed it; empty where nobody's signature was asked for."""
    keys: Path | None = None
    """The file that says who may have made it."""
    whole: bool = False
    """Whether every byte of it was compared with its hash in this session."""
    missing: tuple[str, ...] = ()
    """What the solution's recipe asks for and it has not."""
    compared: bool = False
    """Whether there was a recipe to compare it with."""
    untold: tuple[str, ...] = ()
    """The list of what could not be told when it was made, as lines; the serious first."""
    doubts: int = 0
    """How many of them are serious."""


@dataclass(frozen=True, slots=True)
class Going:
    """How work on a bundle goes; bytes, bytes a second, seconds. `left` is None while unknown."""

    done: int
    total: int
    rate: float = 0.0
    left: float | None = None
    note: str = ""
    items: tuple[int, int] | None = None
    """Lines of the recipe that are done, and in all."""


@dataclass(frozen=True, slots=True)
class ToMake:
    """A bundle that a person wants made."""

    folder: Path
    key: Path | None = None
    passphrase: Secret | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """What a path turned out to be: a bundle, or volumes that must be joined first."""

    volumes: int = 0


Lines = tuple[tuple[str, str, str], ...]


@dataclass(slots=True)
class Rows:
    """What the supplies step shows: a row for each thing that can be done, with its state."""

    bundle: BundleSeen | None = None
    path: Path | None = None
    keys: Path | None = None
    unsigned: bool = False
    """Whether a person accepts that nobody is asked who made it."""
    chosen: str = "online"
    made_of: str = ""
    """The solution and environment that a bundle would be made for."""

    def lines(self) -> Lines:
        """(key, text, tone) of every row, in order."""
        seen = self.bundle
        source = [
            ("online", f"{_mark(self.chosen == 'online')} from the software's own places", ""),
            ("bundle", f"{_mark(self.chosen == 'bundle')} from {self._bundle_words()}", ""),
        ]
        if seen is None:
            return (*source, ("keys", self._keys_words(), ""), ("make", self._make_words(), ""))
        return (
            *source,
            ("signed", *_signed(seen)),
            ("bytes", *_bytes(seen)),
            ("inside", inside_words(seen), ""),
            ("missing", *_missing(seen)),
            *((("untold", *_untold(seen)),) if seen.untold else ()),
            ("keys", self._keys_words(), ""),
            *(() if seen.signer else (("unsigned", *self._unsigned_words()),)),
            ("make", self._make_words(), ""),
        )

    def _unsigned_words(self) -> tuple[str, str]:
        if self.unsigned:
            return f"{_mark(True)} accepted: nobody is asked who made it", "warn"
        return f"{_mark(False)} accept that nobody is asked who made it", ""

    def _bundle_words(self) -> str:
        if self.bundle is not None:
            return f"{self.bundle.path.name}, {human_size(self.bundle.size)}"
        return str(self.path) if self.path else "a bundle: Enter names it"

    def _keys_words(self) -> str:
        return str(self.keys) if self.keys else "none given, so nobody's signature is asked for"

    def _make_words(self) -> str:
        return f"one for {self.made_of}, made online"


TITLES: Final = {
    "online": "online",
    "bundle": "bundle",
    "signed": "signature",
    "bytes": "bytes",
    "inside": "inside",
    "missing": "missing",
    "untold": "untold",
    "keys": "keys",
    "unsigned": "unsigned",
    "make": "make",
}

ABOUT: Final = {
    "online": "Each machine fetches what it needs itself; it needs a way out.",
    "bundle": "A folder or a file that `sitewright bundle create` made, or the folder of its "
    "volumes. Machines are given what they lack from here, and need no way out. "
    "Enter names another.",
    "signed": "The signature stands over the index, and the index names every byte. Compare the "
    "maker with whom you expect.",
    "bytes": "Enter reads all of it and compares every hash. It is done once more before an "
    "installation begins.",
    "inside": "Enter lists every item with version, size, origin and hash.",
    "missing": "What the recipe of the solution asks for and the bundle has not. Enter lists it.",
    "untold": "What was seen when the bundle was made and could not be brought or understood: "
    "images whose names are computed, files behind filters of git. Enter lists it.",
    "keys": "The file of those who may have made it (allowed_signers), which came another way "
    "than the bundle. Enter names it.",
    "unsigned": "Without the makers' file nothing is installed from a bundle, unless you accept "
    "that anybody may have made it. Enter accepts it, or takes that back.",
    "make": "Fetches everything that the recipe names into a folder, to be carried to the site. "
    "It can be interrupted and goes on where it was.",
}


def _mark(here: bool) -> str:
    return "(*)" if here else "( )"


def _signed(seen: BundleSeen) -> tuple[str, str]:
    if seen.signer:
        return f"good, by {seen.signer}", "pass"
    return "NOT checked: no keys were given", "warn"


def _bytes(seen: BundleSeen) -> tuple[str, str]:
    if seen.whole:
        return "every byte is right", "pass"
    return f"not compared yet ({human_size(seen.size)})", ""


def _missing(seen: BundleSeen) -> tuple[str, str]:
    if not seen.compared and not seen.missing:
        return "not compared: no recipe, or a setting that it asks for is missing", "unknown"
    if not seen.missing:
        return "nothing that the recipe asks for", "pass"
    more = f", and {len(seen.missing) - 1} more" if len(seen.missing) > 1 else ""
    return f"{seen.missing[0]}{more}", "fail"


def _untold(seen: BundleSeen) -> tuple[str, str]:
    if seen.doubts:
        things = "1 thing" if seen.doubts == 1 else f"{seen.doubts} things"
        return f"{things} could not be told when it was made, and may be missing", "warn"
    return "nothing that may be missing; what was only guessed at is listed", ""


def about_state(seen: BundleSeen) -> tuple[tuple[str, str], ...]:
    """What is known of a bundle: label and sentence."""
    return (
        ("bundle", f"{seen.path}, {seen.solution} {seen.version}, {human_size(seen.size)}"),
        ("signature", _signed(seen)[0]),
        ("bytes", _bytes(seen)[0]),
        ("inside", inside_words(seen)),
        ("missing", _missing(seen)[0]),
        *((("untold", _untold(seen)[0]),) if seen.untold else ()),
    )


def inside_words(seen: BundleSeen) -> str:
    """How many items of each kind."""
    return ", ".join(counts(seen.items)) or "nothing"


def counts(items: Iterable[ItemSeen]) -> list[str]:
    """The number of items of each kind, in words; the bundle's own records are left out."""
    found: dict[str, int] = {}
    for item in items:
        if item.kind not in ("record", "image-index"):
            found[item.kind] = found.get(item.kind, 0) + 1
    return [
        f"{number} {KIND_WORDS[kind]}{'s' if number > 1 and kind != 'git' else ''}"
        for kind, number in sorted(found.items(), key=lambda one: list(KIND_WORDS).index(one[0]))
    ]


def about_item(item: ItemSeen) -> tuple[tuple[str, str], ...]:
    """An item in full: label and value."""
    found = [
        ("name", item.name if item.version in item.name else f"{item.name} {item.version}"),
        ("from", item.origin),
        ("hash", item.content or item.digest),
        ("size", f"{human_size(item.size)} ({item.size} bytes)"),
    ]
    more = [("for", item.platform), ("licence", item.licence)]
    return tuple(found + [(label, value) for label, value in more if value])


def going_words(what: str, going: Going) -> tuple[str, str]:
    """A bar, and how it goes in words."""
    share = going.done / going.total if going.total else 0.0
    full = min(_BAR, round(share * _BAR))
    bar = f"[{'#' * full}{'.' * (_BAR - full)}] {min(100, int(share * 100)):3d} %"
    parts = [f"{human_size(going.done)} of {human_size(going.total)}"]
    if going.items is not None:
        parts.insert(0, f"{going.items[0]} of {going.items[1]} lines")
    if going.rate > 0:
        parts.append(f"{human_size(int(going.rate))}/s")
    if going.left is not None:
        parts.append(f"{duration(going.left)} left")
    return f"{what} {bar}", ", ".join(parts)
