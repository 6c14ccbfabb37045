"""`sitewright export`: the inventory and the playbooks, to be run by hand with ansible-playbook."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from foundation.problems import ExitCode, InputProblem
from installer.commands.plan import read_plan


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `sitewright export`."""
    parser.add_argument("--site", type=Path, required=True, metavar="FILE", help="a site file")
    parser.add_argument("--playbooks", type=Path, metavar="FOLDER", help="your own playbooks")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="a new folder")


def run(options: argparse.Namespace) -> int:
    """Write inventory.ini beside a copy of the playbooks; it holds no secret."""
    from foundation.hosts.hostkeys import known_hosts_files
    from installer.ansible.inventory import export_inventory

    site, _, plan = read_plan(options.site, options.playbooks)
    inventory = site.inventory(options.site.resolve().parent)
    text = export_inventory(
        list(inventory),
        variables=dict(plan.settings),
        known_hosts=[file.resolve() for file in known_hosts_files(inventory)],
        roles=dict(plan.hosts),
        groups=dict(plan.groups),
        host_variables=dict(plan.variables),
    )
    if options.output.exists():
        raise InputProblem(
            "there is something with this name already",
            where=str(options.output),
            remedy="Name a folder that does not exist yet.",
        )
    try:
        shutil.copytree(
            plan.playbooks, options.output, ignore=shutil.ignore_patterns("__pycache__")
        )
        (options.output / "inventory.ini").write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputProblem(
            f"the folder cannot be written: {error.strerror or error}", where=str(options.output)
        ) from error
    first = next(iter(sorted(path.name for path in options.output.glob("[0-9].*.yml"))), "…")
    print(f"cd {options.output} && ansible-playbook -i inventory.ini {first}")
    return ExitCode.DONE
