"""The images of the lab machines: what is in them, as data, and how they are built once.

Building takes about a minute and the network (an apt mirror); afterwards the root file system is
a tarball in the user's cache folder, named by the hash of its recipe. Standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.host import LabError, run

DEBIAN_PACKAGES = (
    "podman",
    "runc",  # crun refuses hybrid cgroups
    "debootstrap",
    "debian-archive-keyring",  # to verify the mirror where the host is not Debian
    "iproute2",
    "nftables",
    "iptables",
    "openssh-client",
    "util-linux",  # nsenter, unshare
)
"""What a Debian or Ubuntu machine must have installed to run the lab."""

USERS = ("root", "ubuntu", "engineer", "plain")
"""Who may log in with the lab's key: root; sudo without a password; sudo with one; no sudo."""

PASSWORD_USER = "engineer"
"""The one user who may also log in with a password, and whose sudo asks for it."""


@dataclass(frozen=True)
class StandIn:
    """Another system's /etc/os-release, laid over a machine that is really Debian."""

    name: str
    os_release: str


UBUNTU_24_04 = StandIn(
    name="ubuntu-24.04",
    os_release="""\
PRETTY_NAME="Ubuntu 24.04.3 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.3 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
UBUNTU_CODENAME=noble
VARIANT="Stand-in of the Sitewright lab; this system is Debian 12"
VARIANT_ID=sitewright-lab
LOGO=ubuntu-logo
""",
)
"""Ubuntu 24.04's os-release; VARIANT says that it is a stand-in."""

_SETUP = r"""
set -eu
# Every machine gets these of its own at its first boot.
rm -f /etc/ssh/ssh_host_*
: > /etc/machine-id
ln -sf /etc/machine-id /var/lib/dbus/machine-id

for user in ubuntu engineer plain; do useradd --create-home --shell /bin/bash "$user"; done
if [ -d /etc/sudoers.d ]; then
    usermod --append --groups sudo engineer
    echo 'ubuntu ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/90-ubuntu
    chmod 0440 /etc/sudoers.d/90-ubuntu
fi

cat > /etc/ssh/sshd_config.d/10-lab.conf <<'END'
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
Match User engineer
    PasswordAuthentication yes
END

# Three types, as every stock server has them. RSA has 2048 bits, for making it costs the most.
cat > /etc/systemd/system/lab-host-keys.service <<'END'
[Unit]
Description=Make the SSH host keys of this lab machine
DefaultDependencies=no
After=local-fs.target
Before=ssh.service shutdown.target
Conflicts=shutdown.target
ConditionPathExists=!/etc/ssh/ssh_host_rsa_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key
ExecStart=/usr/bin/ssh-keygen -q -t ecdsa -N "" -C "" -f /etc/ssh/ssh_host_ecdsa_key
ExecStart=/usr/bin/ssh-keygen -q -t rsa -b 2048 -N "" -C "" -f /etc/ssh/ssh_host_rsa_key

[Install]
WantedBy=multi-user.target
END
systemctl enable -q lab-host-keys.service ssh.service

# These would change the machine the lab runs on (clock, sysctls, modules), or work unasked.
[ ! -e /etc/default/chrony ] || echo 'DAEMON_OPTS="-F 1 -x"' > /etc/default/chrony
systemctl mask -q systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service \
    systemd-random-seed.service systemd-remount-fs.service kmod-static-nodes.service \
    proc-sys-fs-binfmt_misc.automount nvmf-autoconnect.service \
    dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount \
    console-getty.service getty.target getty-static.service \
    apt-daily.timer apt-daily-upgrade.timer fstrim.timer e2scrub_all.timer dpkg-db-backup.timer

if [ -d /usr/lib/python3/dist-packages ]; then
    install -d /var/cache/lab-python
    cat > /usr/lib/python3/dist-packages/lab_compiled.py <<'END'
@COMPILED@END
    echo import lab_compiled > /usr/lib/python3/dist-packages/lab_compiled.pth
fi

rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /usr/share/doc/* /usr/share/man/* \
    /usr/share/locale/* /var/log/*.log
mkdir -p /var/lib/apt/lists/partial
""".replace("@COMPILED@", (Path(__file__).parent / "compiled.py").read_text())


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is inside one kind of lab machine."""

    variant: str
    suite: str
    packages: tuple[str, ...]
    setup: str
    """A POSIX script, run once inside the new root."""
    remove: tuple[str, ...] = ()
    """Programs taken away after all, as paths."""
    options: tuple[str, ...] = ()
    """Further options of `podman run`; they change how a machine is started and not its image."""
    init: str = "/sbin/init"
    """The first process of a machine."""

    @property
    def digest(self) -> str:
        """SHA-256 of the recipe and this machine's architecture, in hexadecimal."""
        inside = {k: v for k, v in asdict(self).items() if k not in ("options", "init")}
        text = json.dumps([inside, platform.machine()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def image(self) -> str:
        """The name podman knows the image by."""
        return f"localhost/sitewright-lab-{self.variant}:{self.digest[:16]}"

    @property
    def folder(self) -> Path:
        """Where this recipe's tarball is cached."""
        return cache_folder() / self.digest[:16]


_SYSTEM = ("systemd", "systemd-sysv", "dbus", "openssh-server")

FULL = Recipe(
    variant="full",
    suite="bookworm",
    packages=(
        *_SYSTEM,
        *(
            "python3",
            "python3-apt",
            "sudo",
            "iproute2",
            "procps",
            "kmod",
            "chrony",
            "nftables",
            "iptables",
        ),
        *("curl", "ethtool", "nvme-cli", "pciutils", "util-linux", "ca-certificates", "busybox"),
    ),
    setup=_SETUP,
)
"""What a freshly installed Ubuntu server has."""

MINIMAL = Recipe(
    variant="minimal",
    suite="bookworm",
    packages=_SYSTEM,
    setup=_SETUP,
    remove=("/usr/bin/lsblk", "/usr/bin/lscpu", "/usr/bin/findmnt"),
)
"""As little as can be logged in to: no python3, iproute2, sudo, lsblk, lscpu or findmnt."""

_DOCKER_SETUP = r"""
# Compose 2 is no package of Debian 12; the one of Debian 13 needs the C library and nothing else.
apt=$(mktemp -d)
mkdir -p "$apt/lists/partial"
: > "$apt/status"
sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) bookworm .*/deb \2 trixie main/p' \
    /etc/apt/sources.list | head -n 1 > "$apt/sources.list"
set -- -qq -o Dir::State::lists="$apt/lists" -o Dir::State::status="$apt/status" \
    -o Dir::Etc::sourcelist="$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root
apt-get "$@" update
(cd "$apt" && apt-get "$@" download docker-compose)
dpkg --install "$apt"/docker-compose_*.deb
rm -rf "$apt"

# There is no overlay file system on top of the one that a lab machine has, and its control groups
# are not where the kernel says that they are. What would come from
# the internet comes from a registry on the machine itself, started by the tests that want one.
mkdir -p /etc/docker
cat > /etc/docker/daemon.json <<'END'
{"storage-driver": "vfs", "default-cgroupns-mode": "private",
 "registry-mirrors": ["http://127.0.0.1:5000"]}
END
systemctl disable -q docker-registry.service
"""

DOCKER = Recipe(
    variant="docker",
    suite="bookworm",
    packages=(
        *(package for package in FULL.packages if package != "busybox"),
        *("busybox-static", "docker.io", "docker-registry", "git"),
    ),
    setup=_SETUP.replace("\nrm -rf /var/cache/apt", _DOCKER_SETUP + "\nrm -rf /var/cache/apt"),
)
"""A machine with Docker Engine and Compose 2, so that no test has to install them.

Its busybox needs no library, so that images can be made of it from nothing."""

_NODE_INIT = "/usr/local/sbin/lab-node-init"
_NODE_SETUP = (
    f"cat > {_NODE_INIT} <<'END'\n"
    + (Path(__file__).parent / "kubernetes" / "node_init.sh").read_text()
    + f"""END
chmod 755 {_NODE_INIT}
# Started by the tests that want them, with their own settings.
systemctl disable -q containerd.service etcd.service
"""
)

NODE = Recipe(
    variant="node",
    suite="bookworm",
    packages=(
        *FULL.packages,
        *("containerd", "runc", "containernetworking-plugins", "conntrack", "etcd-server"),
        "gpg",  # snapd brings it to every machine that has MicroK8s
    ),
    setup=_SETUP.replace("\nrm -rf /var/cache/apt", _NODE_SETUP + "\nrm -rf /var/cache/apt"),
    options=(
        # Kubelets must not see each other's pods in one tree of control groups.
        *("--cgroupns", "private"),
        # Overlays do not stand on podman's own overlay.
        *("--volume", "/var/lib/containerd", "--volume", "/var/lib/kubelet"),
        *("--tmpfs", "/var/lib/lab-etcd"),
    ),
    init=_NODE_INIT,
)
"""A machine that can be a node, or the control plane, of a real Kubernetes."""

RECIPES = {recipe.variant: recipe for recipe in (FULL, MINIMAL, DOCKER, NODE)}


def cache_folder() -> Path:
    """The folder all lab images are cached in."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sitewright-lab"


def mirror() -> str | None:
    """The first Debian archive among this machine's own apt sources; None if it has none."""
    shown = run(["apt-get", "indextargets", "--format", "$(CREATED_BY) $(REPO_URI)"], check=False)
    for line in shown.stdout.splitlines():
        kind, _, address = line.partition(" ")
        if kind == "Packages" and address.rstrip("/").endswith("/debian"):
            return address
    return None


def ensure(recipe: Recipe) -> str:
    """Have podman know the recipe's image, building or importing it if need be; its name.

    A lock keeps a second builder waiting; it then finds the image made.
    """
    if run(["podman", "image", "exists", recipe.image], check=False).returncode == 0:
        return recipe.image
    with locked(recipe.folder):
        if run(["podman", "image", "exists", recipe.image], check=False).returncode != 0:
            tarball = recipe.folder / "root.tar"
            if not tarball.exists():
                _build(recipe, tarball)
            # An import is whole or absent: podman names the image last.
            run(["podman", "import", "-q", str(tarball), recipe.image], timeout=1200)
    return recipe.image


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder of the cache against other processes, making it if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(recipe: Recipe, tarball: Path) -> None:
    print(f"building the lab image {recipe.image} (about a minute)", file=sys.stderr, flush=True)
    for left_over in tarball.parent.glob("building-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    packages = cache_folder() / "packages"
    packages.mkdir(exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="building-", dir=tarball.parent))
    partial = tarball.with_suffix(".partial")
    try:
        root.chmod(0o755)
        # Mounts made in a namespace of their own are gone when it ends, however it ends:
        # removing a half-built root can then never reach into the host's /proc or /sys.
        alone = ["unshare", "--mount", "--fork"]
        source = mirror()
        run(
            [
                *alone,
                *("debootstrap", "--variant=minbase", f"--cache-dir={packages}"),
                *(f"--include={','.join(recipe.packages)}", recipe.suite, str(root)),
                *([source] if source else []),
            ],
            timeout=1200,
        )
        run([*alone, "chroot", str(root), "sh", "-s"], stdin=recipe.setup, timeout=600)
        for path in recipe.remove:
            (root / path.lstrip("/")).unlink(missing_ok=True)
        run(
            [
                *("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*"),
                *("-C", str(root), "-cf", str(partial), "."),
            ],
            timeout=1200,
        )
        partial.replace(tarball)
    except LabError as error:
        log = root / "debootstrap/debootstrap.log"
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise LabError(f"the lab image could not be built: {error}\n{tail}") from error
    finally:
        partial.unlink(missing_ok=True)
        shutil.rmtree(root, ignore_errors=True)


def forget(*, everything: bool = False) -> None:
    """Remove the images and tarballs of earlier recipes, or with `everything`, all of them."""
    keep = set() if everything else {recipe.image for recipe in RECIPES.values()}
    shown = run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"]).stdout.split()
    for image in shown:
        if image.startswith("localhost/sitewright-lab-") and image not in keep:
            run(["podman", "rmi", image], check=False)
    kept = set() if everything else {recipe.folder for recipe in RECIPES.values()}
    if cache_folder().is_dir():
        for folder in cache_folder().iterdir():
            own = folder.name.startswith(("packages", "programs", "kubernetes"))
            if folder not in kept and (everything or not own):
                shutil.rmtree(folder, ignore_errors=True)
