"""One machine of the lab: a systemd system with OpenSSH, and the trouble it can be put to."""

from __future__ import annotations

import base64
import hashlib
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.lab import delay
from tests.lab.host import PATIENCE, LabError, check_route, run, wait_until
from tests.lab.recipe import FULL, Recipe, StandIn

_PODMAN = ("podman", "--runtime", "runc")  # crun refuses hybrid cgroups

_HOST_KEYS = "cd /etc/ssh; cat ssh_host_ed25519_key.pub ssh_host_ecdsa_key.pub ssh_host_rsa_key.pub"

_NEW_HOST_KEYS = """\
rm -f /etc/ssh/ssh_host_*
systemctl restart lab-host-keys.service
systemctl restart ssh.service
"""


@dataclass(frozen=True)
class Place:
    """Where a lab keeps its machines: the names of its network and of its bridge on this host."""

    lab: str
    network: str
    bridge: str


@dataclass(eq=False)
class Machine:
    """One machine of a lab. Lab.machines() makes them; nothing else should."""

    place: Place
    name: str
    address: str
    recipe: Recipe = FULL
    stand_in: StandIn | None = None
    keep_journal: bool = False
    """Whether journald's files survive a restart; podman otherwise puts them into memory."""
    port: int = 22
    altered: bool = False
    """Whether something was done that the next test must not meet; set it where that is not seen
    from here, as after work over SSH."""
    host_keys: tuple[str, ...] = field(default=(), init=False)
    """The public host keys, "TYPE BASE64", read inside the machine; ed25519 first."""
    _delay: subprocess.Popen[str] | None = field(default=None, init=False, repr=False)

    @property
    def container(self) -> str:
        """The name podman knows the machine by; with the address, since names are used again."""
        return f"{self.place.lab}-{self.name}-{self.address.replace('.', '-')}"

    @property
    def host_key(self) -> str:
        """The machine's ed25519 public host key, as "ssh-ed25519 BASE64"."""
        return self.host_keys[0]

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint as OpenSSH prints it, "SHA256:…"."""
        blob = base64.b64decode(self.host_key.split()[1])
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

    # -- life ---------------------------------------------------------------------------------

    def boot(self, setup: str) -> None:
        """Create the machine, wait for its sshd, run the script `setup` in it, read its keys."""
        volume = ["--volume", "/var/log/journal"] if self.keep_journal else []
        run(
            [
                *_PODMAN,
                *("run", "--detach", "--pull", "never", "--log-driver", "none"),
                *("--name", self.container, "--hostname", self.name),
                # Without CAP_SYS_RESOURCE podman could not raise these, and would try.
                *("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=2000:2000"),
                # The clock is this host's: no machine of the lab may set it.
                *("--privileged", "--cap-drop", "SYS_TIME", "--systemd", "always"),
                *("--network", self.place.network, "--ip", self.address),
                *volume,
                *self.recipe.options,
                *(self.recipe.image, self.recipe.init),
            ]
        )
        self.wait_for_ssh()
        self._read_host_keys(setup)

    def wait_for_ssh(self, seconds: float = PATIENCE) -> None:
        """Wait until sshd says its banner."""
        check_route(self.address, self.place.bridge)
        wait_until(self.speaks_ssh, f"the SSH banner of {self.name}", seconds=seconds)

    def wait_for_boot(self, seconds: float = PATIENCE) -> None:
        """Wait until systemd has finished starting; sshd answers a little earlier."""

        def booted() -> bool:
            state = self.exec(["systemctl", "is-system-running"], check=False).stdout.strip()
            return state in {"running", "degraded"}

        wait_until(booted, f"the end of the boot of {self.name}", seconds=seconds)

    def speaks_ssh(self) -> bool:
        """Whether a TCP connection to the SSH port is answered with an SSH banner within 1 s."""
        try:
            with socket.create_connection((self.address, self.port), timeout=1.0) as connection:
                return connection.recv(8).startswith(b"SSH-2.0")
        except OSError:
            return False

    def stop(self) -> None:
        """Shut the machine down in order."""
        self._podman("stop", "--time", "10")

    def kill(self) -> None:
        """Take the machine's power away."""
        self._podman("kill")

        def off() -> bool:
            shown = run(["podman", "inspect", "-f", "{{.State.Running}}", self.container])
            return shown.stdout.strip() == "false"

        wait_until(off, f"the end of {self.name}")

    def start(self) -> None:
        """Switch a stopped machine on again and wait for its sshd.

        Disk, address and host keys are as before; filters, delays and routes are not kept.
        """
        self._podman("start")
        self.wait_for_ssh()

    def restart(self) -> None:
        """Reboot the machine and wait for its sshd; see `start` for what is kept."""
        self._podman("restart", "--time", "10")
        self.wait_for_ssh()

    def remove(self) -> None:
        """Remove the machine for good."""
        self.altered = True
        self.end_delay()
        run(["podman", "rm", "--force", "--volumes", "--time", "0", self.container], check=False)

    # -- work inside --------------------------------------------------------------------------

    def exec(
        self,
        argv: Sequence[str],
        *,
        stdin: str | None = None,
        check: bool = True,
        timeout: float = PATIENCE,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside as root, without SSH."""
        keep_stdin = ["--interactive"] if stdin is not None else []
        return run(
            [*_PODMAN, "exec", *keep_stdin, self.container, *argv],
            stdin=stdin,
            check=check,
            timeout=timeout,
        )

    def script(self, text: str, *, timeout: float = PATIENCE) -> str:
        """Run a POSIX script inside as root, given over standard input; what it printed."""
        return self.exec(["sh", "-eus"], stdin=text, timeout=timeout).stdout

    def write_file(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file inside, making its folder if need be."""
        self.altered = True
        name = shlex.quote(path)
        command = f'mkdir -p "$(dirname {name})" && cat > {name} && chmod {mode:o} {name}'
        self.exec(["sh", "-c", command], stdin=text)

    def add_disk(self, device: str, mib: int = 64) -> None:
        """Give it an empty disk under this name, a loop device that `losetup -d` takes away."""
        self.altered = True
        # Its /dev has the loop devices of the time it was started, and another machine may take
        # a free one just now.
        self.script(
            f"file=/var/tmp/disk{device.replace('/', '-')}\n"
            f'truncate -s {int(mib)}M "$file"\n'
            "for n in $(seq 0 63); do\n"
            "    [ -b /dev/loop$n ] || mknod /dev/loop$n b 7 $n\n"
            "done\n"
            "for try in 1 2 3 4 5; do\n"
            '    if loop=$(losetup -f --show "$file"); then\n'
            f'        ln -s "$loop" {shlex.quote(device)}\n'
            "        exit 0\n"
            "    fi\n"
            "done\n"
            "exit 1\n"
        )

    # -- trouble ------------------------------------------------------------------------------

    def drop_port(self, port: int, *, protocol: str = "tcp") -> None:
        """Filter a port: packets to it vanish, without an answer."""
        self._network("iptables", "-I", "INPUT", "-p", protocol, "--dport", str(port), "-j", "DROP")

    def undrop(self) -> None:
        """Take every filter of `drop_port` and `drop_address` away."""
        self._network("iptables", "-F", "INPUT")

    def drop_address(self, address: str) -> None:
        """Let every packet to one of the machine's own addresses vanish."""
        self._network("iptables", "-I", "INPUT", "-d", address, "-j", "DROP")

    def add_address(self, address: str) -> None:
        """Give the machine a further address in the lab's network."""
        self._network("ip", "address", "add", f"{address}/32", "dev", "eth0")

    def netem(self, delay_ms: float = 0.0, loss: float = 0.0) -> None:
        """Delay what is sent to the machine by `delay_ms`, and lose `loss` per cent of it.

        Only the way in is slowed, so the delay is added once to a round trip. 0 and 0 end it.
        Done by `tests.lab.delay`, so that it is the same on kernels without tc's netem.
        """
        if self._delay is not None:
            self._network("iptables", "-D", *delay.RULE)
        self.end_delay()
        if not (delay_ms or loss):
            return
        program = [sys.executable, delay.__file__, str(delay_ms), str(loss)]
        self._delay = subprocess.Popen(
            ["nsenter", "--target", str(self._pid()), "--net", *program],
            stdin=subprocess.PIPE,  # its end, with this process, ends the program
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._delay.stdout is not None
        if self._delay.stdout.readline() != "ready\n":
            raise LabError(f"no delay for {self.name}: {self._delay.communicate()[1]}")
        self._network("iptables", "-I", *delay.RULE)

    def end_delay(self) -> None:
        """End the program behind `netem`, on the way to the machine's own end."""
        if self._delay is not None:
            self._delay.communicate()  # closes its standard input and waits for its end
            self._delay = None

    def no_route(self) -> None:
        """Take the way out away: this host and the lab still reach it, it reaches nothing else."""
        self._network("ip", "route", "delete", "default")

    def fill_disk(self, path: str, size: int, *, free: int = 0) -> None:
        """Put a file system of `size` bytes on the folder `path`, with `free` bytes left.

        What was in the folder is hidden by it. Both numbers are rounded to whole pages.
        """
        self.altered = True
        folder = shlex.quote(path)
        self.script(
            f"mkdir -p {folder}; mount -t tmpfs -o size={size} lab-full-disk {folder}\n"
            f"head -c {max(size - free, 0)} /dev/zero > {folder}/.filled || [ {free} = 0 ]\n"
        )

    def new_host_keys(self) -> None:
        """Give the machine other host keys, as after a reinstallation or an attack.

        The lab's known_hosts file keeps the old ones until Lab.trust(machine).
        """
        self.altered = True
        self._read_host_keys(_NEW_HOST_KEYS)
        self.wait_for_ssh()

    # -- inside of the above ------------------------------------------------------------------

    def _read_host_keys(self, first: str) -> None:
        """Run the script `first`, then read the public host keys inside the machine."""
        lines = self.script(f"{{\n{first}\n}} >&2\n{_HOST_KEYS}").splitlines()
        self.host_keys = tuple(" ".join(line.split()[:2]) for line in lines)

    def _podman(self, verb: str, *options: str) -> None:
        self.altered = True
        self.end_delay()  # the program would keep the network of a stopped machine alive
        run([*_PODMAN, verb, *options, self.container])

    def _network(self, *argv: str) -> None:
        """Run a program of this host in the machine's network: the machine may lack it."""
        self.altered = True
        run(["nsenter", "--target", str(self._pid()), "--net", *argv])

    def _pid(self) -> int:
        """The machine's PID 1 as this host numbers it."""
        shown = run(["podman", "inspect", "--format", "{{.State.Pid}}", self.container])
        pid = int(shown.stdout)
        if not pid:
            raise LabError(f"{self.name} is not running")
        return pid
