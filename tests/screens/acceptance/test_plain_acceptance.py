"""An acceptance in plain lines, over the real core and a stand-in of a hub in another process."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.screens.plain.test_plain import flat
from tests.screens.recorded import RecordedServices
from tests.stand_ins.hub import Hub

pytestmark = pytest.mark.processes

OWN = "6\n20\n{steady}\n0\n0\n1\n"
"""A rate and times of one's own, by one process."""


@contextmanager
def served(*faults: str) -> Iterator[Hub]:
    words = [sys.executable, "-m", "tests.stand_ins.hub", "--port", "0", *faults]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Hub(url=process.stdout.readline().strip())
        finally:
            process.terminate()


class Heard(io.StringIO):
    """What was said, with something to do at the first of certain words."""

    def __init__(self, words: str = "", do: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.words, self.do = words, do

    def write(self, text: str) -> int:
        written = super().write(text)
        if self.words and self.words in text:
            self.words = ""
            self.do()
        return written


def talk(services: RecordedServices, typed: str, target: Heard) -> tuple[int, str]:
    from screens.plain.plain import run_plain
    from screens.plain.prompt import Dialogue

    code = run_plain(services, dialogue=Dialogue(io.StringIO(typed), target))
    return code, flat(target.getvalue())


@pytest.fixture
def file_of(tmp_path: Path) -> Callable[[Hub], str]:
    def typed(hub: Hub) -> str:
        file = tmp_path / "hub.yaml"
        file.write_text(
            f"lookup: {hub.url}\nquotes: {hub.url}\ntransfers: {hub.url}\nadmin: {hub.url}\n"
            "callbacks: {address: 127.0.0.1, first_port: 0}\nexpiry: 2\n"
        )
        return f"2\n{file}\n\n\n"

    return typed


def test_from_the_file_to_the_verdict(
    services: RecordedServices, file_of: Callable[[Hub], str]
) -> None:
    with served("stuck=9") as hub:
        typed = f"{file_of(hub)}{OWN.format(steady='2s')}yes\nThiri Aung\nq\n"
        code, said = talk(services, typed, Heard())
    assert code == 0
    assert "5. Document 001: 62 min, 3,639,0" in said
    assert "What it leaves behind:" in said
    assert "Begin the acceptance? yes or no" in said
    assert "One transfer of each pair and direction was cleared. The load begins." in said
    assert "Acceptance: MISSED" in said
    assert "asked: none lost, at risk, stuck or notified wrongly" in said
    assert "acceptance.html: the page, with its charts, for people" in said


def test_ctrl_c_asks_and_stops_with_what_stands(
    services: RecordedServices, file_of: Callable[[Hub], str]
) -> None:
    heard = Heard("steady ", lambda: os.kill(os.getpid(), signal.SIGINT))
    with served() as hub:
        typed = f"{file_of(hub)}{OWN.format(steady='600s')}yes\nThiri Aung\nyes\nq\n"
        code, said = talk(services, typed, heard)
    assert code == 0
    assert "what was measured until then is judged" in said
    assert "Stop the acceptance? yes or no" in said
    assert "Acceptance: STOPPED" in said


def test_no_begins_nothing(services: RecordedServices, file_of: Callable[[Hub], str]) -> None:
    hub = Hub(url="http://127.0.0.1:9")
    code, said = talk(services, f"{file_of(hub)}1\nno\nq\n", Heard())
    assert code == 0
    assert "89 real transfers go to" in said
    assert "does not answer" not in said


def test_a_hub_that_is_not_there_is_told(
    services: RecordedServices, file_of: Callable[[Hub], str]
) -> None:
    hub = Hub(url="http://127.0.0.1:9")
    typed = f"{file_of(hub)}{OWN.format(steady='2s')}yes\nThiri Aung\nq\n"
    _, said = talk(services, typed, Heard())
    assert "does not answer" in said
