"""Supplies in plain lines: online or from a bundle, verified, looked into, joined and made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from foundation.problems import Problem
from foundation.typed_paths import typed_path
from foundation.wording import counted, human_size
from screens.plain.prompt import BackWanted
from screens.services.bundle_seen import (
    BundleSeen,
    Going,
    ToMake,
    about_item,
    about_state,
    going_words,
    inside_words,
)

if TYPE_CHECKING:
    from screens.answers.wizard import StepId
    from screens.plain.plain import PlainWizard

_TENTHS: Final = 10
_CHOICES: Final = (
    "1. Take it",
    "2. Compare every byte with its hash",
    "3. List what is inside",
    "4. List what is missing, and what could not be told",
)


_UNSIGNED: Final = "5. Take it, and accept that nobody is asked who made it"


class _Lines:
    """How work goes, a line each tenth: no line is ever drawn over."""

    def __init__(self, wizard: PlainWizard, what: str) -> None:
        self._say = wizard.dialogue.say
        self._what = what
        self._told = -1

    def __call__(self, going: Going) -> None:
        """Say it where a tenth more is done."""
        if going.note:
            self._say(going.note)
        tenth = _TENTHS * going.done // going.total if going.total else 0
        if tenth > self._told:
            self._told = tenth
            _, words = going_words(self._what, going)
            self._say(f"{self._what}: {tenth * 10} percent, {words}")


def supplies(wizard: PlainWizard) -> StepId | None:
    """Choose where the software comes from; the answers say it afterwards."""
    talk = wizard.dialogue
    talk.say("1. Online: each machine fetches what it needs itself")
    talk.say("2. From a bundle: machines need no way out")
    talk.say("3. Make a bundle here, to be carried to the site")
    before = wizard.answers.site.supplies
    bundle = before.bundle
    choice = talk.ask_number("Your choice", 3, default=2 if bundle else 1)
    given = before.online()
    if choice == 3:
        bundle = str(_make(wizard))
    if choice != 1:
        seen, unsigned = _named(wizard, str(bundle or ""))
        given = given.from_bundle(seen.path, seen.keys, unsigned=unsigned)
    if given != before:
        wizard.memory.plan = None
    wizard.answers = wizard.answers.saying(supplies=given)
    return None


def _named(wizard: PlainWizard, before: str) -> tuple[BundleSeen, bool]:
    """A bundle that can be used, after as many tries as it takes; BackWanted leaves.

    With it: whether a person accepts that nobody is asked who made it.
    """
    talk = wizard.dialogue
    while True:
        name = talk.ask("Folder or file of the bundle, or the folder of its volumes", before)
        keys = talk.ask("File of those who may have made it (allowed_signers), or -", "-")
        try:
            signers = None if keys == "-" else typed_path(keys).absolute()
            path = typed_path(name).absolute()
            place = wizard.wait(wizard.services.bundle_place(path))
            if place.volumes:
                path = _joined(wizard, path, place.volumes)
            seen = wizard.wait(wizard.services.open_bundle(path, signers, wizard.answers))
            return _looked_at(wizard, seen)
        except Problem as problem:
            talk.problem(problem)


def _joined(wizard: PlainWizard, path: Path, count: int) -> Path:
    talk = wizard.dialogue
    talk.say(f"{counted(count, 'volume')} lie there; they are joined into one file first.")
    output = typed_path(talk.ask("File to write")).absolute()
    lines = _Lines(wizard, "joining")
    for sentence in wizard.wait(wizard.services.join_volumes(path, output, lines)):
        talk.say(sentence)
    return output


def _looked_at(wizard: PlainWizard, seen: BundleSeen) -> tuple[BundleSeen, bool]:
    """What is known of the bundle, and more of it as long as a person asks."""
    talk = wizard.dialogue
    while True:
        for label, text in about_state(seen):
            talk.entry(label, text)
        choices = _CHOICES if seen.signer else (*_CHOICES, _UNSIGNED)
        for choice in choices:
            talk.say(choice)
        match talk.ask_number("Your choice", len(choices), default=1):
            case 1 | 5 as number:
                wizard.memory.bundle = seen
                return seen, number == 5
            case 2:
                lines = _Lines(wizard, "verifying")
                seen = wizard.wait(wizard.services.verify_bundle(seen, lines, wizard.answers))
            case 3:
                _list(wizard, seen)
            case _:
                for name in seen.missing or ("nothing that the recipe asks for",):
                    talk.say(name, indent="  ")
                for sentence in seen.untold:
                    talk.say(sentence)


def _list(wizard: PlainWizard, seen: BundleSeen) -> None:
    talk = wizard.dialogue
    words = talk.ask("Words to filter by, or * for all", "*")
    found = [item for item in seen.items if words == "*" or item.matches(words)]
    for item in found:
        talk.say(f"{item.kind} {item.name} {item.version}, {human_size(item.size)}")
        for label, text in about_item(item)[1:3]:
            talk.entry(label, text)
    talk.say(f"{len(found)} of {counted(len(seen.items), 'item')}: {inside_words(seen)}")


def _make(wizard: PlainWizard) -> Path:
    talk = wizard.dialogue
    while True:
        name = talk.ask("Folder for the bundle", "site.bundle")
        key = talk.ask("Signing key (Ed25519), or - for none", "-")
        lines = _Lines(wizard, "making")
        try:
            folder = typed_path(name).absolute()
            signing = None if key == "-" else typed_path(key)
            phrase = talk.ask_secret("Its passphrase") if signing else None
            wanted = ToMake(folder, signing, phrase)
            wizard.wait(wizard.services.make_bundle(wanted, wizard.answers, lines))
        except Problem as problem:
            talk.problem(problem)
            if talk.ask("Try again? y or n", "y") != "y":
                raise BackWanted from problem
        else:
            talk.say(f"The bundle is made: {folder}. Carry the whole folder to the site.")
            return folder
