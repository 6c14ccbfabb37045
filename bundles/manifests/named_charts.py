"""A chart that something names: at one version of one repository, or why it cannot be had."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from bundles.manifests.gitops_forms import plain_text

_VERSION: Final = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+[A-Za-z0-9.+-]*")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_REPOSITORY: Final = re.compile(r"(https?|oci)://[!-~]{1,500}")


@dataclass(frozen=True, slots=True)
class ChartNamed:
    """A chart that a file names, at one version of one repository."""

    name: str
    repository: str
    version: str
    values: Mapping[str, Any]
    by: str
    """The file."""


def chart_named(
    name: Any, repository: Any, version: Any, values: Mapping[Any, Any], path: str
) -> ChartNamed | str:
    """The chart that is meant, or a sentence on what cannot be told of it."""
    called, address, number = (plain_text(one) for one in (name, repository, version))
    if not _NAME.fullmatch(called) or not _REPOSITORY.fullmatch(address):
        return f"{path}: which chart is meant by {called[:100] or 'an empty name'}" + (
            f" of {address[:100]}" if address else ""
        )
    if not _VERSION.fullmatch(number):
        return (
            f'{path}: which version of the chart {called} is meant by "{number[:100]}"; '
            "write the number"
        )
    plain = {str(key): value for key, value in values.items()}
    return ChartNamed(called, address, number, values=plain, by=path)
