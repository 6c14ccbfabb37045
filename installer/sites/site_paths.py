"""Paths of a site file: which of its words are paths, made whole and written short again.

A path of a site file counts from the file's own folder, so that a site that goes to another folder
takes whole paths along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)

SITE_SUFFIXES: Final = (".yaml", ".yml")
"""The ends of names by which a file that is opened is taken for a site file."""


def against_site_name(path: Path) -> str:
    """Why a site file is not to be written under a name, as a sentence; empty where nothing is."""
    if path.suffix.lower() in SITE_SUFFIXES:
        return ""
    return "A site file ends in .yaml; under another name it is not read as one."


class _IsPath:
    """The mark of a field that holds a path, or several."""


PATH: Final = _IsPath()
"""`Annotated[str | None, PATH]`: every reader of a site then knows that it is a path."""


def each_path(model: Model, change: Callable[[str], str]) -> Model:
    """The model with every path in it, and in its parts, changed; what is no text stays."""
    changed: dict[str, object] = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        is_path = any(mark is PATH for mark in field.metadata)
        new = _changed(value, change, is_path=is_path)
        if new is not value:
            changed[name] = new
    return model.model_copy(update=changed) if changed else model


def _changed(value: object, change: Callable[[str], str], *, is_path: bool) -> object:
    if isinstance(value, BaseModel):
        return each_path(value, change)
    if isinstance(value, tuple) and value:
        new = tuple(_changed(part, change, is_path=is_path) for part in value)
        return value if all(a is b for a, b in zip(value, new, strict=True)) else new
    return change(value) if is_path and isinstance(value, str) else value


def whole_path(text: str, base: Path) -> Path:
    """A path of a site file whose folder is `base`."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # "~name" of a user who does not exist here
        path = Path(text)
    return path if path.is_absolute() else base / path


def resolved_paths(texts: Iterable[str], base: Path) -> tuple[Path, ...]:
    """Paths of a site file whose folder is `base`."""
    return tuple(whole_path(text, base) for text in texts)


def written_path(text: str, base: Path) -> str:
    """A whole path as a person would write it: beside the file, under home, or in full.

    A path that is not whole stays as it is.
    """
    path = Path(text)
    if not path.is_absolute():
        return text
    for root, prefix in ((base.absolute(), ""), (Path.home(), "~/")):
        try:
            short = prefix + str(path.relative_to(root))
        except ValueError:
            continue
        # A name that begins with a tilde or a space would be read as something else.
        if short == short.strip() and (prefix or not short.startswith("~")):
            return short
    return text
