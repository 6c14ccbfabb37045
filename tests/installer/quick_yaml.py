"""YAML of ours read by libyaml where it is there: the reader in Python takes ten times as long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def safe_load(text: str) -> Any:
    """The value of a text of one document."""
    return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader, the one or the other


def safe_load_all(text: str) -> Iterator[Any]:
    """The values of its documents."""
    return yaml.load_all(text, Loader=LOADER)
