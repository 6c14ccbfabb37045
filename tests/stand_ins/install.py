"""Putting the stand-ins on lab machines, where snapd's store cannot be reached.

The programs `snap`, `microk8s`, `microceph`, `modprobe` and `swapoff` of this folder stand in for
the real ones; each says so in its first line. /proc/sys/{fs,vm,kernel} and the list of modules in
/sys/module are laid over by copies, since the real ones are those of the machine that the lab runs
on.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.lab.machine import Machine

FOLDER = Path(__file__).parent
PROGRAMS = ("snap", "microk8s", "microceph", "modprobe", "swapoff")
MODULES = ("kubernetes", "microk8s_node")
"""What the programs import; without an ending here, since they are programs of the machines."""

_LAY_OVER = """\
for part in fs vm kernel; do
    mkdir -p /run/stand-in/$part
    for file in $FILES; do
        case $file in $part/*) ;; *) continue ;; esac
        mkdir -p "/run/stand-in/$(dirname $file)"
        cat "/proc/sys/$file" > "/run/stand-in/$file" 2>/dev/null || echo 0 > "/run/stand-in/$file"
    done
    mount --bind /run/stand-in/$part /proc/sys/$part
done
modules=$(ls /sys/module)
mount -t tmpfs stand-in /sys/module
for name in $modules; do mkdir "/sys/module/$name"; done
"""

TUNABLES = (
    "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches",
    "fs/aio-max-nr",
    "fs/file-max",
    "fs/nr_open",
    "vm/max_map_count",
    "vm/swappiness",
    "vm/dirty_ratio",
    "vm/dirty_background_ratio",
    "kernel/pid_max",
    "kernel/threads-max",
    "kernel/hostname",
    "kernel/osrelease",
    "kernel/random/boot_id",
    "kernel/random/uuid",
    "kernel/cap_last_cap",
)


def install(machine: Machine) -> None:
    """Put every stand-in on a machine, and lay copies over the kernel's shared parameters."""
    files = {name: FOLDER / name for name in PROGRAMS}
    files |= {f"{name}.py": FOLDER / name for name in MODULES}
    files["pod/vault"] = FOLDER / "vault"
    lines = ["mkdir -p /opt/stand-ins/pod /var/lib/stand-in"]
    for name, path in files.items():
        lines += [f"cat > /opt/stand-ins/{name} <<'END-OF-STAND-IN'", path.read_text().rstrip("\n")]
        lines += ["END-OF-STAND-IN", f"chmod 755 /opt/stand-ins/{name}"]
    lines += [
        f"ln -sf /opt/stand-ins/{name} {folder}/{name}"
        for name, folder in (
            ("snap", "/usr/local/bin"),
            ("modprobe", "/usr/local/sbin"),
            ("swapoff", "/usr/local/sbin"),
        )
    ]
    lines.append(f"FILES='{' '.join(TUNABLES)}'")
    machine.altered = True
    machine.script("\n".join(lines) + "\n" + _LAY_OVER)


def order(machine: Machine, **troubles: int) -> None:
    """Order troubles by name, each as often as the number says: `expired_token=1`."""
    named = {name.replace("_", "-"): count for name, count in troubles.items()}
    machine.write_file("/var/lib/stand-in/behaviour.json", json.dumps(named))


def calls(machine: Machine) -> list[str]:
    """What the stand-ins of a machine were called with, in order."""
    return machine.exec(["cat", "/var/lib/stand-in/calls"], check=False).stdout.splitlines()


def begin_gateways(machine: Machine, domain: str) -> None:
    """Have the stand-in for both Istio gateways' NodePorts run where there is a MicroK8s.

    Not before: a NodePort that is taken is an objection of preflight.
    """
    machine.write_file("/opt/stand-ins/istio_gateway", (FOLDER / "istio_gateway").read_text())
    machine.exec(
        ["systemd-run", "--quiet", "--unit=istio-gateways",
         "--path-property=PathExists=/var/snap/microk8s/current",
         "python3", "/opt/stand-ins/istio_gateway", domain]
    )  # fmt: skip
