"""The ledger's administration (central-ledger, src/api/participants): asked and told over HTTP."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from foundation.problems import ExitCode, Problem
from foundation.secrets import Secret
from installer.acceptance.driver.bodies import body_of
from installer.acceptance.driver.sender import tls_context

_SECONDS: Final = 30.0
_LARGEST: Final = 8 * 1024 * 1024
"""Bytes of an answer at most; a thousand participants with their accounts are less."""


class HubProblem(Problem):
    """The hub's administration refuses, or does not answer."""

    code = "hub"
    title = "The hub does not do what is asked of it"


class HubSilent(HubProblem):
    """The hub's administration does not answer at all."""

    code = "hub-silent"
    title = "The hub cannot be reached"
    exit_code = ExitCode.UNREACHABLE


class Admin:
    """One hub's administration."""

    def __init__(
        self, address: str, *, authority: str = "", certificate: str = "", key: str = "",
        token: Secret | None = None,
    ) -> None:  # fmt: skip
        self.address = address
        headers = {"Authorization": f"Bearer {token.reveal()}"} if token else {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=8,
                keepalive_timeout=4,
                ssl=tls_context(authority, certificate, key) or True,
            ),
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self._session.close()

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and answer (None where it is no JSON); raises HubSilent where none comes."""
        where = f"{method} {self.address}{path}"
        try:
            async with self._session.request(
                method, self.address + path, json=body, allow_redirects=False
            ) as answer:
                raw = await body_of(answer.content, _LARGEST)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise HubSilent(
                f"it does not answer: {_why(error)}",
                where=where,
                remedy="See that the address is right and can be reached from here:"
                f" curl -sS {self.address}/health",
            ) from error
        try:
            return status, json.loads(raw) if raw else None
        except (ValueError, RecursionError):
            return status, None

    async def must(self, method: str, path: str, body: object = None) -> Any:
        """The answer; raises HubProblem with the hub's own words where it is an error."""
        status, said = await self.ask(method, path, body)
        if status >= 300:
            raise HubProblem(
                f"it answered {status}: {words_of(said)}", where=f"{method} {self.address}{path}"
            )
        return said

    async def participants(self) -> list[tuple[str, bool]]:
        """The names of all participants, and whether each is active."""
        said = await self.must("GET", "/participants")
        try:
            return [(str(one["name"]), bool(one["isActive"])) for one in said]
        except (TypeError, KeyError) as error:
            raise self._odd("/participants") from error

    async def accounts(self, name: str, currency: str) -> dict[str, tuple[int, Decimal]]:
        """A participant's active accounts in a currency by type: their number and value."""
        path = f"/participants/{name}/accounts"
        said = await self.must("GET", path)
        try:
            return {
                str(one["ledgerAccountType"]): (int(one["id"]), Decimal(str(one["value"])))
                for one in said
                if one["currency"] == currency and one.get("isActive", 1)
            }
        except (TypeError, KeyError, ValueError, InvalidOperation) as error:
            raise self._odd(path) from error

    async def position(self, name: str, currency: str) -> Decimal:
        """A participant's position: what it owes, or is owed where it is negative."""
        accounts = await self.accounts(name, currency)
        if "POSITION" not in accounts:
            raise self._odd(f"/participants/{name}/accounts")
        return accounts["POSITION"][1]

    def _odd(self, path: str) -> HubProblem:
        return HubProblem(
            "its answer is none that central-ledger gives", where=f"{self.address}{path}"
        )


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or str(error.os_error)
    return str(error) or type(error).__name__


def words_of(said: Any) -> str:
    """What an error of the hub says: its code and its words."""
    if isinstance(said, dict) and isinstance(said.get("errorInformation"), dict):
        told = said["errorInformation"]
        return f"{told.get('errorCode', '')} {told.get('errorDescription', '')}".strip()[:300]
    return json.dumps(said)[:300] if said is not None else "without a word"
