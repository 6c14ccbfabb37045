"""How deep a YAML text may go: libyaml's reader ends the whole process where one goes too deep."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

DEEPEST: Final = 200
"""Lists and mappings in one another; what people and programs write has some twenty."""
_SAFE: Any = yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader
_DEEP_BLOCK: Final = re.compile(rf"^[ \t?:-]{{{DEEPEST}}}", re.M)


class TooDeep(yaml.YAMLError):
    """The text has more lists and mappings in one another than anybody writes."""


class Shallow:
    """Put before a loader of yaml: what is too deep is refused before anything is made of it."""

    def __init__(self, stream: Any) -> None:
        check_depth(stream)
        super().__init__(stream)  # type: ignore[call-arg]  # the loader that comes after it


class ShallowLoader(Shallow, _SAFE):  # type: ignore[misc]  # it is chosen by whether libyaml was built in
    """The safe loader, by libyaml where that is there."""


def check_depth(text: Any) -> None:
    """Raise TooDeep, or yaml's own error for what is no YAML before it is."""
    if not isinstance(text, str):
        text = bytes(text).decode("utf-8", "replace")
    # To go deep a text needs as many brackets, or a line that begins as far in.
    if text.count("[") + text.count("{") < DEEPEST and _DEEP_BLOCK.search(text) is None:
        return
    depth = 0
    for event in yaml.parse(text, Loader=_SAFE):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise TooDeep(f"it goes more than {DEEPEST} lists or mappings deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
