"""Whom a site trusts to make bundles: OpenSSH's allowed_signers file.

A line is a name (or several, parted by commas), options, and a public key; `ssh-keygen -Y verify`
reads the same file. Only plain Ed25519 keys count: a certificate authority is passed over.
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bundles.signature import NAMESPACE
from foundation.documents import read_text
from foundation.problems import InputProblem

_WORD: Final = re.compile(r'(?:"[^"]*"|[^\s"])+')
_REMEDY: Final = "A line is: NAME ssh-ed25519 AAAA…, as in `ssh-keygen -Y verify`'s manual."


@dataclass(frozen=True, slots=True)
class Signer:
    """One trusted key: the names that the file gives it, and its 32 bytes."""

    name: str
    public_key: bytes


def read_signers(path: Path, *, now: datetime | None = None) -> tuple[Signer, ...]:
    """The keys of an allowed_signers file that count for bundles now; raises InputProblem."""
    return parse_signers(read_text(path), where=str(path), now=now or datetime.now(UTC))


def parse_signers(text: str, *, where: str, now: datetime) -> tuple[Signer, ...]:
    """The keys of the text of an allowed_signers file; at least one, else InputProblem."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            signer = _signer(line, now)
        except (ValueError, struct.error, binascii.Error) as error:
            raise InputProblem(f"line {number}: {error}", where=where, remedy=_REMEDY) from error
        if signer is not None:
            found.append(signer)
    if not found:
        raise InputProblem(
            "no Ed25519 key in it may sign bundles now",
            where=where,
            remedy=f'{_REMEDY} Options may narrow it: namespaces="{NAMESPACE}", valid-before=…',
        )
    return tuple(found)


def _signer(line: str, now: datetime) -> Signer | None:
    words = _WORD.findall(line)
    at = next((i for i, word in enumerate(words) if re.match(r"(ssh-|ecdsa-|sk-)", word)), None)
    if at is None or not 1 <= at <= 2 or len(words) < at + 2:
        raise ValueError("it names no key")
    options = _options(words[1]) if at == 2 else {}
    if words[at] != "ssh-ed25519" or "cert-authority" in options:
        return None
    raw = base64.b64decode(words[at + 1], validate=True)
    head = struct.pack(">I", 11) + b"ssh-ed25519" + struct.pack(">I", 32)
    if not raw.startswith(head) or len(raw) != len(head) + 32:
        raise ValueError("its key is no Ed25519 key")
    spaces = options.get("namespaces")
    if spaces is not None and not any(fnmatch.fnmatchcase(NAMESPACE, s) for s in spaces.split(",")):
        return None
    if "valid-after" in options and now < _moment(options["valid-after"]):
        return None
    if "valid-before" in options and now > _moment(options["valid-before"]):
        return None
    return Signer(name=words[0].strip('"'), public_key=raw[len(head) :])


def _options(word: str) -> dict[str, str]:
    options = {}
    for part in re.findall(r'(?:"[^"]*"|[^,"])+', word):
        name, _, value = part.partition("=")
        if name.lower() not in ("namespaces", "valid-after", "valid-before", "cert-authority"):
            # An option that is not understood might narrow the key: it must not count as wider.
            raise ValueError(f"there is no option {name!r}")
        options[name.lower()] = value.strip('"')
    return options


def _moment(text: str) -> datetime:
    zone = UTC if text.endswith("Z") else None
    digits = text.removesuffix("Z")
    forms = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
    if not digits.isdigit() or len(digits) not in forms:
        raise ValueError(f"{text!r} is no moment such as 20270131")
    moment = datetime.strptime(digits, forms[len(digits)])  # noqa: DTZ007 - the zone follows
    return moment.replace(tzinfo=zone) if zone else moment.astimezone()
