"""Programs that matter here: whether they are there, their version, whether they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from preflight.facts import ABSENT, Fact, Software, Unknown
from preflight.parse.frames import Answer
from preflight.parse.sockets import process_names
from preflight.parse.text import plain, told


@dataclass(frozen=True, slots=True)
class _Known:
    """By what a program is recognised."""

    name: str
    commands: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    snaps: tuple[str, ...] = ()
    processes: tuple[str, ...] = ()
    """Names of its processes, as far as the kernel keeps them: 15 characters."""


_KNOWN: Final = (
    _Known(
        "docker",
        ("dockerd", "docker"),
        ("docker.io", "docker-ce"),
        ("docker",),
        ("docker",),
        ("dockerd",),
    ),
    _Known(
        "containerd",
        ("containerd",),
        ("containerd.io", "containerd"),
        ("containerd",),
        (),
        ("containerd",),
    ),
    _Known("podman", ("podman",), ("podman",), ("podman",)),
    _Known("cri-o", ("crio",), ("cri-o",), ("crio",), (), ("crio",)),
    _Known("runc", ("runc",), ("runc",)),
    _Known("snapd", ("snapd", "snap"), ("snapd",), ("snapd",), ("snapd",), ("snapd",)),
    _Known("lxd", ("lxd",), ("lxd",), ("lxd", "snap.lxd.daemon"), ("lxd",), ("lxd",)),
    _Known(
        "microk8s",
        ("microk8s",),
        (),
        ("snap.microk8s.daemon-kubelite", "snap.microk8s.daemon-kubelet"),
        ("microk8s",),
        ("kubelite",),
    ),
    _Known("k3s", ("k3s",), (), ("k3s", "k3s-agent"), (), ("k3s-server", "k3s-agent", "k3s")),
    _Known("rke2", ("rke2",), (), ("rke2-server", "rke2-agent"), (), ("rke2",)),
    _Known("k0s", ("k0s",), (), ("k0scontroller", "k0sworker"), (), ("k0s",)),
    _Known("kubelet", ("kubelet",), ("kubelet",), ("kubelet",), ("kubelet",), ("kubelet",)),
    _Known("kubeadm", ("kubeadm",), ("kubeadm",), (), ("kubeadm",)),
    _Known("kubectl", ("kubectl",), ("kubectl",), (), ("kubectl",)),
    _Known("helm", ("helm",), ("helm",), (), ("helm",)),
    _Known("haproxy", ("haproxy",), ("haproxy",), ("haproxy",), (), ("haproxy",)),
    _Known("nginx", ("nginx",), ("nginx", "nginx-core"), ("nginx",), (), ("nginx",)),
    _Known("apache2", ("apache2",), ("apache2",), ("apache2",), (), ("apache2", "httpd")),
    _Known("keepalived", ("keepalived",), ("keepalived",), ("keepalived",), (), ("keepalived",)),
    _Known(
        "ceph",
        ("ceph", "ceph-osd"),
        ("ceph", "ceph-osd", "ceph-mon", "ceph-common", "cephadm"),
        ("ceph-osd@", "ceph-mon@"),
        (),
        ("ceph-osd", "ceph-mon", "ceph-mgr"),
    ),
    _Known(
        "microceph", ("microceph",), (), ("snap.microceph.daemon",), ("microceph",), ("microcephd",)
    ),
    _Known("etcd", ("etcd",), ("etcd", "etcd-server"), ("etcd",), ("etcd",), ("etcd",)),
    _Known("ufw", ("ufw",), ("ufw",), ("ufw",)),
    _Known("firewalld", ("firewalld",), ("firewalld",), ("firewalld",), (), ("firewalld",)),
    _Known(
        "fail2ban", ("fail2ban-server",), ("fail2ban",), ("fail2ban",), (), ("fail2ban-server",)
    ),
    _Known(
        "multipathd", ("multipathd",), ("multipath-tools",), ("multipathd",), (), ("multipathd",)
    ),
    _Known(
        "unattended-upgrades",
        ("unattended-upgrade",),
        ("unattended-upgrades",),
        ("unattended-upgrades",),
        (),
        ("unattended-upgr",),
    ),
    _Known("nfs-server", ("exportfs",), ("nfs-kernel-server",), ("nfs-server",), (), ("nfsd",)),
    _Known("iscsid", ("iscsid",), ("open-iscsi",), ("iscsid",), (), ("iscsid",)),
    _Known("wireguard", ("wg",), ("wireguard-tools", "wireguard")),
    _Known("longhorn", ("longhornctl",), (), (), (), ("longhorn-manage",)),
    _Known("chrony", ("chronyd",), ("chrony",), ("chrony", "chronyd"), (), ("chronyd",)),
    _Known("ntpd", ("ntpd",), ("ntpsec", "ntp"), ("ntpsec", "ntp", "ntpd"), (), ("ntpd",)),
    _Known(
        "systemd-timesyncd",
        (),
        ("systemd-timesyncd",),
        ("systemd-timesyncd",),
        (),
        ("systemd-timesyn",),
    ),
    _Known("openssh-server", ("sshd",), ("openssh-server",), ("ssh", "sshd"), (), ("sshd",)),
    _Known(
        "postgresql",
        ("postgres",),
        ("postgresql",),
        ("postgresql", "postgresql@"),
        (),
        ("postgres",),
    ),
    _Known(
        "mysql",
        ("mysqld",),
        ("mysql-server", "mariadb-server"),
        ("mysql", "mariadb"),
        (),
        ("mysqld", "mariadbd"),
    ),
    _Known("mongodb", ("mongod",), ("mongodb-org",), ("mongod",), (), ("mongod",)),
    _Known("redis", ("redis-server",), ("redis-server",), ("redis-server",), (), ("redis-server",)),
    _Known("bind9", ("named",), ("bind9",), ("named",), (), ("named",)),
    _Known("dnsmasq", ("dnsmasq",), ("dnsmasq",), ("dnsmasq",), (), ("dnsmasq",)),
    _Known("rpcbind", ("rpcbind",), ("rpcbind",), ("rpcbind",), (), ("rpcbind",)),
    _Known("zfs", ("zfs",), ("zfsutils-linux",)),
    _Known("drbd", ("drbdadm",), ("drbd-utils",)),
    _Known("puppet", ("puppet",), ("puppet-agent",), ("puppet",), (), ("puppet",)),
    _Known("salt", ("salt-minion",), ("salt-minion",), ("salt-minion",), (), ("salt-minion",)),
    # These run to an end, and are there while they run.
    _Known(
        "cloud-init",
        units=(
            "cloud-init-local",
            "cloud-init-main",
            "cloud-init-network",
            "cloud-init",
            "cloud-config",
            "cloud-final",
        ),
    ),
    _Known("apt-daily", units=("apt-daily", "apt-daily-upgrade")),
    _Known("snapd-seeding", units=("snapd.seeded",)),
    _Known("fapolicyd", (), (), ("fapolicyd",), (), ("fapolicyd",)),
    _Known("nomad", ("nomad",), (), (), (), ("nomad",)),
    _Known("consul", ("consul",), (), (), (), ("consul",)),
    _Known("minikube", ("minikube",)),
    _Known("kind", ("kind",)),
    _Known("ansible", ("ansible-playbook",), ("ansible",)),
    _Known("terraform", ("terraform",)),
)


def parse_software(answer: Answer) -> Fact[tuple[Software, ...]]:
    """The programs that are there, from the sections commands, packages, snaps, units, services."""
    if "commands" not in answer.sections or "units" not in answer.sections:
        return answer.why_not("commands", "the path")
    # busybox names its own applets without a path; those are not the programs meant here.
    commands = {name: path for name, path in _commands(answer).items() if "/" in path}
    units = _pairs(answer, "units")
    packages = answer.once(_packages)
    snaps = _snaps(answer)
    running = _running(answer)
    names = set(process_names(answer).values())
    found = []
    for one in _KNOWN:
        snap = next((name for name in one.snaps if name in snaps), None)
        package = next((name for name in one.packages if name in packages), None)
        command = next((commands[name] for name in one.commands if name in commands), None)
        unit = next((units[name] for name in one.units if name in units), None)
        runs = bool(set(one.processes) & names)
        if not (one.commands or one.packages or one.snaps or one.processes):
            runs = any(f"{name}.service" in running for name in one.units)
        if not (snap or package or command or unit or runs):
            continue
        if snap:
            version: Fact[str] = snaps[snap]
        elif package:
            version = packages[package]
        else:
            version = Unknown("it came neither as a package nor as a snap")
        found.append(
            Software(
                name=one.name,
                version=version,
                path=told(command or unit, ABSENT),
                active=_active(answer, one, running, runs=runs),
            )
        )
    return tuple(found)


def parse_commands(answer: Answer) -> Fact[frozenset[str]]:
    """The tools on the path, of those that the probe looks for."""
    if "commands" not in answer.sections:
        return answer.why_not("commands", "the path")
    return frozenset(plain(name, 60) for name in _commands(answer))


def has_package(answer: Answer, name: str) -> bool:
    """Whether a Debian package is installed."""
    return name in answer.once(_packages)


def has_unit(answer: Answer, name: str) -> bool:
    """Whether systemd has a service of this name."""
    return name in _pairs(answer, "units")


def unit_active(answer: Answer, name: str, *, processes: tuple[str, ...] = ()) -> Fact[bool]:
    """Whether a service runs, by its control group, its process, or systemd's own word."""
    runs = bool(set(processes) & set(process_names(answer).values()))
    known = _Known(name, units=(name,), processes=processes)
    return _active(answer, known, _running(answer), runs=runs)


def _active(answer: Answer, one: _Known, running: frozenset[str], *, runs: bool) -> Fact[bool]:
    if runs:
        return True
    for unit in one.units:
        if f"{unit}.service" in running or (
            unit.endswith("@") and any(name.startswith(unit) for name in running)
        ):
            return True
    if not one.units and not one.processes:
        return ABSENT  # a plain tool has nothing that could run
    if one.processes and answer.succeeded("processes") and answer.lines("processes"):
        return False
    return False if running else Unknown("neither services nor processes can be seen")


def _commands(answer: Answer) -> dict[str, str]:
    """The paths of the commands by name; busybox names its own without a path."""
    return {line.rpartition("/")[2]: line for line in answer.lines("commands")}


def _pairs(answer: Answer, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in answer.lines(name):
        key, equals, value = line.partition("=")
        if equals:
            found[key] = value
    return found


def _packages(answer: Answer) -> dict[str, str]:
    """The versions of the installed Debian packages, of those asked for."""
    found: dict[str, str] = {}
    name, installed = "", False
    for line in answer.lines("packages"):
        key, _, value = line.partition(": ")
        if key == "Package":
            name, installed = value.strip(), False
        elif key == "Status":
            installed = value.strip().endswith(" installed")
        elif key == "Version" and installed and name:
            found[name] = plain(value, 80) or "?"
    return found


def _snaps(answer: Answer) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in answer.files("snaps").values():
        values: dict[str, str] = {}
        for line in text.split("\n"):
            key, _, value = line.partition(":")
            values.setdefault(key, plain(value.strip().strip("'\""), 80))
        if values.get("name"):
            found[values["name"]] = values.get("version") or "?"
    return found


def _running(answer: Answer) -> frozenset[str]:
    """The services with processes; names of units as systemd spells them."""
    names = {line.strip() for line in answer.lines("services")}
    names.update(line.split()[0] for line in answer.lines("running") if line.split())
    return frozenset(names)
