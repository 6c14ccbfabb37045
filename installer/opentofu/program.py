"""OpenTofu, or Terraform where a site has that: which is here, and what it is asked at once.

What it is asked here changes nothing, and its answers hold secrets: they go to whoever asked, and
nowhere else. What changes anything is a durable step of a run (`installer.steps.opentofu`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.isolation import child_environment
from foundation.problems import InputProblem, Problem, Refused
from foundation.secrets import Secret, cut
from foundation.terminal import clean_line
from installer.opentofu.states import Head, read_head
from installer.opentofu.told import Held, Meant, for_this, meaning, understand
from installer.opentofu.workplace import Workplace

USUAL: Final = ("tofu", "terraform")
_SECONDS: Final = 120
LARGEST: Final = 256 << 20
"""Bytes of an answer: states of large environments have some tens of megabytes."""
_MOST_SAID: Final = 600
"""Characters of an error that are told."""
_TITLES: Final = {"tofu": "OpenTofu", "terraform": "Terraform"}


class StateProblem(Refused):
    """A state that cannot be worked with now: held, newer, of another environment."""

    code = "infrastructure-state"
    title = "The state cannot be worked with now"


class NotTold(Problem):
    """The program did not tell what it was asked."""

    code = "infrastructure-untold"
    title = "The program did not tell"
    exit_code = InputProblem.exit_code


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that is here."""

    path: str
    title: str
    """OpenTofu or Terraform."""
    version: str


def find(named: str = "") -> Tool:
    """The program that is named, by its name or path, or the first of the usual; InputProblem."""
    for word in (named,) if named else USUAL:
        path = shutil.which(word)
        if path is not None:
            whole = str(Path(path).absolute())
            return Tool(whole, *_version(whole))
    raise InputProblem(
        f"there is no {named or 'tofu and no terraform'} on this computer",
        where="centre.yaml: program" if named else "PATH",
        remedy="Install OpenTofu (opentofu.org/docs/intro/install), or name the program in "
        "centre.yaml: program: /usr/local/bin/tofu",
    )


def _version(path: str) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="sitewright-") as home:
        own = {"HOME": home, "TF_DATA_DIR": home, "CHECKPOINT_DISABLE": "1"}
        own["TF_CLI_CONFIG_FILE"] = "/dev/null"
        try:
            done = subprocess.run(
                [path, "version", "-json"],
                env=child_environment("tofu", own),
                cwd=home, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS,
                check=False,
            )  # fmt: skip
            version = str(json.loads(done.stdout)["terraform_version"])
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            RecursionError,
            subprocess.TimeoutExpired,
        ) as error:
            raise InputProblem(
                "it does not tell its version as OpenTofu and Terraform do",
                where=path,
                remedy=f"See what it is: {path} version",
            ) from error
    return _TITLES.get(Path(path).name, Path(path).name), clean_line(version)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks the program of one environment what changes nothing."""

    place: Workplace
    secrets: Mapping[str, Secret]
    where: str
    """The environment, in problems."""
    words: str
    """By which a command names it."""

    def head(self) -> Head:
        """The head of the state as it is now; raises StateProblem, NotTold."""
        return read_head(self._asked("state", "pull"), where=self.where)

    def shown(self, plan: Path) -> str:
        """A saved plan as JSON; a secret."""
        return self._asked("show", "-json", str(plan))

    def outputs(self) -> str:
        """The outputs as JSON; a secret."""
        return self._asked("output", "-json")

    def held(self) -> None:
        """Raise StateProblem where somebody holds the state now, or the program cannot read it."""
        meant = self._lock()
        if meant is not None:
            remedy = for_this(meant.remedy, self.words)
            raise StateProblem(meant.cause, where=self.where, remedy=remedy)

    def holder(self) -> Held | None:
        """Who holds the state now; None for nobody. Raises StateProblem."""
        meant = self._lock()
        if meant is None or meant.held is not None:
            return meant.held if meant is not None else None
        raise StateProblem(meant.cause, where=self.where, remedy=for_this(meant.remedy, self.words))

    def _lock(self) -> Meant | None:
        """What stands against taking the lock, which is taken as by a plan, and given back."""
        done = self._run("plan", "-json", "-input=false", "-refresh=false", "-lock-timeout=0s")
        said = [one for line in done[1].splitlines() if (one := understand(line)) is not None]
        errors = [one for one in said if one.error]
        meant = meaning(errors) if errors else Meant("")
        if done[0] and (meant.held or any("state lock" in one.summary for one in errors)):
            return meant
        return None

    def _asked(self, *words: str) -> str:
        status, out, err = self._run(*words)
        if status == 0:
            return out
        lines = [clean_line(line).strip("│╷╵ ") for line in err.splitlines()]
        said = "; ".join(line for line in lines if line)
        cause = cut(said, _MOST_SAID) if said else f"it ended with {status}"
        if "which is not supported by" in cause:
            raise StateProblem(
                f"the state was written by a newer program than this one ({cause})",
                where=self.where,
                remedy="Use the program that wrote it, or a newer one. Nothing was lost: leave the "
                "state as it is.",
            )
        raise NotTold(
            f"{' '.join(words[:2])}: {cause}",
            where=self.where,
            remedy="Mend what it names. Where it was never made ready here: "
            f"sitewright environments init {self.words}",
        )

    def _run(self, *words: str) -> tuple[int, str, str]:
        with tempfile.TemporaryFile(prefix="sitewright-") as out:
            try:
                done = subprocess.run(
                    [self.place.program, *words],
                    env=child_environment("tofu", self.place.given(self.secrets)),
                    cwd=self.place.configuration, stdin=subprocess.DEVNULL, stdout=out,
                    stderr=subprocess.PIPE, umask=0o077, timeout=_SECONDS, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired as error:
                raise NotTold(
                    f"{words[0]} did not end within {_SECONDS} s",
                    where=self.where,
                    remedy="See whether the place of the state answers.",
                ) from error
            if out.seek(0, 2) > LARGEST:
                raise NotTold(f"{words[0]} says more than {LARGEST >> 20} MiB", where=self.where)
            out.seek(0)
            said = out.read(LARGEST).decode("utf-8", "replace")
        return done.returncode, said, done.stderr.decode("utf-8", "replace")
