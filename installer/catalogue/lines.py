"""Lines: the ways in which one system was made one after another, `lines.yaml` of its folder.

Of each: how it fares, which tools it wants where it is run from, and the layers that stand on one
another, from the bottom up.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from installer.catalogue.stages import StrictData

FILE: Final = "lines.yaml"


class ToolGate(StrictData):
    """A program that a line wants on the computer from which it is run."""

    name: str
    title: str = ""
    alternatives: tuple[str, ...] = Field(default=(), alias="or")
    """Programs that do in its place, at whatever version."""
    at_least: str = ""
    asks: tuple[str, ...]
    """By which words it tells its version."""
    must_say: str = ""
    """What stands in that of the right one of two programs of one name."""
    remedy: str = ""


class Layer(StrictData):
    """What stands on the layer before it, and how one asks whether it does."""

    id: str
    title: str
    looks: Literal["ports", "nodes", "objects"]
    port: int = 0
    path: str = ""
    health: Literal["", "flux", "argo-cd"] = ""
    remedy: str


class Line(StrictData):
    """One line: how it fares, its tools, its layers from the bottom up."""

    id: str
    title: str
    state: str
    state_source: str
    environments: tuple[str, ...]
    tools: tuple[ToolGate, ...]
    tools_source: str
    layers: tuple[Layer, ...]
    layers_source: str


class LinesFile(StrictData):
    """`lines.yaml`."""

    lines: tuple[Line, ...]
