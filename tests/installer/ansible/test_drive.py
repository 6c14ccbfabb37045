"""The driver on the control host: what it starts ends with it, whenever it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.forked import forked

SOURCE = Path("installer/ansible/on_control_host/drive.py")


def test_one_that_is_just_being_started_is_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its beginning and our knowing it, the signal would else remove its files alone."""
    source = (Path(__file__).parents[3] / SOURCE).read_text().replace("\nsys.exit(main())", "")
    monkeypatch.chdir(tmp_path)
    started: list[int] = []

    class Told(subprocess.Popen[bytes]):
        """A program in whose beginning the driver, and not yet the program, is told to end."""

        def __init__(self, words: list[str], **options: Any) -> None:
            super().__init__(words, **options)
            started.append(self.pid)
            os.kill(os.getpid(), signal.SIGTERM)

    def drive() -> None:
        driver: dict[str, Any] = {"__name__": "drive"}
        exec(compile(source, str(SOURCE), "exec"), driver)  # noqa: S102 - a program of ours
        monkeypatch.setattr(driver["subprocess"], "Popen", Told)
        driver["find"] = lambda *_: "sleep"
        told = {"folder": "@", "files": {}, "playbooks": str(tmp_path), "archive": "", "near": "",
                "floor": [], "environment": {}, "arguments": ["600"]}  # fmt: skip
        signal.signal(signal.SIGTERM, driver["ended"])
        status = driver["run"](told, tmp_path)
        assert status == 128 + signal.SIGTERM
        assert not Path(f"/proc/{started[0]}").exists()

    assert forked(drive) == 0
