"""FSPIOP messages: bodies and headers of the three operations (API Definition v1.1)."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64encode
from email.utils import formatdate
from enum import IntEnum
from functools import lru_cache

from foundation.moments import moment as date_of


class Operation(IntEnum):
    """The three operations of a journey, in their order."""

    LOOKUP = 0
    TERMS = 1
    CLEARING = 2

    @property
    def resource(self) -> str:
        """What FSPIOP calls it."""
        return ("parties", "quotes", "transfers")[self]


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def headers(
    resource: str, version: str, source: str, destination: str | None, *, asks: bool
) -> dict[str, str]:
    """The headers of a message; a callback has no Accept, and a lookup no destination."""
    kind = f"application/vnd.interoperability.{resource}+json;version={version}"
    made = {"Content-Type": kind, "Date": _date(int(time.time())), "FSPIOP-Source": source}
    if destination:
        made["FSPIOP-Destination"] = destination
    if asks:
        made["Accept"] = kind
    return made


def moment(seconds: float) -> str:
    """A moment as FSPIOP writes it: 2026-11-29T19:00:00.000Z."""
    at = date_of(seconds)
    # The clock of this machine is within the calendar, or nothing here would have begun.
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else ""


def party(msisdn: str, fsp: str, currency: str) -> bytes:
    """The payee's answer to a lookup."""
    return _json({
        "party": {
            "partyIdInfo": {"partyIdType": "MSISDN", "partyIdentifier": msisdn, "fspId": fsp},
            "name": f"Acceptance {msisdn}",
            "supportedCurrencies": [currency],
        }
    })  # fmt: skip


def quote(
    quote_id: str, transfer_id: str, payer: str, payee: str, parties: tuple[str, str],
    amount: str, currency: str,
) -> bytes:  # fmt: skip
    """The payer asks for terms."""
    return _json({
        "quoteId": quote_id,
        "transactionId": transfer_id,
        "payer": {"partyIdInfo": _party_id(parties[0], payer)},
        "payee": {"partyIdInfo": _party_id(parties[1], payee)},
        "amountType": "SEND",
        "amount": {"amount": amount, "currency": currency},
        "transactionType": {
            "scenario": "TRANSFER", "initiator": "PAYER", "initiatorType": "CONSUMER",
        },
    })  # fmt: skip


def terms(
    transfer_id: str, condition: str, msisdn: str, amount: str, currency: str, until: float
) -> bytes:
    """The payee's terms: what was asked, without a fee."""
    money = {"amount": amount, "currency": currency}
    return _json({
        "transferAmount": money,
        "payeeReceiveAmount": money,
        "expiration": moment(until),
        "ilpPacket": packet(transfer_id, msisdn, amount),
        "condition": condition,
    })  # fmt: skip


def transfer(
    transfer_id: str, payer: str, payee: str, amount: str, currency: str, ilp_packet: str,
    condition: str, until: float,
) -> bytes:  # fmt: skip
    """The payer asks for clearing."""
    return _json({
        "transferId": transfer_id,
        "payerFsp": payer,
        "payeeFsp": payee,
        "amount": {"amount": amount, "currency": currency},
        "ilpPacket": ilp_packet,
        "condition": condition,
        "expiration": moment(until),
    })  # fmt: skip


def reserved(fulfilment: str, now: float) -> bytes:
    """The payee has reserved and fulfils; the hub then tells it of the end by PATCH."""
    return _json(
        {"transferState": "RESERVED", "fulfilment": fulfilment, "completedTimestamp": moment(now)}
    )


def packet(transfer_id: str, msisdn: str, amount: str) -> str:
    """An ILP payment packet (version 1, OER): amount, account, and the transaction as data."""
    account = f"g.acceptance.msisdn.{msisdn}".encode("ascii")
    data = urlsafe_b64encode(_json({"transactionId": transfer_id})).rstrip(b"=")
    minor = round(float(amount) * 100)
    inside = minor.to_bytes(8, "big") + _counted(account) + _counted(data) + b"\0"
    return urlsafe_b64encode(b"\x01" + _counted(inside)).rstrip(b"=").decode("ascii")


def _counted(raw: bytes) -> bytes:
    size = len(raw)
    if size < 128:
        return bytes((size,)) + raw
    length = (size.bit_length() + 7) // 8
    return bytes((0x80 | length,)) + size.to_bytes(length, "big") + raw


def _party_id(msisdn: str, fsp: str) -> dict[str, str]:
    return {"partyIdType": "MSISDN", "partyIdentifier": msisdn, "fspId": fsp}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
