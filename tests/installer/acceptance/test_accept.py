"""A whole acceptance against a hub that is a stand-in: it holds where all is well, and each
criterion is missed where it is broken on purpose.

The driver's processes are real, and so is everything between them and the stand-in. Times are
wide, so that a busy machine changes nothing: what is slow on purpose is slower than any of it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp.web import Response

from foundation.problems import ExitCode
from installer.acceptance import accept as whole
from installer.acceptance.accept import Asked, GeneratorTooSlow, Progress, SmokeFailed, accept
from installer.acceptance.cast import Bounds
from installer.acceptance.driver.fleet import DriverProblem
from installer.acceptance.driver.identifiers import Kind
from installer.acceptance.driver.measured import Measured
from installer.acceptance.hub_file import HubFile
from installer.acceptance.ledger.reconcile import Fate
from installer.acceptance.profile import Phase, Profile
from installer.acceptance.provisioning.provision import HubInUse
from installer.acceptance.result import Ceiling, Outcome, Result, Verdict
from installer.cli import main
from tests.stand_ins.hub import Faults, Hub, Participant

pytestmark = pytest.mark.processes

WIDE = Bounds(timeout=8, within=4, late=60, settle=1, ceiling=0.5)
PROFILE = Profile(20, steady=2, warm_up=0, ramp=0)
ALL_TOLD = {"recovery"}
"""What is never measured as yet."""


def hub_file(hub: Hub, expiry: float = 30) -> HubFile:
    """Its transfers expire when no machine is too busy to end them sooner."""
    return HubFile.model_validate({
        "lookup": hub.url, "quotes": hub.url, "transfers": hub.url, "admin": hub.url,
        "callbacks": {"address": "127.0.0.1", "first_port": 0}, "expiry": expiry,
    })  # fmt: skip


@dataclass
class Seen:
    """What a progress was told."""

    said: list[str]
    phases: list[Phase]

    def progress(self) -> Progress:
        def tick(phase: Phase, _: float, __: Measured) -> None:
            self.phases.append(phase)

        return Progress(self.said.append, tick)


@pytest.fixture
def unhindered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver is not held against the null hub first, which one test does for all."""

    async def ceiling(*_: object) -> Ceiling:
        return Ceiling(1000.0, 0.002, held=True)

    monkeypatch.setattr(whole, "ceiling", ceiling)


async def tried(hub: Hub, *, expiry: float = 30, allowed_by: str = "") -> Result:
    asked = Asked(hub_file(hub, expiry), PROFILE, 1, WIDE, allowed_by=allowed_by)
    return await accept(asked, Seen([], []).progress())


def not_held(result: Result) -> dict[str, Outcome]:
    return {
        one.id: one.outcome
        for one in result.criteria
        if one.outcome is not Outcome.HELD and one.id not in ALL_TOLD
    }


async def test_a_hub_that_is_well_holds_and_everything_is_taken_back() -> None:
    seen = Seen([], [])
    async with Hub().serving() as hub:
        result = await accept(Asked(hub_file(hub), PROFILE, 2, WIDE), seen.progress())
        assert (result.verdict, not_held(result)) == (Verdict.HELD, {})
        ours = [one for name, one in hub.participants.items() if name != "Hub"]
        assert len(ours) == 6
        assert not any(one.active for one in ours)
        assert hub.parties == {}
        assert [one.account("SETTLEMENT", "XTS").value for one in ours] == [0] * 6
        assert result.ceiling is not None
        assert (result.notes, result.unclean) == ([], {})
        assert result.reconciled.asked == result.reconciled.counts[Fate.CLEAN] == 40 + 4
    assert Phase.STEADY in seen.phases


@pytest.mark.usefixtures("unhindered")
async def test_what_is_in_the_hub_from_before_is_found_and_used_again() -> None:
    async with Hub().serving() as hub:
        await tried(hub)
        hub.participants["swaccept00a"].account("POSITION", "XTS").value += 17
        again = await tried(hub)
    assert (again.verdict, not_held(again), again.notes) == (Verdict.HELD, {}, [])


@pytest.mark.parametrize(
    ("faults", "missed"),
    [
        (Faults(slow=4.5, slow_every=5, slow_what="parties"), {"lookup"}),
        (Faults(slow=4.5, slow_every=5, slow_what="quotes"), {"terms"}),
        (Faults(slow=4.5, slow_every=5, slow_what="transfers"), {"clearing"}),
        (Faults(refuse=25), {"rate", "availability", "clearing"}),
        (Faults(silent_payee=40), {"availability"}),
        (Faults(double_position=7, no_limit=1), {"positions", "limit"}),
    ],
    ids=lambda value: ",".join(sorted(value)) if isinstance(value, set) else "",
)
@pytest.mark.usefixtures("unhindered")
async def test_each_criterion_is_missed_where_it_is_broken(
    faults: Faults, missed: set[str]
) -> None:
    async with Hub(faults).serving() as hub:
        # Of a payee that says nothing a transfer ends at its expiry.
        result = await tried(hub, expiry=5 if faults.silent_payee else 30)
    assert result.verdict is Verdict.MISSED
    assert not_held(result) == dict.fromkeys(missed, Outcome.MISSED)


@pytest.mark.usefixtures("unhindered")
async def test_each_way_to_be_unclean_is_counted_and_named() -> None:
    faults = Faults(
        lose=5, stuck=7, mistell=11, abort_fulfilled=13, expire=17, silent=19, wrong_fulfilment=23,
        double=29,
    )  # fmt: skip
    async with Hub(faults).serving() as hub:
        result = await tried(hub, expiry=2)  # what never ends does so at its expiry
        rows = hub.rows
    counts = result.reconciled.counts
    found = {fate for fate, count in counts.items() if count}
    assert found == {
        Fate.LOST, Fate.STUCK, Fate.MISTOLD, Fate.AT_RISK, Fate.EXPIRED, Fate.UNTOLD,
        Fate.DOUBLED, Fate.CLEAN,
    }  # fmt: skip
    # Of 42 with the two of the smoke test: each fifth was never in the ledger, and so on.
    assert counts[Fate.LOST] == 42 // 5
    assert len(result.unclean["lost"]) == counts[Fate.LOST]
    assert not set(result.unclean["lost"]) & set(rows)
    ours = {name: row for name, row in rows.items() if name[22] == f"{Kind.TRANSFER:x}"}
    stuck = {name for name, row in ours.items() if row.state == "RECEIVED_FULFIL"}
    assert set(result.unclean["stuck"]) == stuck
    assert result.criterion("losses").outcome is Outcome.MISSED
    # What is lost, stuck or aborted moves no more money than the ledger says: it holds together.
    assert result.criterion("positions").outcome is Outcome.HELD
    assert result.criterion("once").outcome is Outcome.NOTED
    assert result.verdict is Verdict.MISSED


@pytest.mark.usefixtures("unhindered")
async def test_messages_that_overtake_one_another_do_no_harm() -> None:
    async with Hub(Faults(jitter=0.2)).serving() as hub:
        result = await tried(hub)
    assert (result.verdict, not_held(result)) == (Verdict.HELD, {})


@pytest.mark.usefixtures("unhindered")
async def test_a_clock_that_is_off_gives_no_verdict() -> None:
    async with Hub(Faults(ahead=30)).serving() as hub:
        result = await tried(hub)
    assert result.verdict is Verdict.LIMITED
    assert "ahead" in result.limited[0]


async def test_a_driver_that_is_too_slow_is_told_before_the_hub_is_touched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("installer.acceptance.ceiling._TRIES", 2)
    async with Hub().serving() as hub:
        asked = Asked(hub_file(hub), Profile(1), 1, Bounds(late=0.0, ceiling=0.2))
        with pytest.raises(GeneratorTooSlow) as caught:
            await accept(asked, Seen([], []).progress())
        assert "late by" in caught.value.cause
        assert list(hub.participants) == ["Hub"]


@pytest.mark.usefixtures("unhindered")
@pytest.mark.parametrize("left", [False, True], ids=["stopped", "left"])
async def test_what_is_stopped_or_left_is_taken_back(left: bool) -> None:
    at_work = asyncio.Event()

    def tick(phase: Phase, _: float, measured: Measured) -> None:
        if phase is Phase.STEADY and measured.sum("committed") > 4:
            at_work.set()

    progress = Progress(lambda _: None, tick)
    async with Hub().serving() as hub:
        asked = Asked(hub_file(hub), Profile(20, steady=600, warm_up=0, ramp=0), 1, WIDE)
        work = asyncio.ensure_future(accept(asked, progress))
        await at_work.wait()
        if left:
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        else:
            progress.stop()
            result = await work
            assert result.verdict is Verdict.STOPPED
            assert result.reconciled.counts[Fate.CLEAN] > 4
        assert not [one.name for one in hub.participants.values() if one.active][1:]
        assert hub.parties == {}


@dataclass
class Leaving:
    """Asks an acceptance to leave, and again each time that it says that it is at it."""

    times: int
    work: asyncio.Future[Result] | None = None
    said: list[str] = field(default_factory=list)
    left: bool = False

    def leave(self) -> None:
        if self.work is not None:
            self.left = True
            self.times -= 1
            self.work.cancel()

    def progress(self) -> Progress:
        def say(text: str) -> None:
            self.said.append(text)
            if self.times and text.startswith(("Taking back", "It is still")):
                # Later, so that it is at something by then.
                asyncio.get_running_loop().call_later(0.02, self.leave)

        def tick(phase: Phase, _: float, measured: Measured) -> None:
            if phase is Phase.STEADY and measured.sum("committed") > 4 and not self.left:
                self.leave()

        return Progress(say, tick)


@pytest.mark.usefixtures("unhindered")
@pytest.mark.parametrize("times", [2, 3], ids=["once-more", "given-up"])
async def test_what_is_left_again_while_it_is_taken_back(times: int) -> None:
    """Once more changes nothing; a third time it is left as it is, and that is told."""
    leaving = Leaving(times)
    progress = leaving.progress()
    async with Hub().serving() as hub:
        asked = Asked(hub_file(hub), Profile(20, steady=600, warm_up=0, ramp=0), 1, WIDE)
        leaving.work = asyncio.ensure_future(accept(asked, progress))
        with pytest.raises(asyncio.CancelledError):
            await leaving.work
        active = [one.name for one in hub.participants.values() if one.active][1:]
        assert any("is still being taken back" in text for text in leaving.said)
        if times == 2:
            assert (active, hub.parties, progress.left) == ([], {}, [])
        else:
            assert active
            assert "given up half-way" in progress.left[-1]


@pytest.mark.usefixtures("unhindered")
async def test_money_that_is_on_its_way_when_it_is_left_is_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leaving = Leaving(1)
    funds = Hub._funds

    def left_meanwhile(hub: Hub, one: Participant, number: int, said: dict[str, Any]) -> Response:
        if leaving.times:
            asyncio.get_running_loop().call_later(0.01, leaving.leave)
            leaving.times -= 1
        return funds(hub, one, number, said)

    monkeypatch.setattr(Hub, "_funds", left_meanwhile)
    progress = Progress(leaving.said.append, lambda *_: None)
    async with Hub().serving() as hub:
        leaving.work = asyncio.ensure_future(
            accept(Asked(hub_file(hub), PROFILE, 1, WIDE), progress)
        )
        with pytest.raises(asyncio.CancelledError):
            await leaving.work
        (ours,) = [one for name, one in hub.participants.items() if name != "Hub"]
        assert not ours.account("SETTLEMENT", "XTS").value
        assert not ours.active
    # Of what was never made nothing is said.
    assert progress.left == []


@pytest.mark.usefixtures("unhindered")
async def test_a_process_of_the_driver_that_dies_is_told_and_all_is_taken_back() -> None:
    def tick(phase: Phase, _: float, measured: Measured) -> None:
        if phase is Phase.STEADY and measured.sum("committed") > 4:
            assert progress.fleet is not None
            process = progress.fleet.processes[0]._process
            if process is not None and process.returncode is None:
                process.kill()

    progress = Progress(lambda _: None, tick)
    async with Hub().serving() as hub:
        asked = Asked(hub_file(hub), Profile(20, steady=600, warm_up=0, ramp=0), 1, WIDE)
        with pytest.raises(DriverProblem, match="process 1 of the driver"):
            await accept(asked, progress)
        assert not [one.name for one in hub.participants.values() if one.active][1:]


@pytest.mark.usefixtures("unhindered")
async def test_a_hub_in_use_is_refused_unless_somebody_answers_for_it() -> None:
    async with Hub().serving() as hub:
        hub.participants["bank"] = hub._made("bank", "XTS")
        with pytest.raises(HubInUse, match="bank is active") as caught:
            await tried(hub)
        assert caught.value.exit_code is ExitCode.REFUSED
        assert set(hub.participants) == {"Hub", "bank"}
        result = await tried(hub, allowed_by="A. Name")
        assert "A. Name answers for the load" in " ".join(result.notes)
        assert hub.participants["bank"].active


@pytest.mark.usefixtures("unhindered")
async def test_where_one_transfer_fails_no_load_begins_and_all_is_taken_back() -> None:
    async with Hub(Faults(refuse=1)).serving() as hub:
        with pytest.raises(SmokeFailed, match="clearing: the hub answered 503"):
            await tried(hub)
        assert not [one.name for one in hub.participants.values() if one.active][1:]
        assert hub.parties == {}


@pytest.fixture
def other_hub() -> Iterator[Hub]:
    """A hub in a process of its own, in which each ninth transfer is stuck."""
    words = [sys.executable, "-m", "tests.stand_ins.hub", "--port", "0", "stuck=9"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Hub(url=process.stdout.readline().strip())
        finally:
            process.terminate()


@pytest.mark.usefixtures("unhindered")
def test_the_command_writes_page_figures_and_identifiers(
    other_hub: Hub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("installer.acceptance.choice.bounds", lambda: WIDE)
    path = tmp_path / "hub.yaml"
    path.write_text(hub_file(other_hub, expiry=5).model_dump_json())
    words = f"accept {path} --rate 20 --for 2s --warm-up 0 --ramp 0 --processes 1 --format json"
    code = main(words.split())
    printed = capsys.readouterr()
    said = json.loads(printed.out)
    assert (code, said["verdict"]) == (3, "missed")
    assert "The load begins" in printed.err
    (folder,) = (tmp_path / "data/sitewright/acceptances").iterdir()
    assert {one.name for one in folder.iterdir()} == {
        "acceptance.html", "acceptance.json", "acceptance.xml", "unclean-transfers.tsv",
    }  # fmt: skip
    assert all(one.stat().st_mode & 0o77 == 0 for one in (folder, *folder.iterdir()))
    lines = (folder / "unclean-transfers.tsv").read_text().splitlines()
    stuck = sum(line.startswith("stuck\t") for line in lines)
    assert lines[0] == "class\ttransfer"
    assert stuck == said["reconciliation"]["classes"]["stuck"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("accept", "no hub file is named"),
        ("accept /none.yaml", "none.yaml"),
        ("accept x --rate 0", "a rate is between"),
        ("accept x --rate nan", "a rate is between"),
        ("accept x --for 0", "a second at least"),
        ("accept x --for soon", "90s, 10m or 1h"),
        ("accept x --processes 0", "1 to 64"),
    ],
)
def test_a_wrong_line_is_told_before_anything_is_done(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_a_hub_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "hub.yaml"
    path.write_text(hub_file(Hub(url="http://127.0.0.1:9")).model_dump_json())
    assert main(["accept", str(path), "--rate", "1"]) == ExitCode.UNREACHABLE
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "took", "said"),
    [
        (3600.0, 3600.5, []),
        (
            3600.0 + 86400,
            3600.0,
            ["the clock of this machine was put forward by 24 h 0 min meanwhile"],
        ),
        (-100.0, 3600.0, ["the clock of this machine was put back by 62 min meanwhile"]),
    ],
)
def test_a_clock_that_is_set_meanwhile_proves_nothing(
    told: float, took: float, said: list[str]
) -> None:
    """Slots and what was committed in them are counted by the time of day."""
    assert whole._of_clock(told, took) == said
