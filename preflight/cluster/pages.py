"""A page of a list, object by object: what is no longer needed of one is gone before the next.

A page of pods has some ten megabytes, and as objects of Python it would have ten times as many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from functools import cache
from typing import Any, Final, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from preflight.cluster.objects import ListMeta

Item = TypeVar("Item")

_DECODER: Final = json.JSONDecoder()
_BLANK: Final = re.compile(r"[ \t\n\r]*")


class NoList(Exception):
    """An answer that is no list as Kubernetes writes it; the text says where it is wrong."""


def read_page(body: bytes | bytearray, kind: type[Item], take: Callable[[Item], None]) -> ListMeta:
    """Give each object of a list to `take`, and return what the list says of itself.

    Raises NoList; objects before the fault were given already.
    """
    try:
        return _Page(body.decode("utf-8", "replace")).read(_reader(cast("Hashable", kind)), take)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NoList(f"{place}: {first['msg']}") from error
    except (ValueError, IndexError, RecursionError) as error:
        raise NoList(f"it is no JSON, or breaks off ({type(error).__name__})") from error


@cache
def _reader(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast("type[Any]", kind))


class _Page:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def read(self, reader: TypeAdapter[Any], take: Callable[[Any], None]) -> ListMeta:
        meta, seen = ListMeta(), False
        self._expect("{")
        while self._next() != "}":
            key = self._value()
            self._expect(":")
            if key == "items":
                seen = True
                self._items(reader, take)
            elif key == "metadata":
                meta = ListMeta.model_validate(self._value())
            else:
                self._value()
            if self._next() != "}":
                self._expect(",")
        self._at += 1
        if not seen or self._text[self._at :].strip(" \t\n\r"):
            raise ValueError("there are no items, or more behind them")
        return meta

    def _items(self, reader: TypeAdapter[Any], take: Callable[[Any], None]) -> None:
        if self._next() == "n":  # Go writes null for a list that is empty
            self._value()
            return
        self._expect("[")
        while self._next() != "]":
            take(reader.validate_python(self._value()))
            if self._next() != "]":
                self._expect(",")
        self._expect("]")

    def _next(self) -> str:
        """The next sign that is no blank; an IndexError where the text ends."""
        blank = _BLANK.match(self._text, self._at)
        if blank is not None:
            self._at = blank.end()
        return self._text[self._at]

    def _expect(self, sign: str) -> None:
        if self._next() != sign:
            raise ValueError(f"{sign} is wanted")
        self._at += 1

    def _value(self) -> Any:
        self._next()
        value, self._at = _DECODER.raw_decode(self._text, self._at)
        return value
