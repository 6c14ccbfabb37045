"""Alerts: what is newer is told to a chat or a program by its webhook, once for each change.

The address of a webhook is a secret: whoever has it may write there.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from foundation.clusters.https import proxy_of
from foundation.paths import data_folder
from foundation.problems import ConnectionProblem, InputProblem
from foundation.secrets import Secret
from foundation.terminal import clean_line
from installer.catalogue.releases import End
from installer.record.witnessed import read_note, write_note
from installer.updates.messages import message
from installer.updates.review import Review

_SECONDS: Final = 30.0
_LARGEST: Final = 64 << 10
_LONGEST: Final = 30_000
"""Characters of a message: Slack takes 40,000."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Form(StrEnum):
    """What a webhook takes."""

    SLACK = "slack"
    """`{"text": …}`, as Slack, Mattermost and Rocket.Chat take it."""
    PLAIN = "plain"
    """The message as it is, in UTF-8."""


class NotTold(ConnectionProblem):
    """A webhook that did not take an alert; it is sent again the next time."""

    code = "webhook"
    title = "The alert was not taken"
    default_remedy = "See that the address in its file is right and can be reached from here."


def fingerprint(review: Review) -> str:
    """What tells one standing from another: what is newer, held back, not told, past its end."""
    newer = [(one.running.image, one.target, one.update.digest if one.update else "")
             for one in review.newer]  # fmt: skip
    held = [(one.running.image, one.held_back[0].tag) for one in review.held_back]
    untold = [*(one.running.image for one in review.unjudged), *review.untold]
    past = [one.running.image for one, it in review.supports if it.end is End.PAST]
    # Where nothing is past its end, a standing has the fingerprint that it always had.
    parts = (newer, held, untold, past) if past else (newer, held, untold)
    value = [sorted(map(str, part)) for part in parts]
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()


def memory_file(webhook: Secret, of: str = "updates") -> Path:
    """Where it is kept what a webhook was told last; its address stands in it nowhere."""
    told = webhook.reveal() if of == "updates" else f"{webhook.reveal()} {of}"
    name = hashlib.sha256(told.encode()).hexdigest()[:16]
    return data_folder() / "updates" / f"told-{name}.json"


async def alert(review: Review, webhook: Secret, form: Form) -> bool:
    """Tell a webhook how things stand; False where it was told so already.

    Raises InputProblem for an address that cannot be one, NotTold where it does not take it.
    """
    return await tell(message(review), fingerprint(review), webhook, form)


async def tell(text: str, now: str, webhook: Secret, form: Form, *, of: str = "updates") -> bool:
    """Tell a webhook a text, unless it was told of the same standing, `now`, before.

    `of` is the command that says all. Raises as `alert`.
    """
    url = _checked(webhook.reveal().strip())
    file = memory_file(webhook, of)
    if await asyncio.to_thread(_last, file) == now:
        return False
    await _send(url, _bounded(text, of), form)
    await asyncio.to_thread(write_note, file, json.dumps({"told": now}) + "\n")
    return True


def _bounded(text: str, of: str = "updates") -> str:
    """A message of at most `_LONGEST` signs, which says that it was cut."""
    if len(text) <= _LONGEST:
        return text
    lines = text[: _LONGEST - 200].split("\n")[:-1]
    # No command is cut in two, and the last fence is shut.
    lines += ["```"] if lines.count("```") % 2 else []
    return "\n".join([*lines, f"… There is more than a chat takes: `sitewright {of}` says all."])


def _last(file: Path) -> str:
    try:
        found = read_note(file, _LARGEST)
        return "" if found.wrong or found.text is None else str(json.loads(found.text)["told"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""  # to be told twice is better than never


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.hostname is not None and parts.port != 0
    except ValueError:
        parts, usable = urlsplit(""), False
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not usable or not (parts.scheme == "https" or plain):
        raise InputProblem(
            "the address in it is no https address",
            where="the file of the webhook",
            remedy="Put the webhook's address there, one line, and nothing else.",
        )
    return url


async def _send(url: str, text: str, form: Form) -> None:
    host, proxy = urlsplit(url).hostname or "", proxy_of(url)
    body, kind = text.encode(), "text/plain; charset=utf-8"
    if form is Form.SLACK:
        # Its signs for links and for calling everybody (Slack, Formatting text for app surfaces).
        plain = html.escape(text, quote=False)
        body, kind = json.dumps({"text": plain}).encode(), "application/json"
    try:
        async with (
            asyncio.timeout(_SECONDS),
            httpx.AsyncClient(trust_env=False, proxy=proxy, timeout=_SECONDS) as client,
            client.stream("POST", url, content=body, headers={"Content-Type": kind}) as answer,
        ):
            status = answer.status_code
    # What httpx says of a fault may hold the address, which is a secret.
    except (TimeoutError, httpx.TimeoutException):
        raise NotTold(f"nothing came within {_SECONDS:g} s", where=clean_line(host)) from None
    except ImportError:
        # The client brings no SOCKS of its own.
        why = "the proxy that the environment names for it speaks SOCKS, which is not spoken here"
        raise NotTold(why, where=clean_line(host)) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        why = f"it was not reached ({type(error).__name__})"
        raise NotTold(why, where=clean_line(host)) from None
    if not 200 <= status < 300:
        raise NotTold(f"it answers {status}", where=clean_line(host))
