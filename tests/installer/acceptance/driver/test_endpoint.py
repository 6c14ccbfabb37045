"""The door of the driver: whoever reaches it says what they like, and holds it open no longer."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from installer.acceptance.driver import endpoint
from installer.acceptance.driver.endpoint import Endpoint


async def test_a_body_that_drips_is_waited_for_no_longer_than_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("_SECONDS", "_LINGERS"):
        monkeypatch.setattr(endpoint, name, 0.05)
    door = Endpoint(cast("Any", None))
    port = await door.open("127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT /a/transfers/b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        said = await asyncio.wait_for(reader.readline(), 60)
        assert said.startswith(b"HTTP/1.1 400")
        writer.close()
    finally:
        await asyncio.wait_for(door.close(), 60)
