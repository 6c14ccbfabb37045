"""What git is given of the maker's own settings: how the maker is let in, and the way out.

They are read by git itself and written anew, so that nothing else of them counts. What bears on
which server is asked, and how, and is not taken over is named: else a repository would come from
elsewhere than the maker's own git has it, and nobody would know why.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bundles.format.budgets import PROBE_SECONDS
from foundation.isolation import NOWHERE, environment

_TAKEN_OVER: Final = re.compile(
    r"credential(\..+)?\.[a-z]+"
    # Of http what a transfer needs; it starts no program.
    r"|http(\..+)?\.(?!sslverify$|savecookies$)[a-z0-9]+"
    r"|core\.askpass"
    r"|safe\.directory",
    re.DOTALL,
)
_LEFT: Final = re.compile(
    r"url\..+\.insteadof|core\.(sshcommand|gitproxy)|ssh\.variant|http(\..+)?\.sslverify", re.DOTALL
)
"""What would lead git elsewhere, have it start something, or have it believe everybody."""
_LEFT_VARIABLES: Final = (
    *("GIT_SSH", "GIT_SSH_COMMAND", "GIT_PROXY_COMMAND", "GIT_SSL_NO_VERIFY"),
    *("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_COUNT", "GIT_CONFIG_PARAMETERS"),
)
_NO_FILE: Final = "unable to read config file"

Setting = tuple[str, str | None]
"""A key, and its value; None where it stands alone, which git takes for true."""


@dataclass(frozen=True, slots=True)
class MakersSettings:
    """What is taken over, and in sentences what is not."""

    taken: tuple[Setting, ...]
    told: tuple[str, ...]


def makers_settings() -> MakersSettings:
    """What the maker's own configuration of git says of how it is let in."""
    taken: list[Setting] = []
    left: dict[str, None] = {}
    told: list[str] = []
    for scope in ("--system", "--global"):
        try:
            done = subprocess.run(
                ["git", "config", scope, "--includes", "--null", "--list"],
                capture_output=True,
                check=False,
                cwd=NOWHERE,
                env=environment({"LC_ALL": "C.UTF-8"}),
                timeout=PROBE_SECONDS,
            )
        except subprocess.TimeoutExpired:
            told.append("git does not say its own settings here, and they count for nothing")
            break
        except OSError:
            break  # without git, whoever needs it says so
        said = " ".join(done.stderr.decode("utf-8", "replace").split())
        if done.returncode and _NO_FILE not in said:
            told.append(f"git's own settings here cannot be read and count for nothing: {said}")
            continue
        # A path may have bytes that are no UTF-8; they are written as they were read.
        for line in done.stdout.decode("utf-8", "surrogateescape").split("\0"):
            key, parted, value = line.partition("\n")
            if _TAKEN_OVER.fullmatch(key):
                taken.append((key, value if parted else None))
            elif _LEFT.fullmatch(key):
                left[key] = None
    left |= dict.fromkeys(name for name in _LEFT_VARIABLES if name in os.environ)
    if left:
        told.append(f"settings of git here that count for nothing: {', '.join(left)}")
    return MakersSettings(tuple(taken), tuple(dict.fromkeys(told)))


def as_configuration(settings: Iterable[Setting]) -> bytes:
    """A file of git's with these settings, in their order."""
    return "".join(map(_as_config, settings)).encode("utf-8", "surrogateescape")


def _as_config(setting: Setting) -> str:
    key, value = setting
    section, _, rest = key.partition(".")
    between, _, name = rest.rpartition(".")
    head = f'{section} "{_quoted(between)}"' if between else section
    return (
        f"[{head}]\n\t{name}\n" if value is None else f'[{head}]\n\t{name} = "{_quoted(value)}"\n'
    )


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
