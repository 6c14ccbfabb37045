"""Fuzz, bounded: whatever a cluster answers, its read ends in facts and a clean report."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.clusters.api import refused
from foundation.terminal import visible
from installer.catalogue.solution import load_solution
from preflight.assessment import Assessment, SeenCluster
from preflight.cluster.facts import ClusterFacts
from preflight.cluster.judge import assess_cluster
from preflight.cluster.read import read_cluster
from preflight.cluster.recorded import cluster_facts_text, load_cluster_facts
from preflight.report import render
from tests.preflight.cluster import fake_api as fake

EXAMPLES = 3000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 12
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
NOW = datetime(2025, 6, 1, tzinfo=UTC)
FORMS = ("text", "json", "html", "junit")
NEEDS = load_solution("mosip").needs(None, None)
HOSTILE = st.sampled_from(
    ["\x1b]0;title\x07\x1b[2J", "\x9b31m", "\u202eab", "{{ lookup('pipe', 'id') }}", "--help",
     "../../etc", "\ud800", "9" * 400, "1e400", "-1Gi", "NaN", "0x10", "1e9999999Gi", "\x00",
     "9999-99-99T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z", "x" * 5000]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | HOSTILE
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=3),
    max_leaves=6,
)  # fmt: skip


def everything() -> dict[str, list[fake.Object]]:
    """A cluster of which each kind that is read has an object, some of them in trouble."""
    objects = fake.well()
    objects[fake.PODS] += [
        fake.pod("shop-2", "shop", node="n3",
                 waiting={"reason": "CrashLoopBackOff", "message": "m"},
                 ended={"exitCode": 1, "reason": "Error", "message": "m"}),
        fake.pod("shop-3", "shop", phase="Pending",
                 conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3"}]),
    ]  # fmt: skip
    objects[fake.EVENTS] = [fake.event("Pod", "shop", "shop-3", "FailedScheduling", "0/3 nodes")]
    objects[fake.VALIDATING] = [fake.webhook("guard")]
    objects[fake.MUTATING] = [fake.webhook("other", failure="Ignore")]
    objects[fake.QUOTAS] = [
        {"metadata": {"name": "q", "namespace": "shop"}, "spec": {"hard": {"pods": "5"}},
         "status": {"hard": {"pods": "5"}, "used": {"pods": "4"}}}
    ]  # fmt: skip
    objects[fake.LIMITS] = [
        {"metadata": {"name": "l", "namespace": "shop"},
         "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}}]}}
    ]  # fmt: skip
    return objects


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(inner, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


class Memory:
    """A way to a cluster that is in memory."""

    where, way, serving_ends, client_ends = "https://x", "the test", "", ""

    def __init__(self, objects: dict[str, list[fake.Object]], version: Any) -> None:
        self._api = fake.FakeApi(Path(), None, objects=objects)  # type: ignore[arg-type]
        self._api.answers["/version"] = (200, json.dumps(version).encode())

    async def get(self, path: str, *, limit: int) -> bytes:
        status, body = fake.answer(self._api, path, {})
        if status != 200:
            raise refused(status, body)
        return body


PLACES = [one for one in places(everything()) if len(one) > 1]


def told(facts: ClusterFacts) -> Assessment:
    return assess_cluster(SeenCluster("lab", "https://x", facts=facts), NEEDS, now=NOW)


@BOUNDED
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=4))
def test_a_cluster_with_anything_anywhere_is_facts_and_a_clean_report(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    objects = everything()
    for path, value in changes:
        try:
            put(objects, path, value)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    facts = asyncio.run(read_cluster(Memory(objects, {"gitVersion": "v1.31.14"})))
    for form in FORMS:
        text = render(told(facts), form)
        for line in text.splitlines():
            assert line == visible(line)
    # What was seen is written and read again, and says the same.
    file = tmp_path_factory.getbasetemp() / "cluster.json"
    seen = SeenCluster("lab", "https://x", facts=facts)
    file.write_text(cluster_facts_text(seen), encoding="utf-8")
    assert load_cluster_facts(file) == seen
