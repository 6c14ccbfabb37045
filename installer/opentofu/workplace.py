"""Workplace: where OpenTofu works for one environment, and all that it finds there.

The program gets a root of its own: a configuration of its command that we write, a data folder, a
home. Of our environment it has the few variables of its row in `foundation.isolation`, and secrets
by the names that the environment's file gives them; nobody's ~/.tofurc, TF_LOG or TF_CLI_ARGS
counts. Providers come out of a folder, and of no server unless that is written down.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from foundation.isolation import ISOLATED, child_environment
from foundation.paths import make_private, write_private
from foundation.secrets import Secret

PLAN: Final = "saved.plan"
LOOK: Final = "look"
"""Beside which lies what the last look for drift came to; its plan is not kept."""

OTHER_BYTES: Final = 76
"""Exit status where the saved plan is not the one that was reviewed; the program has no such."""

_START: Final = """\
import hashlib, json, os, sys
order = json.load(sys.stdin)
if order["pinned"]:
    with open(order["words"][-1], "rb") as plan:
        if hashlib.file_digest(plan, "sha256").hexdigest() != order["pinned"]:
            sys.exit(OTHER_BYTES)
os.umask(0o077)
os.chdir(order["directory"])
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
if order["output"]:
    kind = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    os.dup2(os.open(order["output"], kind, 0o600), 1)
os.execve(order["words"][0], order["words"], order["environment"])
"""
"""Becomes the program that standard input tells of. Secrets are in its environment alone, where
only its user and root can read them; what it writes belongs to its user alone, states above all."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where the program works: the folder of a configuration, and a private root."""

    program: str
    """Its whole path."""
    configuration: Path
    root: Path
    """Private: data, saved plan, backups of the state."""
    providers: str = ""
    """The folder of a filesystem mirror; "" for none."""
    fetches: bool = False
    """Whether providers and modules may be fetched from servers."""

    @property
    def saved(self) -> Path:
        """The plan that was saved, to be applied; it holds secrets."""
        return self.root / PLAN

    @property
    def look(self) -> Path:
        """Beside which lies what the last look for drift came to."""
        return self.root / LOOK

    @property
    def backups(self) -> Path:
        """States as they were before each apply; they hold secrets."""
        return self.root / "backups"

    def prepare(self) -> None:
        """Make the root and the configuration of the command; raises OSError."""
        for folder in (self.root, self.root / "home", self.root / "no-providers", self.backups):
            make_private(folder)
        write_private(self.root / "cli.tfrc", self.cli_configuration())

    def cli_configuration(self) -> str:
        """The configuration of the command (opentofu.org/docs/cli/config/config-file)."""
        folder = self.providers or str(self.root / "no-providers")
        method = "direct {}" if self.fetches and not self.providers else (
            f"filesystem_mirror {{\n    path = {quoted(folder)}\n  }}"
        )  # fmt: skip
        return f"disable_checkpoint = true\nprovider_installation {{\n  {method}\n}}\n"

    def environment(self, secrets: Mapping[str, Secret]) -> dict[str, str]:
        """All that the program finds; `secrets` by the names that it knows them by."""
        return child_environment("tofu", self.given(secrets))

    def given(self, secrets: Mapping[str, Secret]) -> dict[str, str]:
        """What it is given beside its row of the table of children."""
        own = {
            "HOME": str(self.root / "home"),
            "TF_CLI_CONFIG_FILE": str(self.root / "cli.tfrc"),
            "TF_DATA_DIR": str(self.root / "data"),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "CHECKPOINT_DISABLE": "1",
        }
        if not self.fetches:
            # A module by Git would be fetched by whatever Git finds; see `modules_from_outside`.
            own["GIT_ALLOW_PROTOCOL"] = "none"
        return {**own, **{name: secret.reveal() for name, secret in secrets.items()}}

    def order(
        self,
        words: tuple[str, ...],
        secrets: Mapping[str, Secret],
        *,
        output: Path | None = None,
        pinned: str = "",
    ) -> bytes:
        """What `starter` reads: it becomes the program, with these words.

        `pinned` is the SHA-256 of the file that the last word names, without which it is not begun.
        """
        return json.dumps(
            {
                "words": [self.program, *words],
                "directory": str(self.configuration),
                "environment": self.environment(secrets),
                "output": str(output) if output else "",
                "pinned": pinned,
            }
        ).encode()


def starter() -> tuple[str, ...]:
    """The command that becomes the program of an order on its standard input."""
    return (sys.executable, ISOLATED, "-c", _START.replace("OTHER_BYTES", str(OTHER_BYTES)))


def quoted(text: str) -> str:
    """A text as HCL writes it: no template in it is one."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")
