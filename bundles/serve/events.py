"""What happens at the server, told to whoever starts it: one event for each request, and more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

Kind = Literal["serving", "request", "refused", "changed", "failed", "ended"]
"""`refused`: a client that was turned away; `changed`: a blob is not what was verified any more."""


@dataclass(frozen=True, slots=True)
class ServeEvent:
    """One event; `sent` is in bytes of the body, `seconds` is how long the answer took."""

    kind: Kind
    text: str
    moment: str
    client: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    sent: int | None = None
    seconds: float | None = None
    item: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The event as plain values for a line of JSON; what does not apply is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


Tell = Callable[[ServeEvent], None]


def event(kind: Kind, text: str, **fields: Any) -> ServeEvent:
    """An event of this moment."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return ServeEvent(kind, text, moment, **fields)
