"""Which tags a registry has, what each leads to, and when that was made: small questions only.

A list is fetched only where its ETag has changed, a digest is asked for with HEAD (which counts on
no rate limit of Docker Hub's), and only the moment an image was made needs its documents.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx

from bundles.format import budgets, media
from bundles.format.layout import parse_image_index, parse_manifest
from bundles.format.problems import SourceProblem, WrongContent
from bundles.format.reference import Reference, is_digest, is_tag
from bundles.format.strict_json import digest_of, parse_json
from bundles.registries.registry import ACCEPT, Endpoint, Registries, refusal
from bundles.registries.web_answers import origin, parsed_url, shown

_PAGE: Final = 1000
"""Tags asked for at once; a registry may give fewer."""
_NEXT: Final = re.compile(r'<([^<>]{1,2000})>\s*;[^,]*\brel="?next"?', re.IGNORECASE)
_ETAG: Final = re.compile(r"[!-~]{1,200}")
_UNKNOWN_PLATFORM: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Listed:
    """The tags of a repository as its registry lists them."""

    tags: tuple[str, ...]
    etag: str = ""
    """What the whole list is known by, where it came in one page and has one."""
    refused: int = 0
    """Names in the list that can be no tags; they are left out."""


async def list_tags(
    registries: Registries, endpoint: Endpoint, repository: str, *, etag: str = ""
) -> Listed | None:
    """Every tag, page by page; None where the list is what it was at `etag`.

    Raises NotGiven for a repository that is not there or not for us, Limited, SourceProblem.
    """
    where = shown(endpoint.url(repository, "tags", "list"))
    try:
        async with asyncio.timeout(budgets.TAG_LIST_SECONDS):
            return await _pages(registries, endpoint, repository, etag)
    except TimeoutError as error:
        raise SourceProblem(
            f"its list of tags is not whole after {budgets.TAG_LIST_SECONDS:.0f} seconds",
            where=where,
        ) from error


async def _pages(
    registries: Registries, endpoint: Endpoint, repository: str, etag: str
) -> Listed | None:
    first = f"{endpoint.url(repository, 'tags', 'list')}?n={_PAGE}"
    url, asked = first, {first}
    tags: dict[str, None] = {}
    refused = pages = 0
    while True:
        headers = {"Accept": "application/json"}
        if etag and not pages:
            headers["If-None-Match"] = etag
        response, raw = await registries.web.small(
            url,
            limit=budgets.TAG_PAGE_BYTES,
            headers=headers,
            authorize=registries.authorize(endpoint, repository, "pull"),
        )
        pages += 1
        if response.status_code == 304 and etag and pages == 1:
            return None
        if response.status_code != 200:
            raise _refused(registries, endpoint, repository, response, raw)
        before = len(tags)
        refused += _take(raw, tags, shown(url))
        if len(tags) > budgets.TAGS:
            raise SourceProblem(
                f"its list of tags has more than {budgets.TAGS}, {pages} pages so far",
                where=shown(first),
            )
        following = _following(response, url)
        if following is None:
            whole = pages == 1
            found = response.headers.get("etag", "") if whole else ""
            return Listed(tuple(tags), found if _ETAG.fullmatch(found) else "", refused)
        _go_on(following, asked, pages, len(tags), before, shown(first))
        url = following


def _take(raw: bytes, tags: dict[str, None], where: str) -> int:
    """A page's tags into the list; how many of its names can be none."""
    value = parse_json(raw, where=where, limit=budgets.TAG_PAGE_BYTES, problem=SourceProblem)
    names = value.get("tags", ()) if isinstance(value, dict) else None
    # A repository whose last tag was deleted is listed with null.
    if names is None and isinstance(value, dict):
        return 0
    if not isinstance(names, list | tuple):
        raise SourceProblem("what came is no list of tags", where=where)
    good = [name for name in names if isinstance(name, str) and is_tag(name)]
    tags.update(dict.fromkeys(good))
    return len(names) - len(good)


def _following(response: httpx.Response, url: str) -> str | None:
    """The address of the next page, which must be the same registry's; raises SourceProblem."""
    for line in response.headers.get_list("link"):
        found = _NEXT.search(line[:4096])
        if found is None:
            continue
        here = parsed_url(url)
        try:
            there = parsed_url(str(here.join(found[1])))
        except (httpx.InvalidURL, ValueError) as error:
            raise SourceProblem("its next page has no address", where=shown(url)) from error
        if origin(there) != origin(here) or not there.path.startswith("/v2/"):
            raise SourceProblem(
                f"its next page is said to be elsewhere ({shown(str(there))})", where=shown(url)
            )
        return str(there)
    return None


def _go_on(
    following: str, asked: set[str], pages: int, count: int, before: int, where: str
) -> None:
    """Raise SourceProblem where the pages lead in a circle, or to no end."""
    if following in asked or count == before:
        raise SourceProblem("its list of tags leads back to where it was", where=where)
    if pages >= budgets.TAG_PAGES:
        raise SourceProblem(
            f"its list of tags has no end: {count} tags on {pages} pages so far", where=where
        )
    asked.add(following)


async def digest_at(
    registries: Registries, endpoint: Endpoint, repository: str, selector: str
) -> str | None:
    """The digest that a tag leads to, by the registry's own word; None where it is not there.

    Asked for by a digest, it says whether that is there. Raises NotGiven (not for us), Limited,
    SourceProblem.
    """
    url = endpoint.url(repository, "manifests", selector)
    authorize = registries.authorize(endpoint, repository, "pull")
    headers = {"Accept": ACCEPT}
    async with registries.web.answer("HEAD", url, headers=headers, authorize=authorize) as response:
        status = response.status_code
        stated: str = response.headers.get("docker-content-digest", "")
    if status == 404:
        return None
    if status == 200 and is_digest(stated):
        return stated
    if status not in (200, 405, 501):
        raise _refused(registries, endpoint, repository, response, b"")
    # It knows no HEAD, or says no digest with it.
    response, raw = await registries.web.small(
        url, limit=budgets.MANIFEST_BYTES, headers=headers, authorize=authorize
    )
    if response.status_code == 404:
        return None
    if response.status_code != 200:
        raise _refused(registries, endpoint, repository, response, raw)
    return digest_of(raw)


async def digests_below(
    registries: Registries, endpoint: Endpoint, reference: Reference
) -> frozenset[str]:
    """The digests of an image: its own, and where it is an index those of its platforms."""
    found = await registries.manifest_at(endpoint, reference)
    below = (
        {one.digest for one in parse_image_index(found.raw, where=str(reference)).manifests}
        if found.media_type in media.INDEXES
        else set()
    )
    return frozenset({found.digest, *below})


async def made_at(
    registries: Registries, endpoint: Endpoint, reference: Reference
) -> datetime | None:
    """When an image was made, by its own word; None where it does not say so in a usable way.

    Builders that make the same bytes twice write 1970 or the like. Raises SourceProblem.
    """
    found = await registries.manifest_at(endpoint, reference)
    if found.media_type in media.INDEXES:
        children = parse_image_index(found.raw, where=str(reference)).manifests
        real = [
            one for one in children if one.platform is None or one.platform.os != _UNKNOWN_PLATFORM
        ]
        if not real:
            return None
        found = await registries.manifest_at(endpoint, reference.at(real[0].digest))
        if found.media_type in media.INDEXES:
            return None
    config = parse_manifest(found.raw, where=str(reference)).config
    url = endpoint.url(reference.repository, "blobs", config.digest)
    response, raw = await registries.web.small(
        url,
        limit=budgets.IMAGE_CONFIG_BYTES,
        authorize=registries.authorize(endpoint, reference.repository, "pull"),
    )
    if response.status_code != 200:
        raise _refused(registries, endpoint, reference.repository, response, raw)
    if digest_of(raw) != config.digest:
        raise WrongContent("the configuration is not what its digest says", where=shown(url))
    limit = budgets.IMAGE_CONFIG_BYTES
    value = parse_json(raw, where=shown(url), limit=limit, problem=SourceProblem)
    return moment_of_image(value.get("created") if isinstance(value, dict) else None)


def moment_of_image(text: object) -> datetime | None:
    """The moment that an image states; None where it is none, or none that can be true."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    # Docker writes nanoseconds, of which Python reads six digits.
    words = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)
    try:
        moment = datetime.fromisoformat(words)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    # Docker's first release is of 2013; what is older is a builder's zero.
    return moment if moment.year >= 2013 and moment <= datetime.now(UTC) else None


def _refused(
    registries: Registries,
    endpoint: Endpoint,
    repository: str,
    response: httpx.Response,
    raw: bytes,
) -> SourceProblem:
    said = raw[:300].decode("utf-8", "replace")
    return refusal(response, said, registries.tried(endpoint, repository), endpoint.registry)
