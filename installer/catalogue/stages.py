"""Steps as a solution's data files state them: what all kinds share, and what settings are.

What a kind of step says besides stands in its own file; see `StepData`.

A value in double braces is a setting of the site or a fact of the run (`{{ domain }}`); rendering
is strict, so a name that nobody knows is an error before anything starts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from bundles.format.layout import Item
    from installer.catalogue.rendering import Renderer
    from installer.events import Json


class StrictData(BaseModel):
    """What stands in a data file: no other keys than these."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Retry(StrictData):
    """When trying again is safe."""

    times: int = Field(default=0, ge=0, le=10)
    first_wait_seconds: float = 5.0
    """Doubled at each try, at most two minutes."""
    on: tuple[str, ...] = ()
    """Texts of which one must stand in the output for a retry; empty means any failure."""


class Probe(StrictData):
    """A command whose exit status answers a question: 0 yes, 1 no, anything else cannot tell."""

    command: tuple[str, ...] = ()
    script: str = ""
    """A POSIX shell script, sent over standard input; exactly one of command and script."""
    timeout_seconds: float = 60.0
    expect: str = ""
    """A text that must stand in the output as well."""


class Planning(Protocol):
    """What a step is planned with."""

    @property
    def renderer(self) -> Renderer:
        """Fills templates in."""

    @property
    def bundle(self) -> Sequence[Item] | None:
        """The items of the site's bundle; None where it has none."""

    @property
    def bundle_path(self) -> str:
        """Where it lies, to be named; "" where there is none."""

    @property
    def playbooks(self) -> Path | None:
        """The customer's own folder of playbooks, which goes before the solution's."""

    @property
    def solution_playbooks(self) -> Path:
        """The solution's own."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What a step's data come to in a plan."""

    data: dict[str, Json]
    """All of them, rendered, and what the kind itself fills in."""
    files: tuple[tuple[str, str], ...] = ()
    """The rendered files that it brings, by the name they have or will have."""
    playbooks: tuple[str, ...] = ()
    """The playbooks that it runs, as the plan names them."""


class ForEach(StrictData):
    """For what a step is done one after another; its templates know each as `each`.

    The names stand in a list of the solution, or in a setting of the site.
    """

    what: str
    """What one of them is called, for a person: application, chart."""
    file: str = ""
    """A YAML file of the solution's folder that holds the list; see `installer.catalogue.lists`."""
    file_of: str = ""
    """A setting whose value is the name of the file, NAME.yaml; `file` is the folder then."""
    key: str = ""
    """The list's name in that file."""
    setting: str = ""
    """Instead of a list: a setting whose words, parted by commas, are the names."""
    without: str = ""
    """A setting with names, parted by commas, that this site does without."""
    backwards: bool = False
    """Whether the last of them comes first, as when they are taken back."""
    whole_with: str = ""
    """A playbook that does it for all at once where a customer brings it: then the step stays one,
    and the name of `each` is ""."""
    alone_only: bool = False
    """Whether there is no such step where a customer's playbook does it for all at once."""

    @model_validator(mode="after")
    def _one_source(self) -> ForEach:
        if bool(self.file) is bool(self.setting) or bool(self.file) is not bool(self.key):
            raise ValueError("for_each takes its names from a file and a key in it, or a setting")
        return self


class StepData(StrictData):
    """What every step says; a kind adds its own, and how that comes to stand in a plan."""

    if TYPE_CHECKING:
        kind: str  # each kind has its own word; it stands behind what all share

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    title: str
    """What it does, in one line that starts with a verb."""
    for_each: ForEach | None = None
    """Where it is done for several things, one after another: each is a step of its own, whose
    id is the thing's name."""
    on: tuple[str, ...] = ()
    """Roles; "control" is the control host, "first:<role>" the first machine of a role by name,
    "all" every machine. Of one machine of the site: "machine" is that one, "other:<role>" the first
    other of a role, or itself where there is no other. Empty: the control host."""
    when: str = ""
    """A setting that must be true (or, with "not " before it, false)."""
    of: tuple[str, ...] = ()
    """Where it is done for each machine: for those of these roles alone; "first" is the first."""
    behind: str = ""
    """The step of its stage that it stands right behind, and without which it does not stand in a
    plan: it may be one of those that `for_each` makes, by its name."""
    before: str = ""
    """The same, right before it."""
    done: Probe | None = None
    verify: Probe | None = None
    undo: Probe | None = None
    """How to take it back; its exit status 0 means undone."""
    undo_loses: str = ""
    """What goes for good when it is taken back; said in the plan, and before the undo begins."""
    irreversible: str = ""
    """Why it cannot be taken back, for the plan's review."""
    by_hand: str = ""
    """How a person takes it back, where no step of ours does; words, no sentence."""
    timeout_minutes: float = 30.0
    expected_minutes: float = 1.0
    retry: Retry = Retry()
    rolling: int = 0
    """How many machines at a time; 0 means all."""
    follow: tuple[str, ...] = ()
    """systemd units on those machines whose journals are followed meanwhile."""
    secrets: tuple[str, ...] = ()
    """Secrets it needs, by name; given over standard input or a private file in memory."""

    def is_due(self, planning: Planning) -> bool:
        """Whether it stands in a plan of this site at all."""
        return True

    def planned(
        self, planning: Planning, spec: Mapping[str, Json], hosts: tuple[str, ...], where: str
    ) -> Planned:
        """What it comes to on these machines; `spec` is rendered. Raises InputProblem."""
        return Planned(dict(spec))


class Demand(StrictData):
    """What a document demands of a setting that may stay empty, as a check that may be waived."""

    check: str = Field(pattern=r"^[a-z]+\.[a-z-]+$")
    """The id of the finding where it is empty."""
    environments: tuple[str, ...] = ()
    """Where nothing is begun with it empty; elsewhere it warns."""
    when: str = ""
    """The setting, whatever its place in the file, under which it is demanded."""
    source: str


class NamedDisks(StrictData):
    """Whole disks that a setting names by their serials."""

    roles: tuple[str, ...]
    """A machine must have one of these to give a disk."""
    wiped: str
    """The setting that names, in the same words, those of them whose left-overs are wiped."""
    group: str
    """The setting with the LVM volume group that is made of them."""
    source: str


class Setting(StrictData):
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
    demand: Demand | None = None
    """That a document demands a value, as `mind` says."""
    supplied: str = ""
    """A template of the value that it has with a bundle where the site gives none; it knows
    `supplies` and the settings that the site gives. What comes to nothing leaves the default."""
    role: str = ""
    """Of a yes-no: it can be "yes" only where a machine has this role."""
    disks: NamedDisks | None = None
    """Of a text: it names whole disks that are taken, MACHINE=SERIAL each; preflight looks whether
    they are there, empty, and each alone of its serial."""


class SettingsSection(StrictData):
    """A heading over some settings, so that a long form can be folded."""

    title: str
    first: str
    """The setting it begins with; it goes on to the next section."""


class Settings(StrictData):
    """`settings.yaml` of a solution."""

    settings: tuple[Setting, ...]
    sections: tuple[SettingsSection, ...] = ()
