"""Who may use Docker and is not made root runs the steps of this machine as the login."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from installer.running import login_jobs
from installer.running.login_jobs import docker_will_do


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A login, not root, that may write Docker's socket; its sudo (a stand-in) asks."""
    socket = tmp_path / "docker.sock"
    socket.touch()
    sudo = tmp_path / "sudo"
    sudo.write_text("#!/bin/sh\nexit 1\n")
    sudo.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(login_jobs, "_SOCKET", str(socket))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def test_it_does_for_a_solution_that_says_so_and_no_other(login: Path) -> None:
    assert docker_will_do("core-test-harness", sudo_password=False)
    assert not docker_will_do("pm4ml", sudo_password=False)
    assert not docker_will_do("strange", sudo_password=False)


def test_who_may_become_root_does_so(login: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not docker_will_do("core-test-harness", sudo_password=True)
    (login / "sudo").write_text("#!/bin/sh\nexit 0\n")
    assert not docker_will_do("core-test-harness", sudo_password=False)
    (login / "sudo").unlink()
    monkeypatch.setenv("PATH", str(login))  # no sudo at all
    assert docker_will_do("core-test-harness", sudo_password=False)


def test_who_may_not_use_docker_is_helped_by_nothing(login: Path) -> None:
    (login / "docker.sock").unlink()
    assert not docker_will_do("core-test-harness", sudo_password=False)
