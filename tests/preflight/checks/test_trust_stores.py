"""Whom machines believe, read from each: who shares a store, and who could not be asked.

The machines are STAND-INS that answer the one script; what they hold is a real store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest

from foundation.hosts.connection import Completed, Connection, Dialled, PortState
from foundation.hosts.model import Host
from preflight import egress_ways
from preflight.egress import HERE, Destination, Met, judge_egress
from preflight.egress_ways import measure
from preflight.findings import Severity
from preflight.trust_stores import stores_of
from tests.preflight.egress_servers import Authority, authority, site


class Machine:
    """A machine with a store; `unread` where the store is stamped and then not given."""

    def __init__(self, store: bytes = b"", stamp: str = "", *, unread: bool = False) -> None:
        self.store, self.stamp, self.unread = store, stamp, unread

    async def run(self, command: Sequence[str], **_: object) -> Completed:
        """What the script prints."""
        if command[-1] == "sum":
            status = 0 if self.stamp else 3
            return Completed(status, f"{self.stamp}  -\n".encode(), b"", 0, 0)
        return Completed(1 if self.unread else 0, self.store, b"", 0, 0, truncated=False)

    async def dial(self, *_: object, **__: object) -> Dialled:
        """Every port is open to it."""
        return Dialled(PortState.OPEN, "channel", "")


class Machines:
    """All machines, by their names."""

    def __init__(self, **machines: Machine) -> None:
        self.machines = machines

    async def connect(self, host: Host) -> Connection:
        """The one of this name."""
        if host.name not in self.machines:
            raise OSError("it cannot be asked")
        return cast("Connection", self.machines[host.name])


def hosts(*names: str) -> list[Host]:
    """Remote machines of these names."""
    return [Host(name, "192.0.2.1") for name in names]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority in the machines' stores."""
    return authority(tmp_path_factory.mktemp("own"), "Public Test Authority")


@pytest.mark.parametrize("first", ["a", "b"])
async def test_a_store_is_read_from_another_machine_that_shares_it(
    first: str, own: Authority
) -> None:
    """Whichever of them cannot give it, the first or the last."""
    store = own.pem.read_bytes()
    pool = Machines(
        **{name: Machine(store, "one", unread=name == first) for name in ("a", "b")},
        bare=Machine(),
        alone=Machine(store, "two", unread=True),
    )
    found = await stores_of(pool, hosts("a", "b", "bare", "alone", "gone"), "")
    assert set(found) == {"a", "b", "bare"}
    assert found["bare"] is None
    for name in ("a", "b"):
        context = found[name]
        assert context is not None
        assert len(context.get_ca_certs()) == 1


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_machine_whose_store_is_not_known_is_not_judged_by_this_one_s(
    own: Authority, monkeypatch: pytest.MonkeyPatch, *, trusted: bool
) -> None:
    """Neither way round: what this machine believes passes there for nothing, and fails nothing."""

    @asynccontextmanager
    async def forwarded(_: Any, __: str, port: int) -> AsyncIterator[int]:
        yield port

    monkeypatch.setattr(egress_ways, "forwarded", forwarded)
    pool = Machines(w1=Machine())
    async with site(own.server) as port:
        place = Destination("registry", f"https://localhost:{port}/")
        trust = own.trusted() if trusted else None
        egress = await measure(pool, hosts("w1"), [place], trust=trust, stores={}, here=False)
        alone = await measure(Machines(), [], [place], trust=own.trusted(), stores={})
    (attempt,) = egress.attempts
    assert attempt.met is Met.NOT_TOLD
    assert "could not be read there" in attempt.detail
    assert "Public Test Authority" in attempt.detail
    (finding,) = judge_egress(egress)
    assert finding.severity is Severity.UNKNOWN
    # This machine itself is judged by its own, as ever.
    assert {one.machine: one.met for one in alone.attempts} == {HERE: Met.ANSWERED}
