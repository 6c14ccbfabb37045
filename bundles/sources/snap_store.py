"""The snap store's protocol: which revision a channel holds, and the assertions of a file.

As snapd speaks it (its package `store`): one POST to /v2/snaps/refresh with the action "download",
and one GET to /v2/assertions for each assertion, followed to what it stands on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bundles.format import budgets
from bundles.format.layout import LARGEST_BLOB, Printable
from bundles.format.problems import SourceProblem
from bundles.format.strict_json import parse_model
from bundles.manifests.yaml_documents import read_documents
from bundles.registries.web import Web
from bundles.registries.web_answers import is_loopback, parsed_url, shown
from bundles.sources.assertions import (
    ASSERTION_LIMIT,
    PRIMARY_KEYS,
    ROOT_KEY,
    Assertion,
    file_name_of,
    parse_assertion,
)

_ANSWER_LIMIT: Final = budgets.SNAP_ANSWER_BYTES
_FIELDS: Final = (
    *("architectures", "base", "confinement", "download", "license", "name", "revision"),
    *("snap-id", "snap-yaml", "type", "version"),
)
_FORMATS: Final = {"snap-declaration": 5}
"""The newest form of an assertion that is asked for: what snapd reads from 2.57 (2022) on."""
_MOST_ASSERTIONS: Final = budgets.SNAP_ASSERTIONS

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A store and the name of the key that it is trusted by.

    An Enterprise Store inside a company has its own address, and Canonical's key all the same.
    """

    url: str = "https://api.snapcraft.io"
    root_key: str = ROOT_KEY


class _Outside(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class _Download(_Outside):
    url: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,2000}$")]
    size: Annotated[int, Field(ge=1, le=LARGEST_BLOB, strict=True)]
    sha3_384: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{96}$"), Field(alias="sha3-384")]


class Release(_Outside):
    """One revision of a snap, as the store describes it."""

    name: _Name
    snap_id: _Id = Field(alias="snap-id")
    revision: Annotated[int, Field(ge=1, strict=True)]
    version: Printable
    type: Printable = "app"
    base: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9-]{0,39})?$")] = ""
    confinement: Printable = "strict"
    license: str | None = None
    download: _Download
    snap_yaml: str = Field(default="", alias="snap-yaml")

    @property
    def stands_on(self) -> tuple[str, ...]:
        """The snaps that it cannot run without: its base and the providers of shared content."""
        found = dict.fromkeys(_plugs(self.snap_yaml).providers)
        if self.type == "app":
            found[self.base or "core"] = None
        # `none` is no snap; `bare` is one, which snapd asks for as for any other base.
        return tuple(name for name in found if name not in ("none", self.name))

    @property
    def unresolved(self) -> tuple[str, ...]:
        """A sentence for each thing that it may stand on and that nobody can say."""
        return _plugs(self.snap_yaml).unresolved

    @property
    def unread(self) -> str:
        """Why nobody can say what it stands on, as a sentence; "" where it was read."""
        return _plugs(self.snap_yaml).unread


class _Offer(_Outside):
    architecture: Printable
    channel: Printable


class _Extra(_Outside):
    releases: tuple[_Offer, ...] = ()


class _Error(_Outside):
    code: Printable
    message: str = ""
    extra: _Extra = _Extra()


class _Result(_Outside):
    result: Printable
    snap: Release | None = None
    error: _Error | None = None
    channel: str = Field(default="", alias="effective-channel")


class _Errors(_Outside):
    error_list: tuple[_Error, ...] = Field(default=(), alias="error-list")


class _Results(_Errors):
    results: tuple[dict[str, Any], ...] = ()


class SnapStore:
    """A client of one store."""

    def __init__(self, web: Web, address: StoreAddress | None = None) -> None:
        self._web = web
        self.address = address or StoreAddress()
        self._base = self.address.url.rstrip("/")
        url = parsed_url(self._base)
        if url.scheme != "https" and not is_loopback(url.host):
            raise SourceProblem("a store is spoken to by https", where=shown(self._base))

    async def find(
        self, name: str, *, architecture: str, channel: str | None, revision: int | None
    ) -> Release:
        """What a channel holds for an architecture, or one revision; raises SourceProblem."""
        wanted: dict[str, Any] = {"revision": revision} if revision else {"channel": channel}
        action = {"action": "download", "instance-key": "download-1", "name": name, "epoch": None}
        body = {"context": [], "actions": [action | wanted], "fields": list(_FIELDS)}
        where = f"snap {name} {'revision ' + str(revision) if revision else channel}"
        response, raw = await self._web.small(
            f"{self._base}/v2/snaps/refresh",
            limit=_ANSWER_LIMIT,
            headers=self._headers(architecture) | {"Content-Type": "application/json"},
            content=json.dumps(body).encode(),
        )
        if response.status_code != 200:
            raise self._refusal(response.status_code, raw, where)
        answer = parse_model(_Results, raw, where=where, limit=_ANSWER_LIMIT, problem=SourceProblem)
        if len(answer.results) != 1:
            raise SourceProblem("the store gives no answer to it", where=where)
        # Only now, since a failed result has a description of the snap that is empty.
        found = dict(answer.results[0])
        if found.get("result") == "error":
            found.pop("snap", None)
        result = parse_model(
            _Result,
            json.dumps(found).encode(),
            where=where,
            limit=_ANSWER_LIMIT,
            problem=SourceProblem,
        )
        if result.snap is None:
            raise _not_offered(result.error, where, architecture)
        if result.snap.name != name or (revision and result.snap.revision != revision):
            raise SourceProblem("the store answers with another snap", where=where)
        return result.snap

    async def root(self) -> Assertion:
        """The root key's own assertion, which nobody has checked yet; raises SourceProblem."""
        return await self._assertion("account-key", self.address.root_key)

    async def chain(self, sha3_384: str, root: Assertion) -> list[Assertion]:
        """The assertions of a file and all that they stand on, without the root key.

        Each stands behind what it needs. Raises SourceProblem.
        """
        found: dict[tuple[str, ...], Assertion] = {root.key: root}
        account = ("account", root.headers.get("account-id", ""))

        async def bring(key: tuple[str, ...], above: tuple[tuple[str, ...], ...]) -> None:
            # The root's own account is in every snapd, which takes it from nobody else.
            if key in found or key == account:
                return
            if key in above or len(found) + len(above) > _MOST_ASSERTIONS:
                raise SourceProblem("the store's assertions lead round in a circle", where=str(key))
            one = await self._assertion(*key)
            for needed in _needs(one):
                await bring(needed, (*above, key))
            found[key] = one

        await bring(("snap-revision", file_name_of(sha3_384)), ())
        return [one for one in found.values() if one is not root]

    async def _assertion(self, *key: str) -> Assertion:
        url = "/".join((self._base, "v2", "assertions", *key))
        limit = _FORMATS.get(key[0], 0)
        response, raw = await self._web.small(
            f"{url}?max-format={limit}",
            limit=ASSERTION_LIMIT,
            headers={"Accept": "application/x.ubuntu.assertion"},
        )
        if response.status_code != 200:
            raise self._refusal(response.status_code, raw, shown(url))
        one = parse_assertion(raw, where=shown(url))
        if one.key != key:
            raise SourceProblem(f"the store answers with {one}", where=shown(url))
        return one

    def _headers(self, architecture: str) -> dict[str, str]:
        return {
            "Accept": "application/json",
            "Snap-Device-Series": "16",
            "Snap-Device-Architecture": architecture,
            "Snap-Classic": "true",
            "Snap-Device-Capabilities": "default-tracks",
        }

    def _refusal(self, status: int, raw: bytes, where: str) -> SourceProblem:
        try:
            errors = parse_model(
                _Errors, raw, where=where, limit=_ANSWER_LIMIT, problem=SourceProblem
            ).error_list
        except SourceProblem:
            errors = ()
        said = "; ".join(error.message or error.code for error in errors)
        shown_text = "".join(sign if sign.isprintable() else " " for sign in said)[:300]
        return SourceProblem(
            f"the store answers {status}" + (f": {shown_text}" if shown_text else ""), where=where
        )


def _not_offered(error: _Error | None, where: str, architecture: str) -> SourceProblem:
    code = error.code if error else "no snap"
    if code == "name-not-found":
        return SourceProblem("the store has no snap of this name", where=where)
    offers = error.extra.releases if error else ()
    channels = sorted({o.channel for o in offers if o.architecture in (architecture, "all")})
    if code == "revision-not-found":
        there = f"; there are {', '.join(channels[:12])}" if channels else ""
        return SourceProblem(f"the store has none for {architecture} there{there}", where=where)
    return SourceProblem(f"the store answers {code}", where=where)


def _needs(one: Assertion) -> list[tuple[str, ...]]:
    headers = one.headers
    wanted: Mapping[str, list[tuple[str, ...]]] = {
        "account-key": [("account", headers.get("account-id", ""))],
        "snap-declaration": [("account", headers.get("publisher-id", ""))],
        "snap-revision": [
            ("snap-declaration", "16", headers.get("snap-id", "")),
            ("account", headers.get("developer-id", "")),
        ],
    }
    needed = [("account-key", headers["sign-key-sha3-384"]), *wanted.get(one.type, [])]
    for key in needed:
        if len(key) != 1 + len(PRIMARY_KEYS[key[0]]) or not all(map(_is_word, key)):
            raise SourceProblem("it names nothing that can be asked for", where=str(one))
    return needed


def _is_word(text: str) -> bool:
    return 0 < len(text) <= 128 and text.replace("-", "").replace("_", "").isalnum()


@dataclass(frozen=True, slots=True)
class _Plugs:
    """What a snap.yaml says of content that other snaps provide."""

    providers: tuple[str, ...] = ()
    """By default (snapd: NeededDefaultProviders)."""
    unresolved: tuple[str, ...] = ()
    unread: str = ""


def _plugs(snap_yaml: str) -> _Plugs:
    if len(snap_yaml) > 1 << 20:
        return _Plugs(unread="its snap.yaml is too long to be read")
    read = read_documents(snap_yaml)
    if snap_yaml.strip() and not read.mapping:
        unread = "its snap.yaml cannot be read, so who provides its content cannot be told"
        return _Plugs(unread=unread)
    plugs = read.mapping.get("plugs")
    found, unresolved = [], []
    for name, plug in plugs.items() if isinstance(plugs, dict) else ():
        given = plug if isinstance(plug, dict) else {"interface": plug or name}
        if given.get("interface", name) != "content":
            continue
        provider = given.get("default-provider")
        snap = provider.partition(":")[0] if isinstance(provider, str) else ""
        if _is_word(snap):
            found.append(snap)
        elif provider:
            unresolved.append(f"its plug {name} names the provider {provider}, which is no snap")
        else:
            unresolved.append(
                f"its plug {name} takes content of another snap and names none by default; if the "
                "site connects one, give that snap a line of its own under `snaps`"
            )
    return _Plugs(tuple(found), tuple(unresolved))
