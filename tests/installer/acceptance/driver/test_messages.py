"""FSPIOP messages as the API asks for them."""

from __future__ import annotations

import base64
import json

from installer.acceptance.driver import messages


def test_a_callback_has_no_accept_and_a_lookup_no_destination() -> None:
    asks = messages.headers("parties", "1.1", "a", None, asks=True)
    assert asks["Accept"] == "application/vnd.interoperability.parties+json;version=1.1"
    assert "FSPIOP-Destination" not in asks
    answers = messages.headers("quotes", "1.1", "b", "a", asks=False)
    assert "Accept" not in answers
    assert (answers["FSPIOP-Source"], answers["FSPIOP-Destination"]) == ("b", "a")
    assert answers["Date"].endswith(" GMT")


def test_moments_have_milliseconds_and_a_z() -> None:
    assert messages.moment(0) == "1970-01-01T00:00:00.000Z"
    assert messages.moment(1764442800.5) == "2025-11-29T19:00:00.500Z"


def test_the_packet_says_amount_account_and_transaction() -> None:
    packet = messages.packet("an-id", "2771", "12.34")
    raw = base64.urlsafe_b64decode(packet + "=" * (-len(packet) % 4))
    assert raw[0] == 1
    inside = raw[2:] if raw[1] < 128 else raw[3:]
    assert int.from_bytes(inside[:8], "big") == 1234
    account = inside[9 : 9 + inside[8]]
    assert account == b"g.acceptance.msisdn.2771"
    rest = inside[9 + inside[8] :]
    data = rest[1 : 1 + rest[0]]
    said = json.loads(base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4)))
    assert said == {"transactionId": "an-id"}
