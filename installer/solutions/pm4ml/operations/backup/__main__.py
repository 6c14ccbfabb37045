"""The backup of a site, on its first master. Written by Sitewright.

sitewright-backup ACTION [NAME]

Exit status: 0 yes or done, 1 no, 2 it cannot be told. A session key, where an action needs one,
comes over standard input.
"""

from __future__ import annotations

import base64
import os
import sys
import time

from . import reading, restoring, saving, vault_back
from .target import target_of
from .told import Objection, Untold, ago, config, size

HEADER = 16 * 1024
"""Bytes in which the keys of a sealed file stand, before what is sealed."""


def _all(against: list[str]) -> int:
    for one in against:
        print(f"- {one}")
    return 1 if against else 0


def _list() -> int:
    told = config()
    for one in saving.kept(target_of(told)):
        written = float(one["canary"]["written"])
        people = ", ".join(str(person["name"]) for person in one["opened_by"])
        print(f"{one['name']}  {size(one['bytes']):>9}  {one['entries']} entries  "
              f"{ago(time.time() - written)} old  opened by {people}")  # fmt: skip
    return 0


def _session_key() -> str:
    return sys.stdin.readline().strip()


def main(action: str, name: str) -> int:
    """Carry out one action."""
    told = config()
    if action == "fit":
        return _all(saving.fit(told))
    if action == "make":
        saving.make(told)
        return 0
    if action == "list":
        return _list()
    if action == "age":
        young, text = saving.age(told)
        print(text[0].upper() + text[1:])
        return 0 if young else 1
    if action == "unchanged":
        target = target_of(told)
        reading.unchanged(target, reading.chosen(target, name))
        return 0
    if action == "header":
        target = target_of(told)
        with target.reading(str(reading.chosen(target, name)["name"]) + saving.SEALED) as file:
            print(base64.b64encode(file.read(HEADER)).decode())
        return 0
    if action == "check":
        target = target_of(told)
        outer = reading.chosen(target, name)
        verdict = reading.read_through(target, outer, _session_key())
        restoring.note_checked(outer)
        print(verdict.text())
        return 0
    if action == "fit-restore":
        return _all(restoring.fit(told, name))
    if action == "loss":
        print(restoring.loss(told, name))
        return 2  # it is for a person to say
    if action == "fit-restore-vault":
        return _all(vault_back.fit(told, name))
    if action == "loss-vault":
        print(restoring.loss(told, name, of="Vault"))
        return 2  # the same
    if action == "restore-vault":
        print(vault_back.apply(told, name, _session_key()))
        return 0
    if action == "restore":
        print(restoring.apply(told, name, _session_key()))
        return 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    os.umask(0o077)
    try:
        sys.exit(main(*[*sys.argv[1:], "", ""][:2]))
    except Objection as problem:
        print(problem)
        sys.exit(1)
    except (Untold, OSError) as problem:
        print(problem)
        sys.exit(2)
