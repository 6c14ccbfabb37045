"""ansible-core as it is brought to a control host that has none: the files of our own environment.

Only what is pure Python goes along, so that it runs with any processor and any Python that is new
enough, without pip, a network or a virtual environment there. PyYAML and MarkupSafe fall back to
Python where their compiled parts are missing; cryptography is needed for Ansible Vault alone, which
Sitewright does not use.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import PurePosixPath
from typing import Final

from foundation.problems import InputProblem

PACKAGES: Final = ("ansible-core", "jinja2", "markupsafe", "pyyaml", "packaging", "resolvelib")
FOLDER: Final = "/var/lib/sitewright/ansible"
"""Where it lies on a control host, in a folder named after its versions."""
_LEFT_OUT: Final = frozenset({"ansible_test", "__pycache__", "bin"})
_SUFFIXES: Final = frozenset({".so", ".pyd", ".pyc", ".pyx", ".c"})
_FLOOR: Final = re.compile(r">=\s*(\d+)\.(\d+)")

# argv: the folder, the sha256 of the archive on standard input. Python 3.9 runs this too.
INSTALL: Final = r"""
import hashlib, io, os, shutil, sys, tarfile, tempfile
folder, told = sys.argv[1:3]
data = sys.stdin.buffer.read()
if hashlib.sha256(data).hexdigest() != told:
    sys.exit("the archive did not arrive whole")
os.umask(0o022)
os.makedirs(os.path.dirname(folder), mode=0o755, exist_ok=True)
new = tempfile.mkdtemp(prefix=".new-", dir=os.path.dirname(folder))
try:
    os.chmod(new, 0o755)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as packed:
        for member in packed:
            if not member.isfile() or member.name.startswith("/") or ".." in member.name.split("/"):
                sys.exit("the archive is not one of ours")
        # The hash was checked, and each member is a plain file below this folder.
        packed.extractall(os.path.join(new, "lib"))
    os.mkdir(os.path.join(new, "bin"))
    program = os.path.join(new, "bin", "ansible-playbook")
    with open(program, "w") as file:
        file.write("#!%s -I\nimport sys\nsys.path.insert(0, %r)\n"
                   "from ansible.cli.playbook import main\nmain()\n"
                   % (sys.executable, os.path.join(folder, "lib")))
    os.chmod(program, 0o755)
    if os.path.isdir(folder):
        shutil.rmtree(folder)
    os.rename(new, folder)
finally:
    shutil.rmtree(new, ignore_errors=True)
print("ansible-core lies in " + folder)
"""


@dataclass(frozen=True, slots=True)
class Brought:
    """What would be brought."""

    version: str
    """Of ansible-core."""
    python: tuple[int, int]
    """The oldest Python that it runs with."""
    folder: str
    """Where it lies on the control host."""


def brought() -> Brought:
    """What this environment could bring; raises InputProblem where it has no ansible-core."""
    found = _distributions()
    names = "\n".join(f"{name}=={one.version}" for name, one in found.items())
    core = found["ansible-core"]
    floor = _FLOOR.search(core.metadata["Requires-Python"] or "")
    digest = hashlib.sha256(names.encode()).hexdigest()[:12]
    return Brought(
        core.version,
        (int(floor[1]), int(floor[2])) if floor else (3, 11),
        f"{FOLDER}/{core.version}-{digest}",
    )


def archive() -> bytes:
    """The packages as a tar.gz of about 3 MB; raises InputProblem, OSError."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=6) as tar:
        for one in _distributions().values():
            for file in one.files or ():
                if not _goes_along(PurePosixPath(file)):
                    continue
                member = tarfile.TarInfo(str(file))
                data = file.read_binary()
                member.size = len(data)
                member.mode = 0o644
                tar.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _goes_along(path: PurePosixPath) -> bool:
    if path.is_absolute() or ".." in path.parts:
        return False
    return _LEFT_OUT.isdisjoint(path.parts) and path.suffix not in _SUFFIXES


def _distributions() -> dict[str, metadata.Distribution]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise InputProblem(
                f"{name} is not installed beside Sitewright, so that it cannot be brought along",
                where="this machine",
                remedy="Install Sitewright again: ./install.sh",
            ) from error
    return found
