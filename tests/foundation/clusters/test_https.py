"""A cluster over HTTPS: whom it believes, what it sends, and what each refusal is called."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from foundation.clusters import https
from foundation.clusters.https import HttpsApi, require_allowed
from foundation.clusters.kubeconfig import Access, read_access
from foundation.clusters.problems import (
    ApiRefused,
    ClusterLoginRefused,
    ClusterNotTrusted,
    ClusterProblem,
    ClusterSilent,
)
from foundation.hosts.openssh.allowed import ProgramsNotAllowed
from foundation.problems import ExitCode, InputProblem
from tests.lab.kubernetes.certificates import Authority
from tests.lab.kubernetes.clients import kubeconfig
from tests.preflight.cluster.fake_api import NODES, FakeApi, fake_api

LIMIT = 1 << 20


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeApi]:
    with fake_api(tmp_path_factory.mktemp("api")) as api:
        yield api


async def _version(access: Access) -> bytes | bytearray:
    async with HttpsApi(access) as api:
        return await api.get("/version", limit=LIMIT)


async def test_it_asks_with_its_certificate_and_sees_the_servers(served: FakeApi) -> None:
    async with HttpsApi(read_access([served.way_in(inline=True, days=20)])) as api:
        assert b"v1.31.14" in await api.get("/version", limit=LIMIT)
        assert api.serving_ends > api.client_ends > "2026"


async def test_a_token_and_another_user_are_sent(served: FakeApi, tmp_path: Path) -> None:
    access = _by_token(served, tmp_path, token="a-token-of-length", **{"as": "ann"})
    assert b"v1.31" in await _version(access)
    sent = served.headers[-1]
    assert sent["Authorization"] == "Bearer a-token-of-length"
    assert sent["Impersonate-User"] == "ann"


def _by_token(served: FakeApi, folder: Path, **user: object) -> Access:
    path = folder / "config"
    path.write_text(
        json.dumps(
            {
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [
                    {
                        "name": "c",
                        "cluster": {
                            "server": served.server,
                            "certificate-authority": str(served.authority.pair.certificate),
                        },
                    }
                ],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return read_access([path])


async def test_another_clusters_authority_stops_before_the_token_is_sent(
    served: FakeApi, tmp_path: Path
) -> None:
    asked = len(served.asked)
    access = read_access([kubeconfig(tmp_path, served.server, Authority(tmp_path), "x", ())])
    with pytest.raises(ClusterNotTrusted) as caught:
        await _version(access)
    assert "certificate" in caught.value.cause
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert len(served.asked) == asked


async def test_a_certificate_that_has_ended_is_named(tmp_path: Path) -> None:
    with fake_api(tmp_path, days=-0.5) as api, pytest.raises(ClusterNotTrusted, match="expired"):
        await _version(read_access([api.way_in()]))


async def test_who_is_not_known_is_told_so(tmp_path: Path) -> None:
    with fake_api(tmp_path) as api:
        api.unauthorized = True
        with pytest.raises(ClusterLoginRefused, match="401"):
            await _version(read_access([api.way_in()]))


async def test_a_refusal_has_the_servers_own_sentence(served: FakeApi) -> None:
    served.forbidden.add(NODES)
    served.answers["/html"] = (502, b"<html>\x1b[2JBad gateway</html>")
    async with HttpsApi(read_access([served.way_in()])) as api:
        with pytest.raises(ApiRefused, match='User "nobody" cannot list') as caught:
            await api.get(NODES, limit=LIMIT)
        assert caught.value.reason == "Forbidden"
        with pytest.raises(ApiRefused) as other:
            await api.get("/html", limit=LIMIT)
        assert "\x1b" not in other.value.message
        served.forbidden.clear()
        with pytest.raises(ApiRefused, match="more than"):
            await api.get(NODES, limit=100)


async def test_a_redirect_takes_the_token_nowhere(served: FakeApi) -> None:
    served.answers["/moved"] = (302, b"")
    async with HttpsApi(read_access([served.way_in()])) as api:
        with pytest.raises(ApiRefused, match="302"):
            await api.get("/moved", limit=LIMIT)


async def test_nobody_there_and_nobody_who_speaks(
    served: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed = kubeconfig(tmp_path, "https://127.0.0.1:1", served.authority, "x", ())
    with pytest.raises(ClusterProblem, match="nobody speaks HTTPS there"):
        await _version(read_access([closed]))
    monkeypatch.setattr(https, "_SILENT_SECONDS", 0.05)
    served.silent.add("/healthz")
    async with HttpsApi(read_access([served.way_in()])) as api:
        with pytest.raises(ClusterSilent):
            await api.get("/healthz", limit=LIMIT)


def _plugin(folder: Path, text: str) -> Path:
    path = folder / "login"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


async def test_a_program_is_refused_until_it_is_allowed_then_gives_the_token(
    served: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    version = "client.authentication.k8s.io/v1"
    told = json.dumps(
        {"apiVersion": version, "kind": "ExecCredential", "status": {"token": "from-the-program"}}
    )
    path = _plugin(tmp_path, f"test -n \"$KUBERNETES_EXEC_INFO\" && echo '{told}'")
    access = _by_token(
        served, tmp_path, exec={"command": str(path), "apiVersion": version, "args": None}
    )
    with pytest.raises(ProgramsNotAllowed) as caught:
        require_allowed(access)
    assert str(path) in caught.value.cause
    assert "--allow-programs" in caught.value.remedy
    require_allowed(access, allowed=True)
    await _version(access)
    assert served.headers[-1]["Authorization"] == "Bearer from-the-program"


@pytest.mark.parametrize(
    ("text", "says"),
    [("echo no >&2; exit 3", "ended with 3: no"), ("echo '[1]'", "told no credentials")],
)
async def test_a_program_that_gives_nothing_is_a_login_refused(
    text: str, says: str, served: FakeApi, tmp_path: Path
) -> None:
    path = _plugin(tmp_path, text)
    version = "client.authentication.k8s.io/v1beta1"
    access = _by_token(served, tmp_path, exec={"command": str(path), "apiVersion": version})
    with pytest.raises(ClusterLoginRefused, match=says):
        await _version(access)


async def test_a_key_that_is_none_is_the_kubeconfigs_fault(served: FakeApi, tmp_path: Path) -> None:
    pair = served.authority.issue("other", "x")
    (tmp_path / "key").write_text("no key")
    access = _by_token(
        served,
        tmp_path,
        **{"client-certificate": str(pair.certificate), "client-key": str(tmp_path / "key")},
    )
    with pytest.raises(InputProblem, match="cannot be used"):
        await _version(access)


@pytest.mark.parametrize(
    ("past", "server", "direct"),
    [
        ("10.0.0.0/8", "https://10.1.2.3:6443", True),
        ("10.0.0.0/8", "https://11.1.2.3:6443", False),
        ("fd00::/8", "https://[fd00::1]:6443", True),
        ("k.example.org:6443", "https://k.example.org:6443", True),
        ("k.example.org:6443", "https://k.example.org:443", False),
        (".example.org", "https://k.example.org", True),
        ("*", "https://k.example.org", True),
    ],
)
def test_what_goes_past_the_proxy_is_read_as_kubectl_reads_it(
    past: str, server: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example.org:3128")
    monkeypatch.setenv("NO_PROXY", f"other.example.net, {past}")
    assert https.proxy_of(server) == (None if direct else "http://proxy.example.org:3128")


class _Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._body


async def test_an_answer_that_is_compressed_is_not_unpacked() -> None:
    bomb = gzip.compress(gzip.compress(bytes(64 << 20)))
    answer = httpx.Response(200, headers={"Content-Encoding": "gzip, gzip"}, stream=_Body(bomb))
    tracemalloc.start()
    try:
        with pytest.raises(ApiRefused, match="compressed"):
            await https._bounded(answer, LIMIT)
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()


async def test_a_proxy_that_nobody_here_can_speak_to_is_the_kubeconfigs_fault(
    served: FakeApi, tmp_path: Path
) -> None:
    access = _by_token(served, tmp_path, token="a-token-of-length")
    with pytest.raises(InputProblem, match="SOCKS"):
        await _version(replace(access, proxy="socks5://127.0.0.1:1"))


async def test_no_command_to_copy_holds_what_an_address_would_run(
    served: FakeApi, tmp_path: Path
) -> None:
    access = replace(
        _by_token(served, tmp_path, token="a-token-of-length"), server="https://x;reboot:1"
    )
    with pytest.raises(ClusterProblem) as caught:
        await _version(access)
    assert "'https://x;reboot:1/version'" in (caught.value.remedy or "")


async def test_a_change_is_sent_as_json_and_a_refusal_of_it_is_one(served: FakeApi) -> None:
    async with HttpsApi(read_access([served.way_in(days=20)])) as api:
        answer = json.loads(bytes(await api.send("POST", "/changed", b'{"kind": "Pod"}')))
        assert answer == {"method": "POST", "type": "application/json", "body": '{"kind": "Pod"}'}
        assert json.loads(bytes(await api.send("DELETE", "/changed")))["type"] == ""
        with pytest.raises(ApiRefused) as caught:
            await api.send("PUT", "/refused", b"{}")
    assert caught.value.reason == "NotFound"
