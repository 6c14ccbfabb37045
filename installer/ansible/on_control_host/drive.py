# Part of Sitewright. Runs on the control host with Python 3.9 or later and nothing else.
"""Driver: runs ansible-playbook in a private folder in memory, and leaves nothing behind.

Reads one JSON object from standard input: files to write, the arguments, the environment.
"""

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

PREFIX = "sitewright-ansible-"
NOT_FOUND, TOO_OLD, NO_MEMORY = 121, 122, 123


def in_memory(folder):
    shown = subprocess.run(["stat", "-f", "-c", "%T", folder], capture_output=True, text=True)
    return shown.stdout.strip() in {"tmpfs", "ramfs"} and os.access(folder, os.W_OK)


def private_folder():
    for base in ("/run", os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):
        if base and in_memory(base):
            remove_stale(base)
            return tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=base)
    return None


def remove_stale(base):
    """What a driver that was killed left behind; only its own user's, and only of the dead."""
    for name in os.listdir(base):
        found = re.fullmatch(PREFIX + r"([0-9]+)-\w+", name)
        path = os.path.join(base, name)
        if (
            found
            and not os.path.exists(f"/proc/{found[1]}")
            and os.stat(path).st_uid == os.geteuid()
        ):
            shutil.rmtree(path, ignore_errors=True)


def write(folder, name, data, mode=0o600):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def find(near, floor, folder):
    """The ansible-playbook to use: beside the Python that is named, else on the path."""
    candidates = [os.path.join(near, "ansible-playbook")] if near else []
    candidates.append(shutil.which("ansible-playbook") or "")
    seen = []
    for path in candidates:
        if not path or not os.access(path, os.X_OK):
            continue
        shown = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            env=dict(os.environ, ANSIBLE_CONFIG=f"{folder}/ansible.cfg"),
        )
        found = re.search(r"\[core (\d+)\.(\d+)", shown.stdout)
        if found and [int(found[1]), int(found[2])] >= floor:
            return path
        said = (shown.stderr.strip().splitlines() or ["no version told"])[-1][:300]
        seen.append(f"{path} is {found[0][1:] if found else f'of an unknown version ({said})'}")
    wanted = ".".join(map(str, floor))
    if seen:
        print(f"ansible-core {wanted} or later is needed: {'; '.join(seen)}", flush=True)
        sys.exit(TOO_OLD)
    print(f"ansible-playbook is not installed here (ansible-core {wanted} or later)", flush=True)
    sys.exit(NOT_FOUND)


def main():
    told = json.load(sys.stdin)
    os.umask(0o077)
    folder = private_folder()
    if folder is None:
        print("no file system in memory can be written to here (/run, /dev/shm)", flush=True)
        sys.exit(NO_MEMORY)
    child = None

    def end(number, frame):
        if child is not None:
            child.send_signal(signal.SIGTERM)
        else:
            sys.exit(143)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        for name, text in told["files"].items():
            write(folder, name, text.replace("@FOLDER@", folder).encode())
        program = find(told["near"], told["floor"], folder)
        root = told["playbooks"]
        if told["archive"]:
            root = os.path.join(folder, "playbooks")
            os.mkdir(root, 0o700)
            data = io.BytesIO(base64.b64decode(told["archive"]))
            with tarfile.open(fileobj=data, mode="r:gz") as archive:
                archive.extractall(root, filter="data") if hasattr(
                    tarfile, "data_filter"
                ) else archive.extractall(root)
        environment = {k: v.replace("@FOLDER@", folder) for k, v in told["environment"].items()}
        for name in ("PATH", "LANG", "LC_ALL", "HOME", "SSH_AUTH_SOCK", "USER", "LOGNAME"):
            if name in os.environ:
                environment.setdefault(name, os.environ[name])
        arguments = [a.replace("@FOLDER@", folder) for a in told["arguments"]]
        child = subprocess.Popen(
            [program, *arguments], cwd=root, env=environment, stdin=subprocess.DEVNULL
        )
        status = child.wait()
        sys.exit(status if status >= 0 else 128 - status)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
