"""The lock that a machine itself keeps: one file that names who works on it, for every laptop.

The file is made whole or not at all, so that of two who come at the same moment one gets it. Its
holder touches it now and then; how long ago is told by the machine's own clock. Jobs that carry
the token of another holder are not started (see `jobs_scripts.FENCE`). Which run holds it stands in
a file that every login can read, so that a playbook can ask before each of its tasks.

A machine also keeps a mark of the last run that worked on it, and tells what still runs there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from foundation.hosts.connection import Become, Completed, Connection
from foundation.hosts.jobs.jobs_shell import call, problem
from foundation.hosts.jobs.output_lines import clean_line
from foundation.problems import MachineProblem

PATH: Final = "/var/lib/sitewright/lock"
HOLDER: Final = "/run/sitewright-holder"
"""The id of the run that holds the machine; its absence says nothing."""
MARK: Final = "/var/lib/sitewright/last"
"""What the last run that changed the machine left there, as one line of JSON."""
PUT_OUT: Final = "/var/lib/sitewright/put-out"
"""Whom the machine was taken over from, one a line: the token, that of who took it over, and what
they say of themselves. It outlives their lock, for who was asleep meanwhile."""
UNKNOWN: Final = -1.0
"""In place of seconds that cannot be told: the last sign of life lies in the clock's future."""
TOKEN: Final = re.compile(r"[0-9a-f]{32}")
_TEXT_LIMIT: Final = 8192
_MOST_JOBS: Final = 500
_MOST_PUT_OUT: Final = 50
_JOB: Final = re.compile(r"sw-[a-z0-9-]{1,197}")

# The guard is held for the moment of looking and writing, where the machine has flock.
_HEAD: Final = rf"""
umask 077
f={PATH} d=${{f%/*}} h={HOLDER} token=$1
mkdir -p "$d" || exit 92
exec 9>"$f.guard" || exit 92
if command -v flock >/dev/null; then flock 9; fi
p={PUT_OUT}
held_by() {{ head -c {_TEXT_LIMIT} "$f" 2>/dev/null | head -n 1 | grep -qxF -- "$1"; }}
shown_as() {{
    [ -z "$1" ] || ! (umask 022; printf '%s\n' "$1" >"$h.new") 2>/dev/null || mv -f "$h.new" "$h"
}}
"""

_TAKE: Final = (
    _HEAD
    + rf"""
instead=$2 run=$3
t=$(mktemp "$f.XXXXXXXX") || exit 92
trap 'rm -f "$t"' EXIT
cat >"$t" && [ -s "$t" ] || exit 92
if ln "$t" "$f" 2>/dev/null; then shown_as "$run"; echo taken; exit 0; fi
if held_by "$token" || {{ [ -n "$instead" ] && held_by "$instead"; }}; then
    # Before, so that there is no moment in which neither tells of it.
    if [ -n "$instead" ] && held_by "$instead"; then
        {{ tail -n {_MOST_PUT_OUT} "$p" 2>/dev/null
          printf '%s %s %s\n' "$instead" "$token" "$(sed -n 2p "$t" | head -c {_TEXT_LIMIT})"
        }} >"$p.new" &&
            mv -f "$p.new" "$p" || exit 92
    fi
    mv -f "$t" "$f" && shown_as "$run" && echo taken
    exit
fi
echo "held $(($(date +%s) - $(stat -c %Y "$f")))"
cat "$f"
"""
)
"""token, token of the holder who may be put out or "", run; the file's text by standard input."""

_REFRESH: Final = (
    _HEAD
    + r"""
run=$2
if held_by "$token"; then touch "$f"; echo held; exit 0; fi
if [ ! -e "$f" ]; then
    if by=$(grep -m 1 -- "^$token " "$p" 2>/dev/null); then
        by=${by#* }
        printf 'held 0\n%s\n%s\n' "${by%% *}" "${by#* }"
        exit 0
    fi
    # Somebody removed it, with all that lies there. It is put back, before another finds it free.
    t=$(mktemp "$f.XXXXXXXX") || exit 92
    trap 'rm -f "$t"' EXIT
    cat >"$t" && [ -s "$t" ] || exit 92
    if ln "$t" "$f" 2>/dev/null; then shown_as "$run"; echo held; exit 0; fi
fi
echo "held $(($(date +%s) - $(stat -c %Y "$f")))"
cat "$f"
"""
)
"""token, run, the file's text by standard input: "held" where it is still ours, or is again since
it was gone; else who holds it, or who took it over from us and has ended since."""

# A playbook of whom we took it over from may be asleep: it reads who holds the machine.
_RELEASE: Final = (
    _HEAD
    + r"""
held_by "$token" || exit 0
grep -q -- "^[0-9a-f]* $token " "$p" 2>/dev/null || rm -f "$h"
rm -f "$f"
exit 0
"""
)
"""token."""

_LEAVE: Final = (
    _HEAD
    + rf"""
held_by "$token" || exit 0
t=$(mktemp "$f.XXXXXXXX") || exit 92
trap 'rm -f "$t"' EXIT
cat >"$t" && [ -s "$t" ] && mv -f "$t" {MARK} && echo left
"""
)
"""token; the mark by standard input. Left only by whom the machine is held; "left" where it is."""

# The patterns must not be found in the shell that looks for them.
_TASKS: Final = r"""-e 'Ansiball[Z]_' -e 'BECOME-SUCCESS[-]' -e '/python3[^ ]* && sleep [0]'"""
"""What stands in the arguments of processes of Ansible's tasks, as grep takes it."""

_AROUND: Final = rf"""
units=
if [ -d /run/systemd/system ]; then
    units=$(systemctl list-units 'sw-*.service' --all --plain --no-legend --full) || exit 92
fi
printf '%s\n' "$units" |
    while read -r unit load active sub rest; do
        case $sub in running|start*|stop*|auto-restart) echo "job ${{unit%.service}}";; esac
    done
ls /var/lib/sitewright/jobs 2>/dev/null | head -n 500 | sed 's/^/detached /'
printf 'tasks '
cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\000' '\n' |
    grep -c {_TASKS}
printf 'mark '; head -c {_TEXT_LIMIT} {MARK} 2>/dev/null | head -n 1
exit 0
"""

# What such a process began ends with it: the shell alone would leave the module at work.
_END_TASKS: Final = rf"""
all=$(
    roots=$(grep -lsa {_TASKS} /proc/[0-9]*/cmdline | sed 's|^/proc/||; s|/.*||')
    cat /proc/[0-9]*/status 2>/dev/null | awk -v roots="$(echo $roots)" '
        /^Pid:/ {{ pid = $2 }}
        /^PPid:/ {{ parent[pid] = $2 }}
        END {{
            count = split(roots, root, " ")
            for (n = 1; n <= count; n++) if (root[n] in parent) chosen[root[n]] = 1
            do {{
                more = 0
                for (pid in parent)
                    if (!(pid in chosen) && (parent[pid] in chosen)) {{ chosen[pid] = 1; more = 1 }}
            }} while (more)
            for (pid in chosen) print pid
        }}'
)
[ -n "$all" ] || exit 0
kill -TERM $all 2>/dev/null
for turn in 1 2 3 4 5 6 7 8 9 10; do
    left=
    for pid in $all; do if kill -0 "$pid" 2>/dev/null; then left=yes; fi; done
    [ -n "$left" ] || exit 0
    sleep 0.5
done
kill -KILL $all 2>/dev/null
exit 0
"""


@dataclass(frozen=True, slots=True)
class Around:
    """What a machine tells of those who work or worked on it."""

    jobs: tuple[str, ...] = ()
    """Ids of jobs that run as units, whosever they are."""
    detached: tuple[str, ...] = ()
    """Ids of jobs without systemd, which may have ended."""
    tasks: int = 0
    """Processes of tasks of Ansible."""
    mark: str = ""
    """What the last run left there; "" where none did."""


@dataclass(frozen=True, slots=True)
class HeldBy:
    """The lock of a machine that somebody else holds."""

    token: str
    """That of the holder; "" where the file is none of ours."""
    text: str
    """What the holder says of itself."""
    silent: float
    """Seconds since its last sign of life, by the machine's clock; UNKNOWN where that was set."""


async def take(
    connection: Connection, token: str, text: str, *, instead: str = "", run: str = ""
) -> HeldBy | None:
    """Take a machine's lock, or tell who holds it; None where it is ours now.

    `instead` is the token of a holder that may be put out, `run` what every login there may know
    of who holds it. Raises ConnectionProblem classes.
    """
    file = f"{token}\n{text}\n".encode()
    done = await call(connection, _TAKE, [token, instead, run], stdin=file, become=Become.ROOT)
    if done.status != 0:
        raise _problem(connection, done)
    return None if done.stdout.strip() == b"taken" else _held(done.stdout)


async def refresh(connection: Connection, token: str, text: str, *, run: str = "") -> HeldBy | None:
    """Give a sign of life; who holds the lock where it is no longer ours, else None.

    A lock that is not there any more is put back with its text and run, but by no one from whom it
    was taken over.
    """
    file = f"{token}\n{text}\n".encode()
    done = await call(connection, _REFRESH, [token, run], stdin=file, become=Become.ROOT)
    if done.status != 0 or done.stdout.strip() in (b"held", b""):
        return None
    return _held(done.stdout)


async def release(connection: Connection, token: str) -> None:
    """Give a machine's lock back, where it is ours."""
    await call(connection, _RELEASE, [token], become=Become.ROOT)


async def leave_mark(connection: Connection, token: str, text: str) -> bool:
    """Leave a mark on a machine that the token holds; whether it keeps it now."""
    mark = f"{text}\n".encode()
    done = await call(connection, _LEAVE, [token], stdin=mark, become=Become.ROOT)
    return done.status == 0 and done.stdout.strip() == b"left"


async def around(connection: Connection) -> Around:
    """What runs on a machine, and what the last run left there.

    Raises ConnectionProblem, and MachineProblem where the machine does not say.
    """
    done = await call(connection, _AROUND, [], become=Become.ROOT)
    if done.status != 0:
        raise problem(connection, "what runs on the machine could not be asked", done)
    found: dict[str, list[str]] = {"job": [], "detached": [], "tasks": [], "mark": []}
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        word, _, rest = line.partition(" ")
        if word in found and len(found[word]) < _MOST_JOBS:
            found[word].append(clean_line(rest[:_TEXT_LIMIT]))
    number = "".join(found["tasks"][:1])
    return Around(
        tuple(job for job in found["job"] if _JOB.fullmatch(job)),
        tuple(job for job in found["detached"] if _JOB.fullmatch(job)),
        int(number) if number.isdecimal() and len(number) < 9 else 0,
        "".join(found["mark"][:1]).strip(),
    )


async def end_tasks(connection: Connection) -> None:
    """End every task of Ansible on a machine, with all that it began; done is done."""
    await call(connection, _END_TASKS, [], become=Become.ROOT)


def _held(output: bytes) -> HeldBy:
    first, _, rest = output[:_TEXT_LIMIT].partition(b"\n")
    token, _, text = rest.partition(b"\n")
    seconds = first.decode("ascii", "replace").removeprefix("held ")
    found = clean_line(token)
    return HeldBy(
        found if TOKEN.fullmatch(found) else "",
        text.decode("utf-8", "replace"),
        float(seconds) if seconds.isdecimal() and len(seconds) < 12 else UNKNOWN,
    )


def _problem(connection: Connection, done: Completed) -> MachineProblem:
    return problem(
        connection,
        "the lock of the machine could not be taken",
        done,
        where=f"{connection.host.name}:{PATH}",
        remedy="Check the free space of /var and that it can be written to.",
    )
