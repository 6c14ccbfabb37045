"""Logins to registries, from the files that `podman login` and `docker login` write."""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bundles.reference import DOCKER_HUB
from bundles.strict_json import parse_json
from foundation.problems import InputProblem
from foundation.secrets import Secret

_LIMIT: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password for one registry."""

    user: str
    password: Secret

    def basic(self) -> str:
        """The Authorization header of HTTP Basic."""
        pair = f"{self.user}:{self.password.reveal()}".encode()
        return "Basic " + base64.b64encode(pair).decode()


def login_files() -> tuple[Path, ...]:
    """Where logins may stand, the first one that knows a registry counts."""
    named = os.environ.get("REGISTRY_AUTH_FILE")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    docker = os.environ.get("DOCKER_CONFIG")
    return tuple(
        path
        for path in (
            Path(named) if named else None,
            Path(runtime, "containers/auth.json") if runtime else None,
            Path(docker, "config.json") if docker else Path.home() / ".docker/config.json",
        )
        if path is not None
    )


def read_logins(files: tuple[Path, ...] | None = None) -> dict[str, Login]:
    """Logins by registry; raises InputProblem for a file that cannot be read."""
    logins: dict[str, Login] = {}
    for path in files if files is not None else login_files():
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputProblem(
                f"the logins cannot be read: {error.strerror}", where=str(path)
            ) from error
        value = parse_json(raw, where=str(path), limit=_LIMIT, problem=InputProblem)
        entries = value.get("auths") if isinstance(value, dict) else None
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            login = _login(entry)
            if login is not None:
                logins.setdefault(_registry(name), login)
    return logins


def _login(entry: object) -> Login | None:
    text = entry.get("auth") if isinstance(entry, dict) else None
    if not isinstance(text, str):
        return None
    try:
        user, found, password = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Login(user, Secret(password)) if found else None


def _registry(name: str) -> str:
    host = name.removeprefix("https://").removeprefix("http://").split("/")[0]
    return DOCKER_HUB if host in ("index.docker.io", "registry-1.docker.io", DOCKER_HUB) else host
