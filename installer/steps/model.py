"""Stages and steps as a solution's data files state them (`stages/NN-<id>.yaml`).

A value in double braces is a setting of the site or a fact of the run (`{{ domain }}`); rendering
is strict, so a name that nobody knows is an error before anything starts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Retry(_Data):
    """When trying again is safe."""

    times: int = Field(default=0, ge=0, le=10)
    first_wait_seconds: float = 5.0
    """Doubled at each try, at most two minutes."""
    on: tuple[str, ...] = ()
    """Texts of which one must stand in the output for a retry; empty means any failure."""


class Probe(_Data):
    """A command whose exit status answers a question: 0 yes, 1 no, anything else cannot tell."""

    command: tuple[str, ...] = ()
    script: str = ""
    """A POSIX shell script, sent over standard input; exactly one of command and script."""
    timeout_seconds: float = 60.0
    expect: str = ""
    """A text that must stand in the output as well."""


class _Step(_Data):
    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    """What it does, in one line that starts with a verb."""
    on: tuple[str, ...] = ()
    """Roles; "control" is the control host, "first:<role>" the first machine of a role by name,
    "all" every machine. Empty: the control host."""
    when: str = ""
    """A setting that must be true (or, with "not " before it, false)."""
    done: Probe | None = None
    verify: Probe | None = None
    undo: Probe | None = None
    """How to take it back; its exit status 0 means undone."""
    undo_loses: str = ""
    """What goes for good when it is taken back; said in the plan, and before the undo begins."""
    irreversible: str = ""
    """Why it cannot be taken back, for the plan's review."""
    timeout_minutes: float = 30.0
    expected_minutes: float = 1.0
    retry: Retry = Retry()
    rolling: int = 0
    """How many machines at a time; 0 means all."""
    follow: tuple[str, ...] = ()
    """systemd units on those machines whose journals are followed meanwhile."""
    secrets: tuple[str, ...] = ()
    """Secrets it needs, by name; given over standard input or a private file in memory."""


class ScriptStep(_Step):
    """A POSIX shell script on each machine, as a durable job."""

    kind: Literal["script"]
    script: str = ""
    file: str = ""
    """A file of the solution folder instead of `script`."""
    environment: dict[str, str] = Field(default_factory=dict)


class PlaybookStep(_Step):
    """An Ansible playbook, run on the control host against the machines."""

    kind: Literal["playbook"]
    playbook: str
    tags: tuple[str, ...] = ()
    variables: dict[str, str] = Field(default_factory=dict)
    check_mode: bool = False
    """Whether `--check` tells the truth for it, so that a dry run may use it."""


class FileStep(_Step):
    """A file or a rendered template on each machine, written whole or not at all."""

    kind: Literal["file"]
    template: str = ""
    content: str = ""
    path: str
    mode: str = "0644"
    owner: str = "root"
    group: str = "root"
    then: Probe | None = None
    """A command after a change only (reload a service)."""


class HelmStep(_Step):
    """A Helm release (`helm upgrade --install`)."""

    kind: Literal["helm"]
    release: str
    namespace: str
    chart: str
    version: str
    values: str = ""
    """A template of the values file."""
    program: tuple[str, ...] = ("helm",)


class KubectlStep(_Step):
    """Manifests applied with kubectl, server side."""

    kind: Literal["kubectl"]
    manifest: str
    """A template in the solution folder."""
    namespace: str = ""
    program: tuple[str, ...] = ("kubectl",)


class _OfProject(_Step):
    """What steps on a Docker Compose project share."""

    project: str = Field(pattern=r"^([a-z0-9][a-z0-9_-]*|.*\{\{.*)$")
    directory: str
    """Where its files lie on the machine; absolute."""
    files: tuple[str, ...] = ("docker-compose.yml",)
    profiles: tuple[str, ...] = ()
    """Each may name several, parted by commas, or none, as a template leaves it."""

    @property
    def chosen_profiles(self) -> tuple[str, ...]:
        """The profiles one by one, each once."""
        names = (name.strip() for text in self.profiles for name in text.split(","))
        return tuple(dict.fromkeys(name for name in names if name))


class ComposeStep(_OfProject):
    """A Docker Compose project brought up, until every service stands."""

    kind: Literal["compose"]
    services: tuple[str, ...] = ()
    """Only these and what they depend on; empty: all of the profiles."""
    ending: tuple[str, ...] = ()
    """Services that are meant to end, besides those whose end others wait for."""
    settle_seconds: float = Field(default=1.0, ge=0, le=600)
    """How long all must stand before they are believed."""
    unhealthy_seconds: float = Field(default=20.0, ge=0, le=3600)
    """How long a service may be unhealthy before it is given up."""
    remove_volumes: bool = False
    """Whether taking it back removes the data as well."""


class ComposeCheckStep(_OfProject):
    """What stands against bringing a Compose project up, told before anything is started."""

    kind: Literal["compose-check"]
    floating_tags: Literal["refuse", "tell"] = "tell"


class ImagesStep(_OfProject):
    """The images of a Compose project, on the machine."""

    kind: Literal["images"]
    registry: str = ""
    """host:port of a registry that has them instead of the one in their names."""


class ComposeRunStep(_OfProject):
    """One service of a Compose project run to its end, and judged by all that it leaves."""

    kind: Literal["compose-run"]
    service: str
    summary: str = ""
    """A regular expression with one group that is a number, in what it writes; it must be there."""
    at_least: float = 0.0
    """What that number must be."""
    reports: tuple[str, ...] = ()
    """Files below `directory` that it writes, copied into the run's folder."""


class ComposeDownStep(_OfProject):
    """A Compose project stopped, or removed with its containers and networks."""

    kind: Literal["compose-down"]
    how: Literal["stop", "remove", "remove-with-data"]


class ComposeStatusStep(_OfProject):
    """Where each service of a Compose project stands; it looks, and fails unless all is well."""

    kind: Literal["compose-status"]
    ending: tuple[str, ...] = ()


class WaitStep(_Step):
    """Wait until a question is answered with yes."""

    kind: Literal["wait"]
    until: Probe
    every_seconds: float = 5.0
    explain: Probe | None = None
    """Run when it does not become true: its output says why."""


class ChecklistItem(_Data):
    """A line of a checklist: a program checks it, or a person confirms it by name."""

    text: str
    check: Probe | None = None
    section: str = ""


class ChecklistStep(_Step):
    """A gate: every item is checked by a program or confirmed by a person."""

    kind: Literal["checklist"]
    items: tuple[ChecklistItem, ...]


class ConfirmStep(_Step):
    """A person must say yes, by name."""

    kind: Literal["confirm"]
    text: str


class DeliverStep(_Step):
    """Items of the bundle brought to each machine and put where it uses them.

    It is left out of a plan without a bundle.
    """

    kind: Literal["deliver"]
    items: Annotated[tuple[str, ...], Field(min_length=1)]
    """Selectors, `kind:glob`; see bundles.deliver.selection."""
    to: Literal["containers-docker", "containers-microk8s", "apt", "snap", "folder"]
    size: int = 0
    """Bytes of all its items together; the plan fills it in."""
    timeout_minutes: float = 240.0
    expected_minutes: float = 5.0


class PushStep(_Step):
    """Images and charts of the bundle pushed into a registry on the machine.

    A command as `done` has on its standard input what the registry must have, one a line: the
    repository, a blank, and a tag or a digest. It is asked where these very items were pushed.
    """

    kind: Literal["push"]
    items: Annotated[tuple[str, ...], Field(min_length=1)]
    """Selectors of images and charts, as `deliver` has them."""
    port: int = Field(ge=1, le=65535)
    """Of the machine's loopback, where a registry takes pushes between `begin` and `end`."""
    begin: Annotated[tuple[str, ...], Field(min_length=1)]
    end: Annotated[tuple[str, ...], Field(min_length=1)]
    keeper: Probe | None = None
    """Asked on each machine of the step: yes where it keeps the registry. On the others there is
    nothing to do. Which of them it is only the machines know."""
    timeout_minutes: float = 240.0
    expected_minutes: float = 5.0


Step = Annotated[
    ScriptStep
    | PlaybookStep
    | FileStep
    | HelmStep
    | KubectlStep
    | ComposeStep
    | ComposeCheckStep
    | ImagesStep
    | ComposeRunStep
    | ComposeDownStep
    | ComposeStatusStep
    | WaitStep
    | ChecklistStep
    | ConfirmStep
    | DeliverStep
    | PushStep,
    Field(discriminator="kind"),
]


class Stage(_Data):
    """A part of an installation that is worth a line on the rail."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    why: str
    """One sentence: why this stage exists."""
    source: str
    """The document and section."""
    needs: tuple[str, ...] = ()
    """Stages that must be done before."""
    when: str = ""
    recheck: tuple[str, ...] = ()
    """Preflight checks (ids, or areas with a star) that must still hold when it starts."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


class Setting(_Data):
    """A value that the site must or may give."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    help: str = ""
    type: Literal[
        "text", "number", "yes-no", "choice", "address", "network", "domain", "url", "secret"
    ]
    default: str | None = None
    """None where the person must give one; "" where it may stay empty."""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    when: str = ""
    example: str = ""
    mind: str = ""
    """What a person must know where it is left empty, a sentence; the plan says it loudly."""
    supplied: str = ""
    """A template of the value that it has with a bundle where the site gives none; it knows
    `supplies` and the settings that the site gives. What comes to nothing leaves the default."""
    role: str = ""
    """Of a yes-no: it can be "yes" only where a machine has this role."""


class SettingsSection(_Data):
    """A heading over some settings, so that a long form can be folded."""

    title: str
    first: str
    """The setting it begins with; it goes on to the next section."""


class Settings(_Data):
    """`settings.yaml` of a solution."""

    settings: tuple[Setting, ...]
    sections: tuple[SettingsSection, ...] = ()
