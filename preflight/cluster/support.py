"""Until when releases of Kubernetes are mended by its makers."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

SOURCE: Final = "Kubernetes, releases; endoflife.date, Kubernetes; looked up 2026-08-22"

ENDS: Final = {
    (1, 26): date(2024, 2, 28),
    (1, 27): date(2024, 6, 28),
    (1, 28): date(2024, 10, 28),
    (1, 29): date(2025, 2, 28),
    (1, 30): date(2025, 7, 15),
    (1, 31): date(2025, 11, 11),
    (1, 32): date(2026, 2, 28),
    (1, 33): date(2026, 6, 28),
    (1, 34): date(2026, 10, 27),
    (1, 35): date(2027, 2, 28),
    (1, 36): date(2027, 6, 28),
}
"""The published end of life of each minor release: the one place in which these days stand."""

SOON_DAYS: Final = 90
"""Within so many days an end is told as near: an upgrade wants a window, a trial and a backup."""

_VERSION: Final = re.compile(r"v?(\d{1,4})\.(\d{1,4})")


def minor_of(version: str) -> tuple[int, int] | None:
    """The minor release of a version: v1.31.14+k3s1 is (1, 31)."""
    found = _VERSION.match(version)
    return (int(found[1]), int(found[2])) if found else None
