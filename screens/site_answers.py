"""Site file and answers: the wizard's answers as a site file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from foundation.hosts.model import Host
from installer.site import Site, check_against, resolved, resolved_paths
from screens.answers import Answers, Login


def opened_answers(site: Site, file: Path, solutions: Path | None = None) -> Answers:
    """The answers that a site file gives, held against its solution; raises InputProblem.

    Where the file names no environment, the solution's own default is meant, as for the command.
    """
    answers = answers_from_site(site, file)
    if site.solution is None:
        return answers
    from installer.solution import load_solution

    solution = load_solution(site.solution, solutions)
    check_against(
        site,
        [role.id for role in solution.roles],
        [environment.id for environment in solution.environments],
        where=str(file),
    )
    return replace(answers, environment=solution.environment(site.environment).id)


def answers_from_site(site: Site, file: Path) -> Answers:
    """The answers that a site file gives; each machine carries what the site says for all.

    What no step asks is carried along too, so that it is planned with and written back. Every path
    is whole, for the file may be written to another folder.
    """
    base = file.absolute().parent
    inventory = site.inventory(base)
    hosts = tuple(inventory)
    supplies = resolved(site, base).supplies
    config = inventory.ssh_config if isinstance(site.ssh.config, str) else site.ssh.config
    # A machine of the answers has the port of all unless it says another than 22; where one means
    # 22 itself, each says its own.
    each = site.ssh.port not in (None, 22) and any(host.port == 22 for host in hosts)
    return Answers(
        solution=site.solution,
        environment=site.environment,
        sizing=site.sizing,
        machines=hosts,
        login=Login(
            user=site.ssh.user,
            port=None if each else site.ssh.port,
            identity_files=resolved_paths(site.ssh.identity_files, base),
            bastion=site.ssh.bastion,
            known_hosts=inventory.known_hosts,
        ),
        roles={host.name: host.roles for host in hosts if host.roles},
        waivers=tuple(site.waivers),
        settings=dict(site.settings),
        supplies=supplies.model_dump(exclude_none=True),
        way_out=_way_out(site, base),
        # As the command reads it: beside the file itself, also where a link leads to it.
        playbooks=site.playbooks_path(file.resolve().parent),
        ssh_config=config,
        control=site.control,
        site_file=file,
    )


def _way_out(site: Site, base: Path) -> dict[str, object]:
    """The proxy and the authorities of a site, whose file may be written to another folder."""
    authorities = site.authorities_path(base)
    told = {
        "proxy": site.proxy,
        "no_proxy": list(site.no_proxy),
        "authorities": str(authorities) if authorities else None,
    }
    return {name: value for name, value in told.items() if value}


def site_from_answers(answers: Answers, file: Path) -> Site:
    """The site that repeats these answers; paths beside the file are written relative to it."""
    login, config = answers.login, answers.ssh_config
    base = file.absolute().parent
    ssh: dict[str, Any] = {
        "user": login.user,
        "port": login.port,
        "identity_files": [_path(path, base) for path in login.identity_files],
        "known_hosts": [_path(path, base) for path in login.known_hosts],
        "bastion": login.bastion,
        "config": _path(config, base) if isinstance(config, Path) else config,
    }
    return Site.model_validate(
        {
            "solution": answers.solution,
            "environment": answers.environment,
            "sizing": answers.sizing,
            "ssh": {key: value for key, value in ssh.items() if value not in (None, [])},
            # A machine that was taken off the list cannot be the control host.
            "control": answers.control
            if answers.control in {host.name for host in answers.machines}
            else None,
            "hosts": [_host(host, answers, base) for host in answers.machines],
            "settings": dict(answers.settings),
            "playbooks": _path(answers.playbooks, base) if answers.playbooks else None,
            "supplies": _beside(answers.supplies, ("bundle", "keys"), base),
            **_beside(answers.way_out, ("authorities",), base),
            "waivers": [waiver.model_dump() for waiver in answers.waivers],
        }
    )


def _host(host: Host, answers: Answers, base: Path) -> dict[str, Any]:
    login = answers.login
    entry: dict[str, Any] = {"name": host.name, "address": host.address}
    if host.port not in (22, login.port):
        entry["port"] = host.port
    if host.user and host.user != login.user:
        entry["user"] = host.user
    roles = answers.roles.get(host.name, host.roles)
    if roles:
        entry["roles"] = list(roles)
    if host.identity_files and host.identity_files != login.identity_files:
        entry["identity_files"] = [_path(path, base) for path in host.identity_files]
    if host.bastion and host.bastion != login.bastion:
        entry["bastion"] = host.bastion
    if host.machine:
        entry["machine"] = host.machine
    if host.variables:
        entry["variables"] = dict(host.variables)
    return entry


def _beside(told: Mapping[str, object], paths: tuple[str, ...], base: Path) -> dict[str, object]:
    """What was told, with its whole paths as a person would write them."""
    return {
        key: _path(Path(value), base)
        if key in paths and isinstance(value, str) and Path(value).is_absolute()
        else value
        for key, value in told.items()
    }


def _path(path: Path, base: Path) -> str:
    """A path as a person would write it: beside the file, under home, or in full."""
    for root, prefix in ((base.absolute(), ""), (Path.home(), "~/")):
        try:
            text = prefix + str(path.absolute().relative_to(root))
        except ValueError:
            continue
        # A name that begins with a tilde or a space would be read as something else.
        if text == text.strip() and (prefix or not text.startswith("~")):
            return text
    return str(path.absolute())
