"""What a run claims holds now: an undo or a redo puts what stands on it back to waiting."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installer import cli
from installer.events import Event, Kind, Outcome
from installer.hand_over.gather import gather
from installer.hand_over.text import render_text
from installer.plans.plan import Plan
from installer.record.identity import site_key
from installer.record.progress import progress_of
from installer.record.runs import create_run
from installer.record.site_lock import Lock
from installer.record.state import Key, RunState, keys_of
from installer.sites.site import load_site
from tests.installer.engine_site import Person, engine, once, plan, step, words

RESTS_ON = {"a": "", "b": "a", "c": "ab", "d": "", "verify": "abcd"}
"""By hand, for the plan below: what each stage rests on, through others too."""


def made() -> Plan:
    """Five stages of two steps on two machines; c rests on a through b, and nothing on d."""
    needs = {"b": ("a",), "c": ("b",), "verify": ("c",)}
    return plan(
        *(step(name, "m1", "m2", stage=stage) for stage in RESTS_ON for name in ("one", "two")),
        needs=needs,
    )


KEYS = tuple(keys_of(made()))


@dataclass
class Told:
    """A run by its events, and what a person who reads them all would say of it."""

    state: RunState = field(default_factory=lambda: RunState(made()))
    history: list[tuple[Key, str]] = field(default_factory=list)

    def event(self, kind: Kind, key: Key, **data: str | float) -> None:
        self.state.apply(Event(kind, float(len(self.history)), *key, dict(data)))

    def done(self, key: Key, *, found: bool = False) -> None:
        self.event(Kind.STEP_STARTED, key, title="Do it", attempt=1.0)
        if not found:
            self.event(Kind.JOB_STARTED, key, job="sw-x-do-1", boot_id="b", durable="systemd")
        outcome = Outcome.ALREADY if found else Outcome.DONE
        self.event(Kind.STEP_FINISHED, key, outcome=outcome, seconds=1.0, sentence="")
        self.history.append((key, "found" if found else "done"))

    def skip(self, key: Key) -> None:
        self.event(Kind.STEP_FINISHED, key, outcome=Outcome.SKIPPED, seconds=0.0, sentence="")
        self.history.append((key, "skip"))

    def undo(self, stage: str, *, silent: bool) -> None:
        """The last step first; with `silent` its first step does not say how."""
        for key in reversed([key for key in KEYS if key[0] == stage]):
            standing = self.state.steps.get(key)
            if standing is None or standing.outcome not in (Outcome.DONE, Outcome.FAILED):
                continue
            self.event(Kind.STEP_STARTED, key, title="Take back: Do it", attempt=2.0)
            if silent and key[1] == "one":
                self.event(Kind.STEP_FINISHED, key, outcome=Outcome.DONE, seconds=0.0, sentence="")
                continue
            self.event(Kind.JOB_STARTED, key, job="sw-x-undo-2", boot_id="b", durable="systemd")
            self.event(Kind.STEP_FINISHED, key, outcome=Outcome.UNDONE, seconds=0.0, sentence="")
            self.history.append((key, "undone"))

    def resume(self) -> None:
        for key in KEYS:
            if not self.state.finished(key):
                self.done(key)

    def claims(self, key: Key) -> bool:
        """By the whole history, looked through anew."""
        last = max((n for n, (one, _) in enumerate(self.history) if one == key), default=-1)
        if last < 0 or self.history[last][1] == "undone":
            return False
        if self.history[last][1] == "skip":
            return True
        return not any(
            what in ("done", "undone")
            and (other[0] in RESTS_ON[key[0]] or (other[0] == key[0] and other[1] < key[1]))
            and not (key[0] == other[0] == "verify")
            for other, what in self.history[last + 1 :]
        )


OPERATIONS = st.tuples(
    st.sampled_from(["done", "found", "skip", "undo", "undo silently", "resume"]),
    st.sampled_from(KEYS),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(OPERATIONS, max_size=14))
def test_in_any_order_a_claim_is_younger_than_what_it_stands_on(
    operations: list[tuple[str, Key]],
) -> None:
    told = Told()
    for name, key in operations:
        if name == "resume":
            told.resume()
        elif name == "skip":
            told.skip(key)
        elif name.startswith("undo"):
            told.undo(key[0], silent=name != "undo")
        else:
            told.done(key, found=name == "found")
        assert {key: told.state.finished(key) for key in KEYS} == {
            key: told.claims(key) for key in KEYS
        }
        progress = progress_of(made(), told.state, {}, now=0.0)
        assert progress.done == sum(told.claims(key) for key in KEYS)
    told.resume()
    assert told.state.complete(made())


def test_an_undo_in_every_stage_puts_every_verification_back() -> None:
    for stage in "abcd":
        told = Told()
        told.resume()
        told.undo(stage, silent=False)
        waiting = {key[0] for key in KEYS if not told.state.finished(key)}
        assert waiting == {name for name, below in RESTS_ON.items() if stage in below} | {stage}


root = pytest.mark.skipif(os.geteuid() != 0, reason="jobs are run as root; this is not root")


@pytest.mark.processes
@root
def test_undo_then_resume_verifies_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The load balancer is taken back and set up again; nothing says verified from before."""
    file = tmp_path / "site.yaml"
    file.write_text("solution: pm4ml\nhosts: [{name: local, address: local, roles: [master]}]\n")
    log = tmp_path / "log"
    balancer = once(log, "balancer")
    whole = plan(
        step("balancer", stage="haproxy", **balancer, undo={"script": f"rm {log}"}),
        step("other", stage="other", script="true", done={"script": "true"}),
        step("asked", stage="verify", script=f"echo asked >>{tmp_path}/asked; test -e {log}"),
        needs={"verify": ("haproxy", "other")},
    )
    run = create_run(site_key(load_site(file)), whole)

    def carried_through() -> Outcome:
        import asyncio

        # As every run does: what is noted of its end is noted anew before it goes on.
        with Lock(run.site_key, by="Ma Ma") as lock:
            return asyncio.run(engine(whole, run, ask=Person(), lock=lock).run())

    assert carried_through() is Outcome.DONE
    report = gather(run)
    assert report.complete
    assert "Verified at the end:" in render_text(report)

    assert cli.main(["undo", "haproxy", "--site", str(file), "--by", "Ma Ma"]) == 0
    capsys.readouterr()
    report = gather(run)
    text = render_text(report)
    assert not report.complete
    assert text.startswith("NOT FINISHED: Stage haproxy: taken back.")
    assert "Verified at the end" not in text
    assert "not asked since the last change: Do asked on local, 20" in text
    assert cli.main(["status", "--site", str(file)]) == 0
    assert "verify 0 of 1 waiting" in " ".join(capsys.readouterr().out.split())

    assert carried_through() is Outcome.DONE
    assert words(tmp_path / "asked") == ["asked", "asked"]
    text = render_text(gather(run))
    assert text.startswith("Installed: every step was done and verified.")
    assert "Verified at the end:" in text


def _answers(person: Person) -> list[str]:
    return [question.step for question in person.asked]


@pytest.mark.processes
@root
@pytest.mark.parametrize("kind", ["confirm", "checklist"])
async def test_a_person_is_asked_again_after_a_change(tmp_path: Path, kind: str) -> None:
    """An answer to the same question from before is none."""
    said: dict[str, object] = (
        {"text": "Does it work?"} if kind == "confirm" else {"items": [{"text": "Does it work?"}]}
    )
    whole = plan(
        step("balancer", stage="haproxy", **once(tmp_path / "log", "x"),
             undo={"script": f"rm {tmp_path}/log"}),
        step("asked", stage="verify", kind=kind, **said),
        needs={"verify": ("haproxy",)},
    )  # fmt: skip
    run = create_run("site", whole)
    person = Person()
    first = engine(whole, run, ask=person)
    assert await first.run() is Outcome.DONE
    assert await engine(whole, run, ask=person).undo("haproxy", by="Ma Ma") is Outcome.UNDONE
    assert await engine(whole, run, ask=person).run() is Outcome.DONE
    assert _answers(person) == ["asked", "asked"]
