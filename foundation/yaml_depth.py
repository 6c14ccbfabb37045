"""How deep a YAML text may go, and how much it may stand for.

libyaml's reader ends the whole process where one goes too deep.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
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


MOST_NODES: Final = 200_000
"""What a document may stand for with every alias written out."""


class TooMany(yaml.YAMLError):
    """It holds more values than a file of answers does; the text is the sentence."""


def check_size(top: yaml.Node) -> None:
    """Refuse aliases of aliases, which a few lines make into more than any memory holds."""
    sizes: dict[int, int] = {}
    """Of the lists and mappings alone: most of a file is plain values, and each of them is one."""
    written = 1
    waiting: list[tuple[yaml.Node, Sequence[yaml.Node] | None, int]] = [(top, None, 0)]
    while waiting:
        node, held, plain = waiting.pop()
        if held is None:
            if id(node) in sizes:
                continue
            children: list[yaml.Node] = []
            if isinstance(node, yaml.MappingNode):
                children = [one for pair in node.value for one in pair]
            elif isinstance(node, yaml.SequenceNode):
                children = node.value
            held = [one for one in children if not isinstance(one, yaml.ScalarNode)]
            written += len(children)
            sizes[id(node)] = -1
            waiting.append((node, held, len(children) - len(held)))
            waiting.extend((one, None, 0) for one in held)
            continue
        # One that holds itself is not finished yet, and is refused when it is made.
        sizes[id(node)] = 1 + plain + sum(max(sizes.get(id(one), 0), 0) for one in held)
        if sizes[id(node)] > MOST_NODES:
            if written > MOST_NODES:
                # So many stand in it as it is written, whatever its aliases add.
                raise TooMany(f"it holds more than {MOST_NODES} values")
            raise yaml.constructor.ConstructorError(
                None, None, "its aliases stand for more than a file can mean", node.start_mark
            )
