"""The ledger by its database: what is read of a client's answer, and what becomes of its failures.

The client is a STAND-IN: it takes the SQL, and answers of a table that the test gives it, headings
and all, as `mysql` does without `--batch`. The SQL itself is tried by a real MariaDB in the lab.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from foundation.problems import ExitCode
from foundation.secrets import Secret
from installer.acceptance.accept import Asked, Progress, accept
from installer.acceptance.hub_file import EXAMPLE, Ledger
from installer.acceptance.ledger import by_sql
from installer.acceptance.ledger.by_sql import BySql, Durability, LedgerUnread
from installer.acceptance.ledger.reconcile import Fate
from installer.acceptance.ledger.view import Standing, Transfer
from installer.cli import main
from tests.installer.acceptance.test_accept import PROFILE, WIDE, hub_file, not_held
from tests.stand_ins.hub import Faults, Hub

pytestmark = pytest.mark.processes

CLIENT = """\
import json, os, re, sys, urllib.request
where = sys.argv[1]
if where.startswith("http"):
    rows = json.load(urllib.request.urlopen(where))
else:
    rows = json.load(open(where))
sql = sys.stdin.read()
print("CONCAT('sw1 ', ...)")
for name in re.findall("'([0-9a-f-]{36})'", sql):
    if name in rows:
        print("sw1", name, rows[name])
for name in ("sync_binlog", "flush", "log_bin", "read_only"):
    if f"'{name} '" in sql:
        print("sw1", name, rows.get(name, 1))
print("Variable_name\\tValue")
print(f"wsrep_cluster_size\\t{rows.get('nodes', 3)}")
if rows.get("password") not in (None, os.environ.get("MYSQL_PWD")):
    sys.exit("ERROR 1045 (28000): Access denied for user 'reader'")
if not rows.get("breaks_off"):
    print("CONCAT('sw1 ', 'end 1')")
    print("sw1 end 1")
"""
NAMES = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(20)]


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., tuple[str, ...]]:
    program = tmp_path / "client.py"
    program.write_text(CLIENT)

    def made(where: str = "", **rows: object) -> tuple[str, ...]:
        table = tmp_path / "table.json"
        table.write_text(json.dumps(rows))
        return (sys.executable, str(program), where or str(table))

    return made


def _view(command: tuple[str, ...], password: Secret | None = None) -> BySql:
    return BySql(command, lambda one: NAMES[one.number], password)


async def test_each_state_of_the_ledger_has_its_standing(
    client: Callable[..., tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_sql, "_AT_ONCE", 7)
    states = dict(zip(NAMES, by_sql._STANDINGS, strict=False))
    states[NAMES[16]] = "-"  # a transfer without a state
    states[NAMES[17]] = "QUEUED"  # a state of a later release
    asked = [Transfer(0, number) for number in range(19)]
    found = await _view(client(**states)).standings(asked)
    assert list(found.values())[:16] == list(by_sql._STANDINGS.values())
    assert [found[one] for one in asked[16:]] == [
        Standing.UNKNOWN, Standing.UNKNOWN, Standing.MISSING,
    ]  # fmt: skip


async def test_how_the_database_keeps_what_was_committed_is_told(
    client: Callable[..., tuple[str, ...]],
) -> None:
    well = await _view(client()).durability()
    assert (well.notes[:-1], "Galera of 3" in well.words) == ([], True)
    loose = await _view(client(sync_binlog=1000, flush=2, nodes=0, read_only=0)).durability()
    assert loose == Durability("1000", "2", "1", "0", "")
    told = " ".join(loose.notes)
    assert "innodb_flush_log_at_trx_commit 2" in told
    assert "sync_binlog 1000" in told
    assert "no copy that a commit waits for" in told
    assert Durability("0", "1", "0", "0", "Galera of 3").notes == []  # no binary log, no matter


async def test_of_what_no_database_says_nothing_is_told_as_its_word(
    client: Callable[..., tuple[str, ...]],
) -> None:
    """A terminal's sequence, or a word without end, is no setting; and untold is not turned off."""
    odd = await _view(client(flush="\x1b[2Jx", sync_binlog="9" * 50, log_bin="\x07")).durability()
    assert odd == Durability(read_only="1", copies="Galera of 3")
    told = " ".join(odd.notes)
    assert "innodb_flush_log_at_trx_commit not told" in told
    assert "sync_binlog not told" in told
    assert "no binary log" not in odd.words


async def test_a_database_that_does_not_answer_is_a_problem_with_its_words(
    client: Callable[..., tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(LedgerUnread, match="Access denied"):
        await _view(client(password="right"), Secret("wrong")).durability()
    await _view(client(password="right"), Secret("right")).durability()
    with pytest.raises(LedgerUnread, match="breaks off"):
        await _view(client(breaks_off=True)).durability()
    with pytest.raises(LedgerUnread, match="could not be started"):
        await _view((str(tmp_path / "gone"),)).durability()
    monkeypatch.setattr(by_sql, "_SECONDS", 0.2)
    with pytest.raises(LedgerUnread, match="did not end"):
        await _view(("sh", "-c", "sleep 60; :")).durability()


async def test_an_acceptance_reconciles_with_the_database(
    client: Callable[..., tuple[str, ...]],
) -> None:
    """It tells what expired from what was aborted, which the API does not."""
    async with Hub(Faults(expire=10, stuck=13)).serving() as hub:
        file = hub_file(hub).model_copy(
            update={"ledger": Ledger(command=client(f"{hub.url}/stand-in/states"))}
        )
        asked = Asked(file, PROFILE, 1, WIDE)
        result = await accept(asked, Progress(lambda _: None, lambda *_: None))
    assert result.reconciled.view == BySql.name
    assert result.reconciled.asked == 42
    assert result.reconciled.counts[Fate.EXPIRED] == 42 // 10
    assert result.reconciled.counts[Fate.STUCK]
    assert "losses" in not_held(result)
    assert "Galera of 3" in result.about["Durability"]


async def test_a_database_that_falls_silent_after_the_load_is_no_end_of_it(
    client: Callable[..., tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(_: object, sql: str) -> str:
        if "transferStateId FROM" in sql:
            raise LedgerUnread("it is gone")
        return "sw1 flush 1\nsw1 end 1\n"

    monkeypatch.setattr(BySql, "_asked", asked)
    async with Hub().serving() as hub:
        file = hub_file(hub).model_copy(update={"ledger": Ledger(command=("x",))})
        result = await accept(
            Asked(file, PROFILE, 1, WIDE), Progress(lambda _: None, lambda *_: None)
        )
    assert result.reconciled.counts[Fate.CLEAN] == 42
    assert any("did not answer any more (it is gone)" in note for note in result.notes)


def test_a_command_of_a_hub_file_runs_only_where_somebody_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text(EXAMPLE.partition("# The ledger's")[0] + "ledger: {command: [touch, ran]}\n")
    monkeypatch.setattr("sys.stdin", open("/dev/null"))  # noqa: PTH123, SIM115 - no terminal
    assert main(["accept", str(file)]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "touch ran" in said
    assert "--allow-programs" in said

    begun: list[Asked] = []

    async def begin(asked: Asked, _: Progress) -> None:
        begun.append(asked)
        raise asyncio.CancelledError

    monkeypatch.setattr("installer.acceptance.accept.accept", begin)
    assert main(["accept", str(file), "--allow-programs"]) == ExitCode.INTERRUPTED
    assert begun[0].hub.ledger == Ledger(command=("touch", "ran"))


def test_a_password_that_nobody_would_use_is_told(tmp_path: Path) -> None:
    file, password = tmp_path / "hub.yaml", tmp_path / "password"
    file.write_text(EXAMPLE)
    password.write_text("x")
    password.chmod(0o600)
    assert main(["accept", str(file), "--ledger-password-file", str(password)]) == ExitCode.USAGE
