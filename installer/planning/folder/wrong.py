"""Wrong: one thing that is wrong in a solution's folder, with its file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from foundation.documents import Mistakes, line_of, read_text
from foundation.problems import InputProblem

_LINE: Final = re.compile(r"line ([0-9]+): (.*)", re.DOTALL)
_STEP: Final = re.compile(
    r"(?:stage|operation) ([a-z0-9-]+)(?:, step ([a-z0-9-]+))?(?:(?:, | \()(.*))?"
)


@dataclass(frozen=True, slots=True, order=True)
class Wrong:
    """One thing that is wrong, and what mends it."""

    file: str
    """As it is called in the folder; "" where it is the folder itself."""
    line: int
    """0 where it is the file as a whole."""
    says: str
    remedy: str = ""

    @property
    def place(self) -> str:
        """Where it is, as compilers say it."""
        return f"{self.file or '.'}:{self.line}" if self.line else self.file or "."


@dataclass(frozen=True, slots=True)
class Folder:
    """A solution's folder and where in its files something stands."""

    path: Path

    def line(self, file: str, *location: str | int) -> int:
        """The line of a key, or of what is nearest above it; 0 where the file tells none."""
        return _line(self.path / file, location)

    def wrong(self, file: str, location: Sequence[str | int], says: str, remedy: str = "") -> Wrong:
        """What is wrong at a place of a file."""
        return Wrong(file, self.line(file, *location), says, remedy)

    def of_problem(self, problem: InputProblem, file: str = "") -> Iterator[Wrong]:
        """A problem as the wrongs that it tells; `file` is meant where it names none."""
        remedy = problem.remedy or ""
        if isinstance(problem, Mistakes):
            for line, says in problem.lines:
                yield Wrong(self._file_of(problem, file), line, says, remedy)
            return
        found = _LINE.fullmatch(problem.cause)
        line, says = (int(found[1]), found[2]) if found else (0, problem.cause)
        place = _STEP.fullmatch(problem.where or "")
        if place is None:
            yield Wrong(self._file_of(problem, file), line, says, remedy)
        else:
            yield self._of_step(place, says, remedy, file)

    def _of_step(self, place: re.Match[str], says: str, remedy: str, file: str) -> Wrong:
        stage, step, field = place.groups()
        names = [f"stages/{path.name}" for path in self.path.glob(f"stages/*-{stage}.yaml")]
        name = file or next(iter(names), "stages")
        top = "operation" if name.startswith("operations/") else "stage"
        number = self.step_number(name, top, step) if step else None
        location = (top,) if number is None else (top, "steps", number)
        if field and number is not None:
            location = (*location, field.partition(",")[0].split(" ")[0])
        return self.wrong(name, location, says, remedy)

    def step_number(self, file: str, top: str, step: str) -> int | None:
        """Which of the steps of a file has this name, or made one of this name."""
        from foundation.documents import parse_yaml

        steps = parse_yaml(read_text(self.path / file), where=file)[top]["steps"]
        return next((at for at, one in enumerate(steps) if one["id"] == step), None)

    def _file_of(self, problem: InputProblem, file: str) -> str:
        said = (problem.where or "").partition(", ")[0]
        if said and not said.startswith("/") and (self.path / said).is_file():
            return said
        if said.startswith(f"{self.path}/"):
            return said.removeprefix(f"{self.path}/")
        return file


@cache
def _text(path: Path, _changed: int) -> str:
    return read_text(path)


def _line(path: Path, location: Sequence[str | int]) -> int:
    try:
        return line_of(_text(path, path.stat().st_mtime_ns), location) or 0
    except (InputProblem, OSError):
        return 0
