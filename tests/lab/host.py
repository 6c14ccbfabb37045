"""What the lab asks of the machine it runs on: commands, deadlines, free addresses, routes.

Standard library only, so that `python -m tests.lab packages` works before anything is installed.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PROGRAMS = ("podman", "runc", "debootstrap", "ip", "iptables", "nsenter", "ssh-keygen")
"""Every program of this host that the lab calls."""

_SUBNETS = ipaddress.IPv4Network("10.160.0.0/11")
"""Where lab networks are taken from: clear of the 10.x ranges that Kubernetes and MicroK8s use."""

_PREFIX = 22
"""Bits of a lab network: about a thousand addresses, so that none is used twice in a session."""


PATIENCE = 600.0
"""Seconds after which something that takes one on an idle machine is taken for lost."""


class LabError(RuntimeError):
    """Something the lab needs is missing, failed, or would have left this machine."""


class Missing(LabError):
    """Something that a test of the lab needs is not on this machine: it is skipped, or fails."""


def run(
    argv: Sequence[str],
    *,
    stdin: str | None = None,
    check: bool = True,
    timeout: float = PATIENCE,
) -> subprocess.CompletedProcess[str]:
    """Run one command of this host and return what it printed.

    `timeout` is in seconds. With `check`, an exit status other than 0 is a LabError that carries
    what the command wrote to standard error.
    """
    try:
        done = subprocess.run(
            list(argv),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
    except FileNotFoundError as error:
        raise LabError(f"{argv[0]} is not installed on this machine") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{' '.join(argv)}` gave no result in {timeout:g} s") from error
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise LabError(f"`{' '.join(argv)}` ended with {done.returncode}: {said}")
    return done


def wait_until(
    condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE, every: float = 0.05
) -> None:
    """Poll `condition` until it is true; after `seconds` raise a LabError that names `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:g} s in vain for {what}")
        time.sleep(every)


def missing() -> str | None:
    """Why no lab can be had on this machine, or None if one can."""
    if os.geteuid() != 0:
        return "the lab needs root (podman machines with systemd)"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"the lab needs {', '.join(absent)}: see `python -m tests.lab packages`"
    return None


def allow_many_machines() -> None:
    """Raise the kernel's bound on inotify instances, of which each systemd takes several.

    The usual 128 end at some twenty machines; two labs side by side have more. The bound is the
    host's, and raising it harms nothing, so it is left raised.
    """
    bound = Path("/proc/sys/fs/inotify/max_user_instances")
    with contextlib.suppress(OSError, ValueError):
        if int(bound.read_text()) < 1024:
            bound.write_text("1024\n")


def required() -> bool:
    """Whether a missing lab is a failure (in CI, or by SITEWRIGHT_REQUIRE_LAB=1), not a skip."""
    return os.environ.get("CI") == "true" or os.environ.get("SITEWRIGHT_REQUIRE_LAB") == "1"


def process_start(pid: int) -> int | None:
    """When a process of this machine started, in clock ticks since boot; None if it is gone.

    Together with the process id it names one process for good: ids are used again.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command name in parentheses may hold spaces; the fields after it do not.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else int(fields[19])


def free_subnet() -> ipaddress.IPv4Network:
    """A 10.x network that no route, no address and no podman network of this machine touches."""
    taken = _networks_in_use()
    candidates = list(_SUBNETS.subnets(new_prefix=_PREFIX))
    # Labs that start at the same moment must not all try the same network first.
    random.SystemRandom().shuffle(candidates)
    for candidate in candidates:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise LabError(f"every network in {_SUBNETS} is in use")


def _networks_in_use() -> list[ipaddress.IPv4Network]:
    routes = json.loads(run(["ip", "-4", "-j", "route", "show", "table", "all"]).stdout or "[]")
    texts = [str(route.get("dst", "")) for route in routes]
    names = run(["podman", "network", "ls", "--format", "{{.Name}}"]).stdout.split()
    for name in names:
        # A network may vanish between the two commands: another lab is ending.
        shown = run(["podman", "network", "inspect", name], check=False)
        if shown.returncode == 0:
            texts += [subnet["subnet"] for subnet in json.loads(shown.stdout)[0].get("subnets", [])]
    networks = []
    for text in texts:
        try:
            networks.append(ipaddress.IPv4Network(text, strict=False))
        except ValueError:  # "default", or an IPv6 subnet
            continue
    return networks


def check_route(address: str, bridge: str) -> None:
    """Raise unless packets to `address` go straight out of `bridge`.

    Beyond a default gateway every TCP connection may appear to be accepted, so a dead machine
    would look alive; and test traffic must never leave this machine.
    """
    found: list[dict[str, Any]] = json.loads(run(["ip", "-j", "route", "get", address]).stdout)
    device, gateway = found[0].get("dev"), found[0].get("gateway")
    if device != bridge or gateway is not None:
        via = f" via {gateway}" if gateway else ""
        raise LabError(f"packets to {address} would leave by {device}{via}, not by {bridge}")
