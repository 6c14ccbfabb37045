"""Where Sitewright keeps its own files, by the XDG rules, private to the user."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_NAME: Final = "sitewright"


def _base(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    # The XDG rules: a relative path is invalid and is ignored.
    return Path(value) if value.startswith("/") else Path.home() / fallback


def data_folder() -> Path:
    """Runs and reports: $XDG_DATA_HOME/sitewright."""
    return _base("XDG_DATA_HOME", ".local/share") / _NAME


def state_folder() -> Path:
    """The wizard's place and the log: $XDG_STATE_HOME/sitewright."""
    return _base("XDG_STATE_HOME", ".local/state") / _NAME


def config_folder() -> Path:
    """The hosts that were trusted: $XDG_CONFIG_HOME/sitewright."""
    return _base("XDG_CONFIG_HOME", ".config") / _NAME


def cache_folder() -> Path:
    """What can be had again: $XDG_CACHE_HOME/sitewright."""
    return _base("XDG_CACHE_HOME", ".cache") / _NAME


def known_hosts_file() -> Path:
    """Sitewright's own known_hosts, used where a site names none."""
    return config_folder() / "known_hosts"


def log_file() -> Path:
    """The log of this program itself, with tracebacks; never with secrets."""
    return state_folder() / "sitewright.log"


def wizard_file() -> Path:
    """The answers of a wizard that was closed before its end."""
    return state_folder() / "wizard.json"


def make_private(folder: Path) -> Path:
    """Make a folder, and those above it, that only its owner may enter; return it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def write_whole(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file whole or not at all, with the given mode; raises OSError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, making its folder; raises OSError."""
    make_private(path.parent)
    write_whole(path, text, mode=0o600)
