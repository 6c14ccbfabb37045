"""What the backup's parts share: where things lie, what is said, and questions to programs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

Json = dict[str, Any]

CONFIG = Path("/etc/sitewright/backup/backup.json")
KEY = Path("/etc/sitewright/backup/target-key")
"""The key by which this machine logs in to a target over SSH; it never leaves it."""
STATE = Path("/var/lib/sitewright/backup")
LAST = STATE / "last.json"
RECORD = STATE / "record.tar.gz"
"""What the computer of Sitewright keeps of the site, as it was sent here last."""
SNAP = Path("/var/snap/microk8s/current")
BACKEND = SNAP / "var/kubernetes/backend"
QUESTION_SECONDS = 120
FORMAT = 1
"""Of a backup; one of a higher number is not read."""


class Objection(Exception):
    """What stands against it: a no, in one sentence that a person can act upon."""


class Untold(Exception):
    """A question that got no answer."""


def asked(command: Sequence[str], *, seconds: int = QUESTION_SECONDS) -> str:
    """What a program says; raises Untold for one that fails or does not end."""
    try:
        done = subprocess.run(
            list(command), capture_output=True, text=True, check=False, timeout=seconds,
            errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Untold(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or str(done.returncode)).splitlines()
        raise Untold(f"{' '.join(command[:3])}: {said[-1]}")
    return done.stdout


def kubectl(*words: str) -> str:
    """What the API of this machine says; raises Untold."""
    return asked(["microk8s", "kubectl", "--request-timeout=60s", *words])


def objects(*words: str) -> list[Json]:
    """The objects that the API has of a kind; raises Untold."""
    try:
        items: list[Json] = json.loads(kubectl("get", *words, "-o", "json"))["items"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Untold(f"kubectl get {words[0]} answered something else: {error}") from error
    return items


def config() -> Json:
    """What this machine was told of the backup; raises Objection."""
    try:
        told = json.loads(CONFIG.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Objection(f"{CONFIG} cannot be read: {error}") from error
    if not isinstance(told, dict):
        raise Objection(f"{CONFIG} holds something else")
    return told


def last() -> Json:
    """How the last backups of this machine ended; empty where none was tried."""
    try:
        told = json.loads(LAST.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def note(changes: Mapping[str, Any]) -> None:
    """Keep how a backup ended, whole or not at all."""
    STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = LAST.with_suffix(".new")
    new.write_text(json.dumps({**last(), **changes}, indent=1), "utf-8")
    new.replace(LAST)


def size(count: float) -> str:
    """Bytes as a person says them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _date(seconds: float, shape: str) -> str:
    """A moment in UTC; raises Objection for one that no calendar has."""
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).strftime(shape)
    except (OverflowError, ValueError) as error:
        raise Objection(f"{seconds} is no time") from error


def when(seconds: float) -> str:
    """A moment, for a person."""
    return _date(seconds, "%Y-%m-%d %H:%M:%S UTC")


def stamped(seconds: float) -> str:
    """A moment, as the name of a backup."""
    return _date(seconds, "%Y%m%dT%H%M%SZ")


def ago(seconds: float) -> str:
    """A time that has gone by, exact in seconds where it matters and readable where it is long."""
    whole = max(0, round(seconds))
    if whole < 600:
        return f"{whole} s"
    hours, rest = divmod(whole, 3600)
    return f"{whole} s ({hours} h {rest // 60} min)"
