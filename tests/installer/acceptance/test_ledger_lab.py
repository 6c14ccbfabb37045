"""The ledger's view against a real MariaDB with central-ledger's own tables, on a lab machine.

The server and its client are Debian's; the tables are those that the published migrations leave
(central_ledger.sql). MySQL 8, on which hubs run as well, is in no registry that the lab reaches.
"""

from __future__ import annotations

import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from installer.acceptance.ledger.by_sql import BySql, LedgerUnread
from installer.acceptance.ledger.view import Standing, Transfer
from tests.lab.lab import Lab
from tests.lab.machine import Machine

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

TABLES = Path(__file__).with_name("central_ledger.sql")
STATES = ("COMMITTED", "RECEIVED_FULFIL", "EXPIRED_RESERVED", "RECEIVED_PREPARE", "ABORTED_ERROR")
COUNT = 12_000
"""More than one question asks for."""
_BEGIN = """\
apt-get update -qq
apt-get install -qq -y --no-install-recommends mariadb-server-core mariadb-client-core >/dev/null 2>&1
mkdir -p /srv/db && chown nobody /srv/db
mariadb-install-db --no-defaults --user=nobody --datadir=/srv/db >/dev/null
systemd-run --quiet --unit lab-mariadb /usr/sbin/mariadbd --no-defaults --user=nobody \\
    --datadir=/srv/db --socket=/srv/db/s --skip-networking --log-bin=/srv/db/log --sync-binlog=0
for _ in $(seq 1000); do mariadb --no-defaults -S /srv/db/s -e 'SELECT 1' >/dev/null 2>&1 && break; sleep 0.2; done
mariadb --no-defaults -S /srv/db/s -e "
    CREATE DATABASE central_ledger;
    CREATE USER reader@localhost IDENTIFIED BY 'a reader';
    GRANT SELECT ON central_ledger.* TO reader@localhost"
"""  # noqa: E501 - lines of shell


def _command(lab: Lab, machine: Machine, user: str, *more: str) -> tuple[str, ...]:
    """As an operator's `ledger.command` reaches one; podman at times ends before all was passed."""
    client = ("mariadb", "--no-defaults", "-S", "/srv/db/s", "-u", user, *more, "central_ledger")
    return tuple(lab.ssh(machine, shlex.join(("sudo", "-n", *client))))


def _name(one: Transfer) -> str:
    return f"{one.number:08x}-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def database(lab: Lab) -> Iterator[Machine]:
    (machine,) = lab.machines(names=("ledger",))
    machine.altered = True
    machine.exec(["sh", "-ec", _BEGIN], timeout=600)
    names = [_name(Transfer(0, number)) for number in range(COUNT)]
    transfers = ",".join(f"('{name}', 1, 'XTS', 'x', NOW())" for name in names)
    changes = ",".join(
        f"('{name}', 'RECEIVED_PREPARE'), ('{name}', '{STATES[number % 5]}')"
        for number, name in enumerate(names)
    )
    parts = (
        TABLES.read_text(),
        "SET foreign_key_checks = 0;",
        "INSERT INTO transfer (transferId, amount, currencyId, ilpCondition, expirationDate)",
        "VALUES",
        f"{transfers};",
        "INSERT INTO transferStateChange (transferId, transferStateId) VALUES",
        f"{changes};",
    )
    given = "\n".join(parts).encode()
    root = _command(lab, machine, "root")
    subprocess.run(root, input=given, check=True, capture_output=True, timeout=300)
    yield machine
    lab.discard(machine)


async def test_every_transfer_has_its_last_state_and_nothing_can_be_written(
    lab: Lab, database: Machine
) -> None:
    view = BySql(_command(lab, database, "reader", "-pa reader"), _name)
    found = await view.standings([Transfer(0, number) for number in range(COUNT + 5)])
    assert Counter(found.values()) == {
        Standing.COMMITTED: COUNT // 5, Standing.RESERVED: COUNT // 5,
        Standing.EXPIRED: COUNT // 5, Standing.OPEN: COUNT // 5,
        Standing.ABORTED: COUNT // 5, Standing.MISSING: 5,
    }  # fmt: skip
    said = await view.durability()
    assert (said.flush, said.sync_binlog, said.log_bin, said.read_only) == ("1", "0", "1", "0")
    assert len(said.notes) == 2
    # A user who may write does not either.
    with pytest.raises(LedgerUnread, match="READ ONLY transaction"):
        await BySql(_command(lab, database, "root"), _name)._asked(
            "DELETE FROM transferStateChange;\n"
        )


async def test_a_wrong_password_and_a_right_that_is_missing_are_told(
    lab: Lab, database: Machine
) -> None:
    with pytest.raises(LedgerUnread, match="Access denied"):
        await BySql(_command(lab, database, "reader", "-pwrong"), _name).durability()
    take = "REVOKE SELECT ON central_ledger.* FROM reader@localhost"
    database.exec(["mariadb", "--no-defaults", "-S", "/srv/db/s", "-e", take])
    with pytest.raises(LedgerUnread, match="to database 'central_ledger'"):
        await BySql(_command(lab, database, "reader", "-pa reader"), _name).durability()
