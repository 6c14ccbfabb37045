"""The state file of the wizard as a strict model: outside input, so nothing in it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from foundation.hosts.model import Host
from installer.sites.site import Site, SiteHost
from screens.answers.answers import SCHEMA, Answers
from screens.answers.wizard import StepId

Word = Annotated[str, Field(min_length=1, max_length=255)]
Words = Annotated[tuple[Word, ...], Field(max_length=1000)]
Text = Annotated[str, Field(min_length=1, max_length=4096)]
"""A path."""


class _State(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, ser_json_inf_nan="constants"
    )


class _Recorded(_State):
    """A machine of a file of facts."""

    name: Word
    address: Word
    port: int = Field(default=22, ge=1, le=65535)
    user: Word | None = None
    roles: Words = ()


class _SavedSite(Site):
    """A site on the way: what does not go together yet is told where it is used, and is kept."""

    hosts: tuple[SiteHost, ...] = Field(default=(), max_length=10000)

    @model_validator(mode="after")
    def _each_machine_once(self) -> Self:
        names = [host.name for host in self.hosts]
        if len(set(names)) != len(names):
            raise ValueError("two machines have one name")
        return self

    def as_it_is(self) -> Site:
        """The site that was saved."""
        return Site.model_construct(**{key: getattr(self, key) for key in Site.model_fields})


class _Wizard(_State):
    schema_: Literal["sitewright.wizard/2"] = Field(default="sitewright.wizard/2", alias="schema")
    step: StepId
    furthest: StepId
    carry: bool = False
    installable: bool = False
    sudo: bool = True
    facts_file: Text | None = None
    recorded: Annotated[tuple[_Recorded, ...], Field(max_length=10000)] = ()
    idle: Annotated[tuple[Word, ...], Field(max_length=10000)] = ()
    site: _SavedSite = _SavedSite()
    site_file: Text | None = None
    saved_at: datetime | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> _Wizard:
        names = [machine.name for machine in self.recorded]
        if len(set(names)) != len(names):
            raise ValueError("two machines have one name")
        if self.saved_at is not None and self.saved_at.tzinfo is None:
            raise ValueError("the time of saving has no time zone")
        return self


def to_json(answers: Answers) -> str:
    """The text of the state file."""
    state = _Wizard.model_construct(
        schema_=SCHEMA,
        step=StepId(answers.step),
        furthest=StepId(answers.furthest),
        carry=answers.carry,
        installable=answers.installable,
        sudo=answers.sudo,
        facts_file=str(answers.facts_file) if answers.facts_file else None,
        recorded=tuple(
            _Recorded.model_construct(
                name=host.name,
                address=host.address,
                port=host.port,
                user=host.user,
                roles=host.roles,
            )
            for host in answers.recorded
        ),
        idle=tuple(sorted(answers.idle)),
        site=_SavedSite.model_construct(**dict(answers.site.without_lost_control())),
        site_file=str(answers.site_file) if answers.site_file else None,
        saved_at=answers.saved_at,
    )
    return state.model_dump_json(indent=2, by_alias=True) + "\n"


def from_json(value: Mapping[str, object]) -> Answers | None:
    """The answers in a state file, or None where any part of it is not what we would write."""
    try:
        state = _Wizard.model_validate(value)
    except (ValidationError, RecursionError):
        return None
    return Answers(
        told=state.site.as_it_is(),
        step=state.step,
        furthest=state.furthest,
        carry=state.carry,
        installable=state.installable,
        sudo=state.sudo,
        facts_file=Path(state.facts_file) if state.facts_file else None,
        recorded=tuple(
            Host(
                name=machine.name,
                address=machine.address,
                port=machine.port,
                user=machine.user,
                roles=machine.roles,
            )
            for machine in state.recorded
        ),
        idle=frozenset(state.idle),
        site_file=Path(state.site_file) if state.site_file else None,
        saved_at=state.saved_at,
    )
