"""What both faces say of programs that a site's files would start on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from foundation.hosts.openssh.ssh_files import Program
    from foundation.problems import Problem

LEFT: Final = "The programs are not started, so that the machines behind them are not reached."
WHY: Final = (
    "They run here, as you, each time a machine is reached. Allow them only if you know what "
    "each of them does. A yes is kept for exactly these lines; a changed line is asked about anew."
)


def programs_of(problem: Problem | None) -> tuple[Program, ...]:
    """The programs that a problem is about, none where it is about something else."""
    found: tuple[Program, ...] = getattr(problem, "programs", ())
    return found
