"""The backup of a site as its plans know it: where it goes, and the keys of who can open it.

What a key file holds, GnuPG says; what this computer cannot ask it is an InputProblem.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from foundation import bounded_files
from foundation.isolation import environment
from foundation.problems import InputProblem
from foundation.terminal import clean_line
from foundation.version import __version__
from installer.sites.site_paths import resolved_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from installer.sites.site import Site

_LARGEST_KEY: Final = 256 * 1024
_SECONDS: Final = 30
_USABLE: Final = "-oqnmufwsi"
"""Letters of validity that GnuPG gives a key which is not expired, revoked, invalid or disabled."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can open a backup."""

    name: str
    """As the key names them."""
    fingerprint: str
    key: str
    """The public key, as its file has it."""


def backup_values(site: Site, base: Path, key: str, *, of: str = "") -> dict[str, Any]:
    """What the templates of an operation of the backup may name; raises InputProblem.

    `base` is the site file's folder, `key` the site's record; `of` the record whose backups are
    meant, where another was written than this one.
    """
    told = site.backup
    if told is None:
        raise InputProblem(
            "the site file does not say where its backup goes",
            where="backup of the site file",
            remedy="Write it there: backup: {target: /mnt/backup, keys: [a-name.asc]}; see "
            "docs/second-day.md.",
        )
    people = [person_of(path) for path in resolved_paths(told.keys, base)]
    config = {
        "site": of or key,
        **_names(site),
        "sitewright": __version__,
        "vault": {"namespace": _vault_namespace(site)} if told.vault else None,
        "target": told.target,
        "host_key": told.host_key,
        "keep": told.keep,
        "every_hours": told.every_hours,
        "people": [
            {"name": one.name, "fingerprint": one.fingerprint, "key": one.key} for one in people
        ],
    }
    return {
        "config": json.dumps(config, indent=1) + "\n",
        "target": told.target,
        "every_hours": told.every_hours,
        "people": "; ".join(f"{one.name} ({one.fingerprint})" for one in people),
        "site": of or key,
    }


def _names(site: Site) -> Mapping[str, str]:
    """By what a backup is known to be of this site, on whichever machines it is."""
    from installer.catalogue.solution import load_solution

    solution = load_solution(site.solution or "")
    return {
        "solution": solution.id,
        "environment": solution.environment(site.environment).id,
        "domain": str(site.settings.get("domain") or ""),
        "pm4ml_id": str(site.settings.get("pm4ml_id") or ""),
    }


def _vault_namespace(site: Site) -> str:
    from installer.catalogue.settings import load_settings
    from installer.catalogue.solution import load_solution

    given = site.settings.get("vault_namespace")
    settings = load_settings(load_solution(site.solution or "")).settings
    default = next((one.default for one in settings if one.name == "vault_namespace"), None)
    return str(given or default or "")


def person_of(path: Path) -> Person:
    """The person whose public key a file holds, by GnuPG's own reading; raises InputProblem."""
    text = bounded_files.read_text(path, _LARGEST_KEY)
    if "PRIVATE KEY" in text:
        raise InputProblem(
            "this is a private key, and a private key belongs on no machine of the site",
            where=str(path),
            remedy="Give the public one: gpg --armor --export NAME > name.asc",
        )
    lines = [line.split(":") for line in _shown(path).splitlines()]
    keys = [line for line in lines if line[0] == "pub"]
    if len(keys) != 1:
        raise InputProblem(
            f"it holds {len(keys)} public keys, and each person has a file",
            where=str(path),
            remedy="Write each to its own: gpg --armor --export NAME > name.asc",
        )
    fingerprint = next((line[9] for line in lines if line[0] == "fpr"), "")
    name = clean_line(
        next((line[9] for line in lines if line[0] == "uid"), "").replace("\\x3a", ":")
    )
    if (against := _against(keys[0], lines)) or not fingerprint or not name:
        raise InputProblem(
            f"nothing can be encrypted to this key: {against or 'it names nobody'}",
            where=str(path),
            remedy="Take another key of that person, or have it renewed.",
        )
    return Person(name, fingerprint, text)


def _against(key: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Why nothing can be encrypted to a key; empty where it can."""
    if len(key) < 12 or key[1][:1] not in _USABLE:
        return {"e": "it is expired", "r": "it is revoked"}.get(key[1][:1], "it is not valid")
    if "E" not in key[11]:
        return "it is for signing only, or its part for encryption is expired"
    ends = [int(line[6]) for line in lines if line[0] in ("pub", "sub") and line[6].isdigit()]
    if ends and min(ends) < time.time():
        return "a part of it is expired"
    return ""


def _shown(path: Path) -> str:
    with tempfile.TemporaryDirectory(prefix="sitewright-") as home:
        words = ["--homedir", home, "--no-options", "--batch", "--no-tty", "--no-autostart"]
        try:
            done = subprocess.run(
                ["gpg", *words, "--with-colons", "--show-keys", "--", str(path)],
                capture_output=True, timeout=_SECONDS, check=False, env=environment(),
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise InputProblem(
                "who can open the backup is asked of GnuPG, and this computer has no gpg",
                where=str(path),
                remedy="Install gnupg here.",
            ) from error
        except subprocess.TimeoutExpired as error:
            raise InputProblem("gpg came to no end over it", where=str(path)) from error
    if done.returncode != 0:
        said = clean_line(done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2])
        raise InputProblem(
            f"it holds no public OpenPGP key: {said}",
            where=str(path),
            remedy="Write it with: gpg --armor --export NAME > name.asc",
        )
    return done.stdout.decode("utf-8", "replace")
