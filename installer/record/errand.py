"""Errand: what a run is for, on which hangs what stands before it."""

from __future__ import annotations

from enum import StrEnum


class Errand(StrEnum):
    """What a run is for."""

    INSTALL = "install"
    VERIFY = "verify"
    OPERATE = "operate"
    """Something done with what is installed."""
    UNDO = "undo"
