"""Kubeconfigs: which server, whom to believe, and as whom to ask; read by ourselves, run never.

What a kubeconfig says is honoured or refused by name: nothing of it is passed over. A program that
it would start for credentials is told, and started by whoever was allowed to.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from foundation import bounded_files
from foundation.documents import parse_yaml, read_text
from foundation.hosts.openssh.ssh_files import Program
from foundation.problems import InputProblem
from foundation.secrets import Secret
from foundation.typed_paths import typed_path
from foundation.wording import listed, nearest

_PEM_LIMIT: Final = 1 << 20
_CLUSTER_KEYS: Final = {
    "server", "certificate-authority", "certificate-authority-data", "insecure-skip-tls-verify",
    "tls-server-name", "proxy-url", "disable-compression", "extensions",
}  # fmt: skip
_USER_KEYS: Final = {
    "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token",
    "tokenFile", "as", "as-groups", "exec", "extensions",
}  # fmt: skip
_REFUSED: Final = {
    "username": "Kubernetes takes no passwords since 1.19",
    "password": "Kubernetes takes no passwords since 1.19",
    "auth-provider": "Kubernetes took it out in 1.26; its follower is `exec`",
    "as-uid": "Sitewright asks as nobody else by uid",
    "as-user-extra": "Sitewright asks as nobody else with such words",
}
_EXEC_KEYS: Final = {
    "command", "args", "env", "apiVersion", "interactiveMode", "installHint", "provideClusterInfo",
}  # fmt: skip
_VERSIONS: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


@dataclass(frozen=True, slots=True)
class ExecProgram:
    """A program of this machine that gives credentials for a cluster (`exec` of a kubeconfig)."""

    argv: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    version: str
    """Of the protocol: client.authentication.k8s.io/v1."""
    shown: Program
    """As it is shown to whoever is to allow it."""


@dataclass(frozen=True, slots=True)
class Access:
    """One context of a kubeconfig: a server, whom to believe, and as whom to ask."""

    name: str
    """The context's."""
    source: str
    """The file, or files, for a person."""
    server: str
    authority: bytes | None = None
    """Certificates in PEM that vouch for the server; the system's own where there are none."""
    server_name: str | None = None
    """The name that the server's certificate must have, where it is another than the address."""
    proxy: str | None = None
    certificate: bytes | None = None
    """The client's own, in PEM."""
    key: Secret | None = None
    token: Secret | None = None
    program: ExecProgram | None = None
    impersonate: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    value: Mapping[str, Any]
    file: Path


def kubeconfig_files(named: Path | None, environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The files to read, as kubectl chooses them: the one named, $KUBECONFIG, ~/.kube/config."""
    if named is not None:
        return (typed_path(str(named)),)
    several = [part for part in environment.get("KUBECONFIG", "").split(os.pathsep) if part]
    if several:
        there = tuple(Path(part) for part in several if Path(part).exists())
        return there or (Path(several[0]),)
    return (typed_path("~") / ".kube" / "config",)


def read_access(files: Sequence[Path], context: str | None = None) -> Access:
    """One context of some kubeconfigs, the current one where none is named; the first file wins.

    Raises InputProblem that says what in which file cannot be honoured.
    """
    read = [(file, _document(file)) for file in files]
    source = listed(str(file) for file in files)
    contexts = _entries(read, "contexts", "context")
    name = context or next(
        (str(value["current-context"]) for _, value in read if value.get("current-context")), None
    )
    if name is None:
        raise InputProblem(
            "it has no current context",
            where=source,
            remedy=_choose(contexts),
        )
    if name not in contexts:
        close = nearest(name, contexts)
        raise InputProblem(
            f'there is no context "{name}"' + (f'; did you mean "{close}"?' if close else ""),
            where=source,
            remedy=_choose(contexts),
        )
    chosen = contexts[name]
    cluster = _referred(chosen, "cluster", _entries(read, "clusters", "cluster"), name)
    user = (
        _referred(chosen, "user", _entries(read, "users", "user"), name)
        if chosen.value.get("user")
        else _Entry({}, chosen.file)
    )
    _only(cluster, _CLUSTER_KEYS, "the cluster")
    _only(user, _USER_KEYS, "the user")
    return _access(name, source, cluster, user)


def _choose(contexts: Mapping[str, _Entry]) -> str:
    if not contexts:
        return "Give a kubeconfig with a context: --kubeconfig FILE."
    return f"Name one: --cluster CONTEXT. There are {listed(sorted(contexts)[:20])}."


def _document(file: Path) -> Mapping[str, Any]:
    try:
        text = read_text(file)
    except InputProblem as problem:
        raise InputProblem(
            problem.cause,
            where=str(file),
            remedy="Name the kubeconfig of the cluster: --kubeconfig FILE; or a machine that has"
            " kubectl, microk8s, k3s or rke2: --through MACHINE.",
        ) from problem
    value = parse_yaml(text, where=str(file))
    if not isinstance(value, dict):
        raise InputProblem("it is no kubeconfig", where=str(file), remedy="Check the name.")
    kind = value.get("kind", "Config")
    if kind != "Config" or ("clusters" not in value and "contexts" not in value):
        raise InputProblem(
            "it is no kubeconfig: it has neither clusters nor contexts",
            where=str(file),
            remedy="Check the name of the file.",
        )
    return value


def _entries(
    read: Sequence[tuple[Path, Mapping[str, Any]]], key: str, one: str
) -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for file, value in read:
        rows = value.get(key) or []
        if not isinstance(rows, list):
            raise InputProblem(f'"{key}" is no list', where=str(file))
        for row in rows:
            if not isinstance(row, dict) or not isinstance(row.get(one) or {}, dict):
                raise InputProblem(f'an entry of "{key}" is no record with a name', where=str(file))
            name = str(row.get("name") or "")
            found.setdefault(name, _Entry(row.get(one) or {}, file))
    return found


def _referred(chosen: _Entry, key: str, among: Mapping[str, _Entry], context: str) -> _Entry:
    name = str(chosen.value.get(key) or "")
    if name not in among:
        raise InputProblem(
            f'the context "{context}" names the {key} "{name}", which is not there',
            where=str(chosen.file),
            remedy=f"The {key}s are {listed(sorted(among)[:20])}." if among else None,
        )
    return among[name]


def _only(entry: _Entry, known: set[str], whose: str) -> None:
    for key in entry.value:
        if key in _REFUSED and entry.value[key]:
            raise InputProblem(
                f'{whose} has "{key}", which is not honoured: {_REFUSED[key]}',
                where=str(entry.file),
                remedy="Give a kubeconfig with a client certificate, a token or `exec`.",
            )
        if key not in known and key not in _REFUSED:
            close = nearest(str(key), known)
            raise InputProblem(
                f'{whose} has "{key}", which is not known'
                + (f'; did you mean "{close}"?' if close else ""),
                where=str(entry.file),
                remedy="Mend or take out that line; nothing of a kubeconfig is passed over.",
            )


def _access(name: str, source: str, cluster: _Entry, user: _Entry) -> Access:
    if str(cluster.value.get("insecure-skip-tls-verify", False)).lower() == "true":
        raise InputProblem(
            "it says insecure-skip-tls-verify: anybody on the way could pose as the cluster and"
            " be given the credentials",
            where=str(cluster.file),
            remedy="Put the cluster's authority there instead: certificate-authority-data"
            " (`kubectl config view --raw` on a control-plane node shows it).",
        )
    server = _server(cluster)
    certificate = _pem(user, "client-certificate")
    key = _pem(user, "client-key")
    if (certificate is None) != (key is None):
        raise InputProblem(
            "it has a client certificate or its key, and not both", where=str(user.file)
        )
    token = user.value.get("token")
    token_file = user.value.get("tokenFile")
    if token_file:
        named = _may_be_sent(user, str(token_file), server)
        token = _file(user, named).decode("utf-8", "replace").strip()
    groups = user.value.get("as-groups") or []
    impersonate = user.value.get("as")
    if not isinstance(groups, list):
        raise InputProblem('"as-groups" is no list', where=str(user.file))
    if groups and not impersonate:
        raise InputProblem(
            'it has "as-groups" without "as": groups of nobody',
            where=str(user.file),
            remedy="Name the user as well.",
        )
    return Access(
        name=name,
        source=source,
        server=server,
        authority=_pem(cluster, "certificate-authority"),
        server_name=_text(cluster.value.get("tls-server-name")),
        proxy=_text(cluster.value.get("proxy-url")),
        certificate=certificate,
        key=Secret(key.decode("ascii", "replace")) if key is not None else None,
        token=Secret(str(token)) if token else None,
        program=_program(name, user),
        impersonate=_text(impersonate),
        groups=tuple(str(group) for group in groups),
    )


def _server(cluster: _Entry) -> str:
    server = str(cluster.value.get("server") or "")
    login = "@" in server
    try:
        parts = urlsplit(server)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        usable = usable and not (login or parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable:
        shown = "an address with a login in it" if login else f'"{server}"'
        raise InputProblem(
            f"its server is {shown}, which is no https address to use",
            where=str(cluster.file),
            remedy="Write https://NAME:PORT.",
        )
    return server.rstrip("/")


def _may_be_sent(user: _Entry, name: str, server: str) -> str:
    """The name of a token's file that a kubeconfig may send.

    One from elsewhere could name any file of the operator's, such as the token of another system,
    and have it sent to a server of its own: it names a file beside it. One's own ~/.kube may name
    any.
    """
    home = typed_path("~").resolve()
    folder = user.file.absolute().parent.resolve()
    path = (user.file.absolute().parent / typed_path(name)).resolve()
    beside = path.is_relative_to(folder) and not home.is_relative_to(folder)
    if not beside and not folder.is_relative_to(home / ".kube"):
        raise InputProblem(
            f'its tokenFile is "{path}", which is not beside it and would be sent to {server}',
            where=str(user.file),
            remedy="Put the kubeconfig, with the file of its token, into a folder of its own; or"
            " move it to ~/.kube if it is your own.",
        )
    return name


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _pem(entry: _Entry, key: str) -> bytes | None:
    """A certificate or key: the one inline wins over the file, as for kubectl."""
    inline = entry.value.get(f"{key}-data")
    if inline:
        try:
            return base64.b64decode("".join(str(inline).split()), validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputProblem(f'"{key}-data" is not base64', where=str(entry.file)) from error
    named = entry.value.get(key)
    return _file(entry, str(named)) if named else None


def _file(entry: _Entry, name: str) -> bytes:
    path = entry.file.parent / typed_path(name)
    try:
        return bounded_files.read_bytes(path, _PEM_LIMIT)
    except OSError as error:
        raise InputProblem(
            f"it names {path}, which cannot be read: {error.strerror or error}",
            where=str(entry.file),
        ) from error


def _program(context: str, user: _Entry) -> ExecProgram | None:
    given = user.value.get("exec")
    if not given:
        return None
    where = str(user.file)
    if not isinstance(given, dict) or not given.get("command"):
        raise InputProblem('"exec" names no command', where=where)
    _only(_Entry(given, user.file), _EXEC_KEYS, '"exec"')
    if given.get("provideClusterInfo"):
        raise InputProblem(
            '"exec" has provideClusterInfo: its program wants to be told of the cluster, which'
            " Sitewright does not do",
            where=where,
            remedy="Give a kubeconfig with a client certificate or a token.",
        )
    version = str(given.get("apiVersion") or "")
    if version not in _VERSIONS:
        raise InputProblem(
            f'"exec" speaks {version or "no version"}; known are {listed(_VERSIONS)}', where=where
        )
    if given.get("interactiveMode") == "Always":
        raise InputProblem(
            f'"exec" starts {given["command"]}, which wants to ask something on a terminal',
            where=where,
            remedy="Log in with it by hand first, or give a kubeconfig with a token.",
        )
    command = str(given["command"])
    if "/" in command:
        command = str(user.file.absolute().parent / command)
    arguments, variables = given.get("args") or [], given.get("env") or []
    if not isinstance(arguments, list) or not isinstance(variables, list):
        raise InputProblem('"args" and "env" of "exec" are lists', where=where)
    for one in variables:
        if not isinstance(one, dict) or not one.get("name") or one.get("value") is None:
            raise InputProblem('an entry of "env" of "exec" is no name and a value', where=where)
    argv = (command, *(str(word) for word in arguments))
    pairs = tuple((str(one["name"]), str(one["value"])) for one in variables)
    words = " ".join((*(f"{name}={value}" for name, value in pairs), *argv))
    place = f"{user.file.absolute()}, context {context}"
    return ExecProgram(argv, pairs, version, Program("exec", words, place))
