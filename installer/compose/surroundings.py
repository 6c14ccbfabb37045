"""Surroundings: what a machine tells of everything that could be in a project's way."""

from __future__ import annotations

import re
from typing import Final

from installer.compose.objections import Surroundings, Taken
from installer.compose.project import Project

LOOK: Final = r"""
# shellcheck disable=SC2086 # words
{ profiles=$("$@" config --profiles 2>/dev/null) && echo profiles $profiles; } &
docker ps --all --format \
    'container {{.Names}} {{.Label "com.docker.compose.project"}} {{.Ports}}' || exit 2
docker network ls --format 'network {{.Name}} {{.Label "com.docker.compose.project"}}'
if command -v ss >/dev/null 2>&1; then
    ss -Hlntp 2>/dev/null | sed 's/^/tcp /'
    ss -Hlnup 2>/dev/null | sed 's/^/udp /'
fi
wait
"""
"""Arguments: the command that reads the project's files."""

MISSING: Final = 'for path do [ -e "$path" ] || echo "missing $path"; done\n'
"""Arguments: the paths that the project's files name."""

_PUBLISHED: Final = re.compile(r":([0-9]+)->[0-9]+/(tcp|udp)")
_PROCESS: Final = re.compile(r'\("([^"]{1,60})",pid=([0-9]+)')


def paths_of(project: Project) -> tuple[str, ...]:
    """The paths that a project's files name on the machine."""
    binds = {bind.source for service in project.services for bind in service.binds}
    builds = {service.build for service in project.services if service.build}
    return tuple(sorted(binds | builds))


def surroundings_of(text: str) -> Surroundings:
    """What `LOOK` and `MISSING` wrote."""
    missing: set[str] = set()
    profiles: frozenset[str] | None = None
    containers: dict[str, str] = {}
    networks: dict[str, str] = {}
    taken: dict[tuple[int, str], Taken] = {}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        match word:
            case "missing":
                missing.add(rest)
            case "profiles":
                profiles = frozenset(rest.split())
            case "container":
                _container(rest, containers, taken)
            case "network":
                name, _, project = rest.partition(" ")
                networks[name] = project.strip()
            case "tcp" | "udp":
                _socket(word, rest, taken)
            case _:
                pass
    return Surroundings(profiles, frozenset(missing), containers, networks, tuple(taken.values()))


def _container(rest: str, containers: dict[str, str], taken: dict[tuple[int, str], Taken]) -> None:
    name, _, rest = rest.partition(" ")
    project, _, ports = rest.partition(" ")
    containers[name] = project
    for found in _PUBLISHED.finditer(ports):
        key = (int(found[1]), found[2])
        taken[key] = Taken(*key, f"the container {name}", project)


def _socket(protocol: str, rest: str, taken: dict[tuple[int, str], Taken]) -> None:
    fields = rest.split()
    if len(fields) < 4:
        return
    port = fields[3].rpartition(":")[2]
    if not port.isdecimal():
        return
    key = (int(port), protocol)
    process = _PROCESS.search(rest)
    holder = f"{process[1]} (process {process[2]})" if process else ""
    # Docker's own proxy holds the ports of containers, which were seen before.
    if key not in taken or (not taken[key].holder and holder):
        taken[key] = Taken(*key, holder)
