"""A watcher that answers on the loopback, and the registry that it asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.format.reference import Reference
from bundles.registries.web import Patience
from bundles.serve.events import ServeEvent
from installer.updates.lookup import Question
from installer.updates.origins import BundleOrigin
from installer.updates.serving import Ways, serve_watcher
from tests.bundles.conftest import registry

__all__ = ["registry"]

QUICK = Patience(
    attempts=2, first_pause=0.001, longest_pause=0.002, longest_wait=0.05, shortest_wait=0.001
)


@pytest.fixture(autouse=True)
def no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the logins nor the memory of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Running:
    """A watcher, its client, and what it told."""

    client: httpx.Client
    events: list[ServeEvent] = field(default_factory=list)

    def get(self, path: str, **words: str) -> dict[str, Any]:
        """The JSON of an answer that is a success."""
        answer = self.client.get(path, params=words)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def tag(self, path: str, **words: str) -> str:
        """The newer tag; empty where there is none."""
        found = self.get(path, **words)
        return str(found["tag"]) if found["newer"] else ""

    def refusal(self, path: str, **words: str) -> tuple[int, str]:
        """The status and the words of an answer that is none."""
        answer = self.client.get(path, params=words)
        information = answer.json()["errorInformation"]
        assert 1 <= len(information["errorDescription"]) <= 128
        assert answer.status_code != 500
        return answer.status_code, str(information)


@contextmanager
def watching(source: Ways | BundleOrigin, usual: Question | None = None) -> Iterator[Running]:
    """Answer in an event loop of its own thread, until the block ends."""
    ready = threading.Event()
    state: dict[str, Any] = {}
    events: list[ServeEvent] = []

    async def serve() -> None:
        state["end"] = asyncio.Event()
        state["loop"] = asyncio.get_running_loop()
        question = usual or Question(Reference("", ""))
        try:
            async with serve_watcher(
                source, "127.0.0.1", 0, usual=question, tell=events.append
            ) as found:
                state["base"] = found.base
                ready.set()
                await state["end"].wait()
        except BaseException as error:
            state["error"] = error
        finally:
            ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        if "error" in state:
            raise state["error"]
        with httpx.Client(base_url=state["base"], trust_env=False, timeout=60) as client:
            yield Running(client, events)
    finally:
        if "error" not in state:
            state["loop"].call_soon_threadsafe(state["end"].set)
        thread.join()
