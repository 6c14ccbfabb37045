"""Trust in plain lines: every key shown, compared with the consoles, confirmed by a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.wording import shortened
from screens.answers.wizard import StepId
from screens.plain.plain import PlainWizard
from screens.plain.plain_machines import try_machines
from screens.trust.trust_words import VERDICTS, pasted_words, twins

if TYPE_CHECKING:
    from foundation.hosts.model import Host
    from foundation.hosts.openssh.hostkeys import HostKeyOffer


def trust(wizard: PlainWizard) -> StepId | None:
    """Show every key, ask about those that are unknown, and write down what was confirmed."""
    from foundation.hosts.openssh.hostkeys import ALL_KEYS_COMMAND

    talk, memory = wizard.dialogue, wizard.memory
    hosts = [host for host in wizard.answers.inventory() if not host.local]
    try_machines(wizard, hosts)
    talk.say("On each machine's own console:")
    talk.command(ALL_KEYS_COMMAND)
    unknown: list[HostKeyOffer] = []
    for host in hosts:
        tried = memory.tried[host.name]
        offer = tried.offer
        if offer is None:
            cause = tried.problem.cause if tried.problem else "it was not asked"
            talk.say(f"{host.name}: no key; {cause}.")
        elif offer.state == "trusted":
            talk.say(f"{host.name}: trusted, {offer.kind} {offer.fingerprint}")
        elif offer.state == "changed":
            _changed(wizard, host, offer)
        else:
            unknown.append(offer)
    offers = [offer for host in hosts if (offer := memory.tried[host.name].offer) is not None]
    confirmed = _ask_each(wizard, unknown, hosts, twins(offers))
    if confirmed:
        file = wizard.wait(wizard.services.trust(confirmed, wizard.access()))
        names = {offer.host.name for offer in confirmed}
        talk.say(f"{len(names)} confirmed, and kept in {file}.")
        for name in names:
            memory.seen.pop(name, None)
    done = {offer.host.name for offer in confirmed}
    left = [offer.host.name for offer in unknown if offer.host.name not in done]
    if left:
        talk.say(f"Not confirmed, and so not logged in to: {', '.join(left)}.")
    return None


def _consoles(
    wizard: PlainWizard, hosts: list[Host], unknown: list[HostKeyOffer]
) -> tuple[list[HostKeyOffer], list[HostKeyOffer]]:
    """The keys that agree with what consoles said, and those of which they said nothing."""
    from foundation.hosts.openssh.fingerprints import compare, read_console

    talk = wizard.dialogue
    talk.say("Paste the lines of the consoles, and end them with an empty line.")
    lines: list[str] = []
    while (line := talk.source.readline()).strip():
        lines.append(line.rstrip("\n"))
    words = read_console("\n".join(lines), hosts)
    said = {one.offer.host.name: one for one in compare(unknown, words)}
    for name, one in said.items():
        reason = f": {one.reason}" if one.reason else ""
        talk.say(f"{name}: {VERDICTS[one.verdict][0]}{reason}.")
    talk.say(pasted_words(said, words.shortcomings()))
    agreeing = [offer for one in said.values() for offer in one.agreeing]
    rest = [one.offer for one in said.values() if one.verdict in ("absent", "shared")]
    return agreeing, rest


def _changed(wizard: PlainWizard, host: Host, offer: HostKeyOffer) -> None:
    from screens.machines.machine_words import removal_command

    say = wizard.dialogue.say
    say(f"{host.name}: the key has CHANGED, and a changed key cannot be accepted here.")
    say(f"offered {offer.fingerprint}", indent="  ")
    say(f"known   {offer.known_fingerprint} in {offer.known_in}", indent="  ")
    say("Either it was set up anew, or somebody else answers in its place. Ask on its console.")
    say("If it was set up anew, remove the old key:")
    wizard.dialogue.command(removal_command(host, offer))


def _ask_each(
    wizard: PlainWizard,
    unknown: list[HostKeyOffer],
    hosts: list[Host],
    same: dict[str, tuple[str, ...]],
) -> list[HostKeyOffer]:
    talk = wizard.dialogue
    confirmed: list[HostKeyOffer] = []
    rest = list(unknown)
    while rest:
        offer = rest[0]
        talk.say(f"{offer.host.name}: unknown")
        for key in offer.shown:
            talk.say(f"{key.kind:<8} {key.fingerprint}", indent="  ")
        if offer.host.name in same:
            others = same[offer.host.name]
            shows = "show" if len(others) > 1 else "shows"
            talk.say(f"{shortened(others)} {shows} the same key.", indent="  ")
        # A key of several machines is looked at machine by machine.
        all_may = len(rest) > 1 and not any(other.host.name in same for other in rest)
        more = f", all for these {len(rest)}" if all_may else ""
        answer = talk.ask(f"Is it the machine's own? yes, no, paste{more}").lower()
        if answer in ("yes", "y"):
            confirmed.append(rest.pop(0))
        elif answer in ("no", "n", ""):
            rest.pop(0)
        elif answer in ("paste", "p"):
            agreeing, rest = _consoles(wizard, hosts, rest)
            confirmed += agreeing
        elif answer == "all" and more:
            for other in rest[1:]:
                talk.say(f"{other.host.name}: {other.kind} {other.fingerprint}", indent="  ")
            sure = talk.ask("Confirm all of them? yes or no").lower()
            if sure in ("yes", "y"):
                return [*confirmed, *rest]
        else:
            talk.say("Answer yes or no, or paste to compare with what the consoles said.")
    return confirmed
