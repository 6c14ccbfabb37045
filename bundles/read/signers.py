"""Whom a site trusts to make bundles: OpenSSH's allowed_signers file, read as OpenSSH reads it.

A line is names (patterns, parted by commas), options, and a public key. What `ssh-keygen -Y verify`
passes over is passed over here: a line that is malformed, an option that it does not know, a key
that may not sign for bundles, or not now. Only plain Ed25519 keys sign bundles, so a certificate
authority counts for nothing. A key counts where there is a name under which it would.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bundles.format.budgets import SIGNERS_BYTES
from bundles.read.signature import NAMESPACE
from foundation import bounded_files
from foundation.name_patterns import matches_list
from foundation.problems import InputProblem

_REMEDY: Final = "A line is: NAME ssh-ed25519 AAAA…, as in `ssh-keygen -Y verify`'s manual."
_WHITE: Final = " \t\r\n"
_OPTION: Final = re.compile(r"cert-authority|namespaces=|valid-after=|valid-before=", re.I)
_OTHER_KEYS: Final = re.compile(r"ssh-|ecdsa-|sk-")


@dataclass(frozen=True, slots=True)
class Signer:
    """One trusted key: the names that the file gives it, and its 32 bytes."""

    name: str
    public_key: bytes


def read_signers(
    path: Path, *, now: datetime | None = None, told: Callable[[str], None] | None = None
) -> tuple[Signer, ...]:
    """The keys of an allowed_signers file that count for bundles now; raises InputProblem.

    `told` hears of each line that is passed over because it is not as it should be.
    """
    try:
        raw = bounded_files.read_bytes(path, SIGNERS_BYTES)
    except OSError as error:
        raise InputProblem(
            f"it cannot be read: {error.strerror or error}",
            where=str(path),
            remedy="Name the allowed_signers file of this site.",
        ) from error
    text = raw.decode("utf-8", "replace")
    return parse_signers(text, where=str(path), now=now or datetime.now(UTC), told=told)


def parse_signers(
    text: str, *, where: str, now: datetime, told: Callable[[str], None] | None = None
) -> tuple[Signer, ...]:
    """The keys of the text of an allowed_signers file; at least one, else InputProblem."""
    found = []
    faults = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            signer = _signer(line.partition("\0")[0], now)
        except (ValueError, struct.error, binascii.Error) as error:
            faults.append(f"line {number}: {_shown(str(error))}")
            continue
        if signer is not None:
            found.append(signer)
    if not found:
        why = f" ({'; '.join(faults[:5])})" if faults else ""
        raise InputProblem(
            f"no Ed25519 key in it may sign bundles now{why}",
            where=where,
            remedy=f'{_REMEDY} Options may narrow it: namespaces="{NAMESPACE}", valid-before="…".',
        )
    for fault in faults if told else ():
        assert told is not None  # noqa: S101 - it was asked just now
        told(f"{where}, {fault}: the line counts for nothing, as in OpenSSH")
    return tuple(found)


def _signer(line: str, now: datetime) -> Signer | None:
    rest = line.lstrip(_WHITE)
    if not rest or rest.startswith("#"):
        return None
    principals, rest = _first_word(rest)
    key, options = _key(rest), _Options()
    if key is None:
        words = _past_options(rest)
        options = _options(rest[:words])
        if words == len(rest):
            raise ValueError("it names no key")
        key = _key(rest[words + 1 :].lstrip(" \t"))
        if key is None:
            raise ValueError("it names no key")
    if key == b"" or options.authority or not _anybody(principals):
        return None
    if options.namespaces is not None and not matches_list(NAMESPACE, options.namespaces):
        return None
    moment = int(now.timestamp())
    if options.after is not None and moment < options.after:
        return None
    if options.before is not None and moment > options.before:
        return None
    return Signer(name=_shown(principals), public_key=key)


def _first_word(text: str) -> tuple[str, str]:
    """The names at the beginning of a line, which may stand in quotes, and what follows them."""
    cut = re.search(r'[ \t\r\n"]', text)
    if cut is None:
        raise ValueError("it names no key")
    if text[cut.start()] != '"':
        return text[: cut.start()], text[cut.start() :].lstrip(_WHITE)
    before, after = text[: cut.start()], text[cut.start() + 1 :]
    inside, found, rest = after.partition('"')
    if not found:
        raise ValueError("a quotation in it has no end")
    return before + inside, rest.lstrip(_WHITE)


def _key(text: str) -> bytes | None:
    """The 32 bytes of an Ed25519 key, b"" for a key of another kind, None where there is none."""
    kind, found, rest = _part(text)
    blob = _part(rest.lstrip(" \t"))[0]
    if not found or not blob:
        return None
    if kind != "ssh-ed25519":
        return b"" if _OTHER_KEYS.match(kind) else None
    # The blanks of C, and no other that Unicode has: OpenSSH passes over these alone.
    raw = base64.b64decode(re.sub(r"[ \t\n\v\f\r]", "", blob), validate=True)
    head = struct.pack(">I", 11) + b"ssh-ed25519" + struct.pack(">I", 32)
    if not raw.startswith(head) or len(raw) != len(head) + 32:
        raise ValueError("its key is no Ed25519 key")
    return raw[len(head) :]


def _part(text: str) -> tuple[str, str, str]:
    cut = re.search(r"[ \t]", text)
    at = cut.start() if cut else len(text)
    return text[:at], text[at : at + 1], text[at:]


def _past_options(text: str) -> int:
    """Where the options end: at the first space outside of quotation marks."""
    quoted = False
    at = 0
    while at < len(text) and (quoted or text[at] not in " \t"):
        if text.startswith('\\"', at):
            at += 1
        elif text[at] == '"':
            quoted = not quoted
        at += 1
    if quoted and at >= len(text):
        raise ValueError("a quotation in it has no end")
    return at


@dataclass(slots=True)
class _Options:
    authority: bool = False
    namespaces: str | None = None
    after: int | None = None
    before: int | None = None


def _options(text: str) -> _Options:
    found = _Options()
    rest = text
    while rest:
        name = _OPTION.match(rest)
        if name is not None:
            rest = rest[name.end() :]
            word = name[0].lower().rstrip("=")
            if word == "cert-authority":
                found.authority = True
            else:
                value, rest = _quoted(rest, word)
                _set(found, word, value)
        if not rest:
            break
        if not rest.startswith(",") or rest == ",":
            # An option that is not understood might narrow the key: it must not count as wider.
            raise ValueError(f"there is no option {rest.partition('=')[0][:40]!r}")
        rest = rest[1:]
    if found.after and found.before and found.before <= found.after:
        raise ValueError("valid-before lies before valid-after")
    return found


def _set(options: _Options, word: str, value: str) -> None:
    field = {"namespaces": "namespaces", "valid-after": "after", "valid-before": "before"}[word]
    if getattr(options, field) is not None:
        raise ValueError(f"{word} stands in it twice")
    setattr(options, field, value if word == "namespaces" else _moment(value))


def _quoted(text: str, word: str) -> tuple[str, str]:
    if not text.startswith('"'):
        raise ValueError(f'what follows {word}= stands in quotation marks: {word}="…"')
    found = re.match(r'"((?:\\"|[^"])*)"', text)
    if found is None:
        raise ValueError("a quotation in it has no end")
    return found[1].replace('\\"', '"'), text[found.end() :]


def _moment(text: str) -> int:
    """A moment in seconds, in UTC where a Z follows it, else of this machine's own time."""
    zone = UTC if len(text) > 1 and text[-1] in "zZ" else None
    digits = text[:-1] if zone else text
    forms = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    if not (digits.isascii() and digits.isdigit()) or len(digits) not in forms:
        raise ValueError(f"{text[:40]!r} is no moment such as 20270131")
    moment = datetime.strptime(digits, forms[len(digits)])  # noqa: DTZ007 - the zone follows
    seconds = int((moment.replace(tzinfo=zone) if zone else moment.astimezone()).timestamp())
    if seconds <= 0:
        raise ValueError(f"{text[:40]!r} lies too long ago")
    return seconds


def _anybody(principals: str) -> bool:
    """Whether there is a name that a list of patterns means."""
    for pattern in principals.split(","):
        if not pattern or pattern.startswith("!"):
            continue
        # A name that the pattern means, and as few others as can be.
        for fill in ("", "x", "0-other"):
            name = pattern.replace("*", fill).replace("?", fill[:1] or "x")
            if matches_list(name, principals):
                return True
    return False


def _shown(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:300]
