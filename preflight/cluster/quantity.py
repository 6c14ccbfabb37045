"""Quantities of Kubernetes in whole units: "250m" of a CPU, "16Gi" of memory."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

_QUANTITY: Final = re.compile(
    r"([+-]?\d{1,30}(?:\.\d{0,20})?|\.\d{1,20})(m|u|n|k|[KMGTPE]i?|[eE][+-]?\d{1,2})?"
)
_SUFFIXES: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": Decimal(10**3),
    "K": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12),
    "P": Decimal(10**15), "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20),
    "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_LARGEST: Final = Decimal(2**63)
"""Kubernetes counts up to this."""


def quantity(text: str) -> Decimal | None:
    """The number that a quantity means; None for what is none, or out of any bound."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        return None
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _SUFFIXES:
        number *= _SUFFIXES[suffix]
    elif suffix:
        number *= Decimal(10) ** int(suffix[1:])
    return number if abs(number) < _LARGEST else None


@lru_cache(maxsize=4096)
def millis(text: str) -> int | None:
    """CPUs in thousandths, rounded up as the scheduler does: "1500m" and "1.5" are 1500."""
    number = quantity(text)
    return None if number is None else int((number * 1000).to_integral_value("ROUND_CEILING"))


@lru_cache(maxsize=4096)
def whole(text: str) -> int | None:
    """A number of bytes or of things, rounded up: "16Gi" is 2^34."""
    number = quantity(text)
    return None if number is None else int(number.to_integral_value("ROUND_CEILING"))
