"""Which proxy a server is asked by, whatever stands in the environment."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from bundles.registries.proxies import proxy_for
from bundles.registries.web import Web
from foundation.problems import InputProblem

PROXY = "http://proxy.example:3128"
REGISTRY = "https://registry.example/v2/"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("past", "url", "by"),
    [
        ("10.0.0.0/8", "https://10.1.2.3/v2/", None),
        ("10.0.0.0/8", "https://192.0.2.1/v2/", PROXY),
        ("fd00::/8", "https://[fd00::5]/v2/", None),
        ("fd00::/8,[::1]", REGISTRY, PROXY),
        ("10.0.0.5:5000", "https://10.0.0.5:5000/v2/", None),
        ("10.0.0.5:5000", "https://10.0.0.5/v2/", PROXY),
        ("*", REGISTRY, None),
        (".example", REGISTRY, None),
        ("*.example", REGISTRY, None),
        ("", "https://localhost:5000/v2/", None),
        ("", "https://127.0.0.1:5000/v2/", None),
        ("", REGISTRY, PROXY),
    ],
)
def test_what_no_proxy_names_is_reached_itself(
    past: str, url: str, by: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library asked through the proxy for networks, and failed on IPv6 in the list."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", past)
    assert proxy_for(httpx.URL(url)) == by


def test_a_proxy_without_a_scheme_and_one_for_everything_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "proxy.example:3128")
    assert proxy_for(httpx.URL(REGISTRY)) == PROXY


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "socks5h://me:word@127.0.0.1:1", "spoken to by socks5h"),
        ("HTTPS_PROXY", "socks4://127.0.0.1:1", "spoken to by socks4"),
        ("https_proxy", "ftp://127.0.0.1:1", "spoken to by ftp"),
        ("HTTPS_PROXY", "http://proxy.example:port", "no address"),
        ("HTTPS_PROXY", "http://", "no address"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_with_its_variable(
    variable: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each was an error of Sitewright's own, out of the library."""
    monkeypatch.setenv(variable, value)

    async def ask() -> None:
        async with Web() as web, web.answer("GET", REGISTRY):
            pass

    with pytest.raises(InputProblem, match=said) as caught:
        asyncio.run(ask())
    told = str(caught.value)
    assert caught.value.where == variable
    assert "NO_PROXY" in (caught.value.remedy or "")
    assert "word" not in told


def test_one_that_is_reached_itself_is_asked_whatever_the_proxy_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    assert proxy_for(httpx.URL("http://127.0.0.1:5000/v2/")) is None
