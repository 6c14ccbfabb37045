"""The ledger by its database, read only: every transfer at once, each by the ledger's own state.

The database is asked through a command of the hub file, which takes SQL on its standard input: a
database client here, or one in a pod or on a machine. Tables, columns and states are those of
central-ledger (migrations and seeds of @mojaloop/central-ledger 19.5.5).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from foundation.isolation import NOWHERE, environment
from foundation.problems import ExitCode, Problem
from foundation.secrets import Secret, cut
from installer.acceptance.ledger.view import Standing, Transfer
from installer.acceptance.spoken import spoken

_AT_ONCE: Final = 10_000
"""Transfers of one question: some 400 kB, of the 16 MB that a server takes by itself."""
_SECONDS: Final = 120.0
_TRIES: Final = 3
_STANDINGS: Final = {
    "COMMITTED": Standing.COMMITTED,
    "SETTLED": Standing.COMMITTED,
    "ABORTED_ERROR": Standing.ABORTED,
    "ABORTED_REJECTED": Standing.ABORTED,
    "FAILED": Standing.ABORTED,
    "INVALID": Standing.ABORTED,
    "EXPIRED_PREPARED": Standing.EXPIRED,
    "EXPIRED_RESERVED": Standing.EXPIRED,
    "RECEIVED_PREPARE": Standing.OPEN,
    "RESERVED": Standing.RESERVED,
    "RESERVED_FORWARDED": Standing.RESERVED,
    "RESERVED_TIMEOUT": Standing.RESERVED,
    "RECEIVED_FULFIL": Standing.RESERVED,
    "RECEIVED_FULFIL_DEPENDENT": Standing.RESERVED,
    "RECEIVED_REJECT": Standing.RESERVED,
    "RECEIVED_ERROR": Standing.RESERVED,
}
"""central-ledger's states (seeds/transferState.js), which its API draws together into four."""
# A client that prints headings, or a login that greets, changes nothing: only such lines are read.
_LINE: Final = re.compile(r"^sw1 (\S+) (\S+)$", re.MULTILINE)
_STATUS: Final = re.compile(r"^(Rpl_semi_sync_\w+_status|wsrep_cluster_size)\t(\S+)$", re.MULTILINE)
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,40}")
_READ_ONLY: Final = "SET SESSION TRANSACTION READ ONLY;\n"
_END: Final = "SELECT CONCAT('sw1 ', 'end 1');\n"
_STATES: Final = (
    "SELECT CONCAT('sw1 ', t.transferId, ' ', COALESCE((SELECT s.transferStateId FROM"
    " transferStateChange s WHERE s.transferId = t.transferId"
    " ORDER BY s.transferStateChangeId DESC LIMIT 1), '-'))"
    " FROM transfer t WHERE t.transferId IN ({});\n"
)
_SETTINGS: Final = (
    "SELECT CONCAT('sw1 ', 'sync_binlog ', @@GLOBAL.sync_binlog);\n"
    "SELECT CONCAT('sw1 ', 'flush ', @@GLOBAL.innodb_flush_log_at_trx_commit);\n"
    "SELECT CONCAT('sw1 ', 'log_bin ', IF(@@GLOBAL.log_bin, 1, 0));\n"
    "SELECT CONCAT('sw1 ', 'read_only ', IF(@@GLOBAL.read_only, 1, 0));\n"
    "SELECT CONCAT('sw1 ', 'transfers ', COUNT(*)) FROM"
    " (SELECT 1 FROM transfer t, transferStateChange s LIMIT 1) AS one;\n"
    "SHOW GLOBAL STATUS WHERE Variable_name IN ('Rpl_semi_sync_master_status',"
    " 'Rpl_semi_sync_source_status', 'wsrep_cluster_size');\n"
)


class LedgerUnread(Problem):
    """The ledger's database, as the hub file names the way to it, does not answer what is asked."""

    code = "acceptance-ledger"
    title = "The ledger's database does not answer"
    exit_code = ExitCode.NOT_READY


@dataclass(frozen=True, slots=True)
class Durability:
    """What the database says of how it keeps what was committed; "" for what it did not say."""

    sync_binlog: str = ""
    flush: str = ""
    """innodb_flush_log_at_trx_commit."""
    log_bin: str = ""
    read_only: str = ""
    copies: str = ""
    """wsrep_cluster_size, or whether semi-synchronous replication is on."""

    @property
    def words(self) -> str:
        """For the report's list of what was measured."""
        said = [
            f"{name} {value}"
            for name, value in (
                ("innodb_flush_log_at_trx_commit", self.flush),
                ("sync_binlog", self._binlog),
                ("copies:", self.copies or "none that it waits for"),
            )
            if value
        ]
        return ", ".join(said) + "; what Kafka's producers wait for (acks, sync) was not read"

    @property
    def _binlog(self) -> str:
        if self.log_bin == "0":
            return "(no binary log)"
        return self.sync_binlog or "not told"

    @property
    def notes(self) -> list[str]:
        """What makes the figures no figures of a hub that loses nothing, a sentence each."""
        told = []
        if self.flush != "1":
            told.append(
                "The ledger's database does not write each commit to its disk"
                f" (innodb_flush_log_at_trx_commit {self.flush or 'not told'}): what it committed"
                " can be lost, and the rate is none of a hub that loses nothing."
            )
        if self.log_bin != "0" and self.sync_binlog != "1":
            told.append(
                "The ledger's database does not write its binary log to its disk with each commit"
                f" (sync_binlog {self.sync_binlog or 'not told'}): its copies can miss what was"
                " committed, and the rate is none of a hub that loses nothing."
            )
        if not self.copies:
            told.append(
                "The ledger's database has no copy that a commit waits for (neither Galera nor"
                " semi-synchronous replication): with its disk goes what no backup has."
            )
        if self.read_only == "1":
            told.append(
                "The ledger was read from a copy, which may lag behind: a transfer that it does"
                " not know yet would count as lost."
            )
        return told


class BySql:
    """Asks for any number of transfers; one that the ledger has no row of is missing."""

    name = "the ledger's database (transferStateChange)"
    most: int | None = None

    def __init__(
        self,
        command: Sequence[str],
        name_of: Callable[[Transfer], str],
        password: Secret | None = None,
    ) -> None:
        self._command = tuple(command)
        self._name_of = name_of
        self._password = password

    async def durability(self) -> Durability:
        """How the database keeps what was committed; raises LedgerUnread."""
        said = await self._asked(_SETTINGS)
        # What stands in a report is a word of a database, whoever answers.
        found = {name: value for name, value in _LINE.findall(said) if _WORD.fullmatch(value)}
        status = {name: value for name, value in _STATUS.findall(said) if _WORD.fullmatch(value)}
        size = status.get("wsrep_cluster_size", "0")
        on = [value for name, value in status.items() if name.startswith("Rpl") and value == "ON"]
        copies = f"Galera of {size}" if size.isdigit() and int(size) > 1 else ""
        return Durability(
            sync_binlog=found.get("sync_binlog", ""),
            flush=found.get("flush", ""),
            log_bin=found.get("log_bin", ""),
            read_only=found.get("read_only", ""),
            copies=copies or ("semi-synchronous replication" if on else ""),
        )

    async def standings(self, transfers: Sequence[Transfer]) -> Mapping[Transfer, Standing]:
        """Ask for all of them, ten thousand at a time; raises LedgerUnread."""
        found: dict[Transfer, Standing] = {}
        for first in range(0, len(transfers), _AT_ONCE):
            names = {self._name_of(one): one for one in transfers[first : first + _AT_ONCE]}
            listed = ",".join(f"'{name}'" for name in names)
            states = dict(_LINE.findall(await self._patiently(_STATES.format(listed))))
            for name, one in names.items():
                state = states.get(name)
                found[one] = (
                    Standing.MISSING if state is None
                    else _STANDINGS.get(state, Standing.UNKNOWN)
                )  # fmt: skip
        return found

    async def _patiently(self, sql: str) -> str:
        for _ in range(_TRIES - 1):
            with contextlib.suppress(LedgerUnread):
                return await self._asked(sql)
            await asyncio.sleep(1)
        return await self._asked(sql)

    async def _asked(self, sql: str) -> str:
        variables = {"MYSQL_PWD": self._password.reveal()} if self._password is not None else {}
        program = self._command[0]
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, cwd=NOWHERE, env=environment(variables), start_new_session=True,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            raise self._unread(f"{program} could not be started: {error}") from error
        try:
            out, err = await asyncio.wait_for(
                spoken(process, f"{_READ_ONLY}{sql}{_END}".encode()), _SECONDS
            )
        except TimeoutError as error:
            raise self._unread(f"{program} did not end within {_SECONDS:g} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what a shell among them started
            await process.wait()
        said = out.decode("utf-8", "replace")
        why = cut(err, 2000, last=True)
        if process.returncode != 0:
            raise self._unread(f"{program} ended with {process.returncode}: {why or 'no word'}")
        if ("end", "1") not in _LINE.findall(said):
            raise self._unread(f"its answer breaks off{': ' + why if why else ''}")
        return said

    def _unread(self, why: str) -> LedgerUnread:
        return LedgerUnread(
            cut(why, 600),
            where="the hub file's ledger.command",
            remedy="Run that command by hand and type `SELECT COUNT(*) FROM transfer;` It needs a"
            " user that may SELECT from transfer and transferStateChange.",
        )
