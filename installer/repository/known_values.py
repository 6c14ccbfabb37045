"""Known values: every key of a chart that the starter sets, where upstream has it, what it does.

It is data beside the starter, one file a component. Upstream's own files are not kept here: each
key was held against its chart by hand, as `versions.yaml` says of the version (`looked`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from foundation.documents import load_yaml

_WHOLE: Final = ".*"
"""The end of a key that stands for all below it, where a chart hands that on as it is."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Key(_Data):
    """One key."""

    at: str = Field(pattern=r"^\S+:[0-9]+(, under \S+)?$")
    """A file of the chart and a line of it; `under` names the key there of which it is a part."""
    does: str = Field(min_length=8)


class KnownValues(_Data):
    """The keys of one component, at the version that they were held against."""

    component: str
    """Its name in `versions.yaml`."""
    version: str
    source: str
    """The repository and the place in it that each `at` counts from."""
    keys: Mapping[str, Key]

    def covering(self, key: str) -> tuple[str, ...]:
        """The keys of the table that stand for one of the values; there is to be one."""
        return tuple(
            known
            for known in self.keys
            if known == key or (known.endswith(_WHOLE) and key.startswith(known[:-1]))
        )


def load_known_values(folder: Path) -> tuple[KnownValues, ...]:
    """What is known of each component of a starter, by their names; raises InputProblem."""
    return tuple(
        load_yaml(KnownValues, path) for path in sorted((folder / "values").glob("*.yaml"))
    )


def keys_in(values: Any, above: str = "") -> Iterator[str]:
    """Each key of a file of values that has no key below it, from the top, parted by dots."""
    if isinstance(values, Mapping) and values:
        for name, below in values.items():
            yield from keys_in(below, f"{above}.{name}" if above else str(name))
    elif above:
        yield above
