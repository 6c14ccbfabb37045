"""What consoles say of host keys, compared with what the machines show over the network.

Read is what people paste: lines of ssh-keygen, cloud-init's block, whole public keys. A line that
names a machine, or stands below a line that does, speaks of that machine alone; any other speaks
of one machine, whichever shows the key.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from foundation.hosts.model import Host
from foundation.hosts.openssh.hostkeys import HostKeyOffer, ShownKey

_SHA256 = re.compile(r"SHA256:([A-Za-z0-9+/]+)(=*)")
_MD5 = re.compile(
    r"(?:MD5:|(?<![0-9A-Fa-f:]))(?:[0-9A-Fa-f]{2}:){15}[0-9A-Fa-f]{2}(?![0-9A-Fa-f:])"
)
_PUBLIC = re.compile(r"(?<![A-Za-z0-9+/])AAAA[A-Za-z0-9+/]{30,}={0,2}")
_KIND = re.compile(r"(?<![A-Za-z0-9])(ED25519|ECDSA|RSA|DSA)(?![A-Za-z0-9])")
_LENGTH: Final = 43
"""Letters of a SHA-256 in base64 without its padding."""

SHA256_COMMAND: Final = "for f in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -E sha256 -lf $f; done"
"""What prints SHA256 fingerprints on a console, also where MD5 is what it prints by itself."""


@dataclass(frozen=True, slots=True)
class Told:
    """One fingerprint that a console told."""

    fingerprint: str
    line: int
    machine: str | None = None
    """The machine that it is told of; None where no line says."""
    kind: str | None = None
    """ED25519, ECDSA or RSA, where the line says so."""


@dataclass(frozen=True, slots=True)
class ConsoleWords:
    """What a text of consoles holds."""

    told: tuple[Told, ...] = ()
    md5_lines: tuple[int, ...] = ()
    """Lines with fingerprints in MD5, which nothing is compared with."""
    broken_lines: tuple[int, ...] = ()
    """Lines with a SHA256: that is not whole."""

    def shortcomings(self) -> list[str]:
        """What could not be used of the text, in sentences; empty where all of it could."""
        sentences = []
        if self.md5_lines:
            sentences.append(
                f"{_lines(self.md5_lines)} fingerprints in MD5, which can be forged and are not "
                f"compared; this prints SHA256 on the console ({SHA256_COMMAND})"
            )
        if self.broken_lines:
            sentences.append(
                f"{_lines(self.broken_lines)} a SHA256 fingerprint that is not whole; one has "
                f"{_LENGTH} letters behind SHA256:"
            )
        if not self.told:
            sentences.append("no line holds a SHA256 fingerprint that could match")
        return sentences


def _lines(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"line {numbers[0]} holds"
    shown = ", ".join(str(number) for number in numbers[:5])
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"lines {shown}{more} hold"


def read_console(text: str, machines: Iterable[Host]) -> ConsoleWords:
    """The fingerprints in what consoles printed, each with the machine that it is told of."""
    names = _names(machines)
    told: list[Told] = []
    md5: list[int] = []
    broken: list[int] = []
    heading: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        found, spans = _fingerprints(line)
        if _MD5.search(line):
            md5.append(number)
        if any(len(match.group(1)) != _LENGTH for match in _SHA256.finditer(line)):
            broken.append(number)
        if not found:
            if not _MD5.search(line) and len(named := _named(line, names)) == 1:
                heading = named[0]
            continue
        kinds = {match.group(1) for match in _KIND.finditer(line.upper())}
        before = _named(line[: spans[0][0]], names)
        after = _named(line[spans[-1][1] :], names)
        machine = before[-1] if before else heading or (after[0] if len(after) == 1 else None)
        kind = next(iter(kinds)) if len(kinds) == 1 and len(found) == 1 else None
        told += [Told(fingerprint, number, machine, kind) for fingerprint in found]
    return ConsoleWords(tuple(told), tuple(md5), tuple(broken))


def _fingerprints(line: str) -> tuple[list[str], list[tuple[int, int]]]:
    found: dict[str, None] = {}
    spans: list[tuple[int, int]] = []
    for match in _SHA256.finditer(line):
        if len(match.group(1)) == _LENGTH:
            found[f"SHA256:{match.group(1)}"] = None
            spans.append(match.span())
    for match in _PUBLIC.finditer(line):
        try:
            blob = base64.b64decode(match.group(), validate=True)
        except (binascii.Error, ValueError):
            continue
        digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        found[f"SHA256:{digest}"] = None
        spans.append(match.span())
    return list(found), sorted(spans)


def _names(machines: Iterable[Host]) -> dict[str, str]:
    """Every word that means one machine and no other: its name, its address, its endpoint."""
    names: dict[str, str | None] = {}
    for host in machines:
        for word in {host.name, host.address, host.endpoint}:
            folded = word.lower()
            names[folded] = host.name if names.get(folded, host.name) == host.name else None
    return {word: name for word, name in names.items() if name is not None}


def _named(text: str, names: dict[str, str]) -> list[str]:
    """The machines that a piece of a line names, in order, each once."""
    found: dict[str, None] = {}
    for raw in re.split(r"[\s@,;()=<>|\"']+", text.lower()):
        word = raw.rstrip(":#$~>")
        for form in (word, word.strip("[]"), word.partition(":")[0].strip("[]")):
            if form in names:
                found[names[form]] = None
                break
    return list(found)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One machine's keys beside what the consoles told."""

    offer: HostKeyOffer
    verdict: Literal["agrees", "differs", "absent", "shared"]
    """`differs`: its own console told another key. `absent`: it is in no line that speaks of this
    machine. `shared`: several machines show the key, and no line says whose it is."""
    agreeing: tuple[HostKeyOffer, ...] = ()
    """The offer about each key that was told, to be handed to `trust`."""
    reason: str = ""
    """Why it does not agree, as a clause; empty where it does."""


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A host key that more than one machine shows."""

    key: ShownKey
    machines: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What it means, for a person."""
        names = ", ".join(self.machines)
        return (
            f"{names} show the same {self.key.kind} key {self.key.fingerprint}: they are copies of "
            "one image, one machine under several names, or somebody stands between"
        )


def shared_keys(offers: Iterable[HostKeyOffer]) -> tuple[SharedKey, ...]:
    """The keys that several machines show; one for each group of machines, the first type of it."""
    showing: dict[ShownKey, list[str]] = {}
    for offer in offers:
        for key in offer.shown:
            showing.setdefault(key, []).append(offer.host.name)
    groups: dict[tuple[str, ...], SharedKey] = {}
    for key, names in showing.items():
        if len(names) > 1:
            groups.setdefault(tuple(names), SharedKey(key, tuple(names)))
    return tuple(groups.values())


def compare(offers: Sequence[HostKeyOffer], words: ConsoleWords) -> tuple[Comparison, ...]:
    """Each machine's keys beside what consoles told, in the order of the offers."""
    shared = {key for key, names in _showing(offers).items() if len(names) > 1}
    return tuple(_compared(offer, words, shared) for offer in offers)


def _showing(offers: Iterable[HostKeyOffer]) -> dict[str, list[str]]:
    showing: dict[str, list[str]] = {}
    for offer in offers:
        for key in offer.shown:
            showing.setdefault(key.fingerprint, []).append(offer.host.name)
    return showing


def _compared(offer: HostKeyOffer, words: ConsoleWords, shared: set[str]) -> Comparison:
    name = offer.host.name
    own = [told for told in words.told if told.machine == name]
    bound = {told.fingerprint for told in own}
    free = {told.fingerprint for told in words.told if told.machine is None}
    agreeing = [key for key in offer.shown if key.fingerprint in bound]
    if contradiction := _contradiction(offer, own):
        return Comparison(offer, "differs", reason=contradiction)
    unbound = [key for key in offer.shown if key.fingerprint in free and key not in agreeing]
    agreeing += [key for key in unbound if key.fingerprint not in shared]
    if agreeing:
        return Comparison(offer, "agrees", tuple(offer.about(key) for key in agreeing))
    if unbound:
        return Comparison(
            offer,
            "shared",
            reason=f"line {_line_of(words, unbound[0])} holds its key and names no machine, and "
            "several machines show this key: write the machine's name before each fingerprint",
        )
    for key in offer.shown:
        told = next((t for t in words.told if t.fingerprint == key.fingerprint), None)
        if told is not None:
            return Comparison(
                offer, "absent",
                reason=f"line {told.line} holds its key, and as that of {told.machine}",
            )  # fmt: skip
    if own:
        lines = ", ".join(str(told.line) for told in own[:5])
        return Comparison(
            offer, "differs", reason=f"none of its keys is what line {lines} says of it"
        )
    return Comparison(offer, "absent", reason="no line holds a key of it")


def _contradiction(offer: HostKeyOffer, own: list[Told]) -> str:
    """What its own console says otherwise of a type of key that the machine shows."""
    for key in offer.shown:
        same_kind = [told for told in own if told.kind == key.kind]
        if same_kind and all(told.fingerprint != key.fingerprint for told in same_kind):
            return (
                f"line {same_kind[0].line} says that its {key.kind} key is "
                f"{same_kind[0].fingerprint}, and it shows {key.fingerprint}"
            )
    return ""


def _line_of(words: ConsoleWords, key: ShownKey) -> int:
    return next(told.line for told in words.told if told.fingerprint == key.fingerprint)
