"""The state file of the wizard as a strict model: outside input, so nothing in it is believed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from foundation.hosts.model import Host
from preflight.findings import Waiver
from screens.answers import SCHEMA, Answers, Login
from screens.wizard import StepId

Word = Annotated[str, Field(min_length=1, max_length=255)]
Words = Annotated[tuple[Word, ...], Field(max_length=1000)]
Text = Annotated[str, Field(min_length=1, max_length=4096)]
"""A path, or the way through several bastions."""
Texts = Annotated[tuple[Text, ...], Field(max_length=1000)]


class _State(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, defer_build=True, ser_json_inf_nan="constants"
    )


class _Machine(_State):
    name: Word
    address: Word
    port: int = Field(default=22, ge=1, le=65535)
    user: Word | None = None
    roles: Words = ()
    identity_files: Texts = ()
    bastion: Text | None = None
    machine: Literal["vm", "physical"] | None = None
    variables: dict[Word, str | int | float | bool | None] = {}


class _Login(_State):
    user: Word | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    identity_files: Texts = ()
    bastion: Text | None = None
    known_hosts: Texts = ()
    sudo: bool = True


class _Wizard(_State):
    schema_: Literal["sitewright.wizard/1"] = Field(default="sitewright.wizard/1", alias="schema")
    step: StepId
    furthest: StepId
    carry: bool = False
    solution: Word | None = None
    environment: Word | None = None
    sizing: Word | None = None
    installable: bool = False
    machines: Annotated[tuple[_Machine, ...], Field(max_length=10000)] = ()
    login: _Login = _Login()
    facts_file: Text | None = None
    roles: dict[Word, Words] = {}
    waivers: Annotated[tuple[Waiver, ...], Field(max_length=10000)] = ()
    settings: dict[str, JsonValue] = {}
    supplies: dict[str, JsonValue] = {}
    way_out: dict[str, JsonValue] = {}
    playbooks: Text | None = None
    ssh_config: bool | Text | None = None
    control: Word | None = None
    site_file: Text | None = None
    saved_at: datetime | None = None

    @model_validator(mode="after")
    def _names_are_unique(self) -> _Wizard:
        names = [machine.name for machine in self.machines]
        if len(set(names)) != len(names):
            raise ValueError("two machines have one name")
        if self.saved_at is not None and self.saved_at.tzinfo is None:
            raise ValueError("the time of saving has no time zone")
        return self


def _paths(words: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(Path(word) for word in words)


def _words(paths: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(str(path) for path in paths)


def to_json(answers: Answers) -> str:
    """The text of the state file."""
    login, config = answers.login, answers.ssh_config
    state = _Wizard(
        schema=SCHEMA,
        step=StepId(answers.step),
        furthest=StepId(answers.furthest),
        carry=answers.carry,
        solution=answers.solution,
        environment=answers.environment,
        sizing=answers.sizing,
        installable=answers.installable,
        machines=tuple(
            _Machine(
                name=host.name,
                address=host.address,
                port=host.port,
                user=host.user,
                roles=host.roles,
                identity_files=_words(host.identity_files),
                bastion=host.bastion,
                machine=_kind(host.machine),
                variables=dict(host.variables),
            )
            for host in answers.machines
        ),
        login=_Login(
            user=login.user,
            port=login.port,
            identity_files=_words(login.identity_files),
            bastion=login.bastion,
            known_hosts=_words(login.known_hosts),
            sudo=login.sudo,
        ),
        facts_file=str(answers.facts_file) if answers.facts_file else None,
        roles=dict(answers.roles),
        waivers=answers.waivers,
        settings=_plain(answers.settings),
        supplies=_plain(answers.supplies),
        way_out=_plain(answers.way_out),
        playbooks=str(answers.playbooks) if answers.playbooks else None,
        ssh_config=str(config) if isinstance(config, Path) else config,
        control=answers.control,
        site_file=str(answers.site_file) if answers.site_file else None,
        saved_at=answers.saved_at,
    )
    return state.model_dump_json(indent=2, by_alias=True) + "\n"


def _kind(word: str | None) -> Literal["vm", "physical"] | None:
    return "vm" if word == "vm" else "physical" if word == "physical" else None


def _plain(values: Mapping[str, object]) -> dict[str, JsonValue]:
    return {key: _plain_value(value) for key, value in values.items()}


def _plain_value(value: object) -> JsonValue:
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain_value(part) for part in value]
    return str(value)


def from_json(value: Mapping[str, object]) -> Answers | None:
    """The answers in a state file, or None where any part of it is not what we would write."""
    try:
        state = _Wizard.model_validate(value)
    except (ValidationError, RecursionError):
        return None
    config = state.ssh_config
    return Answers(
        step=state.step,
        furthest=state.furthest,
        carry=state.carry,
        solution=state.solution,
        environment=state.environment,
        sizing=state.sizing,
        installable=state.installable,
        machines=tuple(
            Host(
                name=machine.name,
                address=machine.address,
                port=machine.port,
                user=machine.user,
                roles=machine.roles,
                identity_files=_paths(machine.identity_files),
                bastion=machine.bastion,
                machine=machine.machine,
                variables=tuple(machine.variables.items()),
            )
            for machine in state.machines
        ),
        login=Login(
            user=state.login.user,
            port=state.login.port,
            identity_files=_paths(state.login.identity_files),
            bastion=state.login.bastion,
            known_hosts=_paths(state.login.known_hosts),
            sudo=state.login.sudo,
        ),
        facts_file=Path(state.facts_file) if state.facts_file else None,
        roles=state.roles,
        waivers=state.waivers,
        settings=state.settings,
        supplies=state.supplies,
        way_out=state.way_out,
        playbooks=Path(state.playbooks) if state.playbooks else None,
        ssh_config=Path(config) if isinstance(config, str) else config,
        control=state.control,
        site_file=Path(state.site_file) if state.site_file else None,
        saved_at=state.saved_at,
    )
