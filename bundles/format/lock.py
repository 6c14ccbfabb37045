"""The lock of a bundle: every item pinned, so that the very same bundle can be made again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from bundles.format import budgets
from bundles.format.layout import Digest, Item, Printable, Size
from bundles.format.recipe import Recipe, without_logins
from bundles.format.strict_json import canonical_json, parse_model
from bundles.format.untold import Untold
from foundation import bounded_files
from foundation.problems import InputProblem

SCHEMA: Final = "sitewright.bundle-lock/1"
LOCK_LIMIT: Final = budgets.LOCK_BYTES
LOCK_RECORD: Final = "bundle.lock"
"""Its name among the records of a bundle."""


class LockedItem(BaseModel):
    """One item with what gets the very same again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wanted: Digest
    """The line of the recipe that asked for it."""
    kind: Printable
    name: Printable
    origin: Printable
    digest: Digest
    content: Digest | None = None
    content_size: Size
    version: Printable | None = None
    platform: Printable | None = None
    licence: Printable | None = None
    pins: dict[str, str] = Field(default_factory=dict)


class LockedUntold(BaseModel):
    """One thing that could not be told when the bundle was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    wanted: Digest
    """The line of the recipe that led to it."""
    told: Untold


class Lock(BaseModel):
    """The lock file, and the record in a bundle."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_: Annotated[Literal["sitewright.bundle-lock/1"], Field(alias="schema")] = SCHEMA
    environment: Printable
    created: Printable
    recipe: Recipe
    items: tuple[LockedItem, ...]
    untold: tuple[LockedUntold, ...] = ()

    def as_bytes(self) -> bytes:
        """The file; the same bundle has the same lock."""
        value = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        value["recipe"] = self.recipe.model_dump(mode="json", exclude_defaults=True)
        value = without_logins(value)
        if not self.untold:
            del value["untold"]
        return canonical_json(value)

    def items_of(self, wanted: str) -> tuple[LockedItem, ...]:
        """What a line of the recipe led to."""
        return tuple(item for item in self.items if item.wanted == wanted)

    def untold_of(self, wanted: str) -> tuple[Untold, ...]:
        """What could not be told of a line of the recipe."""
        return tuple(one.told for one in self.untold if one.wanted == wanted)

    @property
    def all_untold(self) -> tuple[Untold, ...]:
        """Everything that could not be told, each once."""
        return tuple(dict.fromkeys(one.told for one in self.untold))


@dataclass(frozen=True, slots=True)
class Gathered:
    """What one line of a recipe led to."""

    wanted: str
    items: tuple[Item, ...]
    untold: tuple[Untold, ...] = ()


def make_lock(recipe: Recipe, environment: str, created: str, gathered: Sequence[Gathered]) -> Lock:
    """The lock of a bundle from everything that was gathered."""
    items = [
        LockedItem(
            wanted=one.wanted,
            kind=item.kind,
            name=item.name,
            origin=item.origin,
            digest=item.digest,
            content=item.content,
            content_size=item.content_size,
            version=item.version,
            platform=item.platform,
            licence=item.licence,
            pins=dict(item.pins),
        )
        for one in gathered
        for item in one.items
    ]
    items.sort(
        key=lambda item: (item.wanted, item.kind, item.name, item.platform or "", item.digest)
    )
    untold = sorted(
        {(one.wanted, entry) for one in gathered for entry in one.untold},
        key=lambda pair: (pair[0], pair[1].kind, pair[1].of, pair[1].what),
    )
    return Lock(
        environment=environment,
        created=created,
        recipe=recipe,
        items=tuple(items),
        untold=tuple(LockedUntold(wanted=wanted, told=entry) for wanted, entry in untold),
    )


def load_lock(path: Path) -> Lock:
    """A lock from its file; raises InputProblem."""
    try:
        raw = bounded_files.read_bytes(path, LOCK_LIMIT)
    except OSError as error:
        raise InputProblem(
            f"the lock cannot be read: {error.strerror or error}", where=str(path)
        ) from error
    return parse_lock(raw, where=str(path))


def parse_lock(raw: bytes, *, where: str) -> Lock:
    """A lock from its bytes; raises InputProblem."""
    return parse_model(Lock, raw, where=where, limit=LOCK_LIMIT, problem=InputProblem)
