"""Real OpenSSH servers on the loopback, started and ended by the test that needs them."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

from foundation.hosts.model import Host, Inventory
from foundation.hosts.openssh.hostkeys import host_pattern
from tests.foundation.processes import free_port

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

_SFTP = "Subsystem sftp internal-sftp"


def keygen(path: Path, *, passphrase: str = "", kind: str = "ed25519") -> Path:
    """A new private key, as ssh-keygen makes it; of RSA one that is found sooner."""
    words = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run([*words, *(("-b", "2048") if kind == "rsa" else ())], check=True)
    return path


@dataclass
class Sshd:
    """A running sshd: where it listens, and whom it lets in."""

    folder: Path
    address: str
    port: int
    process: subprocess.Popen[bytes]
    user: str = field(default_factory=getpass.getuser)

    @property
    def client_key(self) -> Path:
        """The private key that may log in."""
        return self.folder / "client"

    @property
    def host_key(self) -> str:
        """The public host key: type and base64."""
        return " ".join((self.folder / "host.pub").read_text().split()[:2])

    @property
    def known_hosts(self) -> Path:
        """A file in which this server's key, and no other, is trusted."""
        file = self.folder / "known_hosts"
        if not file.exists():
            file.write_text(f"{host_pattern(self.address, self.port)} {self.host_key}\n")
        return file

    def host(self, **more: object) -> Host:
        """This server as a machine of a site."""
        fields: dict[str, object] = {
            "name": f"m{self.port}",
            "address": self.address,
            "port": self.port,
            "user": self.user,
            "identity_files": (self.client_key,),
        }
        return Host(**{**fields, **more})  # type: ignore[arg-type]  # fields of Host by name

    def inventory(self, *more: Sshd, host: Host | None = None) -> Inventory:
        """A site of this server and others, all of them trusted."""
        servers = (self, *more)
        return Inventory(
            hosts=(host or self.host(), *(server.host() for server in more)),
            known_hosts=tuple(server.known_hosts for server in servers),
            use_ssh_config=False,
        )

    def stop(self) -> None:
        """End the server and every session it holds."""
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.process.terminate()
        for pid in children.stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 15)
        self.process.wait(timeout=60)


class StartSshd(Protocol):
    def __call__(self, *options: str, address: str = "127.0.0.1") -> Sshd: ...


def _start(folder: Path, options: tuple[str, ...], address: str) -> Sshd:
    assert SSHD is not None
    folder.mkdir(mode=0o700)
    keygen(folder / "host")
    keygen(folder / "client")
    shutil.copy(folder / "client.pub", folder / "authorized_keys")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = free_port(address)
    listen = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    config = folder / "sshd_config"
    # sshd takes the first word on a thing, so a test's own options stand in front.
    config.write_text(
        "\n".join(
            [
                *options,
                f"ListenAddress {listen}",
                f"HostKey {folder / 'host'}",
                f"AuthorizedKeysFile {folder / 'authorized_keys'}",
                f"PidFile {folder / 'pid'}",
                "UsePAM no",
                "PermitRootLogin prohibit-password",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                "StrictModes no",
                "MaxStartups 100",
                *([] if any(o.startswith("Subsystem") for o in options) else [_SFTP]),
                "LogLevel INFO",
                "",
            ]
        )
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=log, stdout=log)
    server = Sshd(folder, address, port, process)
    deadline = time.monotonic() + 60
    while b"Server listening" not in (folder / "log").read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError((folder / "log").read_text())
        time.sleep(0.01)
    return server


@pytest.fixture
def start_sshd(tmp_path: Path) -> Iterator[StartSshd]:
    """Starts real OpenSSH servers; each has its own host key, client key and configuration."""
    if SSHD is None:
        if os.environ.get("CI"):
            pytest.fail("sshd is missing, and CI must have it: apt-get install openssh-server")
        pytest.skip("sshd is missing: apt-get install openssh-server")
    if os.geteuid() != 0 and not Path("/run/sshd").exists():
        pytest.skip("sshd needs /run/sshd, which only root can make")
    started: list[Sshd] = []

    def start(*options: str, address: str = "127.0.0.1") -> Sshd:
        server = _start(tmp_path / f"sshd{len(started)}", options, address)
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def sshd(start_sshd: StartSshd) -> Sshd:
    """One real OpenSSH server with nothing special."""
    return start_sshd()
