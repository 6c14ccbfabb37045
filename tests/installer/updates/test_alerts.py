"""Alerts to a webhook: once for each change, in the form that it takes, its address told nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bundles.format.reference import parse_reference
from foundation.problems import InputProblem
from foundation.secrets import Secret
from installer.cli import main
from installer.updates import alerts
from installer.updates.alerts import Form, NotTold, alert, memory_file
from installer.updates.lookup import Update
from installer.updates.review import Judged, Review
from installer.updates.running import Place, Running
from tests.bundles.servers import Answer, Asked, Server, answering
from tests.installer.updates.test_hostile_registries import StandIn

DIGEST = "sha256:" + "1" * 64


def review(tag: str = "v1.0.2", *, newer: bool = True) -> Review:
    image = "mojaloop/ledger:v1.0.0"
    update = Update(parse_reference(image), tag if newer else "v1.0.0", newer, DIGEST)
    place = Place("deployment", "ledger", "moja", "main")
    return Review((Judged(Running(image, (place,)), update),), (), "docker.io", "bugfix")


@dataclass
class Hook:
    """A webhook on the loopback."""

    server: Server
    status: list[int] = field(default_factory=lambda: [200])
    took: list[bytes] = field(default_factory=list)

    @property
    def address(self) -> Secret:
        return Secret(f"{self.server.url}/hooks/T0/very-secret")


@pytest.fixture
def hook() -> Iterator[Hook]:
    held: list[Hook] = []

    def answer(asked: Asked) -> Answer:
        held[0].took.append(asked.body)
        return Answer(held[0].status[0], b"ok")

    with answering(answer) as server:
        held.append(Hook(server))
        yield held[0]


async def test_it_is_told_once_for_each_change(hook: Hook) -> None:
    assert await alert(review(), hook.address, Form.SLACK)
    assert not await alert(review(), hook.address, Form.SLACK)
    assert await alert(review("v1.0.3"), hook.address, Form.SLACK)
    assert await alert(review(newer=False), hook.address, Form.SLACK)
    texts = [json.loads(body)["text"] for body in hook.took]
    assert len(texts) == 3
    assert "`mojaloop/ledger`: latest version is `v1.0.2`" in texts[0]
    assert texts[2] == "*ml-operator* - all monitored services are up to date"


async def test_a_name_calls_nobody_and_links_nowhere(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may label a workload writes what they like into the name of its owner."""
    said = "change it in the Argo CD application <!channel> <https://x|y> & co"
    monkeypatch.setattr(alerts, "message", lambda _: said)
    assert await alert(review(), hook.address, Form.SLACK)
    text = json.loads(hook.took[0])["text"]
    assert text.endswith("&lt;!channel&gt; &lt;https://x|y&gt; &amp; co")


async def test_the_plain_form_is_the_message_itself(hook: Hook) -> None:
    assert await alert(review(), hook.address, Form.PLAIN)
    assert hook.took[0].startswith(b"*ml-operator* - The following services")


async def test_what_was_not_taken_is_told_again(hook: Hook) -> None:
    hook.status[0] = 500
    with pytest.raises(NotTold, match="it answers 500") as caught:
        await alert(review(), hook.address, Form.SLACK)
    assert "very-secret" not in f"{caught.value} {caught.value.remedy} {caught.value.where}"
    hook.status[0] = 200
    assert await alert(review(), hook.address, Form.SLACK)
    assert "very-secret" not in memory_file(hook.address).read_text()
    assert "very-secret" not in str(memory_file(hook.address))


async def test_a_webhook_sends_nobody_elsewhere(hook: Hook) -> None:
    hook.status[0] = 302
    with pytest.raises(NotTold, match="it answers 302"):
        await alert(review(), hook.address, Form.SLACK)


@pytest.mark.parametrize("address", ["", "http://chat.example/x", "ftp://a/b", "https://[", "x"])
async def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputProblem, match="no https address"):
        await alert(review(), Secret(address), Form.SLACK)


async def test_nobody_there_is_told() -> None:
    with pytest.raises(NotTold, match="was not reached"):
        await alert(review(), Secret("http://127.0.0.1:9/x"), Form.SLACK)


def test_the_command_tells_it_from_a_private_file(
    hook: Hook, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "hook"
    file.write_text(hook.address.reveal() + "\n")
    with answering(StandIn().answer) as registry:
        line = ["updates", "mojaloop/ledger:v1.0.0", "--mirror", f"docker.io={registry.url}"]
        line += ["--webhook-file", str(file)]
        file.chmod(0o644)
        assert main(line) == 2
        file.chmod(0o600)
        assert main(line) == 0
        assert "the webhook was told" in capsys.readouterr().err
        assert main(line) == 0
    assert "knows that already" in capsys.readouterr().err
    assert len(hook.took) == 1
