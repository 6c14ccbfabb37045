"""Host keys in words: a row of the list, a machine's keys in full, what consoles said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from textual.content import Content

from foundation.hosts.openssh.fingerprints import Comparison, shared_keys
from foundation.hosts.openssh.hostkeys import ALL_KEYS_COMMAND, console_command
from foundation.wording import shortened
from screens.machines.machine_words import removal_command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from foundation.hosts.model import Host
    from foundation.hosts.openssh.hostkeys import HostKeyOffer
    from screens.services.services import Tried

WHOLE: Final = 43
"""Letters of a fingerprint after SHA256:, which is shown whole or not at all."""

NEW_KEYS: Final = (
    "mkdir -m 700 /root/old-host-keys && mv /etc/ssh/ssh_host_* /root/old-host-keys/ && "
    "ssh-keygen -A"
)
"""Gives a copy of an image keys of its own; the old ones are kept."""

VERDICTS: Final = {
    "agrees": ("agrees with the console", "pass"),
    "differs": ("DIFFERS from the console", "fail"),
    "absent": ("not in what was pasted", "muted"),
    "shared": ("pasted without a name, and shown by several", "warn"),
}
"""What a comparison with the consoles came to, in words, with its tone."""


def twins(offers: Iterable[HostKeyOffer]) -> dict[str, tuple[str, ...]]:
    """By machine: the others that show one of its keys. A key is one machine's alone."""
    found: dict[str, tuple[str, ...]] = {}
    for shared in shared_keys(offers):
        for name in shared.machines:
            others = tuple(other for other in shared.machines if other != name)
            found[name] = tuple(dict.fromkeys((*found.get(name, ()), *others)))
    return found


def row_words(
    offer: HostKeyOffer,
    *,
    confirmed: bool,
    same_as: Sequence[str],
    comparison: Comparison | None,
    width: int,
) -> tuple[str, str, str]:
    """The mark, the words and the tone of a row; `width` cells are there for the words."""
    mark, word, tone = {
        "trusted": ("[x]", "trusted", "pass"),
        "unknown": ("[x]", "confirmed", "pass") if confirmed else ("[ ]", "unknown", "warn"),
        "changed": (" ! ", "CHANGED", "fail"),
    }[offer.state]
    notes = []
    if offer.state == "unknown" and comparison is not None:
        note, tone = VERDICTS[comparison.verdict]
        notes.append(note)
        if comparison.verdict == "agrees" and confirmed:
            mark = "[=]"
        elif comparison.verdict == "differs":
            mark = " ! "
    if same_as:
        notes.append(f"same key as {shortened(same_as, 2)}")
        tone = "fail" if tone == "fail" else "warn"
    text = f"{word:<9} {offer.kind:<7}"
    whole = f"{text} {offer.fingerprint.removeprefix('SHA256:')}"
    note = "; ".join(notes)
    for words in (f"{whole}  {note}" if note else whole, f"{text} {note}" if note else text):
        if len(words) <= width:
            return mark, words.rstrip(), tone
    return mark, (f"{word} {note}" if note else text).rstrip(), tone


def offer_text(
    host: Host,
    tried: Tried | None,
    *,
    same_as: Sequence[str] = (),
    comparison: Comparison | None = None,
) -> Content:
    """A machine's keys in full, under the one that was known, so that the eye can compare them."""
    if tried is None:
        return Content(f"{host.name} is being asked for its key.")
    if tried.offer is None:
        if tried.problem is None:
            return Content(f"{host.name} has not been asked yet.")
        return Content.assemble(
            (f"{tried.problem.title}\n", "bold"),
            f"{tried.problem.cause}.\n" if tried.problem.cause else "",
            tried.problem.remedy,
        )
    offer = tried.offer
    kind = "" if offer.state == "unknown" else f"  {offer.kind}"
    parts: list[str | tuple[str, str]] = [(host.name, "bold"), f"  {host.endpoint}{kind}\n"]
    match offer.state:
        case "trusted":
            place = f", in {offer.known_in}" if offer.known_in else ""
            parts += [
                f"offered  {offer.fingerprint}\n",
                f"known    the same{place}\n",
            ]
        case "unknown":
            parts += _unknown(offer, same_as, comparison)
        case _:
            parts += [
                f"offered  {offer.fingerprint}\n",
                f"known    {offer.known_fingerprint}\n         in {offer.known_in}\n",
                ("The machine was set up anew, or somebody else answers in its place. ", "bold"),
                (
                    "Ask on its console. If it was set up anew, remove the old key, then press r:"
                    f"\n{removal_command(host, offer)}"
                ),
            ]
    return Content.assemble(*parts)


def _unknown(
    offer: HostKeyOffer, same_as: Sequence[str], comparison: Comparison | None
) -> list[str | tuple[str, str]]:
    parts: list[str | tuple[str, str]] = []
    agreeing = {key.fingerprint for key in comparison.agreeing} if comparison else set()
    for key in offer.shown:
        word = "  agrees" if key.fingerprint in agreeing else ""
        parts.append(f"{key.kind:<8} {key.fingerprint}{word}\n")
    if comparison is not None and comparison.verdict != "agrees":
        tone = "bold $error" if comparison.verdict == "differs" else "bold"
        note = VERDICTS[comparison.verdict][0]
        parts.append((f"{note[:1].upper()}{note[1:]}: ", tone))
        parts.append(f"{comparison.reason}.\n")
    parts.append(f"On its console:\n  {console_command(offer.algorithm)}\n")
    if offer.others:
        parts.append(f"  {ALL_KEYS_COMMAND}\n")
    if same_as:
        shows = "show" if len(same_as) > 1 else "shows"
        parts.append((f"{shortened(same_as)} {shows} the same key. ", "bold $error"))
        parts.append(
            "They are copies of one image, one machine under several names, or somebody stands "
            f"between. On a copy, as root, then restart its sshd and press r:\n  {NEW_KEYS}"
        )
    return parts


def pasted_words(comparisons: Mapping[str, Comparison], shortcomings: Sequence[str]) -> str:
    """What the consoles' words came to, in a sentence or two."""
    counts = [
        (sum(one.verdict == verdict for one in comparisons.values()), one, several)
        for verdict, one, several in (
            ("agrees", "agrees", "agree"), ("differs", "DIFFERS", "DIFFER"),
            ("absent", "is not in it", "are not in it"),
            ("shared", *["shown by several machines and told of none"] * 2),
        )
    ]  # fmt: skip
    text = ", ".join(f"{n} {one if n == 1 else several}" for n, one, several in counts if n)
    told = [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in shortcomings]
    first = f"Compared with the consoles: {text}." if text else "There is no unknown key here."
    return " ".join([first, *told])
