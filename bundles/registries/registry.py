"""A client of OCI registries: manifests and blobs out of them, with logins and mirrors."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from urllib.parse import urlencode

import httpx

from bundles.format import media
from bundles.format.budgets import MANIFEST_BYTES, TOKEN_BYTES
from bundles.format.problems import NotGiven, NoToken, SourceProblem, WrongContent
from bundles.format.reference import DOCKER_HUB, Reference
from bundles.format.strict_json import digest_of, parse_json
from bundles.read.store import Blob, Store
from bundles.registries.challenges import parse_challenges
from bundles.registries.credentials import PROGRAM_FAILED, Login, Logins, Sought
from bundles.registries.registries_conf import RegistriesConf, read_here
from bundles.registries.web import Authorize, News, Web
from bundles.registries.web_answers import is_loopback, parsed_url, shown
from foundation.secrets import Secret

ACCEPT: Final = ", ".join(
    (media.OCI_INDEX, media.OCI_MANIFEST, media.DOCKER_INDEX, media.DOCKER_MANIFEST)
)
_CLIENT: Final = "sitewright"
_HUB_HOST: Final = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server that has the images of a registry: itself, or a mirror with a path prefix."""

    registry: str
    """The name that logins know it by."""
    base: str
    prefix: str = ""
    there: str = ""
    """The repository at this server, where it is another than the image's own."""

    def url(self, repository: str, *rest: str) -> str:
        """An address below /v2/ for a repository."""
        return "/".join((self.base, "v2", self.repository(repository), *rest))

    def repository(self, name: str) -> str:
        """A repository's name at this server."""
        return self.there or "/".join(filter(None, (self.prefix, name)))


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
        logins: Mapping[str, Login] | Logins | None = None,
        mirrors: Mapping[str, Sequence[str]] | None = None,
        plain_http: frozenset[str] = frozenset(),
        as_podman: bool = False,
    ) -> None:
        self.web = web
        self.as_podman = as_podman
        """Whether images are asked for where podman's files here lead."""
        self._logins = logins if isinstance(logins, Logins) else dict(logins or {})
        self._mirrors = dict(mirrors or {})
        self._plain = plain_http
        self._authorizations: dict[tuple[str, str], Secret] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}
        self._podmans: RegistriesConf | None = None
        self._tried: dict[tuple[str, str], str] = {}
        """What was tried where a server asked for a login, for whoever is refused after it."""

    def endpoints(self, registry: str) -> tuple[Endpoint, ...]:
        """The servers to ask for a registry's images, mirrors first."""
        return tuple(self._endpoint(name) for name in (*self._mirrors.get(registry, ()), registry))

    def has_mirror(self, registry: str) -> bool:
        """Whether somebody named a mirror of a registry for this bundle."""
        return bool(self._mirrors.get(registry))

    def _forbidden(self, reference: Reference) -> str:
        """The file that forbids to ask an image's own registry, where mirrors are named for it."""
        if not self.has_mirror(reference.registry):
            return ""  # whoever wants the image refuses it then
        return self.podmans.blocked_by(reference)

    def _asked(self, reference: Reference) -> tuple[Endpoint, ...]:
        """The servers to ask for an image: mirrors, then its own unless that is forbidden here."""
        if self.as_podman and not self.has_mirror(reference.registry):
            places = self.podmans.places_of(reference)
            led = tuple(
                replace(self._endpoint(one.reference.registry), there=one.reference.repository)
                for one in places
            )
            return led or self.endpoints(reference.registry)
        found = self.endpoints(reference.registry)
        return found[:-1] if self._forbidden(reference) else found

    @property
    def podmans(self) -> RegistriesConf:
        """What podman is told of registries on this machine."""
        if self._podmans is None:
            self._podmans = read_here()
        return self._podmans

    async def manifest(self, reference: Reference, selector: str | None = None) -> Found:
        """The manifest of a tag or a digest; raises SourceProblem, WrongContent.

        The digest is that of the bytes, whatever the server's header says.
        """
        wanted = selector or reference.selector
        problems = []
        for endpoint in self._asked(reference):
            try:
                return await self._manifest(endpoint, reference, wanted)
            except SourceProblem as problem:
                problems.append(problem)
        raise _none_of(problems, str(reference), self._forbidden(reference))

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
        for endpoint in self._asked(reference):
            try:
                return await self.web.download(
                    endpoint.url(reference.repository, "blobs", digest),
                    store,
                    digest,
                    size,
                    authorize=self.authorize(endpoint, reference.repository, "pull"),
                    news=news,
                    tried=partial(self.tried, endpoint, reference.repository),
                )
            except SourceProblem as problem:
                problems.append(problem)
        raise _none_of(problems, f"{reference}, {digest}", self._forbidden(reference))

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

    async def manifest_at(self, endpoint: Endpoint, reference: Reference) -> Found:
        """A manifest of one server alone; raises NotGiven, SourceProblem, WrongContent."""
        return await self._manifest(endpoint, reference, reference.selector)

    async def _manifest(self, endpoint: Endpoint, reference: Reference, wanted: str) -> Found:
        url = endpoint.url(reference.repository, "manifests", wanted)
        authorize = self.authorize(endpoint, reference.repository, "pull")
        response, raw = await self.web.small(
            url, limit=MANIFEST_BYTES, headers={"Accept": ACCEPT}, authorize=authorize
        )
        if response.status_code != 200:
            said = raw[:300].decode("utf-8", "replace")
            tried = self.tried(endpoint, reference.repository)
            raise refusal(response, said, tried, endpoint.registry)
        digest = digest_of(raw)
        if wanted.startswith("sha256:") and wanted != digest:
            raise WrongContent(f"the manifest has the digest {digest}, not {wanted}", where=url)
        stated = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        return Found(media_type_of(stated, raw, shown(url)), raw, digest, endpoint)

    def tried(self, endpoint: Endpoint, repository: str) -> str:
        """What was tried where a server asked for a login; empty where it asked for none."""
        name = endpoint.repository(repository)
        found = [
            words
            for (base, scope), words in self._tried.items()
            if base == endpoint.base and scope.startswith(f"repository:{name}:")
        ]
        return found[-1] if found else ""

    async def _sought(self, endpoint: Endpoint, repository: str) -> Sought:
        if isinstance(self._logins, Logins):
            return await self._logins.find(endpoint.registry, repository)
        login = self._logins.get(endpoint.registry)
        return Sought(login, login.words() if login else "there is no login for it")

    async def _answer_challenge(
        self, endpoint: Endpoint, scope: str, refused: httpx.Response
    ) -> str | None:
        repository = scope.split(":", 1)[1].rpartition(":")[0]
        sought = await self._sought(endpoint, repository)
        login = sought.login
        challenges = parse_challenges(refused.headers.get_list("www-authenticate"))
        schemes = [challenge.scheme for challenge in challenges]
        key = (endpoint.base, scope)
        self._tried[key] = sought.words
        if login is not None and login.bearer is not None:
            return f"Bearer {login.bearer.reveal()}"
        # A token says less of us than a password, so it is what is taken where both are offered.
        for challenge in challenges:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                return await self._token(endpoint, scope, challenge.parameters, sought)
        if "basic" in schemes:
            return login.basic() if login is not None and login.user else None
        if schemes:
            self._tried[key] += f"; it asks for {', '.join(schemes)}, which is not supported"
        return None

    async def _token(
        self, endpoint: Endpoint, scope: str, given: Mapping[str, str], sought: Sought
    ) -> str:
        realm, login = given["realm"], sought.login
        self._check_realm(endpoint, realm, login)
        # As runtimes do: what is needed, and what the server itself says that it wants.
        scopes = list(dict.fromkeys((scope, given.get("scope") or scope)))
        service = [("service", given["service"])] if "service" in given else []
        query = [*service, *(("scope", one) for one in scopes)]
        content = None
        headers = {}
        if login is not None and login.identity is not None:
            form = [
                *(("grant_type", "refresh_token"), ("client_id", _CLIENT), *service),
                *(("scope", " ".join(scopes)), ("refresh_token", login.identity.reveal())),
            ]
            url, content = realm, urlencode(form).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
        else:
            url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"

        async def basic(refused: httpx.Response | None) -> str | None:
            send = refused is None and content is None and login is not None and login.user
            return login.basic() if send and login is not None else None

        response, body = await self.web.small(
            url, limit=TOKEN_BYTES, headers=headers, content=content, authorize=basic
        )
        if response.status_code != 200:
            raise _no_token(response.status_code, body, shown(realm), sought, endpoint.registry)
        _refuse_a_page(body, "a token", shown(realm))
        value = parse_json(body, where=shown(realm), limit=TOKEN_BYTES, problem=SourceProblem)
        token = value.get("token") or value.get("access_token") if isinstance(value, dict) else None
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise SourceProblem("the answer holds no token", where=shown(realm))
        return f"Bearer {token}"

    def _check_realm(self, endpoint: Endpoint, realm: str, login: Login | None) -> None:
        """Raise SourceProblem where a login would go unencrypted to another than the registry."""
        there, here = parsed_url(realm), parsed_url(endpoint.base)
        if there.scheme == "https":
            return
        if here.scheme == "http" and (login is None or there.host == here.host):
            return
        raise SourceProblem(
            "it wants the login sent to an address that is not encrypted", where=shown(realm)
        )

    def _endpoint(self, name: str) -> Endpoint:
        scheme, found, rest = name.rpartition("://")
        host, _, prefix = rest.strip("/").partition("/")
        if not found:
            bare = host.rsplit(":", 1)[0] if not host.endswith("]") else host
            scheme = "http" if host in self._plain or is_loopback(bare) else "https"
        server = _HUB_HOST if host == DOCKER_HUB else host
        return Endpoint(host, f"{scheme}://{server}", prefix)


def _refuse_a_page(raw: bytes, due: str, where: str) -> None:
    """Raise SourceProblem where what came is a web page, or nothing."""
    if raw.lstrip()[:1] in (b"<", b""):
        what = "a web page" if raw.strip() else "nothing"
        raise SourceProblem(
            f"{what} came where {due} is due",
            where=where,
            remedy="A proxy or a portal may be answering in the registry's place: look at the "
            "address with curl from this machine, and let its name past the proxy (NO_PROXY).",
        )


def media_type_of(stated: str, raw: bytes, where: str) -> str:
    """The type of a manifest: what the server states, what stands in it, or its form.

    Raises SourceProblem where the two differ, or where it is of a kind that is not supported.
    """
    _refuse_a_page(raw, "a manifest", where)
    value = parse_json(raw, where=where, limit=MANIFEST_BYTES, problem=SourceProblem)
    document = value if isinstance(value, dict) else {}
    if document.get("schemaVersion") == 1 or stated in media.SCHEMA_1:
        raise SourceProblem(
            "it is in Docker's old format (schema 1), which no current runtime runs",
            where=where,
            remedy="Pull it with an old docker and push it again with a current one, or name a "
            "newer tag.",
        )
    known = media.INDEXES | media.MANIFESTS
    inside = document.get("mediaType")
    written = inside if isinstance(inside, str) and inside in known else None
    named = stated if stated in known else None
    if written and named and written != named:
        raise SourceProblem(
            f"the server calls it {named}, and in it stands {written}: one of the two is wrong",
            where=where,
            remedy="Ask whoever runs the registry; do not use the image before that is clear.",
        )
    found = named or written or (_type_by_form(document) if inside is None else None)
    if found is None:
        raise SourceProblem(
            f"it gives a manifest of the type {(inside or stated or 'none')!s:.100}, which is not "
            "supported",
            where=where,
            remedy="Only images and image indexes of OCI and of Docker (schema 2) can be brought.",
        )
    if found == media.OCI_MANIFEST and document.get("artifactType") and "config" not in document:
        raise SourceProblem(
            f"it is an artefact of the type {document['artifactType']!s:.100} and no container "
            "image",
            where=where,
            remedy="Helm charts are wanted under `charts`; leave other artefacts out.",
        )
    index = "manifests" in document
    image = "layers" in document or "config" in document
    if index == image or index != (found in media.INDEXES):
        raise SourceProblem(
            f"it is called {found} and has not the form of one",
            where=where,
            remedy="Ask whoever made the image; runtimes would read it in different ways.",
        )
    return found


def _type_by_form(document: Mapping[str, object]) -> str | None:
    # OCI lets the type be left out of the document; a server that knows none says nothing either.
    if document.get("schemaVersion") != 2:
        return None
    if "manifests" in document:
        return media.OCI_INDEX
    return media.OCI_MANIFEST if "config" in document and "layers" in document else None


def _no_token(status: int, body: bytes, where: str, sought: Sought, registry: str) -> SourceProblem:
    said = _clean(body[:300].decode("utf-8", "replace"))
    tried = sought.words if sought.login else f"no login ({sought.words})"
    kind = NotGiven if status in (401, 403, 404) else NoToken
    return kind(
        f"the token server answers {status}" + (f" ({said})" if said else "") + f"; tried: {tried}",
        where=where,
        remedy=_remedy(registry, tried, sent=sought.login is not None),
    )


def _remedy(registry: str, tried: str, *, sent: bool) -> str:
    unknown = "A name that does not exist is refused in the same way."
    login = f"podman login {registry} (or docker login)"
    if sent:
        return (
            "Check that this login may have the image (its name, and whether the password or "
            f"token has expired), and log in again: {login}. {unknown}"
        )
    if PROGRAM_FAILED in tried:
        return (
            f"Mend the program that keeps the login, or keep one in a file: {login} with "
            f"REGISTRY_AUTH_FILE set. {unknown}"
        )
    return f"Log in first: {login}. {unknown}"


def refusal(response: httpx.Response, said: str, tried: str, registry: str) -> SourceProblem:
    """What an answer that is no success comes to; `tried` says which login was tried."""
    url = shown(str(response.request.url))
    status = response.status_code
    if status in (401, 403):
        words = f"; tried: {tried}" if tried else ""
        sent = "authorization" in response.request.headers
        return NotGiven(
            f"the registry refuses it ({status}){words}",
            where=url,
            remedy=_remedy(registry, tried, sent=sent),
        )
    if status == 404:
        return NotGiven(
            "the registry does not have it", where=url, remedy="Check the name and the tag."
        )
    return SourceProblem(f"the registry answers {status}: {_clean(said)}", where=url)


def _clean(said: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in said).strip()


def _none_of(problems: Sequence[SourceProblem], where: str, forbidden: str) -> SourceProblem:
    causes = "; ".join(f"{problem.where}: {problem.cause}" for problem in problems)
    if forbidden:
        return SourceProblem(
            f"no mirror has it, and its own registry was not asked, which this machine forbids "
            f"({forbidden}: blocked = true): {causes}",
            where=where,
        )
    if len(problems) == 1:
        return problems[0]
    return SourceProblem(f"neither the mirrors nor the registry have it: {causes}", where=where)
