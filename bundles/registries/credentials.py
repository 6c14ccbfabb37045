"""Logins to registries, found as `docker` and `podman` find them.

They stand in the files that `podman login` and `docker login` write, or in a program that such a
file names (`credsStore`, `credHelpers`): it is asked only when a registry wants a login, and for
the registry's name alone. The longest matching name counts (`quay.io/team/app` before `quay.io`),
and the first file that knows one.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bundles.format.budgets import LOGIN_FILE_BYTES
from bundles.format.reference import DOCKER_HUB
from bundles.format.strict_json import parse_json
from bundles.registries.credential_helper import Helped, ask_helper
from foundation import bounded_files
from foundation.problems import InputProblem
from foundation.secrets import Secret

HUB_KEY: Final = "https://index.docker.io/v1/"
"""The name under which docker itself keeps a login to Docker Hub."""
PROGRAM_FAILED: Final = "the login lies with"
"""How it begins where a program that keeps logins could not be asked."""
_HUB_NAMES: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True)
class Login:
    """A name and a password for one registry, or a token in their place."""

    user: str
    password: Secret
    origin: str = ""
    """Where it stands: a file, or a program."""
    identity: Secret | None = None
    """What a token server gives an access token for, instead of a password."""
    bearer: Secret | None = None
    """A token for the registry itself."""

    def basic(self) -> str:
        """The Authorization header of HTTP Basic."""
        pair = f"{self.user}:{self.password.reveal()}".encode()
        return "Basic " + base64.b64encode(pair).decode()

    def words(self) -> str:
        """Whose login it is and where it stands, without what is secret in it."""
        who = f"the login of {self.user}" if self.user else "a token"
        return f"{who} from {self.origin}" if self.origin else who


@dataclass(frozen=True, slots=True)
class Sought:
    """What came of looking for a login: one, or none and what is known of why."""

    login: Login | None
    words: str


@dataclass(frozen=True, slots=True)
class LoginFile:
    """One file of logins, as it stands."""

    path: Path
    auths: Mapping[str, Any] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    """The program that keeps every login which no other keeps."""


class Logins:
    """Every place where a login may be, asked in order."""

    def __init__(self, files: tuple[LoginFile, ...] = (), missing: tuple[str, ...] = ()) -> None:
        self._files = files
        self._missing = missing
        self._helped: dict[tuple[str, str], Helped] = {}

    async def find(self, registry: str, repository: str = "") -> Sought:
        """The login for a repository of a registry, and where it was looked for.

        A program that cannot be asked is told in the words, never raised.
        """
        said: list[str] = []
        registry = DOCKER_HUB if registry in _HUB_NAMES else registry
        for file in self._files:
            login = await self._in_file(file, registry, repository, said)
            if login is not None:
                return Sought(login, login.words())
        looked = ", ".join(str(file.path) for file in self._files)
        said.append(
            f"no login for {registry} stands in {looked}"
            if looked
            else "there is no file of logins"
        )
        return Sought(None, "; ".join([*said, *self._missing]))

    async def _in_file(
        self, file: LoginFile, registry: str, repository: str, said: list[str]
    ) -> Login | None:
        own = next((file.helpers[name] for name in _names(registry) if name in file.helpers), None)
        if own is not None:
            return await self._from_helper(own, registry, said)
        # docker asks its store for all that no program of its own keeps, podman does not know it.
        if file.store:
            login = await self._from_helper(file.store, registry, said)
            if login is not None:
                return login
        exact = [name for name in _keys(registry, repository) if name in file.auths]
        old = [name for name in file.auths if _same_registry(name, registry)]
        # Where a store keeps the login itself, docker leaves an empty entry in its file.
        logins = (_login(file.auths[name], str(file.path)) for name in (*exact, *old))
        return next((login for login in logins if login is not None), None)

    async def _from_helper(self, helper: str, registry: str, said: list[str]) -> Login | None:
        names = (HUB_KEY, DOCKER_HUB) if registry == DOCKER_HUB else (registry,)
        for name in names:
            if (helper, name) not in self._helped:
                self._helped[helper, name] = await ask_helper(helper, name)
            helped = self._helped[helper, name]
            origin = f"docker-credential-{helper}"
            if helped.secret is not None:
                if helped.user == "<token>":
                    return Login("", Secret(""), origin, identity=helped.secret)
                return Login(helped.user, helped.secret, origin)
            if helped.problem:
                said.append(f"{PROGRAM_FAILED} {origin}, and {helped.problem}")
                return None
        said.append(f"docker-credential-{helper} has none for {registry}")
        return None


def login_files() -> tuple[Path, ...]:
    """Where logins may stand, the first one that knows a registry counts.

    REGISTRY_AUTH_FILE stands for podman's own files, DOCKER_CONFIG for docker's folder.
    """
    environment = os.environ.get
    home = Path.home()
    named = environment("REGISTRY_AUTH_FILE")
    if named:
        podman = [Path(named)]
    else:
        runtime = environment("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
        place = "containers/auth.json" if environment("XDG_RUNTIME_DIR") else "auth.json"
        settings = environment("XDG_CONFIG_HOME") or str(home / ".config")
        podman = [Path(runtime, place), Path(settings, "containers/auth.json")]
    docker = environment("DOCKER_CONFIG")
    return (
        *podman,
        Path(docker, "config.json") if docker else home / ".docker/config.json",
        home / ".dockercfg",
    )


def read_logins(files: tuple[Path, ...] | None = None) -> Logins:
    """The files of logins that there are; raises InputProblem for one that cannot be read."""
    found = []
    missing = []
    for path in files if files is not None else login_files():
        try:
            raw = bounded_files.read_bytes(path, LOGIN_FILE_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            if str(path) == os.environ.get("REGISTRY_AUTH_FILE"):
                missing.append(f"REGISTRY_AUTH_FILE names {path}, which is not there")
            continue
        except OSError as error:
            raise InputProblem(
                f"the logins cannot be read: {error.strerror}", where=str(path)
            ) from error
        if not raw.strip():
            continue
        value = parse_json(raw, where=str(path), limit=LOGIN_FILE_BYTES, problem=InputProblem)
        found.append(login_file(path, value))
    return Logins(tuple(found), tuple(missing))


def login_file(path: Path, value: Any) -> LoginFile:
    """A file of logins from its JSON; what has another form than docker writes is left out."""
    settings = value if isinstance(value, dict) else {}
    # The oldest form, ~/.dockercfg, is the logins themselves.
    auths = settings if path.name == ".dockercfg" else settings.get("auths")
    helpers = settings.get("credHelpers")
    store = settings.get("credsStore")
    return LoginFile(
        path,
        auths if isinstance(auths, dict) else {},
        {
            str(name): word
            for name, word in (helpers.items() if isinstance(helpers, dict) else ())
            if isinstance(word, str) and word
        },
        store if isinstance(store, str) else "",
    )


def _keys(registry: str, repository: str) -> Iterator[str]:
    """The names that a login may have, the most exact one first."""
    parts = repository.split("/") if repository else []
    for count in range(len(parts), -1, -1):
        yield "/".join((registry, *parts[:count]))


def _names(registry: str) -> tuple[str, ...]:
    return (HUB_KEY, *sorted(_HUB_NAMES)) if registry == DOCKER_HUB else (registry,)


def _same_registry(name: str, registry: str) -> bool:
    """Whether an old name of a login (https://HOST/v1/) means a registry as a whole."""
    rest = name
    schemed = False
    for scheme in ("https://", "http://"):
        if rest.startswith(scheme):
            rest, schemed = rest.removeprefix(scheme), True
    host, _, path = rest.partition("/")
    # Without a scheme a path is a namespace, which matched exactly or not at all.
    if path and not schemed:
        return False
    host = DOCKER_HUB if host in _HUB_NAMES else host
    return host == registry


def _login(entry: object, origin: str) -> Login | None:
    if not isinstance(entry, dict):
        return None
    texts: dict[str, str] = {
        name: value for name, value in entry.items() if isinstance(value, str) and value
    }
    bearer = Secret(texts["registrytoken"]) if "registrytoken" in texts else None
    identity = Secret(texts["identitytoken"]) if "identitytoken" in texts else None
    user, password = texts.get("username", ""), texts.get("password", "")
    if "auth" in texts:
        try:
            text = base64.b64decode(texts["auth"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return None
        user, found, password = text.partition(":")
        if not found:
            return None
        # Some writers end the password with zeros, as the first docker did.
        password = password.rstrip("\0")
    tokens = bearer is not None or identity is not None
    if not tokens and not (user and password):
        return None
    return Login(user, Secret(password), origin, identity=identity, bearer=bearer)
