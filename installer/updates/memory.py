"""What registries said, with the time: kept in memory within bounds, and on disk between runs.

It is all from outside, so it is read again as strictly as it came in, and nothing hangs on it but
questions that need not be asked again, and since when an image has been seen here. One that is not
as it was written could say for hours that there is nothing newer: it is dropped, and all is asked.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bundles.format.problems import SourceProblem
from bundles.format.reference import is_digest, is_tag
from bundles.format.strict_json import parse_model
from foundation import bounded_files
from foundation.paths import cache_folder, state_folder, write_private
from foundation.problems import Problem
from installer.record.witnessed import read_note, write_note
from installer.updates.strategies import Sorted, sort_tags

log = logging.getLogger(__name__)

REPOSITORIES: Final = 5_000
"""That are remembered; the one that was asked about longest ago is forgotten first."""
TAGS: Final = 2_000_000
"""Of all of them together; about 200 bytes each."""
ABSENT: Final = 100
"""Names of a repository that are no tags of its list and lead nowhere; whoever reaches the watcher
may ask for any, so they are few, and not kept on disk."""
FILE_BYTES: Final = 256 << 20

Seconds = Annotated[float, Field(ge=0, le=1e11)]


@dataclass(slots=True)
class Remembered:
    """One repository as its registry had it; moments are Unix seconds."""

    asked: float = 0.0
    """When its list of tags was last asked for and came, or had not changed; 0: never."""
    tags: tuple[str, ...] = ()
    etag: str = ""
    refused: int = 0
    digests: dict[str, tuple[str | None, float]] = field(default_factory=dict)
    """What a tag leads to (None: it is listed and not there), and when that was asked."""
    met: dict[str, float] = field(default_factory=dict)
    """When a tag was first seen to lead to an image, by the image's digest."""
    made: dict[str, float | None] = field(default_factory=dict)
    """When an image was made by its own word, by digest."""
    versions: Sorted | None = None
    absent: dict[str, float] = field(default_factory=dict)
    """Names that are not in its list and led nowhere, and when that was asked; see ABSENT."""

    def listed(self, tags: tuple[str, ...], etag: str, refused: int, now: float) -> None:
        """Take in a new list; what is known of tags that are gone is forgotten."""
        here = set(tags)
        self.digests = {tag: found for tag, found in self.digests.items() if tag in here}
        digests = {digest for digest, _ in self.digests.values()}
        self.met = {digest: since for digest, since in self.met.items() if digest in digests}
        self.made = {digest: made for digest, made in self.made.items() if digest in digests}
        self.tags, self.etag, self.refused, self.asked = tags, etag, refused, now
        self.versions = None

    def leads(self, tag: str, digest: str | None, now: float) -> None:
        """Take in what a tag leads to."""
        self.absent.pop(tag, None)
        if digest is None and tag not in self.tags:
            self.digests.pop(tag, None)
            if len(self.absent) >= ABSENT:
                del self.absent[next(iter(self.absent))]
            self.absent[tag] = now
            return
        self.digests[tag] = (digest, now)
        if digest is not None:
            self.met.setdefault(digest, now)

    def known(self, tag: str) -> tuple[str | None, float] | None:
        """What a tag leads to (None: nothing), and when that was asked; None where it was not."""
        if (asked := self.absent.get(tag)) is not None:
            return None, asked
        return self.digests.get(tag)

    def sorted(self) -> Sorted:
        """Its versions, sorted once."""
        if self.versions is None:
            self.versions = sort_tags(self.tags)
        return self.versions


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid")

    asked: Seconds
    tags: str
    etag: Annotated[str, StringConstraints(max_length=200, pattern=r"^[!-~]*$")] = ""
    refused: Annotated[int, Field(ge=0)] = 0
    digests: dict[str, tuple[str | None, Seconds]] = {}
    met: dict[str, Seconds] = {}
    made: dict[str, Seconds | None] = {}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    schema_: Literal["sitewright.updates-memory/1"] = Field(alias="schema")
    repositories: dict[str, _Kept]


class Memory:
    """Repositories by the address that they were asked at."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Remembered] = OrderedDict()
        self.changed = False
        """Whether there is something that is not on disk."""

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: str) -> Remembered | None:
        """What is remembered of a repository."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: str, found: Remembered) -> None:
        """Remember a repository, and forget others where there would be too many."""
        self._kept[key] = found
        self._kept.move_to_end(key)
        self.changed = True
        total = sum(len(one.tags) for one in self._kept.values())
        while len(self._kept) > 1 and (len(self._kept) > REPOSITORIES or total > TAGS):
            _, gone = self._kept.popitem(last=False)
            total -= len(gone.tags)

    def text(self) -> str:
        """All of it as JSON."""
        repositories = {
            key: {
                "asked": one.asked,
                "tags": " ".join(one.tags),
                "etag": one.etag,
                "refused": one.refused,
                "digests": one.digests,
                "met": one.met,
                "made": one.made,
            }
            for key, one in self._kept.items()
        }
        return json.dumps({"schema": "sitewright.updates-memory/1", "repositories": repositories})


def memory_file() -> Path:
    """Where it is kept: it can be had again, so it lies with what may be thrown away."""
    return cache_folder() / "updates.json"


def _note_of(path: Path) -> Path:
    """Where the digest of what was written lies: a note with a witness, apart from the cache."""
    place = hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return state_folder() / "updates" / f"memory-{place}.sha256"


def _as_written(raw: bytes, path: Path) -> bool:
    """Whether a memory is the one that was last written; not, where nothing tells."""
    try:
        noted = read_note(_note_of(path))
    except (OSError, ValueError):
        return False
    return not noted.exchanged and (noted.text or "").strip() == hashlib.sha256(raw).hexdigest()


def read_memory(path: Path) -> Memory:
    """What was kept; empty where there is none, or none that can be read (told in the log).

    One that somebody else wrote, or put back to an earlier one, is none.
    """
    memory = Memory()
    try:
        raw = bounded_files.read_bytes(path, FILE_BYTES)
        if not _as_written(raw, path):
            log.warning(
                "what registries said before is not as it was written in %s, and is asked again",
                path,
            )
            return memory
        found = parse_model(_File, raw, where=str(path), limit=FILE_BYTES, problem=SourceProblem)
    except FileNotFoundError:
        return memory
    except (OSError, Problem) as error:
        log.warning("what registries said before cannot be read and is asked again: %s", error)
        return memory
    for key, kept in found.repositories.items():
        memory.keep(key, _remembered(kept))
    memory.changed = False
    return memory


def _remembered(kept: _Kept) -> Remembered:
    tags = tuple(tag for tag in kept.tags.split(" ") if is_tag(tag))
    return Remembered(
        asked=kept.asked,
        tags=tags,
        etag=kept.etag,
        refused=kept.refused,
        digests=_digests(kept.digests),
        met={digest: since for digest, since in kept.met.items() if is_digest(digest)},
        made={digest: at for digest, at in kept.made.items() if is_digest(digest)},
    )


def _digests(kept: Mapping[str, tuple[str | None, float]]) -> dict[str, tuple[str | None, float]]:
    return {
        tag: (digest, asked)
        for tag, (digest, asked) in kept.items()
        if is_tag(tag) and (digest is None or is_digest(digest))
    }


def write_memory(memory: Memory, path: Path) -> None:
    """Keep it on disk, private to the user; a disk that refuses is told in the log."""
    text = memory.text()
    memory.changed = False
    try:
        write_note(_note_of(path), hashlib.sha256(text.encode()).hexdigest() + "\n")
        write_private(path, text)
    except OSError as error:
        log.warning("what registries said is not kept in %s: %s", path, error)
