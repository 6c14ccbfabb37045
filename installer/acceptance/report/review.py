"""What an acceptance will do, measure, ask and leave behind, before any of it is begun."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass

from foundation.wording import counted, duration, human_size
from installer.acceptance import gates
from installer.acceptance.accept import Asked
from installer.acceptance.carried import PAGES
from installer.acceptance.cast import PREFIX
from installer.acceptance.drills import Drilled
from installer.acceptance.driver.measured import Measured
from installer.acceptance.ledger.reconcile import Reconciled
from installer.acceptance.offers import Cost, cost
from installer.acceptance.profile import Profile
from installer.acceptance.report.words import words_of
from installer.acceptance.result import Criterion, name_of
from preflight.report.words import capital


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and labels with their texts; a label may come several times or be empty."""

    title: str
    entries: tuple[tuple[str, str], ...]


def review(asked: Asked) -> tuple[Section, ...]:
    """Every section, in the order in which they are read."""
    price = cost(asked.hub, asked.profile, asked.processes, asked.bounds)
    return (
        Section("What is proven", _proven(asked, price)),
        Section("The hub", _hub(asked)),
        Section("What drives it", _driver(asked)),
        Section("What it is held against", _gates(asked)),
        Section("Drills, one at a time under load", _drills(asked)),
        Section("What it leaves behind", _left(asked, price)),
    )


def takes(price: Cost) -> str:
    """How long it takes: at least, and what may come on top."""
    return (
        f"{duration(price.seconds)}, then up to {duration(price.settling)} and the reconciliation"
    )


def profile_words(profile: Profile) -> str:
    """The parts of a profile."""
    before = []
    if profile.warm_up:
        before.append(f"{duration(profile.warm_up)} at {profile.low_rate:g} a second")
    if profile.ramp:
        before.append(f"{duration(profile.ramp)} upwards")
    return ", ".join([*before, f"{duration(profile.steady)} at {profile.rate:g} a second"])


def _proven(asked: Asked, price: Cost) -> tuple[tuple[str, str], ...]:
    return (
        ("", f"{capital(name_of(asked.profile))}."),
        ("load", profile_words(asked.profile)),
        ("takes", takes(price)),
        ("transfers", f"{price.transfers:,} real ones, of {_money(asked, price.money)} in all"),
    )


def _hub(asked: Asked) -> tuple[tuple[str, str], ...]:
    hub = asked.hub
    tls = "mutual TLS" if hub.tls.certificate else "TLS as the addresses say"
    kept = "by its database, read only" if hub.ledger is not None else "by its API alone"
    return (
        ("lookup", hub.lookup),
        ("quotes", hub.quotes),
        ("transfers", hub.transfers),
        ("ledger", f"{hub.admin}; transfers are held against it {kept}"),
        ("API", f"FSPIOP {hub.version}, {tls}"),
    )


def _driver(asked: Asked) -> tuple[tuple[str, str], ...]:
    calls = asked.hub.callbacks
    last = calls.first_port + asked.processes - 1
    ports = f"ports {calls.first_port} to {last}" if asked.processes > 1 else f"port {last}"
    ports = ports if calls.first_port else "ports that are free"
    cores = counted(os.cpu_count() or 1, "core")
    processes = f"{asked.processes} process{'es' if asked.processes != 1 else ''}"
    return (
        ("generator", f"this machine: {processes}, {cores}"),
        ("callbacks", f"{calls.address}, {ports}: the hub must reach them"),
        ("first", "the driver by itself, with a fifth more; where it is too slow, no load begins"),
    )


def asked_gates(asked: Asked) -> list[Criterion]:
    """Every criterion, of which nothing is measured yet."""
    drills = [Drilled(one) for one in asked.drills]
    return gates.judge(
        asked.profile, Measured(), Reconciled(), None, None, asked.bounds, drills
    )  # fmt: skip


def _gates(asked: Asked) -> tuple[tuple[str, str], ...]:
    entries: list[tuple[str, str]] = []
    for one in asked_gates(asked):
        entries.append((one.title, one.asked))
        entries += [("", f"{whose}: {said}") for whose, said in words_of(one)]
    return tuple(entries)


def _drills(asked: Asked) -> tuple[tuple[str, str], ...]:
    entries: list[tuple[str, str]] = []
    for one in asked.drills:
        entries.append((one.name, shlex.join(one.command)))
        undo = shlex.join(one.undo) if one.undo else "by itself"
        entries.append(("", f"undone after {duration(one.wait)}: {undo}"))
        if one.gap is not None:
            entries.append(("", f"without a commit for {one.gap:g} s at most"))
    return tuple(entries) or (("", "None is chosen, so that recovery is not measured."),)


def _left(asked: Asked, price: Cost) -> tuple[tuple[str, str], ...]:
    each = human_size(price.kafka_bytes)
    rows = f"{price.transfers:,} transfers, and {counted(price.participants, 'participant')}"
    return (
        ("ledger", f"{rows}, named {PREFIX}…, inactive: a ledger deletes nothing"),
        ("money", f"{_money(asked, price.put_in)} put in before, and taken out after"),
        ("parties", "forgotten by the account lookup"),
        ("Kafka", f"about {each} in each copy, until it forgets them"),
        ("this computer", f"a folder with {', '.join(PAGES.values())} and the unclean transfers"),
    )  # fmt: skip


def _money(asked: Asked, amount: object) -> str:
    return f"{amount:,} {asked.hub.currency}"


def begin_words(asked: Asked) -> str:
    """What follows from a yes, in two sentences."""
    price = cost(asked.hub, asked.profile, asked.processes, asked.bounds)
    faults = counted(len(asked.drills), "fault")
    drills = (
        f" {capital(faults)} {'are' if len(asked.drills) != 1 else 'is'} set meanwhile."
        if asked.drills
        else ""
    )
    return (
        f"{price.transfers:,} real transfers go to {asked.hub.transfers}, for {takes(price)}."
        f"{drills}"
    )
