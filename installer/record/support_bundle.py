"""What a support desk needs of a run, gathered and searched for secrets before it is packed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from foundation import bounded_files
from foundation.documents import SIZE_LIMIT
from foundation.isolation import NOWHERE, environment
from foundation.paths import log_file
from foundation.problems import InputProblem, Refused
from foundation.secrets import redact, searched
from foundation.version import __version__
from installer.record.runs import Run
from installer.record.support_files import (
    LARGEST_FILE,
    MACHINE,
    NAME,
    OWN_LOG,
    RUN,
    SCHEMA,
    FileEntry,
    Manifest,
    Source,
    write_archive,
)
from installer.sites.ways import without_passwords

_OWN_LOG_BYTES: Final = 1024 * 1024
"""Of our own log the end is taken, which has the last tracebacks."""
_PRIVATE_KEY: Final = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_PATIENCE: Final = 50
"""Times as much is read of a line here as of one on its way to a screen: nobody waits for this."""
_LONGEST: Final = 16 * 1024 * 1024
"""Bytes of a line that is searched at once."""


def write_support_bundle(run: Run, target: Path, *, now: datetime | None = None) -> Manifest:
    """Write what is there of a run into a new .tar.gz, for its owner alone; return what is in it.

    Raises Refused where a secret that this process knows, or a private key, stands in any file,
    and InputProblem where a file cannot be read or written. Nothing is left behind then.
    """
    if (foreign := run.foreign) is not None:
        raise Refused(
            "it is a link, or no ordinary file, and nothing of this run: what lies behind it would "
            "leave this computer",
            where=str(foreign),
            remedy="Look at it: ls -l. Put a copy in its place if it belongs to the run.",
        )
    sources = {source.name: source for source in _gather(run)}
    plan = run.plan()
    manifest = Manifest(
        schema=SCHEMA,
        made_at=f"{now or datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        version=__version__,
        run=run.id,
        solution=plan.solution,
        environment=plan.environment,
        files=tuple(
            FileEntry(name=source.name, bytes=source.size, sha256=source.sha256)
            for source in sources.values()
        ),
    )
    try:
        if target.exists():
            raise InputProblem(
                "there is a file of this name already",
                where=str(target),
                remedy="Name another with --output, or remove it.",
            )
        file, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(file, "wb") as stream:
                write_archive(stream, manifest, sources)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise InputProblem(
            f"the bundle cannot be written: {error.strerror or error}",
            where=str(target),
            remedy="Name a file in a folder that exists and has room.",
        ) from error
    return manifest


def _gather(run: Run) -> Iterator[Source]:
    for path in (run.site_file, run.plan_file, run.facts_file, run.journal):
        if not path.is_file():
            continue
        source = _file(f"{RUN}/{path.name}", path)
        if path == run.site_file and (masked := _masked(path)) is not None:
            source = _text(source.name, masked)
        yield source
    logs = run.folder / "logs"
    for path in sorted(logs.iterdir()) if logs.is_dir() else ():
        name = f"{RUN}/logs/{path.name}"
        if path.is_file() and not path.is_symlink() and NAME.fullmatch(name):
            yield _file(name, path)
    yield _text(MACHINE, json.dumps(this_machine(run), indent=1) + "\n")
    if (tail := _own_log()) is not None:
        yield _text(OWN_LOG, tail)


def _masked(site_file: Path) -> str | None:
    """A site file with its programs' passwords as stars; None where it stands as it is."""
    try:
        text = bounded_files.read_text(site_file, SIZE_LIMIT, errors="replace")
    except OSError:
        return None  # no site file has so much; as a file of the run it is searched all the same
    masked = without_passwords(text)
    return masked if masked != text else None


def _text(name: str, text: str) -> Source:
    raw = redact(text).encode("utf-8", "backslashreplace")
    _search([raw], Path(name))
    return Source(name, len(raw), hashlib.sha256(raw).hexdigest(), text=raw)


def _file(name: str, path: Path) -> Source:
    """A file of the run as it is: its lines are chained, so that none can be masked later."""
    digest = hashlib.sha256()
    size = 0

    def lines() -> Iterator[bytes]:
        nonlocal size
        with bounded_files.opened(path) as file:
            # Before it is read: a file with a hole of terabytes would be searched for hours.
            _small_enough(os.fstat(file.fileno()).st_size, path)
            while line := file.readline(_LONGEST):
                _small_enough(size, path)
                digest.update(line)
                size += len(line)
                yield line

    try:
        _search(lines(), path)
    except OSError as error:
        raise InputProblem(
            f"the file cannot be read: {error.strerror or error}", where=str(path)
        ) from error
    return Source(name, size, digest.hexdigest(), path=path)


def _small_enough(size: int, path: Path) -> None:
    if size > LARGEST_FILE:
        raise InputProblem(
            f"the file has {size / 1e9:.1f} GB, and a support bundle takes "
            f"{LARGEST_FILE / 1e9:.0f}",
            where=str(path),
            remedy="Send that file by itself, packed: xz -k FILE",
        )


def _search(lines: Iterable[bytes], path: Path) -> None:
    """Raise Refused where a known secret or a private key stands in the lines, or may stand."""
    for number, line in enumerate(lines, 1):
        found = searched(line.decode("utf-8", "replace"), patience=_PATIENCE)
        if found.secret or _PRIVATE_KEY.search(line):
            what = "a secret that was given to this command" if found.secret else "a private key"
            raise Refused(
                f"{what} stands in line {number}; the bundle is not written",
                where=str(path),
                remedy="Change that secret, since it was written down. Report it with the name of "
                "the step that wrote it, not with the file.",
            )
        if found.unread:
            raise Refused(
                f"line {number} has more encodings in one another, or more of them, than are read, "
                "so that nobody knows whether a secret stands in it; the bundle is not written",
                where=str(path),
                remedy="Look at that line by hand. Where it holds no secret, send the files of the "
                "run without that line, by themselves.",
            )


def this_machine(run: Run) -> dict[str, object]:
    """What decides about this machine as a control host; no user data, no environment."""
    import locale
    import platform
    import shutil
    import subprocess
    import sys

    def version_of(*command: str) -> str:
        program = shutil.which(command[0])
        if program is None:
            return "not there"
        try:
            done = subprocess.run(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                cwd=NOWHERE,
                env=environment(),
                capture_output=True,
                text=True,
                timeout=20,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"does not run: {type(error).__name__}"
        told = (done.stdout or done.stderr).strip().splitlines()
        return told[0][:200] if told else f"says nothing, exit status {done.returncode}"

    usage = shutil.disk_usage(run.folder)
    return {
        "sitewright": __version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "machine": platform.machine(),
        "terminal": os.environ.get("TERM", ""),
        "encoding": locale.getpreferredencoding(False),
        "packages": _packages(),
        "ssh": version_of("ssh", "-V"),
        "ansible": version_of(str(Path(sys.executable).with_name("ansible-playbook")), "--version"),
        "helm": version_of("helm", "version", "--short"),
        "kubectl": version_of("kubectl", "version", "--client", "--output=yaml"),
        "docker": version_of("docker", "--version"),
        "disk_bytes": {"total": usage.total, "free": usage.free},
        "agent": bool(os.environ.get("SSH_AUTH_SOCK")),
    }


def _packages() -> dict[str, str]:
    from importlib.metadata import distributions

    return {
        str(found.metadata["Name"]): str(found.version)
        for found in sorted(distributions(), key=lambda one: str(one.metadata["Name"]).lower())
        if found.metadata["Name"]
    }


def _own_log() -> str | None:
    try:
        with bounded_files.opened(log_file()) as file:
            file.seek(0, os.SEEK_END)
            start = max(file.tell() - _OWN_LOG_BYTES, 0)
            file.seek(start)
            raw = file.read()
    except OSError:
        return None
    if start:
        raw = raw[raw.find(b"\n") + 1 :]
    return raw.decode("utf-8", "replace")
