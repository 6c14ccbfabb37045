"""From a request to its answer: a pure look into what a bundle offers, with ranges and digests."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import parse_qsl, unquote_to_bytes

from bundles.serve.git import ADVERTISEMENT, SERVICE, GitRepository, GitServer, dumb_file
from bundles.serve.images import ImageRegistry, Listing, Missing
from bundles.serve.resources import HTML, JSON, TEXT, Local, Resource, Stored, Table, Written

_TARGET: Final = re.compile(r"/[!-~]*")
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_REGISTRY: Final = ("Docker-Distribution-API-Version", "registry/2.0")
_READS: Final = frozenset({"GET", "HEAD"})

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks: the method, the decoded path without its first slash, and the rest."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Header fields by their lower-case names."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a blob or file: from a byte on, so many bytes."""

    source: Stored | Local
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Fetch:
    """A Git fetch, whose answer is what git says; the request's body is its input."""

    repository: GitRepository
    advertise: bool
    git: GitServer


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is sent along is read first, at most so many bytes, and the answer hangs on it."""

    limit: int
    then: Callable[[bytes], Answer]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: status, header fields, and where its body comes from."""

    status: int
    headers: Headers
    body: bytes | Span | Fetch | Wanted
    item: str | None = None


class Answering(Protocol):
    """Whoever decides what a listener's clients are answered; called in a connection's thread."""

    def answer(self, request: Request) -> Answer:
        """The answer to a request."""

    def refused(self, status: int, reason: str) -> Answer:
        """How it says that a request cannot be answered, in its own form."""

    def close(self) -> None:
        """End what answers are still being made of."""


class BadRequest(Exception):
    """A request that no client of ours sends; the text says why."""


def parse_target(target: str) -> tuple[str, dict[str, str]]:
    """Path and query of a request's target; raises BadRequest for anything out of the ordinary."""
    if not _TARGET.fullmatch(target) or len(target) > 4096:
        raise BadRequest("the address is none of this server")
    raw, _, query = target.partition("?")
    try:
        path = unquote_to_bytes(raw).decode()
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=20)
        if len({name for name, _ in pairs}) != len(pairs):
            raise BadRequest("the address says one word twice")
    except (UnicodeError, ValueError) as error:
        raise BadRequest("the address cannot be read") from error
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or any(part in (".", "..") for part in parts):
        raise BadRequest("the address would leave what is served")
    return path.removeprefix("/"), dict(pairs)


class Offer:
    """Everything that one bundle offers."""

    def __init__(self, table: Table, registry: ImageRegistry, git: GitServer) -> None:
        self.table = table
        self.registry = registry
        self.git = git

    def answer(self, request: Request) -> Answer:
        """The answer to a request; a POST is answered only where Git asks what it lacks."""
        found = self.git.find(request.path)
        if request.method == "POST" and found and found[1] == SERVICE:
            return self._fetch(found[0], advertise=False)
        if request.method not in _READS:
            return plain(405, "this server only gives, it takes nothing", ("Allow", "GET, HEAD"))
        if request.path == "v2" or request.path.startswith("v2/"):
            return self._registry(request)
        if found:
            if found[1] == "info/refs" and request.query.get("service") == SERVICE:
                return self._fetch(found[0], advertise=True)
            if "service" in request.query:
                return plain(403, "this repository can only be read")
            local = dumb_file(*found)
            return _resource(local, request) if local else plain(404, "the repository has it not")
        resource = self.table.get(request.path)
        if resource is None and f"{request.path}/" in self.table:
            name = request.path.rpartition("/")[2]
            return plain(301, "it is a folder", ("Location", f"{name}/"))
        if resource is None:
            return plain(404, "the bundle has nothing under this address")
        return _resource(resource, request)

    def refused(self, status: int, reason: str) -> Answer:
        """A sentence."""
        return plain(status, reason)

    def close(self) -> None:
        """End Git's answers under way."""
        self.git.close()

    def _fetch(self, repository: GitRepository, *, advertise: bool) -> Answer:
        kind = ADVERTISEMENT if advertise else f"application/x-{SERVICE}-result"
        headers = (("Content-Type", kind), ("Cache-Control", "no-cache"))
        return Answer(200, headers, Fetch(repository, advertise, self.git), repository.item)

    def _registry(self, request: Request) -> Answer:
        found = self.registry.answer(request.path, request.query)
        if isinstance(found, Missing):
            return Answer(404, (("Content-Type", JSON), _REGISTRY), found.body())
        if isinstance(found, Listing):
            link = (("Link", f'<{found.following}>; rel="next"'),) if found.following else ()
            return Answer(200, (("Content-Type", JSON), _REGISTRY, *link), found.body)
        more = (_REGISTRY, ("Docker-Content-Digest", found.digest))
        return _resource(found, request, *more)


def plain(status: int, text: str, *headers: tuple[str, str]) -> Answer:
    """An answer in a sentence."""
    return Answer(status, (("Content-Type", TEXT), *headers), f"{text}\n".encode())


def _resource(resource: Resource, request: Request, *more: tuple[str, str]) -> Answer:
    headers: Headers = (("Content-Type", resource.media_type), *more)
    if isinstance(resource, Written):
        safe = (("Content-Security-Policy", "default-src 'none'"),)
        return Answer(200, headers + (safe if resource.media_type == HTML else ()), resource.body)
    size, item = resource.size, resource.item
    if isinstance(resource, Stored):
        tag = f'"{resource.digest}"'
        headers += (("ETag", tag),)
        if request.headers.get("if-none-match", "") == tag:
            return Answer(304, headers, b"", item)
    headers += (("Accept-Ranges", "bytes"),)
    wanted = _range(request.headers, size, headers)
    if wanted is None:
        return Answer(200, headers, Span(resource, 0, size), item)
    start, length = wanted
    if not length:
        return Answer(416, (*headers, ("Content-Range", f"bytes */{size}")), b"", item)
    place = ("Content-Range", f"bytes {start}-{start + length - 1}/{size}")
    return Answer(206, (*headers, place), Span(resource, start, length), item)


def _range(headers: Mapping[str, str], size: int, given: Headers) -> tuple[int, int] | None:
    """First byte and length of the one range asked for; None for all of it; no length: none."""
    found = _RANGE.fullmatch(headers.get("range", "").strip())
    if found is None or found.group() == "bytes=-":
        return None
    condition = headers.get("if-range")
    if condition is not None and ("ETag", condition) not in given:
        return None
    first, last = found[1], found[2]
    if not first:
        length = min(int(last), size)
        return size - length, length
    start = int(first)
    end = min(int(last), size - 1) if last else size - 1
    if last and int(last) < start:
        return None
    return start, max(0, end - start + 1)
