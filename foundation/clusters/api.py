"""The protocol that every way to a cluster keeps, and what is read of an answer that refuses."""

from __future__ import annotations

import json
from typing import Any, Final, Protocol

from foundation.clusters.problems import ApiRefused
from foundation.secrets import cut
from foundation.terminal import clean_line

_WORDS: Final = {
    401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 410: "Expired",
    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
_LONGEST: Final = 600
ANSWER_OF_CHANGE: Final = 1 << 20
"""Bytes of an answer to a change: the object as it is now."""


class Api(Protocol):
    """A way to the API server of one cluster, which only reads."""

    @property
    def where(self) -> str:
        """The server, for a person."""

    @property
    def way(self) -> str:
        """By what it is reached, for a person: "the kubeconfig FILE", "kubectl on m1"."""

    @property
    def serving_ends(self) -> str:
        """The last moment of the server's certificate as seen, in ISO 8601; "" if not seen."""

    @property
    def client_ends(self) -> str:
        """The last moment of the client's own certificate; "" where it shows none."""

    async def get(self, path: str, *, limit: int) -> bytes | bytearray:
        """The body of an answer of at most `limit` bytes.

        Raises ApiRefused where the server answers something else, ClusterProblem where it does
        not answer at all, or takes nothing from whoever asks.
        """


class ChangingApi(Api, Protocol):
    """A way that can change something too: for pods that try what no read tells, and their end."""

    async def send(self, method: str, path: str, body: bytes | None = None) -> bytes | bytearray:
        """The answer to POST, PUT or DELETE of one object as JSON, of at most `ANSWER_OF_CHANGE`.

        Raises as `get` does.
        """


def refused(status: int, body: bytes | bytearray) -> ApiRefused:
    """What an answer of an error says: a Status object of Kubernetes, or something before it."""
    word = _WORDS.get(status, f"status {status}")
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict) and said.get("kind") == "Status":
        message = said.get("message")
        reason = said.get("reason")
        return ApiRefused(
            cut(str(reason), 60) if reason else word,
            cut(str(message), _LONGEST) if message else f"it answered {status}",
        )
    beginning = clean_line(body[:200].decode("utf-8", "replace")).strip()
    more = f": {beginning}" if beginning else ""
    return ApiRefused(word, f"it answered {status}{more}")
