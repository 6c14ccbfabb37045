"""Certificates that lie on a machine, and their last days."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from foundation.moments import moment
from preflight.facts import Certificate, Fact, Unknown
from preflight.parse.clock import machine_moment
from preflight.parse.frames import Answer
from preflight.parse.text import plain

_MOST: Final = 100
"""Certificates that are read."""


def parse_certificates(answer: Answer) -> Fact[tuple[Certificate, ...]]:
    """The certificates of the section, by their paths; unknown where only root could see them."""
    files = answer.files("certificates")
    if not files and not answer.succeeded("certificates"):
        return answer.why_not("certificates", "the certificates")
    now = moment(machine_moment(answer))
    return tuple(_read(path, text, now) for path, text in sorted(files.items())[:_MOST])


def _read(path: str, text: str, now: datetime | None) -> Certificate:
    from cryptography import x509

    name = plain(path)
    try:
        ends = x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc
        told = ends.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, TypeError, OverflowError):
        why = Unknown("it is no certificate that can be read")
        return Certificate(name, why, why)
    if now is None:
        return Certificate(name, told, Unknown("the machine did not tell the time"))
    return Certificate(name, told, (ends - now).days)
