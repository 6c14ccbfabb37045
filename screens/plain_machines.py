"""Machines and their host keys in plain lines."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from foundation.hosts.connection import Credentials
from foundation.problems import InputProblem
from screens.answers import joined
from screens.login_words import login_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from foundation.hosts.hostkeys import HostKeyOffer
    from foundation.hosts.model import Host
    from screens.plain import PlainWizard
    from screens.wizard import StepId


def machines(wizard: PlainWizard) -> StepId | None:
    """Name machines until there are enough; each is tried at once."""
    talk = wizard.dialogue
    fresh = [host for host in wizard.answers.machines if host.name not in wizard.memory.tried]
    _try(wizard, fresh)
    talk.say("Type a machine as user@address:port, or one of these words.")
    talk.say("this: this machine. file: read a file. login: user, key, passwords.")
    talk.say("list: read the list. remove: take one off. again: try all again. go: go on.")
    _list(wizard, wizard.answers.machines)
    while True:
        answer = talk.ask("Machine or word", "go" if wizard.answers.machines else "")
        try:
            match answer.lower():
                case "go":
                    return None
                case "":
                    talk.say("The list is empty; type a machine, or this for this one.")
                case "list":
                    _list(wizard, wizard.answers.machines)
                case "this":
                    _add(wizard, (wizard.services.this_machine(),))
                case "file":
                    _read_file(wizard, Path(talk.ask("Name of the file")).expanduser())
                case "login":
                    _login(wizard)
                case "remove":
                    _remove(wizard)
                case "again":
                    _try(wizard, wizard.answers.machines)
                    _list(wizard, wizard.answers.machines)
                case _:
                    _add(wizard, wizard.wait(wizard.services.hosts_from_text(answer)))
        except InputProblem as problem:
            talk.problem(problem)


def _list(wizard: PlainWizard, hosts: Sequence[Host]) -> None:
    """Say some machines of the list, each with its number and what its try met."""
    from screens.machine_words import tried_words

    names = [host.name for host in wizard.answers.machines]
    for host in hosts:
        number = names.index(host.name) + 1
        tried = wizard.memory.tried.get(host.name)
        words = tried_words(tried)[0] if tried else "not tried yet"
        wizard.dialogue.say(f"{number}. {host.name}, {host.endpoint}. Does it answer? {words}")


def _add(wizard: PlainWizard, hosts: Sequence[Host]) -> None:
    wizard.answers = replace(wizard.answers, machines=joined(wizard.answers.machines, hosts))
    wizard.memory.forget_judgement()
    wizard.keep_place()
    _try(wizard, hosts)
    _list(wizard, hosts)


def _read_file(wizard: PlainWizard, path: Path) -> None:
    file = wizard.wait(wizard.services.machine_file(path))
    if file.answers is not None:
        wizard.answers = wizard.answers.with_site(file.answers)
    _add(wizard, file.hosts)
    for note in file.notes:
        wizard.dialogue.say(f"{note}.")


def _remove(wizard: PlainWizard) -> None:
    hosts = wizard.answers.machines
    if not hosts:
        return
    number = wizard.dialogue.ask_number("Number of the machine to remove", len(hosts))
    gone = hosts[int(number) - 1]
    wizard.answers = replace(
        wizard.answers,
        machines=tuple(host for host in hosts if host != gone),
        roles={n: r for n, r in wizard.answers.roles.items() if n != gone.name},
    )
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
    wizard.answers = replace(wizard.answers, login=new)
    wizard.memory.forget_results()
    wizard.keep_place()
    _try(wizard, wizard.answers.machines)
    _list(wizard, wizard.answers.machines)


def _try(wizard: PlainWizard, hosts: Sequence[Host]) -> None:
    """Try machines, all at once; the answers stand in the list."""
    wanted = {host.name for host in hosts}
    access = wizard.access()
    asked = [host for host in access.inventory if host.name in wanted]
    if not asked:
        return

    async def all_of_them() -> None:
        found = await asyncio.gather(*(wizard.services.try_machine(host, access) for host in asked))
        wizard.memory.tried.update({tried.host.name: tried for tried in found})

    wizard.wait(all_of_them())


def trust(wizard: PlainWizard) -> StepId | None:
    """Show every key, ask about those that are unknown, and write down what was confirmed."""
    from screens.machine_words import CONSOLE_COMMAND

    talk, memory = wizard.dialogue, wizard.memory
    hosts = [host for host in wizard.answers.inventory() if not host.local]
    _try(wizard, hosts)
    talk.say("On each machine's own console:")
    talk.command(CONSOLE_COMMAND)
    unknown: list[HostKeyOffer] = []
    for host in hosts:
        tried = memory.tried[host.name]
        offer = tried.offer
        if offer is None:
            cause = tried.problem.cause if tried.problem else "it was not asked"
            talk.say(f"{host.name}: no key; {cause}.")
        elif offer.state == "trusted":
            talk.say(f"{host.name}: trusted, {offer.fingerprint}")
        elif offer.state == "changed":
            _changed(wizard, host, offer)
        else:
            unknown.append(offer)
    confirmed = _ask_each(wizard, unknown)
    if confirmed:
        file = wizard.wait(wizard.services.trust(confirmed, wizard.access()))
        talk.say(f"{len(confirmed)} confirmed, and kept in {file}.")
        for offer in confirmed:
            memory.seen.pop(offer.host.name, None)
    left = [offer.host.name for offer in unknown if offer not in confirmed]
    if left:
        talk.say(f"Not confirmed, and so not logged in to: {', '.join(left)}.")
    return None


def _changed(wizard: PlainWizard, host: Host, offer: HostKeyOffer) -> None:
    from screens.machine_words import removal_command

    say = wizard.dialogue.say
    say(f"{host.name}: the key has CHANGED, and a changed key cannot be accepted here.")
    say(f"offered {offer.fingerprint}", indent="  ")
    say(f"known   {offer.known_fingerprint} in {offer.known_in}", indent="  ")
    say("Either it was set up anew, or somebody else answers in its place. Ask on its console.")
    say("If it was set up anew, remove the old key:")
    wizard.dialogue.command(removal_command(host, offer))


def _ask_each(wizard: PlainWizard, unknown: list[HostKeyOffer]) -> list[HostKeyOffer]:
    talk = wizard.dialogue
    confirmed: list[HostKeyOffer] = []
    for place, offer in enumerate(unknown):
        talk.say(f"{offer.host.name}: unknown, {offer.algorithm}")
        talk.say(offer.fingerprint, indent="  ")
        rest = unknown[place:]
        more = f", all for these {len(rest)}" if len(rest) > 1 else ""
        while True:
            answer = talk.ask(f"Is it the machine's own? yes, no{more}").lower()
            if answer in ("yes", "y"):
                confirmed.append(offer)
                break
            if answer in ("no", "n", ""):
                break
            if answer == "all" and more:
                for other in rest[1:]:
                    talk.say(f"{other.host.name}: {other.fingerprint}", indent="  ")
                sure = talk.ask("Confirm all of them? yes or no").lower()
                if sure in ("yes", "y"):
                    return [*confirmed, *rest]
            else:
                talk.say("Answer yes or no.")
    return confirmed
