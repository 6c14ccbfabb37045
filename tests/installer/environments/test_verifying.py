"""Layers from the bottom up, the earliest that fails first; the cluster is told by hand."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from foundation.clusters.problems import ApiRefused
from foundation.hosts.model import Host
from installer.environments.lines import line_of
from installer.environments.verifying import Stands, earliest, in_words, verify

LITE = line_of("iac-lite", where="test").layers
NODES, KUSTOMIZATIONS, RELEASES = LITE[1:]
READY = [{"type": "Ready", "status": "True"}]


class Cluster:
    """An API that answers what it was given, in pages of two."""

    where = way = "the test"
    serving_ends = client_ends = ""

    def __init__(self, **lists: list[dict[str, Any]]) -> None:
        self.lists = lists

    async def get(self, path: str, *, limit: int) -> bytes:
        """A page of a list."""
        kind = path.partition("?")[0].rpartition("/")[2]
        if kind not in self.lists:
            raise ApiRefused("NotFound", "the server could not find the requested resource")
        begin = int(path.partition("continue=")[2] or 0)
        items, more = self.lists[kind][begin : begin + 2], begin + 2
        meta = {"continue": str(more)} if more < len(self.lists[kind]) else {}
        return json.dumps({"metadata": meta, "items": items}).encode()


def _one(name: str, *, ready: bool = True, needs: tuple[str, ...] = (), **more: Any) -> Any:
    why = [{"type": "Ready", "status": "False", "reason": "Failed", "message": f"{name} is ill"}]
    return {
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {"dependsOn": [{"name": one} for one in needs], **more},
        "status": {"conditions": READY if ready else why},
    }


async def _asked(*layers: Any, **lists: list[dict[str, Any]]) -> tuple[Stands, ...]:
    return await verify(layers, (), Cluster(**lists))


async def test_the_earliest_that_fails_is_told_and_how_many_wait_behind_it() -> None:
    (found,) = await _asked(
        KUSTOMIZATIONS,
        kustomizations=[
            _one("apps", ready=False, needs=("data",)),
            _one("data", ready=False, needs=("storage",)),
            _one("storage", ready=False, needs=("crds",)),
            _one("crds"),
        ],
    )
    assert found.good is False
    assert found.said == ("flux-system/storage: Failed: storage is ill", "2 more are behind them")


async def test_what_stands_on_a_layer_that_fails_is_not_asked() -> None:
    found = await _asked(NODES, KUSTOMIZATIONS, nodes=[_one("n1", ready=False)], kustomizations=[])
    assert [one.layer for one in found] == ["nodes"]
    assert in_words(found) == "The earliest that fails: The nodes."


async def test_each_layer_that_stands_is_told() -> None:
    found = await _asked(
        NODES, KUSTOMIZATIONS, RELEASES,
        nodes=[_one("n1"), _one("n2"), _one("n3")], kustomizations=[_one("a")],
        helmreleases=[_one("b")],
    )  # fmt: skip
    assert [one.good for one in found] == [True, True, True]
    assert found[0].said == ("3 objects are as they should be",)
    assert in_words(found) == "Every layer stands."


@pytest.mark.parametrize(
    ("lists", "said"),
    [
        ({}, "knows no such thing"),
        ({"kustomizations": []}, "there is none"),
        ({"kustomizations": [_one("a", suspend=True)]}, "suspended"),
        ({"kustomizations": [{"metadata": {"name": "a"}}]}, "does not say"),
        ({"kustomizations": [_one("a", ready=False, needs=("a",))]}, "a is ill"),
    ],
)
async def test_nothing_is_taken_for_good_in_silence(
    lists: dict[str, list[dict[str, Any]]], said: str
) -> None:
    (found,) = await _asked(KUSTOMIZATIONS, **lists)
    assert found.good is False
    assert said in " ".join(found.said)


async def test_an_application_of_argo_cd_is_healthy_and_synced_or_neither() -> None:
    layer = line_of("iac-modules", where="test").layers[-1]
    good = {"metadata": {"name": "a"},
            "status": {"health": {"status": "Healthy"}, "sync": {"status": "Synced"}}}  # fmt: skip
    ill = {"metadata": {"name": "b"}, "status": {"health": {"status": "Degraded"}, "sync": "x"}}
    (found,) = await _asked(layer, applications=[good, ill])
    assert found.said == ("b: Degraded, unknown",)


async def test_a_machine_that_does_not_answer_is_the_earliest() -> None:
    layer = line_of("iac-modules", where="test").layers[0]
    with socket.create_server(("127.0.0.1", 0)) as listens:
        port = listens.getsockname()[1]
        (good,) = await verify([layer], [Host("m1", "127.0.0.1", port)], None)
    assert good.good is True
    (shut,) = await verify([layer], [Host("m1", "127.0.0.1", port)], None)
    assert shut.good is False
    assert earliest((shut,)) is shut


async def test_what_was_not_asked_is_told_as_that() -> None:
    found = await verify(LITE[:2], (), None)
    assert [one.good for one in found] == [None, None]
    assert in_words(found).startswith("Could not be told")
