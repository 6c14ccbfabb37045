"""The image-watcher: from a client's request to its answer in JSON.

The addresses are those of document 004's page (`/image/…`) and of upstream's swagger (`/images/…`,
`/health`, `/metrics`); errors have the swagger's form. It is called in the threads of connections,
and what must be asked of registries is asked in one event loop.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as NotInTime
from datetime import UTC
from typing import Any, Final, TypeVar

from bundles.format.problems import Limited, NotGiven, NoToken, SourceProblem
from bundles.serve.answers import Answer, Headers, Request, Wanted
from bundles.serve.resources import JSON, TEXT
from foundation.moments import moment, steady
from foundation.problems import InputProblem, Problem
from foundation.secrets import redact
from foundation.version import __version__
from installer.updates.allowed import NotNamed
from installer.updates.asked import BATCH_BYTES, batch_of, question_of
from installer.updates.lookup import Question, Update, full_name, look_up
from installer.updates.origins import Missing, Origin

Result = TypeVar("Result")

log = logging.getLogger(__name__)

LONGEST: Final = 90.0
"""Seconds that one question is waited for; what comes later is there for the next one."""
BATCH_SECONDS: Final = 240.0
_REMEMBERED: Final = 20_000
"""Answers that are kept as they were sent."""
_REMEMBERED_SECONDS: Final = 60.0
_LONGEST_WORDS: Final = 128
"""Signs of an error's description, by the swagger."""
_AGAIN: Final = 30
"""Seconds after which to ask again, where nobody says when."""

_CODES: Final = {400: "3100", 403: "3000", 404: "3200", 405: "3000", 413: "3104", 500: "2001",
                 503: "2003"}  # fmt: skip
"""Mojaloop's error codes (FSPIOP), which the swagger's form asks for."""
_UNKNOWN_ADDRESS: Final = "3002"
_ADDRESSES: Final = (
    "/image/{org}/{name}/{tag}?strategy=patch|bugfix|minor|major",
    "/images/{org}/{name}/{tag}",
    "/digest/{org}/{name}/{tag}",
    "POST /images",
    "/health",
    "/metrics",
)


class Watcher:
    """Answers by one origin; its questions run in the loop that it was made in."""

    def __init__(
        self,
        origin: Origin,
        *,
        usual: Question,
        fresh: float,
        state: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self._origin = origin
        self._usual = usual
        self._fresh = fresh
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._answers: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[float, Answer]] = {}
        self._began, self._watch = time.time(), steady()
        self._statuses: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._asking: set[Future[Any]] = set()

    def answer(self, request: Request) -> Answer:
        """The answer to a request."""
        answer = self._answer(request)
        return answer if isinstance(answer.body, Wanted) else self._counted(answer)

    def _counted(self, answer: Answer) -> Answer:
        with self._lock:
            self._statuses[answer.status] += 1
        return answer

    def refused(self, status: int, reason: str) -> Answer:
        """A request that cannot be read, in the swagger's form."""
        return self._counted(_error(status, reason))

    def close(self) -> None:
        """Give up the questions under way, whose answers nobody is there for."""
        with self._lock:
            for future in self._asking:
                future.cancel()

    def _answer(self, request: Request) -> Answer:
        known = self._known(request)
        if known is not None:
            return known
        kind, _, rest = request.path.partition("/")
        if request.method == "POST" and request.path == "images":
            return Answer(200, (), Wanted(BATCH_BYTES, lambda raw: self._counted(self._batch(raw))))
        if request.method not in ("GET", "HEAD"):
            return _error(405, "this is only read", ("Allow", "GET, HEAD, POST"))
        if kind in ("image", "images", "digest") and rest:
            return self._image(kind, rest, request)
        written = {"health": self._health, "metrics": self._metrics, "": self._front}
        make = written.get(request.path)
        if make is None:
            return _error(404, "there is no such address", code=_UNKNOWN_ADDRESS)
        return make()

    def _known(self, request: Request) -> Answer | None:
        key = (request.path, tuple(request.query.items()))
        found = self._answers.get(key)
        if found is None or request.method not in ("GET", "HEAD"):
            return None
        return found[1] if time.monotonic() < found[0] else None

    def _remember(self, request: Request, answer: Answer, asked: float) -> None:
        lasts = min(_REMEMBERED_SECONDS, self._fresh - max(0.0, time.time() - asked))
        if lasts <= 0:
            return
        if len(self._answers) >= _REMEMBERED:
            self._answers = {}
        key = (request.path, tuple(request.query.items()))
        self._answers[key] = (time.monotonic() + lasts, answer)

    def _image(self, kind: str, rest: str, request: Request) -> Answer:
        try:
            question = question_of(rest, request.query, self._usual)
            if kind == "digest":
                return _json(200, self._within(self._digest(question), LONGEST))
            found = self._within(look_up(self._origin, question), LONGEST)
        except NotInTime:
            return _late()
        except Exception as error:
            return _answer_of(error, rest)
        answer = _json(200, answer_of(found))
        self._remember(request, answer, found.asked)
        return answer

    async def _digest(self, question: Question) -> dict[str, Any]:
        image = question.image
        tag = image.tag or "latest"
        digest = await self._origin.digest(image, tag)
        if digest is None:
            raise Missing(f"there is no tag {tag}", where=full_name(image, tag))
        found: dict[str, Any] = {"tag": tag, "fullImage": full_name(image, tag), "digest": digest}
        if image.digest is not None:
            same = digest == image.digest
            found["same"] = same or await self._origin.includes(image, tag, image.digest)
        return found

    def _batch(self, raw: bytes) -> Answer:
        try:
            questions = batch_of(raw, self._usual)
            found = self._within(self._all(questions), BATCH_SECONDS + LONGEST)
        except NotInTime:
            return _late()
        except Exception as error:
            return _answer_of(error, "the batch")
        return _json(200, {"images": found})

    async def _all(
        self, questions: list[tuple[str, Question | InputProblem]]
    ) -> list[dict[str, Any]]:
        until = self._loop.time() + BATCH_SECONDS

        async def one(text: str, question: Question | InputProblem) -> dict[str, Any]:
            try:
                if isinstance(question, InputProblem):
                    raise question
                async with asyncio.timeout_at(until):
                    found = await look_up(self._origin, question)
            except TimeoutError:
                return {"image": text, "status": 503, **_words(503, "it is still being asked")}
            except Exception as error:
                status, body = _judged(error, text)
                return {"image": text, "status": status, **body}
            return {"image": text, "status": 200, **answer_of(found)}

        return await asyncio.gather(*(one(text, question) for text, question in questions))

    def _within(self, asked: Coroutine[Any, Any, Result], seconds: float) -> Result:
        future = asyncio.run_coroutine_threadsafe(asked, self._loop)
        with self._lock:
            self._asking.add(future)
        try:
            return future.result(seconds)
        except CancelledError as error:
            raise NotInTime from error
        except NotInTime:
            future.cancel()
            raise
        finally:
            with self._lock:
                self._asking.discard(future)

    def _health(self) -> Answer:
        return _json(
            200,
            {
                "status": "OK",
                "uptime": round(steady() - self._watch, 1),
                "startTime": _moment(self._began),
                "versionNumber": __version__,
                "origin": self._origin.name,
                **self._state(),
            },
        )

    def _metrics(self) -> Answer:
        with self._lock:
            statuses = dict(self._statuses)
        lines = ["# TYPE sitewright_image_watcher_requests_total counter"]
        lines += [
            f'sitewright_image_watcher_requests_total{{status="{status}"}} {count}'
            for status, count in sorted(statuses.items())
        ]
        for name, value in self._state().items():
            if isinstance(value, int):
                lines += [
                    f"# TYPE sitewright_image_watcher_{name} gauge",
                    f"sitewright_image_watcher_{name} {value}",
                ]
        kind = ("Content-Type", f"{TEXT.partition(';')[0]}; version=0.0.4; charset=utf-8")
        return Answer(200, (kind,), ("\n".join(lines) + "\n").encode())

    def _front(self) -> Answer:
        return _json(200, {"origin": self._origin.name, "addresses": _ADDRESSES})


def answer_of(found: Update) -> dict[str, Any]:
    """An update as JSON: the page's two words first, then what else is known."""
    value: dict[str, Any] = {
        "tag": found.tag,
        "fullImage": found.full_image,
        "newer": found.newer,
        "rebuilt": found.rebuilt,
        "asked": _moment(found.asked),
    }
    if found.digest is not None:
        value["digest"] = found.digest
    if found.old:
        value["old"] = True
    if found.passed_over:
        value["passedOver"] = [{"tag": one.tag, "why": one.why} for one in found.passed_over]
    if found.notes:
        value["notes"] = list(found.notes)
    return value


def _moment(seconds: float) -> str | None:
    found = moment(seconds)
    return None if found is None else f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _answer_of(error: Exception, name: str) -> Answer:
    status, body = _judged(error, name)
    again: Headers = ()
    if status == 503:
        seconds = error.seconds if isinstance(error, Limited) else _AGAIN
        again = (("Retry-After", f"{max(1, round(min(seconds, 86400)))}"),)
    return _json(status, body, *again)


def _judged(error: Exception, name: str) -> tuple[int, dict[str, Any]]:
    """The status of a problem with an image, and its words."""
    if not isinstance(error, Problem):
        log.error("a question failed by an error of our own", exc_info=error)
        return 500, _words(500, "an error of the watcher's own, told in its log")
    status = 503
    if isinstance(error, NotGiven | NoToken) and not isinstance(error, Missing):
        # The rest says which login was tried, and where it lies: the watcher's own log has that.
        if isinstance(error, NotGiven):
            return 404, _words(404, "there is no such image, or a login is wanted for it", name)
        return 503, _words(503, "the registry's token server gives no token", name)
    if isinstance(error, InputProblem):
        status = 400
    elif isinstance(error, NotNamed):
        status = 403
    elif isinstance(error, NotGiven):
        status = 404
    elif not isinstance(error, SourceProblem):
        log.warning("%s", error)
    return status, _words(status, error.cause, error.where, error.remedy)


def _words(
    status: int, cause: str, where: str | None = None, remedy: str = "", *, code: str = ""
) -> dict[str, Any]:
    # A registry may say back what it was sent.
    description = redact(f"{where}: {cause}" if where else cause)
    value: dict[str, Any] = {
        "errorCode": code or _CODES.get(status, "2001" if status >= 500 else "3000"),
        "errorDescription": _cut(description),
    }
    pieces = [("cause", piece) for piece in _pieces(description)[:8]]
    pieces = pieces if len(pieces) > 1 else []
    pieces += [("remedy", piece) for piece in _pieces(remedy)[:8]]
    if pieces:
        value["extensionList"] = {
            "extension": [{"key": key, "value": piece} for key, piece in pieces]
        }
    return {"errorInformation": value}


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_WORDS else text[: _LONGEST_WORDS - 1] + "…"


def _pieces(text: str) -> list[str]:
    return [text[at : at + _LONGEST_WORDS] for at in range(0, len(text), _LONGEST_WORDS)]


def _error(status: int, reason: str, *headers: tuple[str, str], code: str = "") -> Answer:
    return _json(status, _words(status, reason, code=code), *headers)


def _late() -> Answer:
    again = ("Retry-After", f"{_AGAIN}")
    return _error(503, "the registry has not answered yet; ask again", again)


def _json(status: int, value: Mapping[str, Any], *headers: tuple[str, str]) -> Answer:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    return Answer(status, (("Content-Type", JSON), *headers), body)
