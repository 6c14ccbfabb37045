"""Package lock: who holds the lock of apt and dpkg while a step says nothing, so that a person
learns for whom it waits. A view only: it decides nothing and changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.hosts.model import Host
from foundation.secrets import cut

QUIET: Final = 5.0
"""Seconds without a line after which it is asked what a step waits for."""
_LONGEST_PAUSE: Final = 60.0
_ANSWER_LIMIT: Final = 4096

# What Ansible started, or a job of ours, is the step itself at work and no reason to wait.
FIND: Final = r"""
ours() {
    grep -q -e '/sw-[^/]*\.service' -e '/sw-[^/]*\.scope' "/proc/$1/cgroup" 2>/dev/null && return 0
    q=$1
    while [ "${q:-0}" -gt 1 ]; do
        tr '\000' ' ' <"/proc/$q/cmdline" 2>/dev/null |
            grep -q -e AnsiballZ_ -e BECOME-SUCCESS- -e '/python3* && sleep 0' && return 0
        q=$(sed 's/.*) //' "/proc/$q/stat" 2>/dev/null | cut -d' ' -f2)
    done
    return 1
}
for f in /var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock; do
    [ -e "$f" ] || continue
    i=$(stat -c %i "$f")
    for p in $(sed -n \
        "s/^[0-9]*: [A-Z]* *ADVISORY *WRITE *\([0-9]*\) [0-9a-f:]*:$i .*/\1/p" /proc/locks); do
        ls -l "/proc/$p/fd" 2>/dev/null | grep -qF -- "-> $f" || continue
        ours "$p" && continue
        u=$(sed -n 's/^.*\/\([^/]*\.service\).*$/\1/p' "/proc/$p/cgroup" 2>/dev/null | head -n 1)
        # Read last: one that ended meanwhile could not be asked whose it was, and holds no more.
        n=$(cat "/proc/$p/comm" 2>/dev/null) && [ -e "/proc/$p/exe" ] || continue
        printf '%s\n%s\n%s\n' "$p" "$n" "$u"
        exit 0
    done
done
"""
"""A POSIX script for root: process, its name and its service, where somebody else holds a lock."""


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A process that holds the lock of a machine's packages."""

    pid: int
    name: str
    service: str = ""

    def sentence(self, machine: str) -> str:
        """Who holds it, and what may be done."""
        of = f" of {self.service}" if self.service else ""
        return (
            f"The package lock of {machine} is held by process {self.pid} ({self.name}){of}; "
            "the step waits until it is free."
        )


def parse(output: bytes) -> LockHolder | None:
    """What the script said; None where nobody else holds a lock."""
    pid, _, rest = output[:_ANSWER_LIMIT].partition(b"\n")
    name, _, service = rest.partition(b"\n")
    if not pid.isdigit() or len(pid) > 10:
        return None
    return LockHolder(int(pid), cut(name, 60) or "?", cut(service, 200))


async def tell_holders(
    hosts: Sequence[Host],
    look: Callable[[Host], Awaitable[bytes]],
    quiet: Callable[[], float],
    say: Callable[[Host, str], None],
) -> None:
    """Tell who holds the package lock of these machines, and when it is free; until cancelled.

    `quiet` tells for how many seconds the step wrote no line; while it writes nobody is asked.
    """
    told: dict[str, LockHolder] = {}
    pause = QUIET
    while True:
        await asyncio.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
        if quiet() < QUIET and not told:
            pause = QUIET
            continue
        answers = await asyncio.gather(*(look(host) for host in hosts), return_exceptions=True)
        for host, answer in zip(hosts, answers, strict=True):
            if isinstance(answer, BaseException):
                continue  # a machine that is away is told of elsewhere
            holder, before = parse(answer), told.pop(host.name, None)
            if holder is not None:
                told[host.name] = holder
            if holder is not None and holder != before:
                say(host, holder.sentence(host.name))
            elif holder is None and before is not None:
                say(host, f"The package lock of {host.name} is free again.")
        if told:
            pause = QUIET
