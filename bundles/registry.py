"""A client of OCI registries: manifests and blobs out of them, with logins and mirrors."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import httpx

from bundles import media
from bundles.credentials import Login
from bundles.layout import MANIFEST_LIMIT
from bundles.problems import SourceProblem, WrongContent
from bundles.reference import DOCKER_HUB, Reference
from bundles.store import Blob, Store
from bundles.strict_json import digest_of, parse_json
from bundles.web import Authorize, News, Web
from bundles.web_answers import expect, is_loopback, shown
from foundation.secrets import Secret

ACCEPT: Final = ", ".join(
    (media.OCI_INDEX, media.OCI_MANIFEST, media.DOCKER_INDEX, media.DOCKER_MANIFEST)
)
_TOKEN_LIMIT: Final = 1 << 20
_PARAMETER: Final = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')
_HUB_HOST: Final = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server that has the images of a registry: itself, or a mirror with a path prefix."""

    registry: str
    """The name that logins know it by."""
    base: str
    prefix: str = ""

    def url(self, repository: str, *rest: str) -> str:
        """An address below /v2/ for a repository."""
        return "/".join((self.base, "v2", *filter(None, (self.prefix, repository)), *rest))

    def repository(self, name: str) -> str:
        """A repository's name at this server."""
        return "/".join(filter(None, (self.prefix, name)))


@dataclass(frozen=True, slots=True)
class Found:
    """A manifest as a registry gave it, with the digest of its bytes."""

    media_type: str
    raw: bytes
    digest: str
    endpoint: Endpoint


class Registries:
    """All registries that a bundle is made from, by one client."""

    def __init__(
        self,
        web: Web,
        *,
        logins: Mapping[str, Login] | None = None,
        mirrors: Mapping[str, Sequence[str]] | None = None,
        plain_http: frozenset[str] = frozenset(),
    ) -> None:
        self.web = web
        self._logins = dict(logins or {})
        self._mirrors = dict(mirrors or {})
        self._plain = plain_http
        self._authorizations: dict[tuple[str, str], Secret] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    def endpoints(self, registry: str) -> tuple[Endpoint, ...]:
        """The servers to ask for a registry's images, mirrors first."""
        return tuple(self._endpoint(name) for name in (*self._mirrors.get(registry, ()), registry))

    async def manifest(self, reference: Reference, selector: str | None = None) -> Found:
        """The manifest of a tag or a digest; raises SourceProblem, WrongContent.

        The digest is that of the bytes, whatever the server's header says.
        """
        wanted = selector or reference.selector
        problems = []
        for endpoint in self.endpoints(reference.registry):
            try:
                return await self._manifest(endpoint, reference, wanted)
            except SourceProblem as problem:
                problems.append(problem)
        raise _none_of(problems, str(reference))

    async def blob(
        self,
        reference: Reference,
        digest: str,
        size: int,
        store: Store,
        *,
        news: News | None = None,
    ) -> Blob:
        """A blob into the store; raises SourceProblem, WrongContent."""
        problems = []
        for endpoint in self.endpoints(reference.registry):
            try:
                return await self.web.download(
                    endpoint.url(reference.repository, "blobs", digest),
                    store,
                    digest,
                    size,
                    authorize=self.authorize(endpoint, reference.repository, "pull"),
                    news=news,
                )
            except SourceProblem as problem:
                problems.append(problem)
        raise _none_of(problems, f"{reference}, {digest}")

    def authorize(self, endpoint: Endpoint, repository: str, actions: str) -> Authorize:
        """What gives requests for one repository their Authorization header."""
        scope = f"repository:{endpoint.repository(repository)}:{actions}"
        key = (endpoint.base, scope)

        async def authorization(refused: httpx.Response | None) -> str | None:
            if refused is None:
                known = self._authorizations.get(key)
                return known.reveal() if known else None
            tried = refused.request.headers.get("authorization")
            async with self._locks.setdefault(key, asyncio.Lock()):
                known = self._authorizations.get(key)
                # Many requests are refused at once; one of them asks for the token.
                if known is not None and known.reveal() != tried:
                    return known.reveal()
                made = await self._answer_challenge(endpoint, scope, refused)
                if made is None:
                    return None
                self._authorizations[key] = Secret(made)
                return made

        return authorization

    async def _manifest(self, endpoint: Endpoint, reference: Reference, wanted: str) -> Found:
        url = endpoint.url(reference.repository, "manifests", wanted)
        authorize = self.authorize(endpoint, reference.repository, "pull")
        response, raw = await self.web.small(
            url, limit=MANIFEST_LIMIT, headers={"Accept": ACCEPT}, authorize=authorize
        )
        if response.status_code != 200:
            said = raw[:300].decode("utf-8", "replace")
            raise _refusal(response, said)
        digest = digest_of(raw)
        if wanted.startswith("sha256:") and wanted != digest:
            raise WrongContent(f"the manifest has the digest {digest}, not {wanted}", where=url)
        stated = response.headers.get("content-type", "").partition(";")[0].strip()
        return Found(_media_type(stated, raw, url), raw, digest, endpoint)

    async def _answer_challenge(
        self, endpoint: Endpoint, scope: str, refused: httpx.Response
    ) -> str | None:
        login = self._logins.get(endpoint.registry)
        for challenge in refused.headers.get_list("www-authenticate"):
            kind, _, rest = challenge.strip().partition(" ")
            if kind.lower() == "bearer":
                given = {m[1].lower(): m[2] or m[3] or "" for m in _PARAMETER.finditer(rest)}
                return await self._token(endpoint, scope, given, login)
            if kind.lower() == "basic" and login is not None:
                return login.basic()
        return None

    async def _token(
        self, endpoint: Endpoint, scope: str, given: Mapping[str, str], login: Login | None
    ) -> str:
        realm = given.get("realm", "")
        if not realm.startswith("https://") and not endpoint.base.startswith("http://"):
            raise SourceProblem(
                "it wants the login sent to an address that is not encrypted", where=shown(realm)
            )
        query = {"scope": scope} | ({"service": given["service"]} if "service" in given else {})
        headers = {"Authorization": login.basic()} if login else {}
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"

        async def basic(refused: httpx.Response | None) -> str | None:
            return headers.get("Authorization") if refused is None else None

        async with self.web.answer("GET", url, authorize=basic) as response:
            await expect(response, 200)
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > _TOKEN_LIMIT:
                    break
        value = parse_json(
            bytes(body), where=shown(realm), limit=_TOKEN_LIMIT, problem=SourceProblem
        )
        token = value.get("token") or value.get("access_token") if isinstance(value, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SourceProblem("the answer holds no token", where=shown(realm))
        return f"Bearer {token}"

    def _endpoint(self, name: str) -> Endpoint:
        scheme, found, rest = name.rpartition("://")
        host, _, prefix = rest.strip("/").partition("/")
        if not found:
            bare = host.rsplit(":", 1)[0] if not host.endswith("]") else host
            scheme = "http" if host in self._plain or is_loopback(bare) else "https"
        server = _HUB_HOST if host == DOCKER_HUB else host
        return Endpoint(host, f"{scheme}://{server}", prefix)


def _media_type(stated: str, raw: bytes, url: str) -> str:
    known = media.INDEXES | media.MANIFESTS
    if stated in known:
        return stated
    value = parse_json(raw, where=url, limit=MANIFEST_LIMIT, problem=SourceProblem)
    inside = value.get("mediaType") if isinstance(value, dict) else None
    if isinstance(inside, str) and inside in known:
        return inside
    raise SourceProblem(
        f"it gives a manifest of the type {stated[:100] or 'none'}, which is not supported",
        where=shown(url),
        remedy="Images of this age must be pushed again with a current tool.",
    )


def _refusal(response: httpx.Response, said: str) -> SourceProblem:
    url = shown(str(response.request.url))
    status = response.status_code
    if status in (401, 403):
        return SourceProblem(
            f"the registry refuses it ({status})",
            where=url,
            remedy="Log in first: podman login REGISTRY (or docker login). A name that does not "
            "exist is refused in the same way.",
        )
    if status == 404:
        return SourceProblem(
            "the registry does not have it", where=url, remedy="Check the name and the tag."
        )
    clean = "".join(sign if sign.isprintable() else " " for sign in said)
    return SourceProblem(f"the registry answers {status}: {clean}", where=url)


def _none_of(problems: Sequence[SourceProblem], where: str) -> SourceProblem:
    if len(problems) == 1:
        return problems[0]
    causes = "; ".join(f"{problem.where}: {problem.cause}" for problem in problems)
    return SourceProblem(f"neither the mirrors nor the registry have it: {causes}", where=where)
