"""Machines and their host keys in plain lines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.hosts.connection import Credentials
from foundation.problems import InputProblem
from foundation.typed_paths import typed_path
from foundation.wording import shortened
from screens.answers.answers import joined
from screens.machines.login_words import login_from
from screens.words.program_words import LEFT, WHY, programs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foundation.hosts.model import Host
    from screens.answers.wizard import StepId
    from screens.plain.plain import PlainWizard


def machines(wizard: PlainWizard) -> StepId | None:
    """Name machines until there are enough; each is tried at once."""
    talk = wizard.dialogue
    fresh = [host for host in wizard.answers.machines if host.name not in wizard.memory.tried]
    try_machines(wizard, fresh)
    talk.say("Type a machine as user@address:port, or one of these words.")
    talk.say("this: this machine. file: read a file. login: user, key, passwords.")
    talk.say("list: read the list. remove: take one off. again: try all again. go: go on.")
    _list(wizard, wizard.answers.machines)
    while True:
        answer = talk.ask("Machine or word", "go" if wizard.answers.machines else "")
        try:
            match answer.lower():
                case "go":
                    _refuse_unfilled(wizard)
                    return None
                case "":
                    talk.say("The list is empty; type a machine, or this for this one.")
                case "list":
                    _list(wizard, wizard.answers.machines)
                case "this":
                    _add(wizard, (wizard.services.this_machine(),))
                case "file":
                    _read_file(wizard, typed_path(talk.ask("Name of the file")))
                case "login":
                    _login(wizard)
                case "remove":
                    _remove(wizard)
                case "again":
                    wizard.memory.programs_left.clear()
                    try_machines(wizard, wizard.answers.machines)
                    _list(wizard, wizard.answers.machines)
                case _:
                    _add(wizard, wizard.wait(wizard.services.hosts_from_text(answer)))
        except InputProblem as problem:
            talk.problem(problem)


def _list(wizard: PlainWizard, hosts: Sequence[Host]) -> None:
    """Say some machines of the list, each with its number, what its try met and what to do."""
    from screens.machines.machine_words import is_unfilled, tried_words

    names = [host.name for host in wizard.answers.machines]
    ends = {host.name: host.endpoint for host in wizard.answers.inventory()}
    told: list[str] = []
    for host in hosts:
        number = names.index(host.name) + 1
        tried = wizard.memory.tried.get(host.name)
        words = tried_words(tried)[0] if tried else "not tried yet"
        if is_unfilled(host):
            words = "its address is to be filled in"
        wizard.dialogue.say(f"{number}. {host.name}, {ends[host.name]}. Does it answer? {words}")
        if tried and tried.problem and tried.problem.remedy not in told:
            told.append(tried.problem.remedy)
        told += [f"Note: {n}." for n in tried.notes if f"Note: {n}." not in told] if tried else []
    for remedy in told:
        wizard.dialogue.say(remedy)


def _refuse_unfilled(wizard: PlainWizard) -> None:
    """Raise InputProblem where the address of a machine is still to be filled in."""
    from screens.machines.machine_words import is_unfilled

    unfilled = [host.name for host in wizard.answers.machines if is_unfilled(host)]
    if unfilled:
        raise InputProblem(
            "no address was filled in yet",
            where=shortened(unfilled[:6]),
            remedy="Take each off the list with remove and type it with its address, as "
            "name=user@address; or fill them in in the site file, and open it at the first step.",
        )


def _add(wizard: PlainWizard, hosts: Sequence[Host], there: Sequence[Host] | None = None) -> None:
    before = wizard.answers.machines if there is None else there
    answers = wizard.answers
    wizard.answers = answers.with_machines(joined(before, hosts, answers.login, answers.ports))
    wizard.memory.forget_judgement()
    wizard.keep_place()
    try_machines(wizard, hosts)
    _list(wizard, hosts)


def _read_file(wizard: PlainWizard, path: Path) -> None:
    file = wizard.wait(wizard.services.machine_file(path))
    there = wizard.answers.machines
    if file.answers is not None:
        # What cannot be taken whole is not taken in part.
        ports = {**wizard.answers.ports, **file.answers.ports}
        joined(there, file.hosts, file.answers.login, ports)
        wizard.answers = wizard.answers.with_site(file.answers)
    _add(wizard, file.hosts, there)
    for note in file.notes:
        wizard.dialogue.say(f"{note}.")


def _remove(wizard: PlainWizard) -> None:
    hosts = wizard.answers.machines
    if not hosts:
        return
    number = wizard.dialogue.ask_number("Number of the machine to remove", len(hosts))
    gone = hosts[int(number) - 1]
    wizard.answers = wizard.answers.with_machines(host for host in hosts if host != gone)
    wizard.memory.tried.pop(gone.name, None)
    wizard.memory.seen.pop(gone.name, None)
    wizard.memory.forget_judgement()
    wizard.keep_place()


def _login(wizard: PlainWizard) -> None:
    talk, login = wizard.dialogue, wizard.answers.login
    talk.say("This holds for every machine that says nothing else. A minus sign clears a line.")

    def line(question: str, before: str) -> str:
        answer = talk.ask(question, before)
        return "" if answer == "-" else answer

    new = login_from(
        user=line("User", login.user or ""),
        port=line("Port", str(login.port or "")),
        keys=line("Key files, with commas", ", ".join(map(str, login.identity_files))),
        bastion=line("Bastion (user@host)", login.bastion or ""),
        known_hosts=line("Known hosts files", ", ".join(map(str, login.known_hosts))),
        sudo=line("Use sudo, yes or no", "yes" if login.sudo else "no"),
    )
    old = wizard.memory.credentials
    wizard.memory.credentials = Credentials(
        password=talk.ask_secret("Password of the login") or old.password,
        passphrase=talk.ask_secret("Passphrase of the key") or old.passphrase,
        sudo_password=talk.ask_secret("Password for sudo") or old.sudo_password,
    )
    joined((), wizard.answers.machines, new, wizard.answers.ports)
    wizard.answers = wizard.answers.with_login(new)
    wizard.memory.forget_results()
    wizard.keep_place()
    try_machines(wizard, wizard.answers.machines)
    _list(wizard, wizard.answers.machines)


def try_machines(wizard: PlainWizard, hosts: Sequence[Host]) -> None:
    """Try machines, all at once; the answers stand in the list."""
    from screens.machines.machine_words import is_unfilled

    wanted = {host.name for host in hosts}
    access = wizard.access()
    asked = [h for h in access.inventory if h.name in wanted and not is_unfilled(h)]
    if not asked:
        return

    async def all_of_them() -> None:
        found = await asyncio.gather(*(wizard.services.try_machine(host, access) for host in asked))
        wizard.memory.tried.update({tried.host.name: tried for tried in found})

    wizard.wait(all_of_them())
    if _ask_about_programs(wizard, asked):
        wizard.wait(all_of_them())


def _ask_about_programs(wizard: PlainWizard, asked: Sequence[Host]) -> bool:
    """Show what a site's files would start here and ask once; whether a person allowed it."""
    talk, left = wizard.dialogue, wizard.memory.programs_left
    tried = wizard.memory.tried
    programs = next(filter(None, (programs_of(tried[host.name].problem) for host in asked)), ())
    if not programs or programs in left:
        return False
    talk.say("To reach the machines, the site would start on this machine:")
    for program in programs:
        talk.say(f"{program.place}: {program.whole}")
    talk.say(WHY)
    if talk.ask("Allow exactly these, yes or no", "no").lower() not in ("y", "yes"):
        left.add(programs)
        talk.say(LEFT)
        return False
    wizard.wait(wizard.services.allow_programs(programs))
    return True
