"""A lab: a network of its own, a key pair, and as many machines as a test asks for."""

from __future__ import annotations

import atexit
import itertools
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import recipe as images
from tests.lab.host import (
    LabError,
    allow_many_machines,
    check_route,
    free_subnet,
    missing,
    process_start,
    run,
)
from tests.lab.machine import Machine, Place
from tests.lab.recipe import FULL, PASSWORD_USER, USERS, Recipe, StandIn

_NAME = re.compile(r"swlab-(?P<pid>\d+)-(?P<start>\d+)-\d+")
"""The name of a lab: the process that made it, when that process started, and a number."""

_FIRST_MACHINE = 100
"""Machines have the addresses that end in this and more, dead ones are taken from the top down.

So all end in three digits, and none begins with the whole of another: a test that looks for one in
a text does not find it in another's, whichever machines were made before.
"""

_PARALLEL = 8
"""Machines started at once; more only wait for podman's locks."""

_serial = itertools.count()

_SILENT = """\
import socket
server = socket.create_server(("{address}", 22), backlog=64)
kept = []
while True:
    kept.append(server.accept())
"""


@dataclass(frozen=True)
class Endpoint:
    """An address and a TCP port."""

    address: str
    port: int


class Lab:
    """Real machines for the time of a `with` block.

    Entering costs about 0.3 s; machines are made when they are asked for.
    """

    def __init__(self) -> None:
        self.name = f"swlab-{os.getpid()}-{process_start(os.getpid())}-{next(_serial)}"
        self.password = secrets.token_urlsafe(12)
        """What `engineer` logs in with, and tells sudo; of this session only."""
        self.machines_up: dict[str, Machine] = {}
        self.subnet = IPv4Network("0.0.0.0/32")
        self.place = Place(self.name, self.name, "")
        self.folder = Path()
        self._trusted: dict[str, tuple[str, ...]] = {}
        self._offsets = (one for one in itertools.count() if one % 256 >= _FIRST_MACHINE)
        self._unused = itertools.count(2)
        self._numbers = itertools.count(1)
        self._trouble: tuple[Endpoint, Endpoint] | None = None
        self._removals: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="lab")
        self._guard: subprocess.Popen[bytes] | None = None

    # -- life ---------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        reason = missing()
        if reason is not None:
            raise LabError(reason)
        allow_many_machines()
        remove_stale()
        atexit.register(self.close)
        try:
            self._start_guard()
            self.folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
            self._make_network()
            make_key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sitewright-lab"]
            run([*make_key, "-f", str(self.key)])
            self._write_known_hosts()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove every machine, the network and the keys; harmless when done twice."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for machine in self.machines_up.values():
            machine.end_delay()
        remove(self.name)
        if self._guard is not None:
            self._guard.terminate()
            self._guard.communicate()
            self._guard = None
        atexit.unregister(self.close)  # last: interrupted before, it is done again at exit

    def _start_guard(self) -> None:
        """Start a process that tidies up when this one ends in a way that runs no Python.

        It learns of that by the end of its standard input, which only this process holds.
        """
        self._guard = subprocess.Popen(
            [sys.executable, "-m", "tests.lab", "guard", self.name],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is not meant for it
        )

    def _make_network(self) -> None:
        refusal = ""
        for _ in range(5):  # another lab may take a network between the look and the making
            self.subnet = free_subnet()
            create = ["podman", "network", "create", "--disable-dns"]
            made = run([*create, "--subnet", str(self.subnet), self.name], check=False)
            if made.returncode == 0:
                break
            refusal = made.stderr.strip()
        else:
            raise LabError(f"podman made no network: {refusal}")
        form = "{{.NetworkInterface}}"
        bridge = run(["podman", "network", "inspect", "--format", form, self.name]).stdout.strip()
        self.place = Place(self.name, self.name, bridge)

    # -- files --------------------------------------------------------------------------------

    @property
    def key(self) -> Path:
        """The private key every user of every machine accepts."""
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The host keys of the machines, read inside them and not over the network."""
        return self.folder / "known_hosts"

    def trust(self, machine: Machine) -> None:
        """Put a machine's present host keys into the known_hosts file."""
        self._trusted[machine.address] = machine.host_keys
        self._write_known_hosts()

    def _write_known_hosts(self) -> None:
        lines = [f"{host} {key}\n" for host, keys in self._trusted.items() for key in keys]
        # Replaced whole: a client may be reading it.
        new = self.folder / "known_hosts.new"
        new.write_text("".join(lines))
        new.replace(self.known_hosts)

    def ssh(self, machine: Machine, *command: str, user: str = "ubuntu") -> list[str]:
        """The OpenSSH client's command line for one command on a machine, checking its key."""
        options = [
            *("-F", "none", "-i", str(self.key), "-p", str(machine.port)),
            *("-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "GlobalKnownHostsFile=none"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes"),
            *("-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=60"),
        ]
        return ["ssh", *options, f"{user}@{machine.address}", *command]

    # -- machines -----------------------------------------------------------------------------

    def _next_name(self) -> str:
        """A name that no test gives a machine of its own: plain ones stay up between tests."""
        return f"plain{next(self._numbers)}"

    def machine(
        self,
        name: str | None = None,
        *,
        recipe: Recipe = FULL,
        stand_in: StandIn | None = None,
        keep_journal: bool = False,
    ) -> Machine:
        """Start one machine and wait until it can be logged in to."""
        names = [name or self._next_name()]
        return self.machines(
            names=names, recipe=recipe, stand_in=stand_in, keep_journal=keep_journal
        )[0]

    def machines(
        self,
        count: int = 0,
        *,
        names: Sequence[str] = (),
        recipe: Recipe = FULL,
        stand_in: StandIn | None = None,
        keep_journal: bool = False,
    ) -> list[Machine]:
        """Start machines side by side, `count` of them or one for each name, ready for SSH."""
        images.ensure(recipe)
        chosen = list(names) or [self._next_name() for _ in range(count)]
        machines = []
        for name in chosen:
            if name in self.machines_up:
                raise LabError(f"the lab has a machine {name} already")
            machine = Machine(
                self.place, name, self._next_address(), recipe, stand_in, keep_journal
            )
            self.machines_up[name] = machine
            machines.append(machine)
        list(self._pool.map(lambda machine: machine.boot(self._setup(machine)), machines))
        self._trusted.update({machine.address: machine.host_keys for machine in machines})
        self._write_known_hosts()
        return machines

    def discard(self, machine: Machine) -> None:
        """Remove a machine in the background; its address is never used again."""
        self.machines_up.pop(machine.name, None)
        self._removals.append(self._pool.submit(machine.remove))

    def _setup(self, machine: Machine) -> str:
        """The script that makes a booted machine one of this lab. It goes in by stdin."""
        public = self.key.with_suffix(".pub").read_text().strip()
        lines = [
            f"for user in {' '.join(USERS)}; do",
            '    home=$(getent passwd "$user" | cut -d: -f6)',
            '    install -d -m 700 -o "$user" -g "$user" "$home/.ssh"',
            f"    echo '{public}' > \"$home/.ssh/authorized_keys\"",
            '    chown "$user:" "$home/.ssh/authorized_keys"',
            "done",
            # A cheap hash: the password is random and lives for minutes.
            "chpasswd --crypt-method SHA512 --sha-rounds 1000 <<'END'",
            f"{PASSWORD_USER}:{self.password}",
            "END",
        ]
        if machine.stand_in is not None:
            lines += [
                "rm -f /etc/os-release",
                "cat > /etc/os-release <<'END'",
                machine.stand_in.os_release.rstrip("\n"),
                "END",
            ]
        return "\n".join(lines)

    def _next_address(self) -> str:
        return str(self._address(next(self._offsets)))

    def _address(self, offset: int) -> IPv4Address:
        if not 0 < offset < self.subnet.num_addresses - 1:
            raise LabError(f"the lab has used up {self.subnet}")
        return self.subnet.network_address + offset

    # -- addresses in trouble -----------------------------------------------------------------

    def dead_address(self) -> str:
        """An address of the lab's own network that nobody has; another one each time."""
        address = str(self._address(self.subnet.num_addresses - next(self._unused)))
        if not self.machines_up:
            self.machine()  # podman makes the bridge with the first machine
        check_route(address, self.place.bridge)
        return address

    @property
    def silent(self) -> Endpoint:
        """A port 22 that accepts connections and never says a word."""
        return self._troubled()[0]

    @property
    def black_hole(self) -> Endpoint:
        """A port 22 whose packets vanish, though the machine is up."""
        return self._troubled()[1]

    def silent_address(self) -> str:
        """The address of `silent`, whose port 22 accepts connections and says nothing."""
        return self.silent.address

    def _troubled(self) -> tuple[Endpoint, Endpoint]:
        """One machine with sshd off and two more addresses, made on first use."""
        if self._trouble is None:
            machine = self.machine("trouble")
            silent, hole = self._next_address(), self._next_address()
            machine.exec(["systemctl", "stop", "ssh.service"])
            machine.add_address(silent)
            machine.add_address(hole)
            machine.drop_address(hole)
            program = _SILENT.format(address=silent)
            unit = ["systemd-run", "--quiet", "--unit=silent"]
            machine.exec([*unit, "python3", "-c", program])
            for address in (silent, hole):
                check_route(address, self.place.bridge)
            self._trouble = (Endpoint(silent, 22), Endpoint(hole, 22))
        return self._trouble


def remove_stale() -> None:
    """Remove what labs of processes that are gone have left behind."""
    for name in _labs_here():
        found = _NAME.fullmatch(name)
        if found and process_start(int(found["pid"])) != int(found["start"]):
            remove(name)


def _labs_here() -> set[str]:
    machines = run(["podman", "ps", "--all", "--format", "{{.Names}}"], check=False).stdout
    networks = run(["podman", "network", "ls", "--format", "{{.Name}}"], check=False).stdout
    folders = " ".join(path.name for path in Path(tempfile.gettempdir()).glob("swlab-*"))
    return {found[0] for found in _NAME.finditer(f"{machines} {networks} {folders}")}


def remove(name: str) -> None:
    """Remove the machines, the network and the folder of one lab, as far as there are any."""
    shown = run(
        ["podman", "ps", "--all", "--format", "{{.Names}}", "--filter", f"name=^{name}-"],
        check=False,
    ).stdout.split()
    if shown:
        # One command: podman works side by side itself, and this may run at exit, when Python
        # starts no more threads.
        run(["podman", "rm", "--force", "--volumes", "--time", "0", *shown], check=False)
    run(["podman", "network", "rm", "--force", name], check=False)
    for folder in Path(tempfile.gettempdir()).glob(f"{name}-*"):
        shutil.rmtree(folder, ignore_errors=True)
