"""Does an environment stand: its layers asked from the bottom up, the earliest that fails first.

What stands on a layer that fails says nothing of its own, so it is asked and told as that: waiting.
Of objects that depend on one another, those are told first whose own dependencies all stand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from foundation.clusters.api import Api
from foundation.clusters.problems import ApiRefused
from foundation.hosts.model import Host
from foundation.problems import Problem
from foundation.secrets import cut
from foundation.terminal import clean_line
from foundation.wording import are, counted, listed
from installer.catalogue.lines import Layer

_SECONDS: Final = 5.0
_AT_ONCE: Final = 64
_LARGEST: Final = 32 << 20
_MOST: Final = 6
"""Objects of a layer that are told one by one."""
_LONGEST: Final = 200


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Meta(_Loose):
    name: str = ""
    namespace: str = ""


class _Object(_Loose):
    metadata: _Meta = _Meta()
    wanted: dict[str, Any] = Field(default={}, alias="spec")
    status: dict[str, Any] = {}


class _ListMeta(_Loose):
    onward: str = Field(default="", alias="continue")


class _List(_Loose):
    items: tuple[_Object, ...] = ()
    metadata: _ListMeta = _ListMeta()


@dataclass(frozen=True, slots=True)
class Stands:
    """How one layer stands."""

    layer: str
    title: str
    good: bool | None
    """None where it could not be told."""
    said: tuple[str, ...]
    remedy: str = ""


async def verify(
    layers: Sequence[Layer], hosts: Sequence[Host], api: Api | None
) -> tuple[Stands, ...]:
    """Each layer from the bottom up, up to the first that does not stand."""
    found: list[Stands] = []
    for layer in layers:
        one = await (_ports(layer, hosts) if layer.looks == "ports" else _of_cluster(layer, api))
        found.append(one)
        if one.good is False:
            break
    return tuple(found)


async def _ports(layer: Layer, hosts: Sequence[Host]) -> Stands:
    if not hosts:
        said = ("its outputs name no machine, so none was asked",)
        return Stands(layer.id, layer.title, None, said)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def asked(host: Host) -> str:
        port = host.port if layer.port == 22 else layer.port
        async with turns:
            try:
                async with asyncio.timeout(_SECONDS):
                    _, writer = await asyncio.open_connection(host.address, port)
                writer.close()
            except TimeoutError:
                return f"{host.name} ({host.address}) does not answer on port {port}"
            except OSError as error:
                reason = error.strerror or type(error).__name__
                return f"{host.name} ({host.address}), port {port}: {reason}"
        return ""

    wrong = [said for said in await asyncio.gather(*map(asked, hosts)) if said]
    if wrong:
        return Stands(layer.id, layer.title, False, _few(wrong), layer.remedy)
    return Stands(layer.id, layer.title, True, (f"{counted(len(hosts), 'machine')} answered",))


async def _of_cluster(layer: Layer, api: Api | None) -> Stands:
    if api is None:
        said = ("no kubeconfig was named, so the cluster was not asked",)
        return Stands(layer.id, layer.title, None, said)
    path = "/api/v1/nodes" if layer.looks == "nodes" else layer.path
    try:
        objects = await _objects(api, path)
    except ApiRefused as problem:
        what = (
            "the cluster knows no such thing" if problem.reason == "NotFound" else problem.message
        )
        good = False if problem.reason == "NotFound" else None
        return Stands(layer.id, layer.title, good, (what,), layer.remedy)
    except Problem as problem:
        return Stands(layer.id, layer.title, False, (problem.sentence,), problem.remedy)
    except ValueError:
        return Stands(layer.id, layer.title, None, ("the answer is no list of Kubernetes",))
    if not objects:
        return Stands(layer.id, layer.title, False, ("there is none",), layer.remedy)
    wrong = {
        _key(one): why for one in objects if (why := _against(one, layer)) and _key(one) is not None
    }
    if not wrong:
        said = (f"{counted(len(objects), 'object')} {are(len(objects))} as they should be",)
        return Stands(layer.id, layer.title, True, said)
    first = _earliest(objects, wrong)
    told = [f"{'/'.join(filter(None, key))}: {wrong[key]}" for key in first]
    waiting = len(wrong) - len(first)
    more = (f"{waiting} more {are(waiting)} behind them",) if waiting else ()
    return Stands(layer.id, layer.title, False, (*_few(told), *more), layer.remedy)


async def _objects(api: Api, path: str) -> tuple[_Object, ...]:
    found: list[_Object] = []
    more = ""
    while True:
        body = await api.get(f"{path}?limit=500{more}", limit=_LARGEST)
        page = _List.model_validate_json(bytes(body))
        found += page.items
        if not page.metadata.onward:
            return tuple(found)
        more = f"&continue={quote(page.metadata.onward, safe='')}"


Key = tuple[str, str]


def _key(one: _Object) -> Key:
    return clean_line(one.metadata.namespace), clean_line(one.metadata.name)


def _against(one: _Object, layer: Layer) -> str:
    """What stands against an object, in words; "" where nothing does."""
    if layer.health == "argo-cd":
        health = _part(one.status, "health", "status") or "unknown"
        synced = _part(one.status, "sync", "status") or "unknown"
        if health == "Healthy" and synced == "Synced":
            return ""
        message = _part(one.status, "health", "message")
        return cut(f"{health}, {synced}{f': {message}' if message else ''}", _LONGEST)
    if one.wanted.get("suspend") is True:
        return "it is suspended, so nobody looks after it"
    for each in one.status.get("conditions") or ():
        if isinstance(each, dict) and each.get("type") == "Ready":
            if each.get("status") == "True":
                return ""
            return cut(
                f"{each.get('reason') or 'not ready'}: {each.get('message') or ''}", _LONGEST
            )
    return "it does not say whether it is ready"


def _part(value: Mapping[str, Any], *names: str) -> str:
    found: Any = value
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return str(found) if found else ""


def _earliest(objects: Sequence[_Object], wrong: Mapping[Key, str]) -> list[Key]:
    """Those that do not stand though all that they depend on does; all, where they go in a ring."""
    first = []
    for one in objects:
        key = _key(one)
        needs = one.wanted.get("dependsOn")
        before = [
            (str(each.get("namespace") or key[0]), str(each.get("name")))
            for each in (needs if isinstance(needs, list) else ())
            if isinstance(each, dict)
        ]
        if key in wrong and not any(other in wrong for other in before):
            first.append(key)
    return first or list(wrong)


def _few(said: Sequence[str]) -> tuple[str, ...]:
    if len(said) <= _MOST + 1:
        return tuple(said)
    return (*said[:_MOST], f"and {len(said) - _MOST} more")


def earliest(found: Sequence[Stands]) -> Stands | None:
    """The earliest layer that does not stand; None where each does or could not be told."""
    return next((one for one in found if one.good is False), None)


def in_words(found: Sequence[Stands]) -> str:
    """One sentence on the whole."""
    failed = earliest(found)
    if failed is not None:
        return f"The earliest that fails: {failed.title}."
    untold = [one.title for one in found if one.good is None]
    if untold:
        return f"Could not be told: {listed(untold)}."
    return "Every layer stands."
