"""Frames: the probe's output cut into named sections, whatever else stands around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

from preflight.facts import Unknown
from preflight.parse.text import decoded

Value = TypeVar("Value")

_CUT_OFF: Final = frozenset({"124", "137", "143"})
"""Exit statuses of a command that was ended because its time was up."""


@dataclass(frozen=True, slots=True)
class Section:
    """What stood in one frame."""

    text: str
    status: str
    """An exit status, or missing, needs-root, skipped; "cut" where the output ended inside."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The sections of one probe run by name."""

    sections: Mapping[str, Section]
    complete: bool = True
    """Whether the probe said that it was done."""
    _files: dict[str, dict[str, str]] = field(default_factory=dict, compare=False, repr=False)
    _read: dict[object, object] = field(default_factory=dict, compare=False, repr=False)
    """What was read of it already; see `once`."""

    def text(self, name: str) -> str:
        """The text of a section; empty where there is none."""
        section = self.sections.get(name)
        return section.text if section else ""

    def lines(self, name: str) -> list[str]:
        """The lines of a section, blank ones left out."""
        return [line for line in self.text(name).split("\n") if line]

    def succeeded(self, name: str) -> bool:
        """Whether a section is there, whole, and its command ended well."""
        section = self.sections.get(name)
        return section is not None and section.status == "0"

    def status(self, name: str) -> str:
        """The status of a section; empty where there is none."""
        section = self.sections.get(name)
        return section.status if section else ""

    def why_not(self, name: str, tool: str) -> Unknown:
        """Why a section tells nothing, as a reason for a person; `tool` names what was asked."""
        section = self.sections.get(name)
        if section is None:
            return Unknown(
                "the probe did not report it" if self.complete else "the probe was cut short"
            )
        status = section.status
        if status == "missing":
            return Unknown(f"there is no {tool} on the machine")
        if status == "needs-root":
            return Unknown("needs root")
        if status == "skipped":
            return Unknown(f"time was up before {tool} could be asked")
        if status == "cut":
            return Unknown("the probe was cut short")
        if status in _CUT_OFF:
            return Unknown(f"{tool} did not answer in 2 s")
        if status == "125":
            return Unknown(f"{tool} was not asked: there is no means to bound its time")
        if status == "0":
            return Unknown(f"{tool} told nothing that can be read")
        return Unknown(f"{tool} failed with exit status {status[:8]}")

    def once(self, read: Callable[[Answer], Value]) -> Value:
        """What a reader makes of this answer, made once: several areas ask for the same."""
        if read not in self._read:
            self._read[read] = read(self)
        return cast("Value", self._read[read])

    def files(self, name: str) -> Mapping[str, str]:
        """The files that a section shows as "path:line" lines, each path with its text."""
        if name not in self._files:
            found: dict[str, list[str]] = {}
            for line in self.text(name).split("\n"):
                path, colon, content = line.partition(":")
                if colon and path.startswith("/"):
                    lines = found.get(path)
                    if lines is None:
                        found[path] = [content]
                    else:
                        lines.append(content)
            self._files[name] = {path: "\n".join(lines) for path, lines in found.items()}
        return self._files[name]


def split_frames(output: bytes, nonce: str) -> Answer:
    """The sections between the frame lines that carry the nonce; all other lines are noise."""
    sections: dict[str, Section] = {}
    complete = False
    name: str | None = None
    marker = f"{nonce} "
    length = len(marker)
    text = decoded(output)
    start = position = 0
    if not text.startswith(marker):
        position = text.find("\n" + marker) + 1
        if position == 0:
            return Answer({}, complete=False)
    while True:
        end = text.find("\n", position)
        line = text[position + length : end if end >= 0 else len(text)]
        after = end + 1 if end >= 0 else len(text)
        word, _, rest = line.partition(" ")
        if word == "begin":
            if name is not None:
                sections.setdefault(name, Section(text[start:position], "cut"))
            name, start = rest[:100], after
        elif word == "end" and name is not None:
            ended, _, status = rest.rpartition(" ")
            if ended == name:
                sections[name] = Section(text[start:position], status[:20])
                name = None
        elif word == "done":
            complete = True
        # A section's first line may itself be the next frame line.
        if text.startswith(marker, after):
            position = after
            continue
        following = text.find("\n" + marker, max(after - 1, 0))
        if following < 0:
            break
        position = following + 1
    if name is not None:
        sections[name] = Section(text[start:], "cut")
    return Answer(sections, complete)
