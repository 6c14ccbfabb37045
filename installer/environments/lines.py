"""The lines of Infrastructure as Code, and what their tools are on this computer."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from foundation.documents import load_yaml
from foundation.isolation import child_environment
from foundation.problems import InputProblem
from foundation.secrets import cut
from foundation.terminal import clean_line
from foundation.wording import listed
from installer.catalogue.lines import FILE, Line, LinesFile, ToolGate
from installer.catalogue.solution import load_solution

_SECONDS: Final = 30
_LONGEST: Final = 200
_VERSION: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class ToolTold:
    """What one tool is here."""

    name: str
    good: bool | None
    """None where it does not tell its version."""
    said: str
    remedy: str = ""


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, to be compared; none where there are none."""
    found = _VERSION.search(version)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def line_of(name: str, *, where: str) -> Line:
    """A line by its id; raises InputProblem."""
    lines = load_yaml(LinesFile, load_solution("iac").folder / FILE).lines
    for one in lines:
        if one.id == name:
            return one
    raise InputProblem(
        f'there is no line "{name}"',
        where=where,
        remedy=f"Write one of {listed(one.id for one in lines)} as `line`.",
    )


def tools_here(line: Line) -> tuple[ToolTold, ...]:
    """What each tool of a line is on this computer, in the line's order."""
    return tuple(_told(gate) for gate in line.tools)


def _told(gate: ToolGate) -> ToolTold:
    title = gate.title or gate.name
    wants = f" {gate.at_least} or newer" if gate.at_least else ""
    path = shutil.which(gate.name)
    if path is None:
        other = next((one for one in gate.alternatives if shutil.which(one)), None)
        if other is not None:
            return ToolTold(title, True, f"{other} is here, which does in its place")
        return ToolTold(
            title, False, "it is not on this computer",
            gate.remedy or f"Install {title}{wants}.",
        )  # fmt: skip
    text = _asked(path, gate.asks)
    if text is None:
        return ToolTold(title, None, f"{path} does not tell its version", f"See what {path} is.")
    if gate.must_say and gate.must_say not in text:
        return ToolTold(title, False, f"{path} is another program of that name", gate.remedy)
    found = _VERSION.search(text)
    if found is None:
        good = None if gate.at_least else True
        return ToolTold(title, good, f"{path} says {cut(text, _LONGEST)}",
                        f"See what {path} is." if good is None else "")  # fmt: skip
    if gate.at_least and numbers(found[0]) < numbers(gate.at_least):
        return ToolTold(
            title, False, f"{found[0]} is here, and{wants} is wanted",
            gate.remedy or f"Bring {title}{wants}.",
        )  # fmt: skip
    return ToolTold(title, True, found[0])


def _asked(path: str, words: Sequence[str]) -> str | None:
    """What a program says of its version on both streams; None where it says nothing or never."""
    with tempfile.TemporaryDirectory(prefix="sitewright-") as home:
        try:
            done = subprocess.run(
                [path, *words],
                env=child_environment("tofu", {"HOME": home, "TF_CLI_CONFIG_FILE": "/dev/null"}),
                cwd=home, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS,
                check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
    text = (done.stdout + done.stderr)[:65536].decode("utf-8", "replace")
    return " ".join(map(clean_line, text.splitlines())) if done.returncode == 0 and text else None
