"""A stand-in of a Mojaloop hub: lookup, quotes, clearing, a ledger and its administration.

Written from the source of account-lookup-service, quoting-service, ml-api-adapter 16 and
central-ledger 19: requests are answered 202 and their results come by callback, a transfer in
RESERVED mode ends with a PUT to the payer and a PATCH to the payee, positions and limits are kept
for each participant, `GET /transfers/{id}` answers by callback. It is one process without Kafka
and MySQL: what it hides is their time, their order, and every fault that is not set here.

`python -m tests.stand_ins.hub --port 8080 stuck=100` serves it to somebody who tries things out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import aiohttp
from aiohttp import web


@dataclass
class Faults:
    """What goes wrong, each one for every so-manieth transfer; 0 is never."""

    lose: int = 0
    """Answered 202 and forgotten: the ledger has no row."""
    stuck: int = 0
    """The fulfilment is taken and nothing follows (RECEIVED_FULFIL for ever)."""
    expire: int = 0
    """Never sent to the payee, so that it expires."""
    silent: int = 0
    """Committed, and the payer is not told."""
    silent_payee: int = 0
    """Committed, and the payee is not told."""
    double: int = 0
    """The payer is told twice."""
    mistell: int = 0
    """Aborted, and the payer is told COMMITTED."""
    wrong_fulfilment: int = 0
    double_position: int = 0
    """The payer's position moves twice."""
    refuse: int = 0
    """Answered 503 at the door."""
    abort_fulfilled: int = 0
    """Aborted after the payee fulfilled; the payer is told, the payee is not."""
    no_limit: int = 0
    """1: the net debit cap is not looked at."""
    slow: float = 0.0
    """Seconds more for each of `slow_every` of the operation `slow_what`."""
    slow_every: int = 1
    slow_what: str = ""
    """parties, quotes or transfers."""
    jitter: float = 0.0
    """Every message waits between nothing and so many seconds, so that they overtake."""
    ahead: float = 0.0
    """Seconds by which the Date of every answer is ahead."""


@dataclass
class Account:
    """One account of a participant."""

    id: int
    type: str
    currency: str
    value: Decimal = Decimal(0)


@dataclass
class Participant:
    """A participant as the ledger has it."""

    name: str
    active: bool = True
    accounts: list[Account] = field(default_factory=list)
    endpoints: dict[str, str] = field(default_factory=dict)
    limits: dict[str, Decimal] = field(default_factory=dict)

    def account(self, kind: str, currency: str) -> Account:
        return next(one for one in self.accounts if (one.type, one.currency) == (kind, currency))


@dataclass
class Row:
    """A transfer in the ledger."""

    payer: str
    payee: str
    amount: Decimal
    currency: str
    condition: str
    state: str
    number: int
    fulfilment: str = ""


@dataclass
class Hub:
    """The hub: `participants`, `rows` (transfers) and `parties` are its database."""

    faults: Faults = field(default_factory=Faults)
    participants: dict[str, Participant] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    parties: dict[str, str] = field(default_factory=dict)
    funds: dict[str, tuple[str, int, Decimal]] = field(default_factory=dict)
    sweep: float = 0.25
    """Seconds between two looks for what has expired (central-ledger: 15)."""
    url: str = ""
    _numbers: int = 0
    _accounts: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def serving(self, port: int = 0) -> AsyncIterator[Hub]:
        """Serve on the loopback until it is left."""
        self.participants.setdefault("Hub", self._made("Hub", "XTS"))
        runner = web.ServerRunner(web.Server(self._handle), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        connector = aiohttp.TCPConnector(limit=512, keepalive_timeout=4)
        async with aiohttp.ClientSession(connector=connector) as self._session:
            try:
                yield self
            finally:
                for task in list(self._tasks):
                    task.cancel()
                await runner.cleanup()

    # The door.

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        said = json.loads(body) if body else {}
        path = request.path.strip("/").split("/")
        headers = {name.lower(): value for name, value in request.headers.items()}
        if path == ["health"]:
            answer = web.json_response({"status": "OK"})
        elif path == ["stand-in", "faults"]:
            # Not a hub's: a fault that is set and undone while it is at work.
            for name, value in request.query.items():
                setattr(self.faults, name, int(value))
            answer = web.json_response({})
        elif path == ["stand-in", "states"]:
            # Not a hub's: what its database would say, for a stand-in of a database's client.
            answer = web.json_response({name: row.state for name, row in self.rows.items()})
        elif path[0] == "participants" and "fspiop-source" not in headers:
            answer = self._administer(request.method, path[1:], said, request.query)
        else:
            answer = self._fspiop(request.method, path, said, headers)
        if self.faults.ahead:
            now = datetime.now(UTC).timestamp() + self.faults.ahead
            answer.headers["Date"] = f"{datetime.fromtimestamp(now, UTC):%a, %d %b %Y %H:%M:%S GMT}"
        return answer

    def _fspiop(
        self, method: str, path: list[str], said: dict[str, Any], headers: dict[str, str]
    ) -> web.Response:
        source = headers["fspiop-source"]
        target = headers.get("fspiop-destination", "")
        taken = web.Response(status=200 if method == "PUT" else 202)
        match method, path:
            case (("POST" | "DELETE"), ["participants", _, party]):
                self._later(self._register(method, source, party, said))
            case "GET", ["parties", _, party]:
                self._later(self._find(source, party))
            case "PUT", ["parties", _, party]:
                self._later(self._send("PUT", f"/parties/MSISDN/{party}", target, source, said))
            case "POST", ["quotes"]:
                self._later(self._send("POST", "/quotes", target, source, said, slow=True))
            case "PUT", ["quotes", quote]:
                self._later(self._send("PUT", f"/quotes/{quote}", target, source, said))
            case "POST", ["transfers"]:
                self._numbers += 1
                if self._every(self.faults.refuse, self._numbers):
                    return web.json_response(_error("2003", "Service unavailable"), status=503)
                self._later(self._prepare(said, self._numbers))
            case "PUT", ["transfers", transfer]:
                self._later(self._fulfil(transfer, said))
            case "GET", ["transfers", transfer]:
                self._later(self._tell_state(source, transfer))
            case _:
                return web.Response(status=404)
        return taken

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    def _every(fault: int, number: int) -> bool:
        return bool(fault) and number % fault == 0

    async def _send(
        self, method: str, path: str, to: str, source: str, said: Any, *, slow: bool = False
    ) -> None:
        faults = self.faults
        resource = path.split("/")[1]
        if faults.jitter:
            await asyncio.sleep(random.uniform(0, faults.jitter))  # noqa: S311 - no secret
        if slow and faults.slow_what == resource:
            self._slowed = getattr(self, "_slowed", 0) + 1
            if self._slowed % faults.slow_every == 0:
                await asyncio.sleep(faults.slow)
        kind = f"application/vnd.interoperability.{resource}+json;version=1.1"
        headers = {
            "Content-Type": kind, "Date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S GMT}",
            "FSPIOP-Source": source, "FSPIOP-Destination": to,
        }  # fmt: skip
        if method in ("GET", "POST"):
            headers["Accept"] = kind
        url = self._endpoint(to, method, path)
        if url is None or self._session is None:
            return
        try:
            body = None if method == "GET" else json.dumps(said)
            async with self._session.request(method, url, data=body, headers=headers) as answer:
                await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return  # ml-api-adapter commits a failed callback and does not try again

    def _endpoint(self, to: str, method: str, path: str) -> str | None:
        words = path.strip("/").split("/")
        error = words[-1] == "error"
        kinds = {
            "parties": "PARTIES_GET" if method == "GET" else "PARTIES_PUT",
            "quotes": "QUOTES",
            "transfers": "TRANSFER_POST" if method == "POST" else "TRANSFER_PUT",
            "participants": "PARTICIPANT_PUT",
        }
        kind = kinds[words[0]]
        if error and words[0] != "quotes":
            kind = "TRANSFER_ERROR" if words[0] == "transfers" else f"{kind}_ERROR"
        participant = self.participants.get(to)
        template = participant and participant.endpoints.get(f"FSPIOP_CALLBACK_URL_{kind}")
        if not template:
            return None
        if words[0] == "quotes":
            return template + path
        for name, value in (
            ("partyIdType", words[1] if len(words) > 1 else ""),
            ("partyIdentifier", words[2] if len(words) > 2 else ""),
            ("transferId", words[1] if len(words) > 1 else ""),
        ):
            template = template.replace("{{" + name + "}}", value)
        return template

    # Account lookup.

    async def _register(self, method: str, fsp: str, party: str, said: dict[str, Any]) -> None:
        path = f"/participants/MSISDN/{party}"
        if method == "POST" and party in self.parties:
            error = _error("3003", "Add Party information error")
            await self._send("PUT", f"{path}/error", fsp, "Hub", error)
            return
        if method == "POST":
            self.parties[party] = said["fspId"]
        else:
            self.parties.pop(party, None)
        await self._send("PUT", path, fsp, "Hub", {"fspId": fsp})

    async def _find(self, source: str, party: str) -> None:
        owner = self.parties.get(party)
        path = f"/parties/MSISDN/{party}"
        if owner is None:
            await self._send("PUT", f"{path}/error", source, "Hub", _error("3204", "Not found"))
            return
        await self._send("GET", path, owner, source, None, slow=True)

    # The ledger.

    async def _prepare(self, said: dict[str, Any], number: int) -> None:
        faults, transfer = self.faults, said["transferId"]
        if self._every(faults.lose, number) or transfer in self.rows:
            return
        row = Row(
            said["payerFsp"], said["payeeFsp"], Decimal(said["amount"]["amount"]),
            said["amount"]["currency"], said["condition"], "RECEIVED_PREPARE", number,
        )  # fmt: skip
        self.rows[transfer] = row
        expires = datetime.fromisoformat(said["expiration"])
        payer = self.participants[row.payer]
        position = payer.account("POSITION", row.currency)
        settlement = payer.account("SETTLEMENT", row.currency)
        free = min(payer.limits[row.currency], -settlement.value) - position.value
        if row.amount > free and not faults.no_limit:
            row.state = "ABORTED_REJECTED"
            error = _error("4200", "Payer limit error")
            await self._send("PUT", f"/transfers/{transfer}/error", row.payer, "Hub", error)
            return
        row.state = "RESERVED"
        position.value += row.amount * (2 if self._every(faults.double_position, number) else 1)
        self._later(self._expire(transfer, row, expires))
        if not self._every(faults.expire, number):
            await self._send("POST", "/transfers", row.payee, row.payer, said, slow=True)

    async def _expire(self, transfer: str, row: Row, at: datetime) -> None:
        await asyncio.sleep((at - datetime.now(UTC)).total_seconds() + self.sweep)
        if row.state != "RESERVED":
            return
        row.state = "EXPIRED_RESERVED"
        self.participants[row.payer].account("POSITION", row.currency).value -= row.amount
        error = _error("3303", "Transfer expired")
        for who in (row.payer, row.payee):
            await self._send("PUT", f"/transfers/{transfer}/error", who, "Hub", error)

    async def _fulfil(self, transfer: str, said: dict[str, Any]) -> None:
        faults, row = self.faults, self.rows.get(transfer)
        if row is None or row.state != "RESERVED":
            return
        raw = base64.urlsafe_b64decode(said["fulfilment"] + "=")
        digest = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()
        row.state = "RECEIVED_FULFIL"
        row.fulfilment = said["fulfilment"]
        if self._every(faults.stuck, row.number):
            return
        payer = self.participants[row.payer].account("POSITION", row.currency)
        bad = digest != row.condition
        if (
            bad
            or self._every(faults.abort_fulfilled, row.number)
            or self._every(faults.mistell, row.number)
        ):
            row.state = "ABORTED_ERROR"
            payer.value -= row.amount
            if self._every(faults.mistell, row.number):
                await self._tell(transfer, row, row.payer, "PUT", "COMMITTED")
            else:
                await self._tell(transfer, row, row.payer, "PUT", "ABORTED")
            return
        row.state = "COMMITTED"
        payee = self.participants[row.payee].account("POSITION", row.currency)
        payee.value -= row.amount
        told = []
        if not self._every(faults.silent, row.number):
            told += [(row.payer, "PUT")] * (2 if self._every(faults.double, row.number) else 1)
        if not self._every(faults.silent_payee, row.number):
            told.append((row.payee, "PATCH"))
        await asyncio.gather(
            *(self._tell(transfer, row, who, how, "COMMITTED") for who, how in told)
        )

    async def _tell(self, transfer: str, row: Row, who: str, method: str, state: str) -> None:
        body = {"transferState": state, "completedTimestamp": datetime.now(UTC).isoformat()}
        if method == "PUT" and state == "COMMITTED":
            wrong = self._every(self.faults.wrong_fulfilment, row.number)
            body["fulfilment"] = row.fulfilment[::-1] if wrong else row.fulfilment
        await self._send(method, f"/transfers/{transfer}", who, "Hub", body)

    async def _tell_state(self, source: str, transfer: str) -> None:
        row = self.rows.get(transfer)
        path = f"/transfers/{transfer}"
        if row is None:
            error = _error("3208", "Transfer ID not found")
            await self._send("PUT", f"{path}/error", source, "Hub", error)
            return
        # central-ledger, seeds/transferState.js: the state that the API shows of each.
        shown = {
            "RECEIVED_PREPARE": "RECEIVED", "RECEIVED_FULFIL": "RESERVED", "RESERVED": "RESERVED",
            "COMMITTED": "COMMITTED",
        }.get(row.state, "ABORTED")  # fmt: skip
        await self._send("PUT", path, source, "Hub", {"transferState": shown})

    # The administration (central-ledger, src/api/participants).

    def _made(self, name: str, currency: str) -> Participant:
        kinds = ("POSITION", "SETTLEMENT")
        if name == "Hub":
            kinds = ("HUB_MULTILATERAL_SETTLEMENT", "HUB_RECONCILIATION")
        one = Participant(name)
        for kind in kinds:
            self._accounts += 1
            one.accounts.append(Account(self._accounts, kind, currency))
        return one

    def _administer(
        self, method: str, path: list[str], said: dict[str, Any], query: Any
    ) -> web.Response:
        if not path:
            if method == "GET":
                return web.json_response([_shown(one) for one in self.participants.values()])
            name, currency = said["name"], said["currency"]
            if name in self.participants:
                words = "Participant currency has already been registered"
                return web.json_response(_error("3000", words), status=400)
            if currency not in {one.currency for one in self.participants["Hub"].accounts}:
                words = "Hub reconciliation account for the specified currency does not exist"
                return web.json_response(_error("3003", words), status=400)
            self.participants[name] = self._made(name, currency)
            return web.json_response(_shown(self.participants[name]), status=201)
        one = self.participants.get(path[0])
        if one is None:
            words = "The requested resource could not be found."
            return web.json_response(_error("3200", words), status=404)
        match method, path[1:]:
            case "GET", []:
                return web.json_response(_shown(one))
            case "PUT", []:
                one.active = said["isActive"]
                return web.json_response(_shown(one))
            case "POST", ["endpoints"]:
                one.endpoints[said["type"]] = said["value"]
                return web.Response(status=201)
            case "GET", ["limits"]:
                found = one.limits.get(query["currency"])
                shown = [] if found is None else [{
                    "currency": query["currency"],
                    "limit": {"type": "NET_DEBIT_CAP", "value": float(found)},
                }]  # fmt: skip
                return web.json_response(shown)
            case ("POST", ["initialPositionAndLimits"]) | ("PUT", ["limits"]):
                one.limits[said["currency"]] = Decimal(str(said["limit"]["value"]))
                return web.json_response({}, status=201 if method == "POST" else 200)
            case "GET", ["accounts"]:
                return web.json_response([
                    {
                        "id": account.id, "ledgerAccountType": account.type, "isActive": 1,
                        "currency": account.currency, "value": float(account.value),
                        "reservedValue": 0,
                    }
                    for account in one.accounts
                ])  # fmt: skip
            case "POST", ["accounts", number]:
                return self._funds(one, int(number), said)
            case "PUT", ["accounts", _, "transfers", _]:
                return web.Response(status=202)
        return web.Response(status=404)

    def _funds(self, one: Participant, number: int, said: dict[str, Any]) -> web.Response:
        if not one.active:
            return web.json_response(_error("3200", "Participant is inactive"), status=400)
        account = next(account for account in one.accounts if account.id == number)
        money = Decimal(str(said["amount"]["amount"]))
        # It goes by a topic and its handler, so it is done after it is answered.
        sign = -1 if said["action"] == "recordFundsIn" else 1
        asyncio.get_running_loop().call_later(0.05, self._moved, account, sign * money)
        return web.Response(status=202)

    @staticmethod
    def _moved(account: Account, money: Decimal) -> None:
        account.value += money


def _shown(one: Participant) -> dict[str, Any]:
    return {"name": one.name, "isActive": int(one.active), "accounts": []}


def _error(code: str, words: str) -> dict[str, Any]:
    return {"errorInformation": {"errorCode": code, "errorDescription": words}}


async def _main(words: list[str]) -> None:
    port = int(words[words.index("--port") + 1]) if "--port" in words else 8080
    given: dict[str, Any] = {}
    for name, value in (word.split("=", 1) for word in words if "=" in word):
        usual = getattr(Faults(), name)
        given[name] = value if isinstance(usual, str) else type(usual)(value)
    faults = Faults(**given)
    async with Hub(faults).serving(port) as hub:
        print(hub.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_main(sys.argv[1:]))
