"""What happens at a server that a command runs: lines for people, or lines of JSON."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bundles.serve.events import ServeEvent


class EventLines:
    """Events as lines: for people on standard error, as JSON on standard output."""

    def __init__(self, *, json_lines: bool, quiet: bool) -> None:
        self.json_lines = json_lines
        self._quiet = quiet

    def __call__(self, event: ServeEvent) -> None:
        """Tell an event; a request only where it is not to be quiet."""
        if self.json_lines:
            self.line(event.as_dict())
        elif event.kind == "request" and not self._quiet:
            item = f"  {event.item}" if event.item else ""
            head = f"{event.moment[11:19]}  {event.client}  {event.status}  {event.text}"
            print(f"{head}  {event.sent} B{item}", file=sys.stderr, flush=True)
        elif event.kind in ("refused", "changed", "failed"):
            client = f"{event.client}: " if event.client else ""
            print(f"{event.moment[11:19]}  {event.kind}: {client}{event.text}", file=sys.stderr)

    def note(self, text: str) -> None:
        """Something that a person should know."""
        if not self.json_lines:
            print(text, file=sys.stderr, flush=True)

    @staticmethod
    def line(value: dict[str, Any]) -> None:
        """A value as a line of JSON."""
        print(json.dumps(value, ensure_ascii=True), flush=True)
