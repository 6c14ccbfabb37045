"""A control host that is another machine: what it is brought, and how it gets into the machines.

The private key of the person never leaves their laptop, and no agent is forwarded, for a playbook
must go on when the laptop is closed. For the time of one playbook the control host makes a key of
its own in memory; its public part is let in by each machine from that host's addresses only, until
a moment that stands in the entry itself, and is taken away when the playbook has ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from foundation.hosts.connection import Become
from foundation.hosts.jobs.output_lines import clean_line
from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.openssh import Settings
from foundation.isolation import ISOLATED
from foundation.problems import ConnectionProblem
from installer.ansible.brought import INSTALL, Brought, archive, brought
from installer.ansible.inventory import KnownAs
from installer.events import Kind
from installer.steps.kind import StepContext, StepFailed

KEYS: Final = "/run/sitewright/keys"
_SPARE_MINUTES: Final = 60
"""Longer than the playbook's time-out, in which a run that was cut off can be gone on with."""
_PUBLIC: Final = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{60,80}={0,2}")
_CORE: Final = re.compile(r"\[core (\d+)\.(\d+)")
_ADDRESSES: Final = 64
_PATIENCE: Final = 20.0
"""Seconds for a machine without which the playbook may do."""

_FIND: Final = r"""
[ ! -x "$1/bin/ansible-playbook" ] || echo brought=yes
cd / || exit
a=$(command -v ansible-playbook) &&
    echo "system=$(env -i PATH="$PATH" HOME="$HOME" "$a" --version 2>/dev/null | head -n 1)"
for p in python3 python3.14 python3.13 python3.12 python3.11; do
    command -v "$p" >/dev/null && "$p" -I -c '
import sys; print("python=%s %d %d" % ((sys.executable,) + sys.version_info[:2]))'
done
command -v ssh-keygen >/dev/null && command -v ssh >/dev/null && echo ssh=yes
exit 0
"""
"""The folder in which ours would lie: what is there, as `key=value` lines."""

_KEY: Final = r"""
umask 077
d=$1
mkdir -p "$d" || exit
case $(stat -f -c %T "$d") in tmpfs|ramfs) ;; *) echo "/run is not in memory" >&2; exit 1;; esac
if [ ! -s "$d/key" ]; then
    rm -f "$d/new" "$d/new.pub"
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$d/new" || exit
    mv "$d/new.pub" "$d/key.pub" && mv "$d/new" "$d/key" || exit
fi
cat "$d/key.pub"
ip -o address show scope global 2>/dev/null | sed -n 's/.* inet6\{0,1\} \([^/ ]*\).*/\1/p'
"""
"""The folder of the key: its public part, then the addresses of the machine."""

_LET_IN: Final = r"""
umask 077
mark=$1 minutes=$2
d=$HOME/.ssh
mkdir -p "$d" || exit
f=$(readlink -f "$d/authorized_keys")
t=$(mktemp "$f.XXXXXXXX") || exit
trap 'rm -f "$t"' EXIT
if [ -e "$f" ]; then
    # Those of earlier runs go too: one run at a time works on a machine.
    grep -v ' sitewright-[0-9]\{8\}-[0-9]\{6\}-[0-9a-f]\{4\}$' "$f" >"$t"
    [ $? -le 1 ] && chmod --reference="$f" "$t" || exit 1
fi
if [ "$minutes" -gt 0 ]; then
    line=$(cat)
    until=$(date -d "+$minutes minutes" +%Y%m%d%H%M) || exit
    printf 'restrict,pty,expiry-time="%s",%s %s\n' "$until" "$line" "$mark" >>"$t"
fi
if [ -s "$t" ] || [ -s "$f" ]; then mv -f "$t" "$f"; fi
if [ ! -s "$f" ]; then rm -f "$f"; fi
"""
"""The mark of the entry, minutes for which it holds (0 takes it away); its text by stdin."""


@dataclass(frozen=True, slots=True)
class HostPrograms:
    """What a control host has."""

    brought: bool = False
    """Whether what we would bring lies there."""
    system: tuple[int, int] | None = None
    """The version of its own ansible-core."""
    pythons: tuple[tuple[str, tuple[int, int]], ...] = ()
    ssh: bool = False


def parse_host_programs(output: bytes) -> HostPrograms:
    """What the control host said of itself."""
    is_brought, ssh = False, False
    system: tuple[int, int] | None = None
    pythons = []
    for line in output[:8192].decode("utf-8", "replace").splitlines():
        key, _, value = line.partition("=")
        is_brought = is_brought or line == "brought=yes"
        ssh = ssh or line == "ssh=yes"
        if key == "system" and (found := _CORE.search(value)):
            system = (int(found[1]), int(found[2]))
        words = value.rsplit(" ", 2)
        if key == "python" and len(words) == 3 and words[1].isdecimal() and words[2].isdecimal():
            pythons.append((words[0], (int(words[1]), int(words[2]))))
    return HostPrograms(is_brought, system, tuple(pythons), ssh)


def python_for(standing: HostPrograms, ours: Brought) -> str | None:
    """The Python of the control host with which what we bring runs; None where there is none."""
    return next((path for path, version in standing.pythons if version >= ours.python), None)


@dataclass(frozen=True, slots=True)
class Way:
    """How a control host runs playbooks on the machines of a site."""

    near: str = ""
    """The folder of the ansible-playbook to use; "" for that of its path."""
    inventory: Inventory | None = None
    """The machines as they are reached from there."""
    known_as: KnownAs = field(default_factory=dict)
    """Names under which known_hosts keeps machines and bastions, where they differ."""
    ssh_settings: Mapping[tuple[str, str], Settings] = field(default_factory=dict)
    """What the person's own ssh config says of them, by machine and address."""


async def prepare(context: StepContext, floor: tuple[int, int], minutes: float) -> Way:
    """Bring what is missing, and have the machines let the control host in.

    Safe to call again: nothing is brought twice, and the key of a playbook under way is kept.
    Raises StepFailed and ConnectionProblem classes.
    """
    near = await _bring(context, floor)
    file, public, addresses = await _key(context)
    inventory, known_as = await asyncio.to_thread(_as_seen_from_there, context, file)
    named = {name for stage in context.plan.stages for step in stage.steps for name in step.hosts}
    machines = [host for host in _site(context) if host.name in named and not host.local]
    entry = f'from="{",".join(addresses)}" {public}'
    lasts = round(minutes + _SPARE_MINUTES)
    context.emit(
        Kind.NOTE,
        text=f"{_where(context)} makes a key of its own for this playbook. It is let in by "
        f"{', '.join(host.name for host in machines)} from {', '.join(addresses)} until the "
        f"playbook has ended, and for {lasts} minutes at most.",
    )
    await _let_in(context, machines, entry, lasts)
    return Way(near, inventory, known_as)


async def leave(context: StepContext) -> None:
    """Take the key away again, here and there; a machine that is away forgets it by its date."""
    await _let_in(context, [host for host in _site(context) if not host.local], "", 0)
    connection = await context.connect(context.host)
    await connection.run(["rm", "-rf", _folder(context)], become=Become.ROOT)


async def _bring(context: StepContext, floor: tuple[int, int]) -> str:
    ours = brought()
    seen = await context.look(("sh", "-c", _FIND, "sh", ours.folder))
    standing = parse_host_programs(seen.stdout)
    if not standing.ssh:
        raise StepFailed(
            "the control host has no SSH client, with which Ansible reaches the machines",
            where=_where(context),
            remedy="Install it there: apt-get install openssh-client.",
            again=False,
        )
    if standing.system is not None and standing.system >= floor:
        return ""
    if standing.brought:
        return f"{ours.folder}/bin"
    python = python_for(standing, ours)
    if python is None:
        wanted = ".".join(map(str, ours.python))
        newest = max((version for _, version in standing.pythons), default=None)
        has = f"has Python {newest[0]}.{newest[1]}" if newest else "has no Python 3"
        raise StepFailed(
            f"the control host {has}, and ansible-core {ours.version} needs {wanted} or later",
            where=_where(context),
            remedy="Name another machine as control host, or leave `control` out of the site file.",
            again=False,
        )
    data = await asyncio.to_thread(archive)
    ended = await context.change(
        f"bring ansible-core {ours.version} to {ours.folder}",
        (python, ISOLATED, "-c", INSTALL, ours.folder, hashlib.sha256(data).hexdigest()),
        label="ansible",
        stdin=data,
    )
    if not ended.good:
        raise StepFailed(
            "ansible-core could not be brought to the control host: "
            + (ended.tail[-1] if ended.tail else ended.result),
            where=_where(context),
            remedy="Check the free space of /var and /run there; it needs about 20 MB.",
            output=ended.tail,
        )
    return f"{ours.folder}/bin"


async def _key(context: StepContext) -> tuple[str, str, tuple[str, ...]]:
    """The key's file on the control host, its public part, and the addresses of that machine."""
    folder = _folder(context)
    connection = await context.connect(context.host)
    done = await connection.run(["sh", "-c", _KEY, "sh", folder], become=Become.ROOT)
    first, _, rest = done.stdout.decode("utf-8", "replace").partition("\n")
    if done.status != 0 or not _PUBLIC.fullmatch(first.strip()):
        said = clean_line(done.stderr.strip().rpartition(b"\n")[2][:300])
        raise StepFailed(
            f"the control host could not make a key: {said or f'exit status {done.status}'}",
            where=_where(context),
        )
    told = [*rest.split()[:_ADDRESSES], context.host.address]
    return f"{folder}/key", first.strip(), tuple(dict.fromkeys(_addresses(told)))


def _addresses(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        try:
            yield str(ipaddress.ip_address(word.partition("%")[0]))
        except ValueError:
            continue  # a name, which `from=` would have to look up


def _as_seen_from_there(context: StepContext, key: str) -> tuple[Inventory, KnownAs]:
    """Every machine of the site, reached straight from the control host with its key."""
    # asyncssh takes half a second to import, which a control host that is this machine need not.
    from foundation.hosts.openssh.ssh_config import config_file
    from installer.ansible.from_here import where

    site = _site(context)
    config = config_file(site)
    hosts, known_as = [], dict[tuple[str, str], str]()
    for host in site:
        if host.local:
            hosts.append(host)
            continue
        target = where(host, config)
        if target.settings.host_key_alias:
            known_as[host.name, target.address] = target.known_as
        hosts.append(
            Host(
                name=host.name,
                address=target.address,
                port=target.port,
                user=target.user,
                roles=host.roles,
                identity_files=(Path(key),),
                machine=host.machine,
            )
        )
    return Inventory(tuple(hosts), known_hosts=site.known_hosts, source=site.source), known_as


async def _let_in(context: StepContext, machines: Sequence[Host], entry: str, minutes: int) -> None:
    """Write the entry on machines, or take it away with 0 minutes.

    The step's own machines must answer for it to be written; the others are only jumps of it.
    """
    needed = {host.name for host in context.hosts} if minutes else set[str]()

    async def one(host: Host) -> None:
        patience = None if host.name in needed else _PATIENCE
        try:
            async with asyncio.timeout(patience):
                connection = await context.connect(host)
                done = await connection.run(
                    ["sh", "-c", _LET_IN, "sh", _mark(context), str(minutes)],
                    stdin=entry.encode(),
                    become=Become.LOGIN,
                )
        except (TimeoutError, ConnectionProblem):
            if host.name in needed:
                raise
            return
        if done.status != 0 and minutes:
            said = clean_line(done.stderr.strip().rpartition(b"\n")[2][:300])
            raise StepFailed(
                f"the key of the control host could not be let in: {said or 'no reason told'}",
                where=host.name,
                remedy="Check that ~/.ssh/authorized_keys of the login can be written to there.",
            )

    await asyncio.gather(*(one(host) for host in machines))


def _site(context: StepContext) -> Inventory:
    known = getattr(context, "inventory", None)
    if isinstance(known, Inventory):
        return known
    return Inventory(hosts=tuple(host for host in context.hosts if host.name != context.host.name))


def _folder(context: StepContext) -> str:
    return f"{KEYS}/{context.run_id}"


def _mark(context: StepContext) -> str:
    return f"sitewright-{context.run_id}"


def _where(context: StepContext) -> str:
    return f"the control host {context.host.address}"
