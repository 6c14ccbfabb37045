# Part of Sitewright. Runs on the control host with Python 3.9 or later and nothing else.
"""Driver: runs ansible-playbook in a private folder in memory, and leaves nothing behind.

Reads one JSON object from standard input: files to write, the arguments, the environment.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any, Dict, List, Optional  # noqa: UP035 - Python 3.9 runs this

PREFIX = "sitewright-ansible-"
NOT_FOUND, TOO_OLD, NO_MEMORY = 121, 122, 123
PASSED_ON = ("PATH", "LANG", "LC_ALL", "HOME", "SSH_AUTH_SOCK", "USER", "LOGNAME")


def private_folder() -> Optional[Path]:  # noqa: UP045 - Python 3.9 runs this
    """A new folder in memory; None where there is no such place."""
    for base in ("/run", os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):  # noqa: S108 - a mount
        if not base or not os.access(base, os.W_OK):
            continue
        kind = subprocess.run(
            ["stat", "-f", "-c", "%T", base], capture_output=True, text=True, check=False
        )
        if kind.stdout.strip() in {"tmpfs", "ramfs"}:
            remove_stale(Path(base))
            return Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base))
    return None


def remove_stale(base: Path) -> None:
    """What a driver that was killed left behind; only its own user's, and only of the dead."""
    for path in base.glob(PREFIX + "*"):
        found = re.fullmatch(PREFIX + r"([0-9]+)-\w+", path.name)
        if found and not Path("/proc", found[1]).exists() and path.stat().st_uid == os.geteuid():
            shutil.rmtree(path, ignore_errors=True)


def write(path: Path, data: bytes) -> None:
    """Write a new file that only this user may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def find(near: str, floor: List[int], folder: Path, around: Dict[str, str]) -> str:  # noqa: UP006
    """The ansible-playbook to use: beside the Python that is named, else on the path."""
    candidates = [str(Path(near, "ansible-playbook"))] if near else []
    candidates.append(shutil.which("ansible-playbook") or "")
    seen = []
    for path in candidates:
        if not path or not os.access(path, os.X_OK):
            continue
        shown = subprocess.run(
            [path, "--version"], capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL, cwd=str(folder), env=around,
        )  # fmt: skip
        found = re.search(r"\[core (\d+)\.(\d+)", shown.stdout)
        if found and [int(found[1]), int(found[2])] >= floor:
            return path
        said = (shown.stderr.strip().splitlines() or ["it tells no version"])[-1][:300]
        seen.append(f"{path} is {found[0][1:] if found else said}")
    wanted = ".".join(map(str, floor))
    if seen:
        sys.stdout.write(f"ansible-core {wanted} or later is needed: {'; '.join(seen)}\n")
        sys.exit(TOO_OLD)
    sys.stdout.write(f"ansible-playbook is not installed here (ansible-core {wanted} or later)\n")
    sys.exit(NOT_FOUND)


def unpack(archive: str, folder: Path) -> None:
    """The folder of playbooks that was brought along; made by Sitewright itself."""
    folder.mkdir(mode=0o700)
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(archive)), mode="r:gz") as packed:
        for member in packed:
            parts = Path(member.name).parts
            plain = member.isfile() or member.isdir()
            if not plain or ".." in parts or member.name.startswith("/"):
                raise SystemExit("the archive of playbooks is not one of ours")
        packed.extractall(folder)  # noqa: S202 - each member was looked at


def run(told: Dict[str, Any], folder: Path) -> int:  # noqa: UP006 - Python 3.9 runs this
    """Write the files, run ansible-playbook, give its exit status."""

    def placed(text: str) -> str:
        return text.replace(told["folder"], str(folder))

    for name, text in told["files"].items():
        write(folder / name, placed(text).encode())
    root = Path(told["playbooks"])
    if told["archive"]:
        root = folder / "playbooks"
        unpack(told["archive"], root)
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment.update({name: placed(value) for name, value in told["environment"].items()})
    program = find(told["near"], told["floor"], folder, environment)
    if not program.startswith(str(Path.home()) + "/"):
        # One that was installed for all users takes nothing from the packages of this one.
        environment["PYTHONNOUSERSITE"] = "1"
    # Its end is ours: what is to be removed is removed after it. One that is just being started
    # may miss the signal that we hear, and is told again.
    heard: List[int] = []  # noqa: UP006 - Python 3.9 runs this
    begun: List[subprocess.Popen[bytes]] = []  # noqa: UP006 - Python 3.9 runs this

    def end(number: int, frame: Optional[FrameType]) -> None:  # noqa: UP045 - Python 3.9 runs this
        heard.append(number)
        for child in begun:
            child.terminate()

    signal.signal(signal.SIGTERM, end)
    child = subprocess.Popen(
        [program, *map(placed, told["arguments"])],
        cwd=root, env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    begun.append(child)
    if heard:
        child.terminate()
    status = child.wait()
    return status if status >= 0 else 128 - status


def ended(number: int, frame: Optional[FrameType]) -> None:  # noqa: UP045 - Python 3.9 runs this
    """SIGTERM before ansible-playbook runs."""
    sys.exit(128 + number)


def main() -> int:
    """Do what standard input says."""
    told = json.load(sys.stdin)
    os.umask(0o077)
    signal.signal(signal.SIGTERM, ended)
    folder = private_folder()
    if folder is None:
        sys.stdout.write("no file system in memory can be written to here (/run, /dev/shm)\n")
        return NO_MEMORY
    try:
        return run(told, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
