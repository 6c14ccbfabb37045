"""A webhook that is told of an environment's drift: its options, and what it is told."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foundation.secrets import Secret
    from installer.environments.centre import Environment
    from installer.opentofu.saved import Kept


def add_webhook_options(parser: argparse.ArgumentParser) -> None:
    """Whom a drift is told."""
    parser.add_argument(
        "--webhook-file",
        type=Path,
        metavar="FILE",
        help="tell the webhook whose address is in this file, mode 0600, once for each change",
    )
    parser.add_argument(
        "--webhook",
        choices=("slack", "plain"),
        default="slack",
        help="what it takes (default: slack)",
    )


def alert(environment: Environment, kept: Kept, webhook: Secret, form: str) -> None:
    """Tell a webhook what differs, once for each standing."""
    import asyncio
    import hashlib

    from installer.environments.text import drift_text
    from installer.updates.alerts import Form, tell
    from preflight.report.layout import Page

    told = drift_text(
        environment.name, kept, Page(100, color=False, ascii_only=False), words=environment.words
    )
    standing = repr((kept.changes, kept.drift, kept.outputs))
    now = hashlib.sha256(standing.encode()).hexdigest()
    of = f"environments drift {environment.words}"
    sent = asyncio.run(tell(told, now, webhook, Form(form), of=of))
    print("the webhook was told" if sent else "the webhook knows that already", file=sys.stderr)
