"""Files of any shape end in a value or a problem: site files, plans, journals. Bounded here;
`HYPOTHESIS_PROFILE=long` goes on by hand."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.problems import Problem
from installer.hand_over import render
from installer.hand_over.gather import gather
from installer.plans.plan import Plan
from installer.plans.plan_files import plan_from_json
from installer.record.journal_lines import FIRST, BrokenJournal, digest
from installer.record.record_check import check_record
from installer.record.runs import Run, create_run
from installer.sites.site import Site, load_site
from tests.installer.engine_site import plan, step

EXAMPLES = 3000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 60
BOUNDED = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
)

PLAN = plan(
    step("a", "m1", script="true"), step("b", "m1", stage="verify", kind="confirm", text="Well?")
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=3),
    max_leaves=8,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [path]
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            found += places(inner, (*path, key))
    return found


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with another at one place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


AS_JSON = json.loads(json.dumps(PLAN.as_json()))


@BOUNDED
@given(st.sampled_from(places(AS_JSON)), VALUES)
def test_a_plan_with_anything_anywhere_is_a_plan_or_a_problem(
    place: tuple[Any, ...], value: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.json"
        file.write_text(json.dumps(put(AS_JSON, place, value)))
        with contextlib.suppress(Problem):
            assert isinstance(plan_from_json(file), Plan)


SITE = {
    "solution": "pm4ml",
    "ssh": {"user": "ubuntu", "identity_files": ["~/.ssh/x"], "known_hosts": "k"},
    "control": "m1",
    "hosts": [{"name": "m1", "address": "10.0.0.1", "roles": "master", "variables": {"nic": "x"}}],
    "settings": {"domain": "a.example"},
    "supplies": {"bundle": "b", "keys": "k", "registry": "r:5000"},
    "waivers": [{"check": "x", "by": "A", "until": "2030-01-01", "reason": "r"}],
}


@BOUNDED
@given(st.sampled_from(places(SITE)), VALUES)
def test_a_site_with_anything_anywhere_is_a_site_or_a_problem(
    place: tuple[Any, ...], value: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "site.yaml"
        file.write_text(json.dumps(put(SITE, place, value), ensure_ascii=True))
        site = Site()
        with contextlib.suppress(Problem):
            site = load_site(file)
        for host in site.hosts:
            assert not [name for name in host.variables if name.lower().startswith("ansible_")]


@BOUNDED
@given(st.binary(max_size=80))
def test_a_site_of_any_bytes_is_a_problem(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "site.yaml"
        file.write_bytes(data)
        with contextlib.suppress(Problem):
            load_site(file)


EVENTS = [
    ["run.started", "", "", "",
     {"run": "x", "solution": "test", "environment": "lab", "plan_sha256": PLAN.sha256, "by": "A",
      "until": "", "only": ""}],
    ["stage.started", "one", "", "", {"title": "One"}],
    ["step.started", "one", "a", "m1", {"title": "Do a", "attempt": 1}],
    ["job.started", "one", "a", "m1", {"job": "sw-x", "boot_id": "b", "durable": "systemd"}],
    ["line", "one", "a", "m1", {"text": "t", "stream": "stdout", "cursor": "c", "unit": ""}],
    ["step.progress", "one", "a", "m1", {"done": 1, "total": 2, "text": ""}],
    ["step.finished", "one", "a", "m1", {"outcome": "done", "seconds": 1.0, "sentence": ""}],
    ["question", "verify", "b", "control", {"text": "Well?", "items": []}],
    ["answer", "verify", "b", "control", {"by": "A", "answer": {"text": "Well?", "yes": True}}],
    ["problem", "verify", "b", "control", {"code": "c", "title": "t", "where": "w", "cause": "c",
                                            "remedy": "r"}],
    ["control", "verify", "b", "control", {"action": "skip", "by": "A", "reason": "r"}],
    ["run.finished", "", "", "", {"outcome": "done", "seconds": 1.0}],
]  # fmt: skip


def journal(events: list[Any]) -> bytes:
    """A journal whose chain is right, whatever its lines say."""
    previous, lines = FIRST, b""
    for number, one in enumerate(events):
        kind, stage, name, host, data = (
            (*one, *[""] * 5)[:5] if isinstance(one, list) else [one] * 5
        )
        line = json.dumps(
            {"prev": previous, "kind": kind, "stage": stage, "step": name, "host": host,
             "time": float(number), "data": data},
            separators=(",", ":"),
        ).encode()  # fmt: skip
        previous = digest(line)
        lines += line + b"\n"
    return lines


@BOUNDED
@given(st.sampled_from(places(EVENTS)[1:]), VALUES)
def test_a_journal_with_anything_anywhere_is_read_or_broken(
    place: tuple[Any, ...], value: Any
) -> None:
    """Its chain is right, as of one who writes it anew; every form of the report is made."""
    run = _run()
    run.journal.write_bytes(journal(put(EVENTS, place, value)))
    with contextlib.suppress(BrokenJournal):
        run.state()
    with contextlib.suppress(BrokenJournal):
        check_record(run)
    report = gather(run)
    for form in ("text", "json", "html", "junit"):
        assert render(report, form)


def _run() -> Run:
    made = _RUNS.get("run")
    if made is None or not made.folder.is_dir():
        made = _RUNS["run"] = create_run("site", PLAN)
    return made


_RUNS: dict[str, Run] = {}
