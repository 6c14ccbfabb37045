"""Programs of this machine that a site file, its ssh config or an inventory names: asked once.

Such a file may come from anybody, so that what it would run here is shown, and runs only where the
operator says so: on the command line, or once for exactly these commands, which is remembered.
What stands in the operator's own ~/.ssh/config is theirs, and is not asked about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from foundation import bounded_files
from foundation.hosts.model import Inventory
from foundation.hosts.openssh.ssh_files import Program, programs_in, read_lines
from foundation.paths import make_private, state_folder, write_whole
from foundation.problems import InputProblem


class ProgramsNotAllowed(InputProblem):
    """Programs that somebody else's file would start on this machine, and nobody allowed."""

    code = "programs-not-allowed"
    title = "Programs would be started on this machine, and nobody has allowed them"

    def __init__(
        self, programs: Sequence[Program], *, where: str | None, remedy: str | None = None
    ) -> None:
        super().__init__(
            "; ".join(program.sentence for program in programs),
            where=where,
            remedy=remedy
            or "Read them. To allow exactly these, say yes where the wizard asks, run "
            "`sitewright trust` for this site on a terminal, which asks once, or give "
            "--allow-programs; else take the lines out.",
        )
        self.programs = tuple(programs)


def programs_of(inventory: Inventory) -> tuple[Program, ...]:
    """What the files of somebody else would start here; InputProblem where one is unreadable."""
    found: list[Program] = []
    if inventory.ssh_config is not None and inventory.config_of_site and inventory.use_ssh_config:
        folder = inventory.ssh_config.parent.resolve()
        # A yes holds for a place, which is one however the site file was named.
        found += programs_in(read_lines(inventory.ssh_config.absolute(), inside=folder))
    named: dict[tuple[str, str], dict[str, None]] = {}
    for host in inventory.hosts:
        if host.proxy_command is not None:
            key = (host.proxy_command, host.proxy_place or inventory.source)
            # HostName and HostKeyAlias are filled into the command, so that they are allowed too.
            named.setdefault(key, {}).update(dict.fromkeys(host.ssh_options))
    found += [
        Program("ProxyCommand", command, place, words=tuple(words))
        for (command, place), words in named.items()
    ]
    return tuple(found)


def require_allowed(inventory: Inventory) -> None:
    """Raise ProgramsNotAllowed where a program would be started that nobody allowed."""
    if inventory.programs_allowed:
        return
    programs = programs_of(inventory)
    if programs and not is_remembered(programs):
        raise ProgramsNotAllowed(programs, where=inventory.source or None)


def _digest(programs: Sequence[Program]) -> str:
    told = sorted(
        [program.place, program.what, program.command, *program.words] for program in programs
    )
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def is_remembered(programs: Sequence[Program]) -> bool:
    """Whether exactly these, in exactly these places, were allowed before."""
    return _digest(programs) in _remembered()


def remember(programs: Sequence[Program]) -> None:
    """Keep that a person saw these programs and allowed them; raises OSError."""
    file = state_folder() / "allowed-programs.json"
    make_private(file.parent)
    write_whole(file, json.dumps(sorted({*_remembered(), _digest(programs)})))


def _remembered() -> set[str]:
    try:
        value = json.loads(
            bounded_files.read_bytes(state_folder() / "allowed-programs.json", 4 << 20)
        )
    except (OSError, ValueError, RecursionError):
        return set()
    return {item for item in value if isinstance(item, str)} if isinstance(value, list) else set()
