"""The way to a machine: waited for where something is to be done there, else asked once."""

from __future__ import annotations

import time

import pytest

from foundation.hosts.connection import Connection
from foundation.hosts.model import Host
from foundation.problems import Unreachable
from installer.running.reach import Reach


class Away:
    """A machine that does not answer, and how often it was tried."""

    tried = 0

    async def connect(self, host: Host) -> Connection:
        """Never."""
        self.tried += 1
        raise Unreachable("there is no way to it", where=host.name)


async def test_where_nothing_is_done_a_machine_that_is_away_is_asked_once() -> None:
    """A dry run of thirty steps does not wait thirty times."""
    away = Away()
    said: list[str] = []
    reach = Reach(away, Host("m1", "10.0.0.1"), said.append, once=True)
    for _ in range(3):
        with pytest.raises(Unreachable):
            await reach.connect(time.monotonic() + 3600)
    assert away.tried == 1
    assert said == []
