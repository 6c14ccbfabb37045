"""Who is named where a program of a source failed."""

from __future__ import annotations

import pytest

from bundles.sources.culprits import culprit


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "https", "all"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind.upper()}_PROXY", raising=False)


GIT = "fatal: unable to access 'https://git.example/a/': "
PIP = (
    "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) after "
    "connection broken by 'NewConnectionError('<HTTPConnection object at 0x7f>: Failed to "
    "establish a new connection: {}')': /simple/pyyaml/"
)
REFUSED = GIT + "Failed to connect to 127.0.0.1 port 1 after 0 ms: Couldn't connect to server"


@pytest.mark.parametrize(
    ("program", "said", "meant"),
    [
        ("git", GIT + "Could not resolve host: git.example", "does not resolve"),
        ("git", GIT + "server certificate verification failed. CAfile: none", "authority"),
        ("git", "fatal: repository 'https://git.example/a/' not found", "no such repository"),
        ("pip", PIP.format("[Errno 111] Connection refused"), "index of Python packages"),
        ("pip", PIP.format("[Errno -2] Name or service not known"), "does not resolve"),
    ],
)
def test_known_words_are_told_with_what_they_mean(program: str, said: str, meant: str) -> None:
    cause, remedy = culprit(program, said)
    assert meant in cause.partition(f"{program} failed: ")[0]
    assert said[:100] in cause
    assert remedy


@pytest.mark.parametrize("value", ["socks5h://127.0.0.1:1", "127.0.0.1:1"])
def test_a_proxy_that_does_not_answer_is_told_by_its_variable(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git names the proxy's address as though the server were there."""
    assert culprit("git", REFUSED) == (f"git failed: {REFUSED}", None)
    monkeypatch.setenv("ALL_PROXY", value)
    cause, remedy = culprit("git", REFUSED)
    assert cause.startswith("the proxy that ALL_PROXY names does not answer")
    assert remedy is not None
    assert "NO_PROXY" in remedy


def test_words_of_apt_are_not_taken_for_those_of_a_machine() -> None:
    said = "E: Release file for http://x/InRelease is expired (invalid since 2d 9h)."
    assert culprit("apt-get", said) == (f"apt-get failed: {said}", None)
