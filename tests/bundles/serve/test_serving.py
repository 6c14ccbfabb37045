"""The server itself: what it refuses, what it notices, and how it ends."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundles.format.problems import CorruptBundle, SignatureProblem
from bundles.serve.conversation import Bounds
from foundation.problems import InputProblem
from tests.bundles.conftest import Keys, small, small_file
from tests.bundles.made import Made
from tests.bundles.serve.conftest import Everything, Running, serving_bundle
from tests.foundation.processes import PATIENCE

__all__ = ["small", "small_file"]


@contextmanager
def connected(running: Running, *, buffer: int = 0) -> Iterator[ssl.SSLSocket]:
    """A connection over which anything can be said; `buffer` bounds what waits unread, in bytes."""
    context = ssl.create_default_context(cafile=str(running.ca))
    host, _, port = running.served.registry.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as plain:
        if buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.settimeout(20)
        plain.connect((host, int(port)))
        with context.wrap_socket(plain, server_hostname=host) as connection:
            yield connection


def everything_from(connection: socket.socket) -> bytes:
    """All that comes until the other side ends it."""
    got = bytearray()
    try:
        while piece := connection.recv(1 << 16):
            got += piece
    except (ConnectionError, ssl.SSLError):
        return bytes(got)
    return bytes(got)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    "target",
    [
        "/../../../../etc/passwd",
        "/files/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/files/..%2f..%2f..%2fetc%2fpasswd",
        "/files\\..\\..\\etc\\passwd",
        "/files/%00",
        "//etc/passwd",
        "/v2/../../etc/passwd/blobs/x",
        "/git/environments.git/../../../etc/passwd",
        "/git/environments.git/config",
        "/git/environments.git/objects/pack/../../config",
        "/git/%2e%2e/HEAD",
        "/files/" + "a" * 5000,
        "/%ff%fe",
        "http://example.org/files/kubectl",
        "*",
    ],
)
def test_no_address_leaves_what_is_served(running: Running, target: str) -> None:
    with connected(running) as connection:
        request = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = everything_from(connection)
    assert answer.split(b" ")[1] in (b"400", b"404"), answer[:200]
    assert b"root:" not in answer


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_gives(running: Running, method: str) -> None:
    with running.client as client:
        for path in ("/files/kubectl", "/v2/docker.io/library/app/blobs/uploads/"):
            assert client.request(method, path, content=b"x").status_code == 405


@pytest.mark.parametrize(
    "raw",
    [
        b"\x00\x01\x02 nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000,
    ],
)
def test_what_is_no_request_ends_the_connection(running: Running, raw: bytes) -> None:
    with connected(running) as connection:
        connection.sendall(raw)
        answer = everything_from(connection)
    assert answer.split(b" ")[1][:1] == b"4", answer[:200]


def test_requests_follow_each_other_on_one_connection(running: Running) -> None:
    with connected(running) as connection:
        first = b"GET /bundle/index.json HTTP/1.1\r\nHost: a\r\n\r\n"
        last = b"HEAD /files/kubectl HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        connection.sendall(first * 3 + last)
        answer = everything_from(connection)
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.rpartition(b"\r\n\r\n")[2] == b""
    assert b"Content-Length: 3000000" in answer


def test_ranges_are_those_of_http(running: Running) -> None:
    with running.client as client:
        path = "/files/kubectl"
        whole = client.get(path)
        tag = whole.headers["etag"]
        for asked, status, length in (
            ("bytes=0-9", 206, 10),
            ("bytes=2999990-", 206, 10),
            ("bytes=-7", 206, 7),
            ("bytes=2999999-9999999", 206, 1),
            ("bytes=3000000-", 416, 0),
            ("bytes=9-1", 200, 3_000_000),
            ("bytes=0-1,3-4", 200, 3_000_000),
            ("lines=0-1", 200, 3_000_000),
        ):
            got = client.get(path, headers={"Range": asked})
            assert (got.status_code, len(got.content)) == (status, length), asked
        other = client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"other"'})
        assert other.status_code == 200
        same = client.get(path, headers={"Range": "bytes=0-9", "If-Range": tag})
        assert same.status_code == 206
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_every_request_is_told_with_what_it_got(running: Running) -> None:
    with running.client as client:
        client.get("/files/kubectl", headers={"Range": "bytes=0-99"})
        client.get("/files/nothing%0a%1b[31m")
    wait_until(lambda: any("nothing" in (one.path or "") for one in running.events))
    told = [one for one in running.events if one.kind == "request"]
    got = next(one for one in reversed(told) if one.path == "/files/kubectl")
    assert (got.status, got.sent, got.item, got.client) == (206, 100, "file kubectl", "127.0.0.1")
    assert all((one.path or "").isprintable() for one in told)


def test_whoever_speaks_no_tls_is_turned_away_and_the_others_are_served(running: Running) -> None:
    host, _, port = running.served.registry.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"bundle" not in everything_from(plain)
    wait_until(lambda: any("no TLS" in one.text for one in running.events))
    with running.client as client:
        assert client.get("/").status_code == 200


def test_many_machines_are_served_at_once(running: Running) -> None:
    def fetch(_: int) -> bytes:
        with running.client as client:
            return client.get("/files/kubectl").content

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(fetch, range(24))) == {b"x" * 3_000_000}


# What is noticed


@pytest.fixture
def own(everything: Everything, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may spoil."""
    return Path(shutil.copytree(everything.folder, tmp_path / "own"))


def blob_of(everything: Everything, folder: Path, kind: str) -> Path:
    item = next(item for item in everything.made.items if item.kind == kind)
    return folder / "blobs/sha256" / (item.content or "").removeprefix("sha256:")


def test_a_byte_that_changes_later_is_noticed_and_not_given_out(
    everything: Everything, own: Path, tmp_path: Path
) -> None:
    blob = blob_of(everything, own, "file")
    content = blob.read_bytes()
    with serving_bundle(own, tmp_path) as running, running.client as client:
        assert client.get("/files/kubectl").content == content
        with blob.open("r+b") as file:
            file.seek(77)
            file.write(b"!")
        assert client.get("/files/kubectl").status_code == 500
        assert client.head("/files/kubectl").status_code == 500
        wait_until(lambda: any(one.kind == "changed" for one in running.events))
        assert client.get("/").status_code == 200
        # Put back as it was, by a new file: it is hashed again, and is right.
        other = blob.with_name("other")
        other.write_bytes(content)
        other.replace(blob)
        assert client.get("/files/kubectl").content == content
        os.utime(blob)
        assert client.get("/files/kubectl").content == content
        blob.unlink()
        blob.symlink_to("/etc/passwd")
        assert client.get("/files/kubectl").status_code == 500


def test_a_byte_that_changes_while_it_is_sent_leaves_the_answer_short(tmp_path: Path) -> None:
    made = Made(tmp_path / "bundle")
    size = 48 * 1024 * 1024
    item = made.artifact("file", "large", ("large", bytes(size)))
    folder = made.write()
    with serving_bundle(folder, tmp_path) as running, connected(running) as connection:
        connection.sendall(b"GET /files/large HTTP/1.1\r\nHost: a\r\n\r\n")
        first = connection.recv(1000)
        with made.path(item.content or "").open("r+b") as file:
            file.seek(size - 1)
            file.write(b"!")
        rest = everything_from(connection)
        assert len(first) + len(rest) < size
        wait_until(lambda: any(one.kind == "changed" for one in running.events))


def test_a_bundle_that_is_not_whole_or_not_signed_is_not_served(
    everything: Everything, own: Path, tmp_path: Path, keys: Keys
) -> None:
    blob = blob_of(everything, own, "deb")
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    with pytest.raises(CorruptBundle), serving_bundle(own, tmp_path):
        pass
    (own / "index.json.sig").unlink()
    with pytest.raises(SignatureProblem), serving_bundle(own, tmp_path, signers=keys.signers):
        pass


# What is bounded


def test_a_head_that_never_ends_is_not_waited_for(small: Path, tmp_path: Path) -> None:
    bounds = Bounds(head_seconds=0.2)
    with serving_bundle(small, tmp_path, bounds=bounds) as running:
        with connected(running) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
            assert everything_from(connection) == b""
        with running.client as client:
            assert client.get("/").status_code == 200


def test_too_many_connections_are_refused_and_waiting_ones_make_room(
    small: Path, tmp_path: Path
) -> None:
    bounds = Bounds(per_address=2)
    with serving_bundle(small, tmp_path, bounds=bounds) as running:
        with connected(running) as first, connected(running) as second:
            # Both are in the middle of a request, so neither can be ended for a third.
            for one in (first, second):
                one.sendall(b"GET /files/one HTTP/1.1\r\nHost: a\r\n\r\n")
                assert one.recv(4096)
        # It has room again as soon as it sees that they are gone.
        wait_until(lambda: answered(running))


def answered(running: Running) -> bool:
    """Whether a new connection is taken and served."""
    try:
        with connected(running) as again:
            again.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return b"200 OK" in everything_from(again)
    except OSError:
        return False


def test_nobody_is_shut_out_by_connections_that_ask_for_nothing(
    small: Path, tmp_path: Path
) -> None:
    """As many as one address may have, none of which ever shakes hands, and then as many again."""
    bounds = Bounds(per_address=8)
    with serving_bundle(small, tmp_path, bounds=bounds) as running:
        host, _, port = running.served.registry.rpartition(":")
        raw = [socket.create_connection((host, int(port)), timeout=20) for _ in range(24)]
        try:
            with running.client as client:
                assert client.get("/files/one").status_code == 200
            # Those that were ended for others are gone, and not merely forgotten.
            wait_until(lambda: sum(t.name == "serve" for t in threading.enumerate()) <= 10)
        finally:
            for one in raw:
                one.close()


def test_nobody_is_shut_out_by_connections_that_take_nothing(
    everything: Everything, tmp_path: Path
) -> None:
    bounds = Bounds(per_address=3, stalled_seconds=0.2)
    with serving_bundle(everything.folder, tmp_path, bounds=bounds) as running, ExitStack() as slow:
        for _ in range(3):
            one = slow.enter_context(connected(running, buffer=4096))
            one.sendall(b"GET /files/kubectl HTTP/1.1\r\nHost: a\r\n\r\n")
            assert one.recv(100)

        def answered() -> bool:
            try:
                with running.client as client:
                    return client.get("/").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answered)


def test_the_end_waits_for_no_idle_client(small: Path, tmp_path: Path) -> None:
    with serving_bundle(small, tmp_path) as running:
        client = running.client
        assert client.get("/").status_code == 200
        began = time.monotonic()
    assert time.monotonic() - began < Bounds().idle_seconds / 2
    with pytest.raises(httpx.TransportError):
        client.get("/")
    client.close()
    assert [one.kind for one in running.events][-1] == "ended"


def test_one_file_is_served_like_a_folder(small_file: Path, tmp_path: Path) -> None:
    with serving_bundle(small_file, tmp_path) as running, running.client as client:
        assert client.get("/files/one").content == b"first " * 40
        assert client.get("/files").status_code == 404


def test_plain_http_only_where_it_is_asked_for(small: Path, tmp_path: Path) -> None:
    with serving_bundle(small, tmp_path, tls=False) as running:
        assert running.served.base.startswith("http://")
        assert running.served.ca == ""
        assert httpx.get(f"{running.served.files}/one", trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"address": "not an address"}, "no address"),
        ({"address": "0.0.0.0"}, "must know one address"),
        ({"address": "192.0.2.7"}, "cannot listen"),
    ],
)
async def test_an_address_that_cannot_be_used_is_said(
    small: Path, options: dict[str, Any], match: str
) -> None:
    from bundles.serve import serve_bundle

    with pytest.raises(InputProblem, match=match):
        async with serve_bundle(small, options["address"], 0):
            pass


async def test_a_name_stands_in_the_certificate_and_in_the_addresses(small: Path) -> None:
    from cryptography import x509

    from bundles.serve import serve_bundle

    async with serve_bundle(small, "0.0.0.0", 0, names=["localhost", "10.10.0.1"]) as served:
        assert served.base.startswith("https://localhost:")
        pem = x509.load_pem_x509_certificate(served.ca.encode())
        assert "Sitewright bundle authority" in pem.subject.rfc4514_string()
        context = ssl.create_default_context(cadata=served.ca)
        async with httpx.AsyncClient(verify=context, trust_env=False) as client:
            assert (await client.get(served.base)).status_code == 200


def test_a_fetch_of_git_that_is_none_harms_nobody(running: Running) -> None:
    with running.client as client:
        path = "/git/environments.git/git-upload-pack"
        assert client.post(path, content=b"x").status_code == 415
        kind = {"Content-Type": "application/x-git-upload-pack-request"}
        large = client.post(path, headers=kind, content=b"0" * (17 * 1024 * 1024))
        assert large.status_code == 413
        packed = {**kind, "Content-Encoding": "gzip"}
        with pytest.raises(httpx.TransportError):
            client.post(path, headers=kind, content=b"ffff garbage").raise_for_status()
        assert client.post(path, headers=packed, content=b"no gzip").status_code == 400
        assert client.get("/").status_code == 200
