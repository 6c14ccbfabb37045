"""How often a playbook asks the machines whose they are: not before each of hundreds of tasks."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def sitewright_events() -> Any:
    """Read late: Ansible comes with it, which slows down all that is run after it."""
    from installer.ansible.on_control_host import sitewright_events as module

    return module


class Asked:
    """Stands in for an ssh that tells who holds a machine."""

    holder = b"run-of-ours"
    count = 0

    def __init__(self, words: list[str], **_: object) -> None:
        Asked.count += 1
        self.stdout = io.BytesIO(self.holder)

    def communicate(self, timeout: float = 0) -> tuple[bytes, bytes]:
        return self.holder, b""


def test_each_machine_is_asked_every_few_seconds_at_most(
    sitewright_events: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setenv("SITEWRIGHT_RUN", "run-of-ours")
    monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", str(tmp_path))
    monkeypatch.setattr("subprocess.Popen", Asked)
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    monkeypatch.setattr(Asked, "count", 0)
    callback = sitewright_events.CallbackModule()
    callback._fence()
    assert Asked.count == 0
    for name in ("one", "two"):
        (tmp_path / name).touch()
    # That nobody could be asked is no answer: the first open connection is asked at once.
    for _ in range(50):
        callback._fence()
    assert Asked.count == 2
    now[0] += sitewright_events.PAUSE
    callback._fence()
    assert Asked.count == 4


def test_a_run_that_holds_the_machines_no_more_is_ended(
    sitewright_events: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "one").touch()
    monkeypatch.setenv("SITEWRIGHT_RUN", "run-of-ours")
    monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", str(tmp_path))
    monkeypatch.setattr("subprocess.Popen", Asked)
    monkeypatch.setattr(Asked, "holder", b"run-of-another")
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    sitewright_events.CallbackModule()._fence()
    assert ended == [sitewright_events.FENCED_OUT]
