"""The disk under the runs gives out in the middle of a run: a real file system that its kernel
turns read-only, and one that is full."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.problems import Problem
from installer import cli
from installer.events import Kind, Outcome
from installer.hand_over.gather import gather
from installer.record.journal import JournalProblem, verify
from installer.record.site_lock import Lock
from tests.installer.engine_site import Watch, engine, new_run, once, plan, step, when, words

pytestmark = [pytest.mark.lab, pytest.mark.timeout(120)]


class Disk:
    """A small ext4 in a file, mounted; its errors make it read-only, as those of a laptop do."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "image", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(16 * 1024 * 1024)
        self._do("mkfs.ext4", "-q", "-F", str(self.image))
        self.mount()

    def _do(self, *words: str) -> None:
        subprocess.run(words, check=True, capture_output=True)

    def mount(self) -> None:
        options = "loop,errors=remount-ro"
        self._do("mount", "-o", options, str(self.image), str(self.place))

    def break_off(self) -> None:
        """As the kernel does after an error of the disk: nothing more is written, open or not."""
        self._do("mount", "-o", "remount,abort", str(self.place))

    def mend(self) -> None:
        self._do("umount", str(self.place))
        subprocess.run(["fsck.ext4", "-fy", str(self.image)], check=False, capture_output=True)
        self.mount()

    def fill(self) -> None:
        with (self.place / "filled").open("wb", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return

    def make_room(self) -> None:
        (self.place / "filled").unlink()


@pytest.fixture
def disk(lab: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """The disk on which the runs lie. The lab itself is asked for its rights on this host."""
    made = Disk(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(made.place))
    yield made
    subprocess.run(["umount", "--lazy", str(made.place)], check=False, capture_output=True)


@pytest.mark.parametrize("how", ["read-only", "full"])
async def test_a_disk_that_gives_out_in_a_run_ends_it_in_one_sentence_and_it_goes_on(
    disk: Disk, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    log, go = tmp_path / "log", tmp_path / "go"
    waits = f"until [ -e {go} ]; do echo tick; sleep 0.1; done"
    made = plan(
        step("a", **once(log, "a")),
        step("b", **once(log, "b", body=waits)),
        step("c", stage="two", **once(log, "c")),
    )
    run, watch = new_run(made), Watch()

    async def carry() -> Outcome:
        with Lock("site", by="Ma Ma") as lock:
            return await engine(made, run, lock=lock, watch=watch).run()

    running = asyncio.create_task(carry())
    await when(lambda: any(e.data["text"] == "tick" for e in watch.of(Kind.LINE)))
    if how == "read-only":
        disk.break_off()
    else:
        disk.fill()
    with pytest.raises(JournalProblem) as caught:
        await running
    said = "can only be read" if how == "read-only" else "is full"
    assert said in caught.value.cause
    assert "sitewright resume" in str(caught.value.remedy)
    # What there is of it can be looked at, and nothing untrue is said of it.
    assert gather(run).sentence == "NOT FINISHED: it was cut off."
    assert cli.main(["status"]) == 0
    assert "1 of 3 steps" in capsys.readouterr().out
    if how == "read-only":
        with pytest.raises((Problem, OSError)):
            await carry()
        disk.mend()
    else:
        disk.make_room()
    go.touch()
    assert await carry() is Outcome.DONE
    assert words(log) == ["a", "b", "c"]
    verify(run.journal)
