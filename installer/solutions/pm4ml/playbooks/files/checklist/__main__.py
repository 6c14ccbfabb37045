"""Section 6.3 of the PM4ML guide, as far as a program can see it in the Git repository.

    sitewright-checklist look --url URL --revision NAME --path FOLDER --domain NAME ...
        fetches the repository, with the login that Argo CD has for it, reads its manifests and
        values, keeps what it found in /run (never a value, only where it stands), and removes the
        copy. Ends with 0, or with 2 where the repository cannot be had.
    sitewright-checklist tell POINT
        says what was found about a point: 0 it holds, 1 it does not, 2 a person must judge.

It changes nothing. Files that are templates of Helm cannot be read as YAML; they are searched line
by line for names and placeholders, and how many there are is told.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from .points import ASK, DENIED, HOLDS, POINTS, Site
from .repository import read_repository

FOUND: Final = Path("/run/sitewright/checklist.json")

SHOWN: Final = 8
"""How many places are named at a point; the rest is counted."""

SSH: Final = (
    "ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=yes"
    " -o UserKnownHostsFile=/etc/sitewright/git_known_hosts"
)

# "get" only: what is stored or erased is none of ours.
HELPER: Final = (
    '!f() { test "$1" = get || exit 0; echo "username=$SEEN_USER"; echo "password=$SEEN"; }; f'
)


def login() -> tuple[str, str, str]:
    """User, password and SSH key that Argo CD has for the repository; empty what it needs not."""
    done = subprocess.run(
        ["microk8s", "kubectl", "-n", "argocd", "get", "secret", "sitewright-repository",
         "--ignore-not-found", "-o", "json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        data = json.loads(done.stdout).get("data", {}) if done.stdout.strip() else {}
        user, password, key = (
            base64.b64decode(data.get(name, "")).decode()
            for name in ("username", "password", "sshPrivateKey")
        )
    except (ValueError, TypeError, AttributeError, RecursionError):
        # Neither of it is told: it may hold the password.
        print("the login that Argo CD has for the repository cannot be read, so none is used")
        return "", "", ""
    return user, password, key


def fetch(url: str, revision: str, folder: Path) -> str:
    """The repository at a branch or tag into an empty folder; what went wrong, or "".

    Whole, since a server of plain files gives no shallow copy.
    """
    user, password, key = login()
    # The key goes by standard input into an agent that ends with Git.
    agent = ["ssh-agent", "sh", "-c", 'ssh-add -q - && exec "$@"', "sh"] if key else []
    done = subprocess.run(
        [*agent, "git", "-c", "credential.helper=", "-c", f"credential.helper={HELPER}",
         "clone", "--quiet", "--single-branch", "--branch", revision, "--", url, str(folder)],
        env={**os.environ, "SEEN_USER": user, "SEEN": password, "GIT_TERMINAL_PROMPT": "0",
             "LC_ALL": "C", "GIT_SSH_COMMAND": SSH, "GIT_ALLOW_PROTOCOL": "http:https:ssh"},
        input=key, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    said = done.stderr.strip()
    return "" if done.returncode == 0 else said.replace(password or "\0", "******") or "it failed"


def look(options: argparse.Namespace) -> int:
    """Fetch, judge every point, keep what was found, remove the copy."""
    FOUND.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    FOUND.unlink(missing_ok=True)
    folder = Path(tempfile.mkdtemp(dir=FOUND.parent))
    try:
        wrong = fetch(options.url, options.revision, folder / "copy")
        if wrong:
            print(f"{options.url} cannot be fetched at {options.revision}: {wrong}")
            return ASK
        below = folder / "copy" / options.path
        if not below.is_dir():
            print(f"{options.url} has no folder {options.path} at {options.revision}")
            return DENIED
        repository = read_repository(below)
    finally:
        shutil.rmtree(folder)
    site = Site(
        domain=options.domain,
        pm4ml_id=options.pm4ml_id,
        environment=options.environment,
        classes=tuple(options.classes.split()),
        ceph_class=options.ceph_class,
        default_classes=tuple(options.default_classes.split()),
        local_class=options.local_class,
        # The last day of a waiver counts whole.
        accepted_by=options.accepted_by
        if options.accepted_until >= datetime.now(UTC).date().isoformat()
        else "",
        applications=tuple(options.applications.split()),
        left_out=tuple(options.left_out.replace(",", " ").split()),
    )
    found = {}
    for name, judge in POINTS.items():
        point = judge(repository, site)
        found[name] = {"verdict": point.verdict, "said": list(point.said)}
    new = FOUND.with_suffix(".new")
    new.write_text(json.dumps(found))
    new.replace(FOUND)
    print(
        f"{len(repository.documents)} documents and {len(repository.leaves)} values were read; "
        f"{len(repository.templates)} files are templates and were searched line by line"
    )
    return HOLDS


def tell(point: str) -> int:
    """Say what was found about a point; the verdict is the exit status."""
    if not FOUND.exists():
        print("the repository was not read")
        return ASK
    found = json.loads(FOUND.read_text())[point]
    said = found["said"]
    print("; ".join(said[:SHOWN]) + (f"; and {len(said) - SHOWN} more" if said[SHOWN:] else ""))
    return int(found["verdict"])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Section 6.3 of the PM4ML guide.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    looking = verbs.add_parser("look")
    for name in ("url", "revision", "path", "domain", "pm4ml-id", "environment"):
        looking.add_argument(f"--{name}", required=True)
    looking.add_argument("--classes", default="")
    looking.add_argument("--ceph-class", default="")
    looking.add_argument("--default-classes", default="")
    looking.add_argument("--local-class", default="")
    looking.add_argument("--accepted-by", default="")
    looking.add_argument("--accepted-until", default="")
    looking.add_argument("--applications", default="")
    looking.add_argument("--left-out", default="")
    telling = verbs.add_parser("tell")
    telling.add_argument("point", choices=sorted(POINTS))
    options = parser.parse_args()
    os.umask(0o077)
    return look(options) if options.verb == "look" else tell(options.point)


if __name__ == "__main__":
    sys.exit(main())
