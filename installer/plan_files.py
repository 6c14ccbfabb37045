"""Plan files: a plan that was written down, read again and checked as the outside input it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from foundation.documents import read_text, validate
from foundation.problems import InputProblem
from installer.plan import Plan, PlannedStage, PlannedStep


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class _Step(_Part):
    id: str
    kind: str
    title: str
    hosts: tuple[str, ...]
    spec: dict[str, JsonValue]
    files: tuple[tuple[str, str], ...]
    irreversible: str
    expected_seconds: int | float


class _Stage(_Part):
    id: str
    title: str
    why: str
    source: str
    needs: tuple[str, ...]
    recheck: tuple[str, ...]
    steps: tuple[_Step, ...]


class _Plan(_Part):
    schema_: str = Field(alias="schema")
    solution: str
    environment: str
    hosts: tuple[tuple[str, tuple[str, ...]], ...]
    settings: dict[str, str]
    secrets: tuple[str, ...]
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    variables: tuple[tuple[str, dict[str, str]], ...] = ()
    playbooks: str
    carries: tuple[tuple[Literal["solution", "site"], str, str], ...] = ()
    control: str = ""
    supplies: dict[str, str] = {}
    pages: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    stages: tuple[_Stage, ...]


def plan_from_json(path: Path) -> Plan:
    """A plan from its file, equal to the one that was written; raises InputProblem."""
    text = read_text(path)
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputProblem(
            f"it is not JSON: {error}", where=str(path), remedy="Check that this is a plan."
        ) from error
    if not isinstance(value, dict) or value.get("schema") != "sitewright.plan/1":
        raise InputProblem(
            "it is no plan that this version can read",
            where=str(path),
            remedy='A plan is a JSON file whose "schema" is "sitewright.plan/1".',
        )
    read = validate(_Plan, value, where=str(path))
    return Plan(
        solution=read.solution,
        environment=read.environment,
        stages=tuple(
            PlannedStage(
                id=stage.id,
                title=stage.title,
                why=stage.why,
                source=stage.source,
                needs=stage.needs,
                recheck=stage.recheck,
                steps=tuple(
                    PlannedStep(
                        stage=stage.id,
                        id=step.id,
                        kind=step.kind,
                        title=step.title,
                        hosts=step.hosts,
                        spec=dict(step.spec),
                        files=step.files,
                        irreversible=step.irreversible,
                        expected_seconds=step.expected_seconds,
                    )
                    for step in stage.steps
                ),
            )
            for stage in read.stages
        ),
        hosts=read.hosts,
        settings=tuple(read.settings.items()),
        secrets=read.secrets,
        groups=read.groups,
        variables=read.variables,
        playbooks=read.playbooks,
        carries=read.carries,
        control=read.control,
        supplies=tuple(read.supplies.items()),
        pages=read.pages,
        notes=read.notes,
        ways=read.ways,
    )
