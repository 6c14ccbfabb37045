"""Journeys: lookup, terms and clearing one after the other, each timed from its intended start.

A process is payer and payee of each of its journeys, so that one clock times both halves of a leg:
what the hub took is from the payer's message to the payee's door and from the payee's answer to
the payer's, and what the payee took by itself is in neither.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from installer.acceptance.driver import messages
from installer.acceptance.driver.identifiers import Identifiers, Kind
from installer.acceptance.driver.messages import Operation
from installer.acceptance.driver.sender import Sender
from installer.acceptance.driver.spec import Dfsp, Spec
from installer.acceptance.driver.tally import BIN, JOURNEY, LATE, Column, Tally
from installer.acceptance.driver.told import Told, Told16

_SWEEP: Final = 0.05
"""Seconds between two looks at what has waited too long."""
_KEPT_FAILURES: Final = 10


@dataclass(slots=True, eq=False)
class Leg:
    """One operation of a journey, with the moments of its four messages."""

    operation: Operation
    due: float
    ended: asyncio.Future[str]
    """Empty where it went well, else why it did not."""
    sent: float = 0.0
    asked: float = 0.0
    """When the payee was asked."""
    answered: float = 0.0
    """When the payee's answer left."""
    done: float = 0.0

    def answers(self, now: float) -> None:
        """The payee answers; where it is asked again, the first answer is what the hub had."""
        self.answered = self.answered or now

    def end(self, reason: str, now: float) -> None:
        """End it once; what comes later changes nothing."""
        if not self.ended.done():
            self.done = now
            self.ended.set_result(reason)

    @property
    def hub(self) -> float:
        """Seconds that the hub took; all that passed, where a half of it was never seen."""
        if not (self.asked and self.answered):
            return self.done - self.sent
        return (self.asked - self.sent) + (self.done - self.answered)


@dataclass(slots=True, eq=False)
class Journey:
    """One journey: its number, who pays whom, and the leg on which it is."""

    number: int
    offset: float
    """When it was due, in seconds from the first start."""
    steady: bool
    payer: Dfsp
    payee: Dfsp
    msisdn: str
    leg: Leg
    terms: dict[str, Any] = field(default_factory=dict)
    """What the payee's terms said, of which packet and condition go into the clearing."""


class Journeys:
    """All journeys of one process, and what arrives for them."""

    def __init__(self, spec: Spec, sender: Sender, tally: Tally) -> None:
        self.spec = spec
        self.sender = sender
        self.tally = tally
        self.told = Told16()
        self.identifiers = Identifiers(bytes.fromhex(spec.key), spec.worker)
        self._dfsps = {one.name: one for one in (*spec.dfsps, *spec.probes)}
        self._free = {one.name: deque(one.msisdns()) for one in spec.dfsps}
        self._lookups: dict[str, Journey] = {}
        self._open: dict[int, Journey] = {}
        self._waiting: deque[tuple[float, Leg]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self.asked_again: dict[str, asyncio.Future[str]] = {}
        """Transfers that are asked for by GET, and who waits for what the hub says of them."""
        self.probe_ends: dict[str, str] = {}
        """How the transfers of the limit's probe ended for their payer."""
        self.first_failures: list[str] = []
        """Why the first journeys failed that are not measured, such as those of the smoke test."""
        self.probe_news = asyncio.Event()
        self.idle = asyncio.Event()
        """Whether no journey is open."""
        self.idle.set()

    @property
    def open(self) -> int:
        """Journeys that have begun and not ended."""
        return len(self._open)

    def roles(self, number: int) -> tuple[Dfsp, Dfsp]:
        """Payer and payee of a journey: each pair pays in both directions by turns."""
        dfsps = self.spec.dfsps
        pair = 2 * (number // 2 % (len(dfsps) // 2))
        payer, payee = dfsps[pair], dfsps[pair + 1]
        return (payee, payer) if number % 2 else (payer, payee)

    def start(self, offset: float, due: float, *, steady: bool) -> None:
        """Begin a journey that is due (by the monotonic clock), or count that it was dropped."""
        if steady:
            self.tally.slot(offset)[Column.STARTED] += 1
        self.tally.started += 1
        payer, payee = self.roles(len(self.told))
        free = self._free[payee.name]
        if len(self._open) >= self.spec.open_journeys or not free:
            # Its number is used all the same, so that numbers go on telling the direction.
            self.told.begin(steady=steady)
            self.tally.dropped += 1
            if steady:
                self.tally.slot(offset)[Column.DROPPED] += 1
            return
        number = self.told.begin(steady=steady)
        msisdn = free.popleft()
        leg = self._leg(Operation.LOOKUP, due)
        journey = Journey(number, offset, steady, payer, payee, msisdn, leg)
        self._open[number] = journey
        self.idle.clear()
        self._lookups[msisdn] = journey
        self.spawn(self._travel(journey))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; it is kept until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def sweep(self) -> None:
        """Give up, for ever, what has waited too long."""
        clock = time.monotonic
        while True:
            await asyncio.sleep(_SWEEP)
            now = clock()
            while self._waiting and self._waiting[0][0] <= now:
                self._waiting.popleft()[1].end("no callback came in time", now)

    def _leg(self, operation: Operation, due: float) -> Leg:
        loop = asyncio.get_running_loop()
        leg = Leg(operation, due, loop.create_future())
        self._waiting.append((time.monotonic() + self.spec.timeout, leg))
        return leg

    async def _travel(self, journey: Journey) -> None:
        clock = time.monotonic
        due = journey.leg.due
        self.tally.record(LATE, clock() - due, steady=journey.steady)
        try:
            for operation in Operation:
                if operation is not Operation.LOOKUP:
                    journey.leg = self._leg(operation, journey.leg.done)
                leg = journey.leg
                reason = await self._carry(journey, leg)
                if not reason and leg.done - leg.due > self.spec.timeout:
                    reason = "no callback came in time"
                self.tally.leg(
                    operation, journey.offset, leg.hub, leg.done - leg.due,
                    ok=not reason, steady=journey.steady,
                )  # fmt: skip
                if operation is Operation.LOOKUP:
                    self._let_go(journey)
                if reason:
                    why = f"{operation.name.lower()}: {reason}"
                    if journey.steady:
                        self.tally.failures[why] += 1
                    elif len(self.first_failures) < _KEPT_FAILURES:
                        self.first_failures.append(why)
                    return
            self.tally.committed += 1
            self.tally.record(JOURNEY, journey.leg.done - due, steady=journey.steady)
            if journey.steady:
                self.tally.slot(journey.offset)[Column.COMMITTED] += 1
                self.tally.commits.add(int(time.time() / BIN))
        finally:
            del self._open[journey.number]
            if not self._open:
                self.idle.set()

    def _let_go(self, journey: Journey) -> None:
        """Its party may be looked up by another journey: a callback of a lookup names it alone.

        So parties are needed for as long as lookups take, however slow the hub is after them.
        """
        if self._lookups.get(journey.msisdn) is journey:
            del self._lookups[journey.msisdn]
        self._free[journey.payee.name].append(journey.msisdn)

    async def _carry(self, journey: Journey, leg: Leg) -> str:
        """Send a leg's first message and wait for its end; why it did not go well."""
        clock = time.monotonic
        leg.sent = clock()
        send = (self._lookup, self._terms, self._clearing)[leg.operation]
        status = await send(journey)
        if status >= 300:
            leg.end(f"the hub answered {status}", clock())
        elif not status and not leg.ended.done() and leg.operation is not Operation.CLEARING:
            leg.end("the hub did not answer", clock())
        # A clearing that was not answered may have arrived all the same, so its end is waited for.
        return await leg.ended

    async def _lookup(self, journey: Journey) -> int:
        headers = messages.headers(
            "parties", self.spec.version, journey.payer.name, None, asks=True
        )
        url = f"{self.spec.lookup}/parties/MSISDN/{journey.msisdn}"
        return await self.sender.send("GET", url, headers)

    async def _terms(self, journey: Journey) -> int:
        spec, number = self.spec, journey.number
        body = messages.quote(
            self.identifiers.of(number, Kind.QUOTE), self.identifiers.of(number),
            journey.payer.name, journey.payee.name,
            (str(journey.payer.first_party), journey.msisdn), spec.amount, spec.currency,
        )  # fmt: skip
        headers = messages.headers(
            "quotes", spec.version, journey.payer.name, journey.payee.name, asks=True
        )
        return await self.sender.send("POST", f"{spec.terms}/quotes", headers, body)

    async def _clearing(self, journey: Journey) -> int:
        said = journey.terms
        return await self.transfer(
            journey.number, Kind.TRANSFER, journey.payer, journey.payee,
            str(said.get("ilpPacket", "")), str(said.get("condition", "")),
        )  # fmt: skip

    async def transfer(
        self, number: int, kind: Kind, payer: Dfsp, payee: Dfsp, packet: str, condition: str
    ) -> int:
        """Ask for the clearing of a transfer; the status of the answer."""
        spec = self.spec
        identifier = self.identifiers.of(number, kind)
        body = messages.transfer(
            identifier, payer.name, payee.name, spec.amount, spec.currency, packet, condition,
            time.time() + spec.expiry,
        )  # fmt: skip
        headers = messages.headers("transfers", spec.version, payer.name, payee.name, asks=True)
        if kind is Kind.TRANSFER:
            self.told.tell(number, Told.SENT)
        status = await self.sender.send("POST", f"{spec.clearing}/transfers", headers, body)
        if kind is Kind.TRANSFER and status:
            self.told.tell(number, Told.ACCEPTED if status < 300 else Told.REFUSED)
        return status

    # What arrives. `now` is when it did, by the monotonic clock.

    def party_wanted(self, payee: str, msisdn: str, source: str, now: float) -> None:
        """The payee is asked who a party is."""
        journey = self._lookups.get(msisdn)
        if journey is not None and journey.leg.operation is Operation.LOOKUP:
            journey.leg.asked = journey.leg.asked or now
        self.spawn(self._tell_party(payee, msisdn, source, journey))

    async def _tell_party(
        self, payee: str, msisdn: str, payer: str, journey: Journey | None
    ) -> None:
        spec = self.spec
        body = messages.party(msisdn, payee, spec.currency)
        headers = messages.headers("parties", spec.version, payee, payer, asks=False)
        if journey is not None and journey.leg.operation is Operation.LOOKUP:
            journey.leg.answers(time.monotonic())
        await self.sender.send("PUT", f"{spec.lookup}/parties/MSISDN/{msisdn}", headers, body)

    def party_told(self, msisdn: str, reason: str, now: float) -> None:
        """The payer is told who a party is, or why that cannot be told."""
        journey = self._lookups.pop(msisdn, None)
        if journey is None:
            self.tally.strays += 1
        elif journey.leg.operation is Operation.LOOKUP:
            journey.leg.end(reason, now)

    def terms_wanted(self, payee: str, said: dict[str, Any], now: float) -> None:
        """The payee is asked for terms."""
        journey = self._of_quote(str(said.get("quoteId", "")))
        if journey is None:
            self.tally.strays += 1
            return
        journey.leg.asked = journey.leg.asked or now
        self.spawn(self._tell_terms(journey, payee))

    async def _tell_terms(self, journey: Journey, payee: str) -> None:
        spec = self.spec
        identifier = self.identifiers.of(journey.number)
        body = messages.terms(
            identifier, self.identifiers.condition(identifier), journey.msisdn, spec.amount,
            spec.currency, time.time() + spec.expiry,
        )  # fmt: skip
        headers = messages.headers("quotes", spec.version, payee, journey.payer.name, asks=False)
        url = f"{spec.terms}/quotes/{self.identifiers.of(journey.number, Kind.QUOTE)}"
        if journey.leg.operation is Operation.TERMS:
            journey.leg.answers(time.monotonic())
        await self.sender.send("PUT", url, headers, body)

    def terms_told(self, quote_id: str, said: dict[str, Any], reason: str, now: float) -> None:
        """The payer is told the terms, or why there are none."""
        journey = self._of_quote(quote_id)
        if journey is None:
            self.tally.strays += 1
            return
        if not reason and said.get("condition") != self.identifiers.condition(
            self.identifiers.of(journey.number)
        ):
            reason = "the terms are another transfer's"
        leg = journey.leg
        if leg.operation is Operation.TERMS and not leg.ended.done():
            leg.end(reason, now)
            journey.terms = said

    def _of_quote(self, quote_id: str) -> Journey | None:
        number = self.identifiers.number(quote_id, Kind.QUOTE)
        journey = self._open.get(number) if number is not None else None
        return journey if journey and journey.leg.operation is Operation.TERMS else None

    def clearing_wanted(self, payee: str, said: dict[str, Any], now: float) -> None:
        """The payee is asked to reserve."""
        identifier = str(said.get("transferId", ""))
        payer = str(said.get("payerFsp", ""))
        number = self.identifiers.number(identifier)
        if number is None or number >= len(self.told):
            if self.identifiers.number(identifier, Kind.PROBE) is None:
                self.tally.strays += 1
            else:
                self.spawn(self._fulfil(identifier, None, payee, payer))
            return
        if self.told.tell(number, Told.PAYEE_ASKED) & Told.PAYEE_ASKED:
            self.told.tell(number, Told.PAYEE_AGAIN)
        journey = self._open.get(number)
        if journey is not None and journey.leg.operation is Operation.CLEARING:
            journey.leg.asked = journey.leg.asked or now
        self.spawn(self._fulfil(identifier, number, payee, payer))

    async def _fulfil(self, identifier: str, number: int | None, payee: str, payer: str) -> None:
        spec = self.spec
        body = messages.reserved(self.identifiers.fulfilment(identifier), time.time())
        headers = messages.headers("transfers", spec.version, payee, payer, asks=False)
        journey = self._open.get(number) if number is not None else None
        if journey is not None and journey.leg.operation is Operation.CLEARING:
            journey.leg.answers(time.monotonic())
        url = f"{spec.clearing}/transfers/{identifier}"
        status = await self.sender.send("PUT", url, headers, body)
        if number is not None and 0 < status < 300:
            self.told.tell(number, Told.FULFILLED)

    def clearing_told(
        self, who: str, identifier: str, said: dict[str, Any], reason: str, now: float
    ) -> None:
        """Payer or payee is told how a transfer ended; or the answer to a question about it."""
        asked = self.asked_again.get(identifier)
        if asked is not None:
            if not asked.done():
                asked.set_result(str(said.get("transferState", "")) or reason)
            return
        number = self.identifiers.number(identifier)
        if number is None or number >= len(self.told):
            if self.identifiers.number(identifier, Kind.PROBE) is None:
                self.tally.strays += 1
            else:
                self.probed(identifier, who, said, reason)
            return
        committed = not reason and said.get("transferState") == "COMMITTED"
        if "3303" in reason:
            self.told.tell(number, Told.EXPIRED)
        if who != self.roles(number)[0].name:
            self._payee_told(number, committed=committed)
            return
        news = Told.PAYER_COMMITTED if committed else Told.PAYER_ABORTED
        if committed and said.get("fulfilment") != self.identifiers.fulfilment(identifier):
            news |= Told.WRONG_FULFILMENT
        before = self.told.tell(number, news)
        if before & (Told.PAYER_COMMITTED | Told.PAYER_ABORTED):
            self.told.tell(number, Told.PAYER_AGAIN)
        journey = self._open.get(number)
        leg = journey.leg if journey is not None else None
        if leg is None or leg.operation is not Operation.CLEARING or leg.ended.done():
            if not before & (Told.PAYER_COMMITTED | Told.PAYER_ABORTED):
                self.told.tell(number, Told.LATE)
            return
        if committed and news & Told.WRONG_FULFILMENT:
            reason = "the fulfilment is another transfer's"
        elif not committed and not reason:
            reason = f"the payer was told {said.get('transferState')}"
        leg.end(reason, now)

    def _payee_told(self, number: int, *, committed: bool) -> None:
        before = self.told.tell(number, Told.PAYEE_COMMITTED if committed else Told.PAYEE_ABORTED)
        if before & (Told.PAYEE_COMMITTED | Told.PAYEE_ABORTED):
            self.told.tell(number, Told.PAYEE_AGAIN)

    def probed(self, identifier: str, who: str, said: dict[str, Any], reason: str) -> None:
        """The payer of the probe is told how one of its transfers ended."""
        if self.spec.probes and who == self.spec.probes[0].name:
            self.probe_ends[identifier] = reason or str(said.get("transferState", ""))
            self.probe_news.set()


def reason_of(body: bytes) -> str:
    """What an error callback says: its code and, shortened, its words."""
    try:
        said = json.loads(body)["errorInformation"]
        code = str(said["errorCode"])[:8]
        words = str(said.get("errorDescription", ""))[:80]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "an error that is none of FSPIOP's form"
    return f"error {code} {words}".rstrip()
