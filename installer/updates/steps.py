"""Steps that an upgrade of an image may take, until when its line is mended, what makers say."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from bundles.format.reference import Reference, parse_reference
from foundation.problems import InputProblem
from installer.catalogue.releases import (
    End,
    Product,
    ReleaseLine,
    makers_words,
    products,
    stands,
    told,
)


def _parsed(image: str) -> Reference | None:
    try:
        return parse_reference(image)
    except InputProblem:
        return None


def _product_of(image: Reference) -> Product | None:
    name = image.repository.rpartition("/")[2]
    return next((one for one in products() if name in one.repositories), None)


def against_step(before: str, after: str) -> str:
    """Why a step from one image to another is none that may be taken; "" where nothing is known."""
    old, new = _parsed(before), _parsed(after)
    found = _product_of(old) if old is not None else None
    if old is None or new is None or found is None:
        return ""
    return found.against(old.tag or "", new.tag or "")


def migration_of(before: str, after: str) -> str:
    """The program that brings its data to another form by this step; "" where none is known to."""
    old, new = _parsed(before), _parsed(after)
    found = _product_of(old) if old is not None else None
    if old is None or new is None or found is None or found.steps != "next" or not found.data:
        return ""
    first, then = found.line_of(old.tag or ""), found.line_of(new.tag or "")
    if first is None or then is None or first == then:
        return ""
    return f"{found.title} {then.line}"


@dataclass(frozen=True, slots=True)
class Support:
    """The release line of an image, and how it stands on a day."""

    product: Product
    line: ReleaseLine
    end: End
    sentence: str
    """Until when it is mended, and who says so."""

    def as_dict(self) -> dict[str, str | None]:
        """The same as plain values."""
        last = self.line.last_day
        return {
            "product": self.product.id,
            "line": self.line.line,
            "ends": last.isoformat() if last is not None else None,
            "state": self.end.value,
            "source": self.product.ends_source,
        }


def support_of(image: str, today: datetime.date) -> Support | None:
    """The release line of an image on a day; None where nothing is known of it."""
    parsed = _parsed(image)
    found = _product_of(parsed) if parsed is not None else None
    line = found.line_of(parsed.tag or "") if parsed is not None and found is not None else None
    if found is None or line is None:
        return None
    sentence = f"{told(found, line, today).rstrip('.')} ({found.ends_source})"
    return Support(found, line, stands(line, today), sentence)


def said_of_release(image: str) -> str:
    """What the makers of an image say of single updates; "" where nothing is known."""
    parsed = _parsed(image)
    if parsed is None:
        return ""
    first = parsed.repository.partition("/")[0]
    found = next((one for one in makers_words() if first in one.repositories), None)
    return f"{found.says} ({found.source})" if found else ""
