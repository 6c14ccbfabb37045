"""Putting the stand-ins on lab machines, where snapd's store cannot be reached.

The programs `snap`, `microk8s`, `microceph`, `modprobe` and `swapoff` of this folder stand in for
the real ones; each says so in its first line. The Kubernetes of `microk8s` is real, and wants a
machine that was made by `recipe_for`. /proc/sys/{fs,vm,kernel} and the list of modules in
/sys/module are laid over by copies, since the real ones are those of the machine that the lab runs
on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.lab.host import Missing
from tests.lab.kubernetes import build, images, programs
from tests.lab.lending import MachineFactory
from tests.lab.machine import Machine
from tests.lab.recipe import FULL, NODE, Recipe, StandIn

FOLDER = Path(__file__).parent
PROGRAMS = ("snap", "microk8s", "microceph", "modprobe", "swapoff")
MODULES = ("microk8s_addons", "microk8s_daemons", "microk8s_datastore", "microk8s_ingress",
           "microk8s_network", "microk8s_node")  # fmt: skip
"""What the programs import; without an ending here, since they are programs of the machines."""
IMAGES = {
    "pod": (images.POD, "registry.k8s.io/pause:3.10"),
    "coredns": ("docker.io/coredns/coredns:1.10.1",),
}
"""Programs of the lab as images that nodes are given, and their names."""
REGISTRIES = ("docker.io", "registry-1.docker.io", "quay.io", "ghcr.io", "gcr.io", "k8s.gcr.io",
              "registry.k8s.io", "auth.docker.io", "cdn.dl.k8s.io")  # fmt: skip
"""Of the internet; on a machine that is a node nothing answers under these names, at once."""

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
    # What a kubelet wants to find as it is, or writes.
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def recipe_for(roles: Collection[str]) -> Recipe:
    """What a machine of these roles of PM4ML is made from: masters and workers can be nodes."""
    if not {"master", "worker"} & set(roles):
        return FULL
    reason = build.missing()
    if reason is not None:
        raise Missing(reason)
    folder = build.kubernetes().parent
    _next_minor(build.kubernetes())
    for program, names in IMAGES.items():
        archive = folder / f"{program}.tar"
        if not archive.exists():
            new = archive.with_suffix(f".{os.getpid()}")
            new.write_bytes(images.archive(folder / program, *names))
            new.replace(archive)
    mounted = {folder: "/opt/kubernetes", programs.kubectl().parent: "/opt/kubernetes-clients"}
    volumes = [word for here, there in mounted.items() for word in ("-v", f"{here}:{there}:ro")]
    return replace(NODE, options=(*NODE.options, *volumes))


def _next_minor(binary: Path) -> None:
    """A copy of the lab's Kubernetes that says it is one minor version newer, and is the same."""
    copy = binary.with_name("kubernetes-next")
    if not copy.exists():
        new = copy.with_suffix(f".{os.getpid()}")
        new.write_bytes(binary.read_bytes().replace(b"v1.31.14", b"v1.32.14"))
        new.chmod(0o755)
        new.replace(copy)


def start(
    machines: MachineFactory,
    roles: Mapping[str, Collection[str]],
    *,
    stand_in: StandIn | None = None,
) -> dict[str, Machine]:
    """Start the machines of a site, by name, each from what its roles want, with the stand-ins."""
    by_recipe: dict[Recipe, list[str]] = {}
    for name, own in roles.items():
        by_recipe.setdefault(recipe_for(own), []).append(name)
    started = {
        machine.name: machine
        for recipe, names in by_recipe.items()
        for machine in machines.several(*names, recipe=recipe, stand_in=stand_in)
    }
    with ThreadPoolExecutor() as pool:
        list(pool.map(install, started.values()))
    return {name: started[name] for name in roles}


def install(machine: Machine) -> None:
    """Put every stand-in on a machine, and lay copies over the kernel's shared parameters."""
    files = {name: FOLDER / name for name in PROGRAMS}
    files |= {f"{name}.py": FOLDER / name for name in MODULES}
    lines = ["mkdir -p /opt/stand-ins /var/lib/stand-in"]
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
    if machine.recipe.init == NODE.init:
        lines.append(f"echo '127.0.0.9 {' '.join(REGISTRIES)}' >> /etc/hosts")
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
