"""Our participants in a hub: made where they are not there, and taken back to how they were found.

A ledger deletes nothing, so what is taken back is: the parties are forgotten, the money that was
put in is taken out, and the participants are inactive. Begun again, they are found and used.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from foundation.problems import ExitCode, Problem
from foundation.wording import shortened
from installer.acceptance.cast import is_ours
from installer.acceptance.provisioning.admin import Admin, HubProblem, HubSilent, words_of

_PATIENCE: Final = 30.0
"""Seconds until money that was put in or taken out is seen (a topic and a handler lie between)."""
_ENDPOINTS: Final = {
    "FSPIOP_CALLBACK_URL_PARTICIPANT_PUT": "/participants/{{partyIdType}}/{{partyIdentifier}}",
    "FSPIOP_CALLBACK_URL_PARTICIPANT_PUT_ERROR":
        "/participants/{{partyIdType}}/{{partyIdentifier}}/error",
    "FSPIOP_CALLBACK_URL_PARTIES_GET": "/parties/{{partyIdType}}/{{partyIdentifier}}",
    "FSPIOP_CALLBACK_URL_PARTIES_PUT": "/parties/{{partyIdType}}/{{partyIdentifier}}",
    "FSPIOP_CALLBACK_URL_PARTIES_PUT_ERROR": "/parties/{{partyIdType}}/{{partyIdentifier}}/error",
    "FSPIOP_CALLBACK_URL_QUOTES": "",
    "FSPIOP_CALLBACK_URL_TRANSFER_POST": "/transfers",
    "FSPIOP_CALLBACK_URL_TRANSFER_PUT": "/transfers/{{transferId}}",
    "FSPIOP_CALLBACK_URL_TRANSFER_ERROR": "/transfers/{{transferId}}/error",
}  # fmt: skip
"""Each type of endpoint, and what stands behind a participant's address (ml-core-test-harness,
provisioning/participant_perffsp1.json)."""


class HubInUse(Problem):
    """A hub with participants that are not ours, and nobody has said that it may be loaded."""

    code = "hub-in-use"
    title = "This hub has participants of its own"
    exit_code = ExitCode.REFUSED


@dataclass(frozen=True, slots=True)
class Wanted:
    """A participant as it shall be."""

    name: str
    door: str
    """Where it takes callbacks."""
    money: int
    """What it may owe, and what it puts in at least."""


@dataclass
class Provisioned:
    """What was changed in the hub, so that it can be taken back."""

    currency: str
    names: list[str] = field(default_factory=list)
    parties: bool = False
    """Whether parties were made known, or began to be."""
    put_in: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    """The money that is to be taken out, and the account's value before it was put in.

    It may still be on its way; and with it goes what an acceptance before left behind."""
    left: list[str] = field(default_factory=list)
    """What could not be taken back, in sentences."""


async def require_unused(admin: Admin, hub_name: str, allowed_by: str) -> list[str]:
    """The active participants that are not ours; raises HubInUse where nobody answers for them."""
    others = [
        name
        for name, active in await admin.participants()
        if active and name.lower() != hub_name.lower() and not is_ours(name)
    ]
    if others and not allowed_by:
        raise HubInUse(
            f"{shortened(others)} {'is' if len(others) == 1 else 'are'} active in it, and a load"
            " takes from them what the hub can carry",
            where=admin.address,
            remedy="Accept a hub before it is in use. Where somebody answers for it, name them:"
            ' --hub-in-use-allowed-by "A. Name"',
        )
    return others


async def provision(
    admin: Admin, wanted: Sequence[Wanted], currency: str, made: Provisioned,
    say: Callable[[str], None],
) -> list[str]:  # fmt: skip
    """Make each participant as it shall be; what is so already is left. Raises HubProblem.

    Gives those of ours that were active before: an acceptance was killed, or is under way.
    """
    there = dict(await admin.participants())
    before = [name for name, active in there.items() if active and is_ours(name)]
    for one in wanted:
        made.names.append(one.name)
        await _participant(admin, one, currency, there)
        await _limit(admin, one.name, one.money, currency)
        for kind, path in _ENDPOINTS.items():
            await admin.must(
                "POST",
                f"/participants/{one.name}/endpoints",
                {"type": kind, "value": one.door + path},
            )
        await _money(admin, one, currency, made)
        say(f"{one.name} is in the hub, and may owe {one.money} {currency}.")
    return before


async def _participant(admin: Admin, one: Wanted, currency: str, there: dict[str, bool]) -> None:
    if one.name in there and not there[one.name]:
        await admin.must("PUT", f"/participants/{one.name}", {"isActive": True})
    if one.name in there and await admin.accounts(one.name, currency):
        return
    status, said = await admin.ask(
        "POST", "/participants", {"name": one.name, "currency": currency}
    )
    if status >= 300:
        raise HubProblem(
            f"a participant cannot be made in {currency}: it answered {status}: {words_of(said)}",
            where=f"{admin.address}/participants",
            remedy=f"The hub itself needs its two accounts in {currency} (HUB_MULTILATERAL_"
            "SETTLEMENT, HUB_RECONCILIATION) and a settlement model; or name a currency that has"
            " them.",
        )


async def _limit(admin: Admin, name: str, money: Decimal | int, currency: str) -> None:
    path = f"/participants/{name}"
    limit = {"type": "NET_DEBIT_CAP", "value": float(money)}
    found = await admin.must("GET", f"{path}/limits?currency={currency}&type=NET_DEBIT_CAP")
    if not found:
        body = {"currency": currency, "limit": limit, "initialPosition": 0}
        await admin.must("POST", f"{path}/initialPositionAndLimits", body)
        return
    body = {"currency": currency, "limit": {**limit, "alarmPercentage": 10}}
    await admin.must("PUT", f"{path}/limits", body)


async def set_limit(admin: Admin, name: str, money: Decimal, currency: str) -> None:
    """Let a participant owe so much and no more."""
    await _limit(admin, name, money, currency)


async def _money(admin: Admin, one: Wanted, currency: str, made: Provisioned) -> None:
    number, value = await _settlement(admin, one.name, currency)
    # What a participant has put in stands on its settlement account as a negative value.
    missing = Decimal(one.money) + value
    if missing <= 0:
        made.put_in[one.name] = -value, Decimal(0)
        return
    # Noted before it is asked for: whoever is left meanwhile has put it in all the same.
    made.put_in[one.name] = Decimal(one.money) if value < 0 else missing, value
    path = f"/participants/{one.name}/accounts/{number}"
    try:
        funds = _funds("recordFundsIn", str(uuid.uuid4()), missing, currency)
        await admin.must("POST", path, funds)
    except HubSilent:
        raise  # it may have come there
    except HubProblem:
        del made.put_in[one.name]
        if value < 0:
            made.put_in[one.name] = -value, Decimal(0)
        raise
    if not await _seen(admin, one.name, currency, lambda now: now == value - missing):
        raise HubProblem(
            f"money was put in for {one.name}, and after {_PATIENCE:.0f} seconds it is not there",
            where=admin.address,
            remedy="See the ledger's admin handler: kubectl get pods; its topic is"
            " topic-admin-transfer.",
        )


async def _settlement(admin: Admin, name: str, currency: str) -> tuple[int, Decimal]:
    """Number and value of a participant's settlement account; raises HubProblem."""
    accounts = await admin.accounts(name, currency)
    if "SETTLEMENT" not in accounts:
        raise HubProblem(f"{name} has no settlement account in {currency}", where=admin.address)
    return accounts["SETTLEMENT"]


async def _seen(admin: Admin, name: str, currency: str, wanted: Callable[[Decimal], bool]) -> bool:
    """Wait until a participant's settlement account is as it is wanted; whether it came to that."""
    until = time.monotonic() + _PATIENCE
    while True:
        if wanted((await _settlement(admin, name, currency))[1]):
            return True
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.25)  # another program's database: it can only be asked


async def take_back(admin: Admin, made: Provisioned) -> None:
    """Take the money out and make the participants inactive; what cannot be is in `made.left`."""
    try:
        there = {name for name, _ in await admin.participants()}
    except HubProblem as problem:
        made.left.append(f"participants {', '.join(made.names)}: {problem.sentence}")
        return
    for name in made.names:
        if name not in there:
            continue  # it was left before it was made
        try:
            if name in made.put_in:
                await _money_out(admin, name, *made.put_in[name], made.currency)
        except HubProblem as problem:
            money = made.put_in[name][0]
            made.left.append(f"{money} {made.currency} of {name}: {problem.sentence}")
        try:
            await admin.must("PUT", f"/participants/{name}", {"isActive": False})
        except HubProblem as problem:
            made.left.append(f"{name} is active: {problem.sentence}")


async def _money_out(
    admin: Admin, name: str, money: Decimal, before: Decimal, currency: str
) -> None:  # fmt: skip
    if not await _seen(admin, name, currency, lambda now: now != before):
        raise HubProblem(
            "it was asked to be put in and has not come; should it come later, it stays there",
            where=admin.address,
        )
    number, value = await _settlement(admin, name, currency)
    transfer = str(uuid.uuid4())
    path = f"/participants/{name}/accounts/{number}"
    reserve = _funds("recordFundsOutPrepareReserve", transfer, money, currency)
    await admin.must("POST", path, reserve)
    if not await _seen(admin, name, currency, lambda now: now == value + money):
        raise HubProblem("it was not reserved to be taken out", where=admin.address)
    await admin.must(
        "PUT",
        f"{path}/transfers/{transfer}",
        {"action": "recordFundsOutCommit", "reason": "the acceptance is over"},
    )


def _funds(action: str, transfer: str, money: Decimal, currency: str) -> dict[str, object]:
    return {
        "transferId": transfer,
        "externalReference": "sitewright accept",
        "action": action,
        "reason": "acceptance of the hub",
        "amount": {"amount": float(money), "currency": currency},
        "extensionList": {"extension": [{"key": "by", "value": "sitewright"}]},
    }
