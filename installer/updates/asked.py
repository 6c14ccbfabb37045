"""What a client of the watcher asks, read strictly: an image by its path, and the words behind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bundles.format.reference import Reference, is_digest, is_tag, parse_reference
from bundles.format.strict_json import parse_model
from foundation.problems import InputProblem
from installer.updates.lookup import Question
from installer.updates.strategies import DEFAULT, Strategy
from installer.updates.versions import Version, read_tag

BATCH: Final = 1_000
"""Images in one question."""
BATCH_BYTES: Final = 512 << 10
_WORDS: Final = ("strategy", "prereleases", "minimum-age", "digest")
_AGE: Final = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def question_of(path: str, query: Mapping[str, str], usual: Question) -> Question:
    """The question of `ORG/NAME/TAG?strategy=…`; `usual` has what is not said.

    Raises InputProblem.
    """
    unknown = sorted(set(query) - set(_WORDS))
    if unknown:
        raise InputProblem(
            f"{unknown[0][:100]!r} is no word of this question",
            remedy=f"There are {', '.join(_WORDS)}.",
        )
    image = image_of_path(path)
    digest = query.get("digest", image.digest)
    if digest is not None and not is_digest(digest):
        raise InputProblem(f"{digest[:100]!r} is no digest", remedy="Write sha256:… in full.")
    return Question(
        Reference(image.registry, image.repository, image.tag, digest),
        read_strategy(query["strategy"]) if "strategy" in query else usual.strategy,
        _yes_or_no(query["prereleases"]) if "prereleases" in query else usual.prereleases,
        read_age(query["minimum-age"]) if "minimum-age" in query else usual.minimum_age,
    )


def image_of_path(path: str) -> Reference:
    """`[REGISTRY/]ORG/NAME/TAG`, or with a colon before the tag; raises InputProblem."""
    rest, _, digest = path.partition("@")
    name, _, last = rest.rpartition("/")
    behind = f"@{digest}" if digest else ""
    if ":" in last:
        return parse_reference(rest + behind)
    if not name:
        raise InputProblem(
            f"{path[:200]!r} names no image with its tag",
            remedy="Ask for ORG/NAME/TAG, such as mojaloop/central-ledger/v11.0.0.",
        )
    if not is_tag(last):
        raise InputProblem(f"{last[:100]!r} is no tag", remedy="A tag such as v11.0.0.")
    return parse_reference(f"{name}:{last}{behind}")


def image_of_text(text: str) -> Reference:
    """An image as it is written: `org/name:tag`, or the page's old form `org/name/tag`."""
    rest = text.partition("@")[0]
    last = rest.rpartition("/")[2]
    if ":" not in last and rest.count("/") > 1 and isinstance(read_tag(last), Version):
        return image_of_path(text)
    return parse_reference(text)


def read_strategy(text: str) -> Strategy:
    """A strategy by its name, as it is written on any page; raises InputProblem."""
    try:
        return Strategy(text.lower())
    except ValueError as error:
        raise InputProblem(
            f"{text[:100]!r} is no strategy",
            remedy=f"There are {', '.join(Strategy)}; without one it is {DEFAULT}.",
        ) from error


def read_age(text: str) -> float:
    """An age such as 3d, 12h, 30m, in seconds; raises InputProblem."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise InputProblem(f"{text[:100]!r} is no age", remedy="Write it as 3d, 12h or 30m.")
    return float(int(found[1]) * _UNITS[found[2]])


def _yes_or_no(text: str) -> bool:
    if text not in ("true", "false"):
        raise InputProblem(f"prereleases is true or false, not {text[:100]!r}")
    return text == "true"


_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class _One(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    image: _Text
    strategy: _Text | None = None
    prereleases: bool | None = None
    digest: _Text | None = None
    minimum_age: _Text | None = Field(default=None, alias="minimum-age")


class _Batch(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    images: Annotated[list[_Text | _One], Field(min_length=1, max_length=BATCH)]
    strategy: _Text | None = None
    prereleases: bool | None = None
    minimum_age: _Text | None = Field(default=None, alias="minimum-age")


def batch_of(raw: bytes, usual: Question) -> list[tuple[str, Question | InputProblem]]:
    """The questions of a batch, each with its text; one that cannot be read is its problem.

    Raises InputProblem where it is no batch at all.
    """
    batch = parse_model(_Batch, raw, where="the batch", limit=BATCH_BYTES, problem=InputProblem)
    whole: dict[str, Any] = {
        "strategy": batch.strategy,
        "prereleases": batch.prereleases,
        "minimum_age": batch.minimum_age,
    }
    found: list[tuple[str, Question | InputProblem]] = []
    for entry in batch.images:
        one = _One(image=entry) if isinstance(entry, str) else entry
        said = {**whole, **{name: value for name, value in one if value is not None}}
        try:
            found.append((one.image, _question(said, usual)))
        except InputProblem as problem:
            found.append((one.image, problem))
    return found


def _question(said: Mapping[str, Any], usual: Question) -> Question:
    image = image_of_text(said["image"])
    digest = said.get("digest") or image.digest
    if digest is not None and not is_digest(digest):
        raise InputProblem(f"{digest[:100]!r} is no digest", remedy="Write sha256:… in full.")
    strategy, prereleases, age = (
        said.get(name) for name in ("strategy", "prereleases", "minimum_age")
    )
    return Question(
        Reference(image.registry, image.repository, image.tag, digest),
        usual.strategy if strategy is None else read_strategy(strategy),
        usual.prereleases if prereleases is None else prereleases,
        usual.minimum_age if age is None else read_age(age),
    )
