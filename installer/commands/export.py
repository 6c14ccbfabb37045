"""`sitewright export`: the inventory and the playbooks, to be run by hand with ansible-playbook."""

from __future__ import annotations

import argparse
from pathlib import Path
from shlex import quote
from typing import Final

from foundation.problems import ExitCode, InputProblem
from installer.ansible.inventory import OWN_FILE
from installer.commands.plan import read_plan
from installer.plans import pinned_playbooks as carried

_ENDINGS: Final = (".yml", ".yaml", ".json")
"""What Ansible looks for, in this order, where there is no such folder."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright export`."""
    parser.add_argument("--site", type=Path, required=True, metavar="FILE", help="a site file")
    parser.add_argument("--playbooks", type=Path, metavar="FOLDER", help="your own playbooks")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="a new folder")


def run(options: argparse.Namespace) -> int:
    """Write inventory.ini beside a copy of the playbooks; it holds no secret."""
    from foundation.hosts.openssh.hostkeys import known_hosts_files
    from installer.ansible.inventory import export_inventory, variable_files

    site, _, plan = read_plan(options.site, options.playbooks)
    inventory = site.inventory(options.site.resolve().parent)
    text = export_inventory(
        list(inventory),
        known_hosts=[file.resolve() for file in known_hosts_files(inventory)],
        roles=dict(plan.hosts),
        groups=dict(plan.groups),
    )
    files = {
        **variable_files(dict(plan.settings), dict(plan.variables)),
        "inventory.ini": text,
    }
    if options.output.exists():
        raise InputProblem(
            "there is something with this name already",
            where=str(options.output),
            remedy="Name a folder that does not exist yet.",
        )
    try:
        carried.copy(Path(plan.playbooks), options.output)
        for name, content in files.items():
            _write(options.output, name, content)
    except OSError as error:
        raise InputProblem(
            f"the folder cannot be written: {error.strerror or error}", where=str(options.output)
        ) from error
    first = next(iter(sorted(path.name for path in options.output.glob("[0-9].*.yml"))), "…")
    print(f"cd {quote(str(options.output))} && ansible-playbook -i inventory.ini {quote(first)}")
    return ExitCode.DONE


def _write(folder: Path, name: str, content: str) -> None:
    """Write a file of ours beside the playbooks, which keep their say over it.

    Ansible reads either a folder of variables or a file of that name: where the playbooks bring a
    file, it goes into the folder.
    """
    path = folder / name
    if path.name == OWN_FILE:
        place = path.parent
        for theirs in (place, *(place.with_name(place.name + end) for end in _ENDINGS)):
            if theirs.is_file():
                kept = theirs.rename(theirs.with_name(f".{theirs.name}.moved"))
                place.mkdir(parents=True, exist_ok=True)
                kept.rename(place / theirs.name)
                break
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
