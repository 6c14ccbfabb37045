"""Bodies that a server packs although it was asked not to: digests are of what is inside."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import os
import sys
import zlib
from pathlib import Path

import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from bundles.format.problems import SourceProblem
from bundles.read.store import Blob, Store
from bundles.registries.web import Web
from tests.bundles.registries.test_web import QUICK
from tests.bundles.servers import Answer, Asked, Server, answering

TEXT = b"the same words again and again, " * 4000 + os.urandom(5000)


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


PACKED = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "deflate": zlib.compress(TEXT),
    "Deflate": raw_deflate(TEXT),
    "zstd": zstd.compress(TEXT[:100]) + zstd.compress(TEXT[100:]),
    "identity": TEXT,
    "": TEXT,
}


def packed(coding: str, body: bytes, **more: str) -> Answer:
    return Answer(body=body, headers={"Content-Encoding": coding, **more})


def small(server: Server, limit: int = 1 << 20) -> bytes:
    async def run() -> bytes:
        async with Web(patience=QUICK) as web:
            return (await web.small(f"{server.url}/x", limit=limit))[1]

    return asyncio.run(run())


def download(server: Server, folder: Path, content: bytes, size: int | None) -> Blob:
    async def run() -> Blob:
        async with Web(patience=QUICK) as web:
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            return await web.download(f"{server.url}/x", Store(folder), digest, size)

    return asyncio.run(run())


@pytest.mark.parametrize("coding", list(PACKED))
def test_small_answers_are_unpacked(coding: str) -> None:
    with answering(lambda asked: packed(coding, PACKED[coding])) as server:
        assert small(server) == TEXT
    assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("coding", list(PACKED))
def test_the_digest_is_of_what_is_inside(tmp_path: Path, coding: str) -> None:
    with answering(lambda asked: packed(coding, PACKED[coding])) as server:
        assert download(server, tmp_path, TEXT, len(TEXT)).size == len(TEXT)


@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_is_itself_packed_and_called_so_is_kept_as_it_is(
    tmp_path: Path, known: bool
) -> None:
    """As servers do that take .tar.gz for a coding."""
    archive = gzip.compress(TEXT)
    with answering(lambda asked: packed("x-gzip", archive)) as server:
        size = len(archive) if known else None
        assert download(server, tmp_path, archive, size).size == len(archive)


def test_a_packed_download_that_breaks_off_begins_anew(tmp_path: Path) -> None:
    body = PACKED["gzip"]

    def decide(asked: Asked) -> Answer:
        assert "range" not in asked.headers
        return Answer(
            body=body,
            headers={"Content-Encoding": "gzip"},
            cut=len(body) // 2 if len(server.asked) < 3 else None,
        )

    with answering(decide) as server:
        assert download(server, tmp_path, TEXT, len(TEXT)).size == len(TEXT)
    assert len(server.asked) == 3


def test_what_was_begun_unpacked_and_goes_on_packed_begins_anew(tmp_path: Path) -> None:
    store = Store(tmp_path)
    digest = "sha256:" + hashlib.sha256(TEXT).hexdigest()
    with store.begin(digest, len(TEXT)) as partial:
        partial.write(TEXT[:1000])

    def decide(asked: Asked) -> Answer:
        if "range" in asked.headers:
            rest = {"Content-Range": f"bytes 1000-{len(TEXT) - 1}/{len(TEXT)}"}
            return Answer(206, gzip.compress(TEXT[1000:]), rest | {"Content-Encoding": "gzip"})
        return packed("gzip", PACKED["gzip"])

    with answering(decide) as server:
        assert download(server, tmp_path, TEXT, len(TEXT)).size == len(TEXT)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_a_bomb_is_stopped_at_the_bound(coding: str) -> None:
    nothing = bytes(20 << 20)
    bomb = gzip.compress(nothing) if coding == "gzip" else zstd.compress(nothing)
    with (
        answering(lambda asked: packed(coding, bomb)) as server,
        pytest.raises(SourceProblem, match="more than 1048576 bytes"),
    ):
        small(server)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_what_is_cut_off_is_no_answer(coding: str) -> None:
    with (
        answering(lambda asked: packed(coding, PACKED[coding][:-20])) as server,
        pytest.raises(SourceProblem, match="ended too early"),
    ):
        small(server)


def test_a_window_larger_than_the_coding_may_ask_for_is_refused() -> None:
    """A few bytes would else take a hundred megabytes of memory (RFC 9659)."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    wide = packer.compress(TEXT) + packer.flush()
    with (
        answering(lambda asked: packed("zstd", wide)) as server,
        pytest.raises(SourceProblem, match="damaged"),
    ):
        small(server)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, br"])
def test_what_cannot_be_unpacked_is_told_with_the_way_out(coding: str) -> None:
    with (
        answering(lambda asked: packed(coding, b"\x0b\x02\x80")) as server,
        pytest.raises(SourceProblem, match="packs its answer") as caught,
    ):
        small(server)
    assert "NO_PROXY" in (caught.value.remedy or "")


def test_damage_is_told_and_is_no_traceback() -> None:
    with (
        answering(lambda asked: packed("gzip", b"\x1f\x8b no gzip at all")) as server,
        pytest.raises(SourceProblem, match="damaged"),
    ):
        small(server)


def test_without_a_size_a_packed_file_cannot_be_bounded_and_says_so(tmp_path: Path) -> None:
    with (
        answering(lambda asked: packed("gzip", PACKED["gzip"])) as server,
        pytest.raises(SourceProblem, match="its size is not known") as caught,
    ):
        download(server, tmp_path, TEXT, None)
    assert "size: BYTES" in (caught.value.remedy or "")
