"""A control centre: a folder with `centre.yaml`, and its environments in folders under it.

    centre.yaml
    environments/NAME/environment.yaml     what it is, its answers, the names of its secrets
    environments/NAME/*.tf                 its configuration
    environments/NAME/applied.json         which state it has, since the last apply

All of it may lie in Git. What holds secrets (states, saved plans, data of the program) does not lie
here but in a private folder of ours, unless the configuration itself keeps its state beside it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from foundation import bounded_files
from foundation.documents import load_yaml
from foundation.paths import data_folder, write_whole
from foundation.problems import InputProblem
from foundation.wording import listed
from installer.opentofu.program import Tool
from installer.opentofu.workplace import Workplace
from installer.sites.site import Site

CENTRE: Final = "centre.yaml"
ENVIRONMENT: Final = "environment.yaml"
APPLIED: Final = "applied.json"
_FOLDER: Final = "environments"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")
_LARGEST: Final = 64 << 10
_MOST: Final = 500

Line = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")]
Exported = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CentreFile(_Part):
    """`centre.yaml`: what all environments of a centre have in common."""

    line: Line
    """Which line of Infrastructure as Code: iac-modules or iac-lite."""
    program: str = ""
    """tofu, terraform, or a path; the first that is on this computer where it is left out."""
    providers: str = ""
    """The folder of a filesystem mirror of providers; relative to this file."""
    fetches: bool = False
    """That providers and modules may be fetched from servers as the program is made ready."""


class EnvironmentFile(_Part):
    """`environment.yaml`: what one environment is."""

    environment: Line
    """Which form of the solution `iac`: control-centre, hub, pm4ml, iac-lite-tps-1 …"""
    version: str = ""
    """The release of the line that it is made from, as its people name it."""
    answers: dict[Variable, JsonValue] = {}
    """Values of the configuration's variables; never a secret."""
    secrets: tuple[Variable, ...] = ()
    """Variables of the configuration that are secrets: asked for, and given by the environment."""
    environment_secrets: tuple[Exported, ...] = ()
    """Secrets that a provider or a backend reads from its environment: AWS_SECRET_ACCESS_KEY …"""

    @model_validator(mode="after")
    def _no_name_steers(self) -> EnvironmentFile:
        steers = [one for one in self.environment_secrets if _STEERS.fullmatch(one)]
        if steers:
            raise ValueError(f"{listed(steers)} would lead the program elsewhere")
        both = sorted(set(self.answers) & set(self.secrets))
        if both:
            raise ValueError(f"{listed(both)} is an answer and a secret")
        return self


_STEERS: Final = re.compile(r"TF_.*|HOME|PATH|LD_.*|GIT_.*|PYTHON.*|TMPDIR|CHECKPOINT_DISABLE")


class Applied(_Part):
    """`applied.json`: which state an environment has, since the last apply."""

    lineage: str
    serial: int
    resources: int
    at: str
    by: str
    program: str
    version: str
    of: str = ""
    """The release of the line that was applied."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment under a roof."""

    name: str
    folder: Path
    file: EnvironmentFile
    roof: Path
    centre: CentreFile

    @property
    def root(self) -> Path:
        """Its private folder here: data of the program, saved plan, backups of the state."""
        return data_folder() / "environments" / self._key

    @property
    def words(self) -> str:
        """By which a command names it."""
        where = "" if self.roof == Path() else f" --centre {quote(str(self.roof))}"
        return f"{self.name}{where}"

    @property
    def _key(self) -> str:
        return f"{self.name}-{hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:10]}"

    def place(self, tool: Tool) -> Workplace:
        """Where the program works for it."""
        mirror = (self.roof / self.centre.providers).resolve() if self.centre.providers else ""
        return Workplace(
            tool.path, self.folder.resolve(), self.root, str(mirror), self.centre.fetches
        )

    def site(self) -> Site:
        """What its runs are recorded under: a site without machines, known by its folder."""
        key = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:10]
        kind = self.file.environment
        return Site(solution="iac", environment=kind, record=f"iac-{kind}-{key}")

    def secret_names(self) -> tuple[str, ...]:
        """The secrets that a person gives, by their names here."""
        return (*self.file.secrets, *(name.lower() for name in self.file.environment_secrets))

    def applied(self) -> Applied | None:
        """Which state it has, by its folder; raises InputProblem where that cannot be read."""
        path = self.folder / APPLIED
        try:
            return Applied.model_validate_json(bounded_files.read_text(path, _LARGEST))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise InputProblem(
                "it does not say which state the environment has",
                where=str(path),
                remedy="Take it back out of Git: git checkout -- applied.json",
            ) from error

    def note_applied(self, applied: Applied) -> None:
        """Write which state it has; raises OSError."""
        text = applied.model_dump_json(indent=1) + "\n"
        write_whole(self.folder / APPLIED, text, mode=0o644)


def now() -> str:
    """This moment, UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def read_centre(roof: Path) -> CentreFile:
    """What all environments of a centre have in common; raises InputProblem."""
    if not (roof / CENTRE).exists():
        raise InputProblem(
            f"there is no {CENTRE} in this folder",
            where=str(roof),
            remedy="Name the folder of a control centre with --centre, or begin one: "
            "sitewright environments new NAME",
        )
    return load_yaml(CentreFile, roof / CENTRE)


def names(roof: Path) -> tuple[str, ...]:
    """The environments under a roof, by their folders."""
    folder = roof / _FOLDER
    if not folder.is_dir():
        return ()
    found = sorted(one.name for one in folder.iterdir() if (one / ENVIRONMENT).is_file())
    if len(found) > _MOST:
        raise InputProblem(f"it has more than {_MOST} environments", where=str(folder))
    return tuple(found)


def folder_of(roof: Path, name: str) -> Path:
    """Where an environment lies; raises InputProblem for what is no name of one."""
    if not _NAME.fullmatch(name):
        raise InputProblem(
            f'"{name}" is no name of an environment',
            where="the command line",
            remedy="Small letters, digits and dashes: hub-staging.",
        )
    return roof / _FOLDER / name


def read_environment(roof: Path, name: str) -> Environment:
    """One environment; raises InputProblem."""
    centre = read_centre(roof)
    folder = folder_of(roof, name)
    if not (folder / ENVIRONMENT).is_file():
        there = names(roof)
        raise InputProblem(
            f'the centre has no environment "{name}"',
            where=str(roof),
            remedy=f"It has {listed(there)}." if there else "It has none yet.",
        )
    return Environment(name, folder, load_yaml(EnvironmentFile, folder / ENVIRONMENT), roof, centre)
