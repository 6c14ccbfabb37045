"""Settings with which the machines of a site take everything from one server: pure texts.

- containerd (hosts.toml, docs/hosts.md of containerd): each registry by its own name. `server` is
  the mirror too, since containerd would ask the registry itself where the mirror has something not.
- Docker (daemon.json): `registry-mirrors` counts for Docker Hub alone; images of other registries
  must be loaded, or named with the mirror in front (`HOST:PORT/quay.io/…`).
- apt (sources.list(5), apt-transport-https(1)), pip (pip.conf), Git (http.<url>.sslCAInfo).
- snapd has no such setting: snaps are given as files, `snap ack` and `snap install`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from bundles.format.reference import DOCKER_HUB
from foundation.problems import InputProblem

CONTAINERD_FOLDER: Final = "/etc/containerd/certs.d"
MICROK8S_FOLDER: Final = "/var/snap/microk8s/current/args/certs.d"
DOCKER_FILE: Final = "/etc/docker/daemon.json"
APT_SOURCES: Final = "/etc/apt/sources.list.d/sitewright-bundle.sources"
APT_SETTINGS: Final = "/etc/apt/apt.conf.d/90sitewright-bundle"
PIP_FILE: Final = "/etc/pip.conf"
TRUST_FOLDER: Final = "/etc/sitewright/trust"
AUTHORITY_FILE: Final = f"{TRUST_FOLDER}/bundle-ca.pem"
ARCHIVE_KEY_FILE: Final = f"{TRUST_FOLDER}/bundle-archive.gpg"

_DEFAULT: Final = "_default"
"""containerd's name for every registry that has no folder of its own."""
_HOST: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9])?(?::[0-9]{1,5})?")
_URL: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]+(?:/[A-Za-z0-9._~/-]*)?")
_PATH: Final = re.compile(r"/[A-Za-z0-9._/-]+")


@dataclass(frozen=True, slots=True)
class Mirror:
    """A server that has what a site needs: addresses of its parts, "" where it lacks one."""

    base: str
    """https://HOST:PORT of the registry."""
    registries: tuple[str, ...] = ()
    apt: str = ""
    suites: tuple[str, ...] = ()
    wheels: str = ""
    git: str = ""
    authority: str = AUTHORITY_FILE
    """Where the authority's certificate lies on the machines; "" over plain HTTP."""
    archive_key: str = ARCHIVE_KEY_FILE


def containerd_hosts(mirror: Mirror, *, only: bool = True) -> dict[str, str]:
    """hosts.toml for each registry by its path below certs.d.

    `only`: nothing but the mirror is ever asked, also for registries that nobody named.
    """
    names = [*mirror.registries, *([_DEFAULT] if only else [])]
    return {f"{_folder(name)}/hosts.toml": _hosts(mirror, name, only=only) for name in names}


def docker_daemon(mirror: Mirror, present: str = "") -> str:
    """daemon.json with the mirror before the others, all else in it kept; raises InputProblem."""
    try:
        settings: Any = json.loads(present) if present.strip() else {}
    except (ValueError, RecursionError) as error:
        raise InputProblem(
            f"it is no JSON: {error}",
            where=DOCKER_FILE,
            remedy="Mend the file on the machine; Docker does not start with it either.",
        ) from error
    if not isinstance(settings, dict):
        raise InputProblem("it holds no settings", where=DOCKER_FILE)
    before = settings.get("registry-mirrors", [])
    mirrors = [str(one) for one in before] if isinstance(before, list) else []
    base = _url(mirror.base)
    settings["registry-mirrors"] = [base, *(one for one in mirrors if one.rstrip("/") != base)]
    return json.dumps(settings, indent=2) + "\n"


def docker_authority(mirror: Mirror) -> str:
    """Where Docker looks for the authority of the mirror (a copy of it goes there)."""
    return f"/etc/docker/certs.d/{urlsplit(_url(mirror.base)).netloc}/ca.crt"


def docker_cannot(registries: Iterable[str]) -> tuple[str, ...]:
    """The registries that no setting of Docker's makes it ask a mirror for."""
    return tuple(name for name in registries if name != DOCKER_HUB)


def apt_sources(mirror: Mirror) -> str:
    """A .sources file; apt takes the source for the signature of its own key alone."""
    suites = " ".join(_word(suite) for suite in mirror.suites)
    return (
        f"Types: deb\nURIs: {_url(mirror.apt)}\nSuites: {suites}\nComponents: main\n"
        f"Signed-By: {_path(mirror.archive_key)}\n"
    )


def apt_settings(mirror: Mirror) -> str:
    """apt.conf with the authority for the mirror's host, and no proxy to it."""
    url = urlsplit(_url(mirror.apt))
    host = url.hostname or ""
    lines = [f'Acquire::{url.scheme}::Proxy::{host} "DIRECT";']
    if url.scheme == "https" and mirror.authority:
        # The manual says CAInfo::HOST; apt itself (aptmethod.h, ConfigFind) reads HOST::CAInfo.
        lines.append(f'Acquire::https::{host}::CAInfo "{_path(mirror.authority)}";')
    return "\n".join(lines) + "\n"


def pip_settings(mirror: Mirror) -> str:
    """pip.conf: the one index, and its authority."""
    url = urlsplit(_url(mirror.wheels))
    lines = ["[global]", f"index-url = {mirror.wheels.rstrip('/')}/"]
    if url.scheme == "https" and mirror.authority:
        lines.append(f"cert = {_path(mirror.authority)}")
    elif url.scheme == "http":
        lines.append(f"trusted-host = {url.netloc}")
    return "\n".join([*lines, "disable-pip-version-check = true", ""])


def settings_files(mirror: Mirror, *, containerd: str = CONTAINERD_FOLDER) -> Mapping[str, str]:
    """Every settings file by its path on a machine; Docker's is left out, since it is merged."""
    hosts = containerd_hosts(mirror) if mirror.registries else {}
    files = {f"{containerd}/{path}": text for path, text in hosts.items()}
    if mirror.apt:
        files[APT_SOURCES] = apt_sources(mirror)
        files[APT_SETTINGS] = apt_settings(mirror)
    if mirror.wheels:
        files[PIP_FILE] = pip_settings(mirror)
    return files


def _hosts(mirror: Mirror, registry: str, *, only: bool) -> str:
    base = _url(mirror.base)
    upstream = "https://registry-1.docker.io" if registry == DOCKER_HUB else f"https://{registry}"
    trust = [f'ca = "{_path(mirror.authority)}"'] if base.startswith("https:") else []
    capabilities = 'capabilities = ["pull", "resolve"]'
    lines = [f'server = "{base if only else upstream}"']
    if only:
        # What stands before the first [host] belongs to the server.
        lines += [capabilities, *trust]
    lines += ["", f'[host."{base}"]', *(f"  {line}" for line in (capabilities, *trust))]
    return "\n".join([*lines, ""])


def _folder(registry: str) -> str:
    if not _HOST.fullmatch(registry):
        raise InputProblem(f"{registry[:80]!r} is no registry", where="mirror settings")
    # containerd writes the port of a registry's folder between underscores.
    name, _, port = registry.partition(":")
    return f"{name}_{port}_" if port else name


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise InputProblem(f"{text[:80]!r} is no address of a mirror", where="mirror settings")
    return text.rstrip("/")


def _path(text: str) -> str:
    if not _PATH.fullmatch(text) or ".." in text:
        raise InputProblem(f"{text[:80]!r} is no path for a settings file", where="mirror settings")
    return text


def _word(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]*", text):
        raise InputProblem(f"{text[:80]!r} is no suite", where="mirror settings")
    return text
