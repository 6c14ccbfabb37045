"""Output of one command as far as it is kept here: the beginning and the end, and a word between.

A step that floods would fill the laptop's disk with its journal and logs. What is beyond the cap
stays where it was written, on its machine, and the record says how much it is and where it lies.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from foundation.hosts.jobs.jobs_model import JobLine
from installer.record.state import TAIL_LINES

OUTPUT_CAP: Final = 32 * 1024 * 1024
"""Bytes of one command's output that are kept here; a talkative playbook has two."""
_OVERHEAD: Final = 250
"""Bytes that a line takes in the journal beside its text."""


@dataclass(slots=True)
class OutputCap:
    """What of one command's output is kept; made anew for each command."""

    cap: int = OUTPUT_CAP
    left_out: int = 0
    """Lines that are not kept."""
    bytes_left_out: int = 0
    _kept: int = 0
    _end: deque[JobLine] = field(default_factory=lambda: deque(maxlen=TAIL_LINES))

    def keeps(self, line: JobLine) -> bool:
        """Whether a line is to be written down now."""
        size = len(line.text.encode("utf-8", "replace")) + _OVERHEAD
        if not self.left_out and self._kept + size <= self.cap:
            self._kept += size
            return True
        self.left_out += 1
        self.bytes_left_out += size - _OVERHEAD
        self._end.append(line)
        return False

    def ending(self) -> Iterator[JobLine]:
        """The last lines of what was left out, to be written down when the command has ended."""
        self.left_out -= len(self._end)
        self.bytes_left_out -= sum(len(line.text.encode("utf-8", "replace")) for line in self._end)
        yield from self._end


def where_it_lies(job_id: str, durable: str) -> str:
    """How a person reads the whole output of a job on its machine."""
    if durable == "systemd":
        return f"journalctl -u {job_id}.service"
    return f"less /var/lib/sitewright/jobs/{job_id}/log"
