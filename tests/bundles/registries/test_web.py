"""Downloads from servers that break off, ask to wait, redirect and lie."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from bundles.format.budgets import Pace
from bundles.format.problems import SourceProblem, WrongContent
from bundles.read.store import Blob, Store
from bundles.registries.web import Patience, Web
from bundles.registries.web_answers import shown
from foundation.problems import InputProblem
from tests.bundles.servers import Answer, Asked, Server, answering

QUICK = Patience(attempts=4, first_pause=0.001, longest_pause=0.002, longest_wait=2.0)
CONTENT = os.urandom(300_000)
DIGEST = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


def fetch(
    server: Server,
    store: Store,
    path: str = "/x",
    *,
    waiting: Callable[[str, float], None] | None = None,
) -> Blob:
    async def run() -> Blob:
        async with Web(patience=QUICK, waiting=waiting) as web:
            return await web.download(f"{server.url}{path}", store, DIGEST, len(CONTENT))

    return asyncio.run(run())


def ranged(asked: Asked, *, cut: int | None = None) -> Answer:
    """What a server that knows ranges answers."""
    wanted = asked.headers.get("range")
    if wanted is None:
        return Answer(body=CONTENT, cut=cut)
    begin = int(wanted.removeprefix("bytes=").rstrip("-"))
    rest = {"Content-Range": f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    return Answer(206, CONTENT[begin:], rest, cut=cut)


def test_a_download_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with answering(lambda asked: ranged(asked, cut=70_000)) as server:
        assert fetch(server, store) == Blob(DIGEST, len(CONTENT))
    ranges = [asked.headers.get("range") for asked in server.asked]
    assert ranges == [None, "bytes=70000-", "bytes=140000-", "bytes=210000-", "bytes=280000-"]
    assert store.read(DIGEST) == CONTENT


def test_what_an_earlier_run_left_is_kept_and_verified_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.begin(DIGEST, len(CONTENT)) as partial:
        partial.write(CONTENT[:100_000])
    with answering(ranged) as server:
        fetch(server, store)
    assert [asked.headers.get("range") for asked in server.asked] == ["bytes=100000-"]
    assert store.read(DIGEST) == CONTENT


def test_a_damaged_beginning_is_noticed_and_not_kept(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.begin(DIGEST, len(CONTENT)) as partial:
        partial.write(b"x" * 1000)
    with answering(ranged) as server:
        with pytest.raises(WrongContent):
            fetch(server, store)
        assert not store.has(DIGEST)
        fetch(server, store)
    assert store.read(DIGEST) == CONTENT


@pytest.mark.parametrize("status", [200, 416])
def test_a_server_without_ranges_is_asked_for_the_whole(tmp_path: Path, status: int) -> None:
    store = Store(tmp_path)
    with store.begin(DIGEST, len(CONTENT)) as partial:
        partial.write(CONTENT[:5])

    def decide(asked: Asked) -> Answer:
        refused = status == 416 and "range" in asked.headers
        return Answer(416) if refused else Answer(body=CONTENT)

    with answering(decide) as server:
        fetch(server, store)
    assert store.read(DIGEST) == CONTENT


def test_a_file_of_unknown_size_is_bounded_by_what_the_server_announces(tmp_path: Path) -> None:
    async def run(url: str) -> Blob:
        async with Web(patience=QUICK) as web:
            return await web.download(url, Store(tmp_path), DIGEST, None)

    with answering(lambda asked: ranged(asked, cut=200_000)) as server:
        assert asyncio.run(run(server.url)).size == len(CONTENT)


@pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")
def test_a_full_medium_is_explained_and_the_run_goes_on_later(tmp_path: Path) -> None:
    import subprocess

    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "none", tmp_path], check=True)
    try:
        with answering(ranged) as server:
            with pytest.raises(InputProblem, match="No space left") as caught:
                fetch(server, Store(tmp_path))
            assert "not fetched twice" in (caught.value.remedy or "")
            subprocess.run(["mount", "-o", "remount,size=1m", tmp_path], check=True)
            fetch(server, Store(tmp_path))
            assert int(server.asked[-1].headers["range"].strip("bytes=-")) > 50_000
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_server_that_asks_to_wait_is_waited_for_and_told(tmp_path: Path) -> None:
    told: list[float] = []

    def decide(asked: Asked) -> Answer:
        if len(server.asked) < 3:
            return Answer(429, headers={"Retry-After": "0"})
        return Answer(body=CONTENT)

    with answering(decide) as server:
        fetch(server, Store(tmp_path), waiting=lambda host, seconds: told.append(seconds))
    assert told == [0.0, 0.0]


def test_waiting_is_bounded(tmp_path: Path) -> None:
    with (
        answering(lambda asked: Answer(429, headers={"Retry-After": "86400"})) as server,
        pytest.raises(SourceProblem, match="asks to wait 86400 seconds"),
    ):
        fetch(server, Store(tmp_path))


def test_a_server_that_fails_is_asked_again_and_then_given_up(tmp_path: Path) -> None:
    with answering(lambda asked: Answer(500)) as server:
        with pytest.raises(SourceProblem, match="answers 500") as caught:
            fetch(server, Store(tmp_path))
        assert len(server.asked) == QUICK.attempts
    assert caught.value.exit_code == 4


def test_more_than_was_announced_is_refused(tmp_path: Path) -> None:
    with (
        answering(lambda asked: Answer(body=CONTENT + b"x")) as server,
        pytest.raises(WrongContent, match="more than") as caught,
    ):
        fetch(server, Store(tmp_path))
    assert caught.value.exit_code == 6


def test_other_bytes_of_the_right_length_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with (
        answering(lambda asked: Answer(body=CONTENT[::-1])) as server,
        pytest.raises(WrongContent, match="was expected"),
    ):
        fetch(server, store)
    assert not store.has(DIGEST)


def test_redirects_are_followed_without_the_login(tmp_path: Path) -> None:
    async def authorize(refused: object) -> str:
        return "Bearer secret-token"

    with answering(lambda asked: Answer(body=b"there")) as other:
        moved = Answer(307, headers={"Location": f"{other.url}/there?signature=1"})
        with answering(lambda asked: moved) as server:

            async def run() -> bytes:
                async with Web(patience=QUICK) as web:
                    url = f"{server.url}/x"
                    return (await web.small(url, limit=100, authorize=authorize))[1]

            assert asyncio.run(run()) == b"there"
    assert server.asked[0].headers["authorization"] == "Bearer secret-token"
    assert "authorization" not in other.asked[0].headers


def test_a_circle_of_redirects_ends(tmp_path: Path) -> None:
    with (
        answering(lambda asked: Answer(302, headers={"Location": "/x"})) as server,
        pytest.raises(SourceProblem, match="more than 5 times"),
    ):
        fetch(server, Store(tmp_path))


def test_a_small_answer_that_is_not_small_is_refused() -> None:
    async def run(url: str) -> None:
        async with Web(patience=QUICK) as web:
            await web.small(url, limit=1000)

    with (
        answering(lambda asked: Answer(body=bytes(2000))) as server,
        pytest.raises(SourceProblem, match="more than 1000 bytes"),
    ):
        asyncio.run(run(server.url))


def test_an_address_is_shown_without_its_secrets() -> None:
    assert shown("https://me:secret@host/path?token=secret#x") == "https://host/path"


def test_a_proxy_from_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is one that nothing on this machine resolves: only a proxy can reach it."""
    with answering(ranged) as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        fetch(Server("http://registry.invalid"), Store(tmp_path))
    assert [asked.path for asked in proxy.asked] == ["http://registry.invalid/x"]


def test_https_goes_through_the_proxy_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(lambda asked: Answer(403)) as proxy:
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(SourceProblem):
            fetch(Server("https://registry.invalid"), Store(tmp_path))
    assert {(asked.method, asked.path) for asked in proxy.asked} == {
        ("CONNECT", "registry.invalid:443")
    }


def test_a_name_without_proxy_is_reached_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(lambda asked: Answer(403)) as proxy, answering(ranged) as server:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        fetch(server, Store(tmp_path))
    assert proxy.asked == []


@pytest.mark.parametrize("word", ["0", "412.18ms", "-5", "nonsense"])
def test_a_server_that_asks_to_wait_for_ever_is_given_up(tmp_path: Path, word: str) -> None:
    with answering(lambda asked: Answer(429, headers={"Retry-After": word})) as server:
        with pytest.raises(SourceProblem, match="times so far") as caught:
            fetch(server, Store(tmp_path))
        assert len(server.asked) < 60
    assert caught.value.exit_code == 4


def test_a_server_that_breaks_off_after_every_byte_is_given_up(tmp_path: Path) -> None:
    with answering(lambda asked: ranged(asked, cut=1)) as server:
        with pytest.raises(SourceProblem):
            fetch(server, Store(tmp_path))
        assert len(server.asked) <= QUICK.attempts


ENDLESS = {
    "a header that drips": b"HTTP/1.1 200 OK\r\nX: ",
    "announcements without end": b"",
    "words beside an error that drip": b"HTTP/1.1 404 No\r\nContent-Length: 9999\r\n\r\n",
    "words beside a challenge that drip": b"HTTP/1.1 401 No\r\nContent-Length: 9999\r\n\r\n",
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_that_never_begins_or_never_ends_is_given_up(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes soon enough after the one before: only the whole is late."""
    monkeypatch.setattr("bundles.registries.web_answers.SLOWEST", Pace(0.05, 1e9))
    drop = b"a" if ENDLESS[kind] else b"HTTP/1.1 103 Early Hints\r\n\r\n"

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ENDLESS[kind])
            while not reader.at_eof():
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(0.002)  # how slowly it speaks

    async def nobody(_: httpx.Response | None) -> None:
        return None

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        patience = Patience(attempts=2, first_pause=0.001, longest_pause=0.002, begin=0.1)
        async with server, asyncio.timeout(20), Web(patience=patience) as web:
            await web.download(
                f"http://127.0.0.1:{port}/x", Store(tmp_path), DIGEST, len(CONTENT),
                authorize=nobody,
            )  # fmt: skip

    with pytest.raises(SourceProblem):
        asyncio.run(run())
