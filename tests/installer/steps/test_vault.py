"""Vault handed over, opened and given its rights: the real engine, program and three Vaults.

The Vaults are OpenBao's (`tests/lab/openbao.py`), with Raft, on the loopback; the cluster around
them is `tests/stand_ins/vault_pods.py`. The persons answer at once.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from foundation.secrets import Secret
from installer.events import Kind, Outcome
from installer.plans.plan import Plan
from installer.record.runs import Run
from installer.steps.kind import Answer, Question
from installer.steps.vaults import held
from tests.installer.engine_site import Watch, engine, new_run, plan, step
from tests.lab.openbao import openbao
from tests.stand_ins.vault_pods import Vaults

ROOT = Path(__file__).parents[3]
PM4ML = ROOT / "installer/solutions/pm4ml"
NAMES = ("A. Abara", "B. Bello", "C. Chanda")

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(os.geteuid() != 0, reason="steps run as root; this is not root"),
]


@dataclass
class Persons:
    """They keep what they are handed, and type it when it is wanted."""

    safe: dict[str, str] = field(default_factory=dict)
    asked: list[Question] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    """What is typed, in place of the shares that they have."""
    leave_at: int = 99
    """The share that nobody is there to take."""
    confirm: bool = True

    async def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        if question.hands is not None:
            if len(self.safe) + 1 == self.leave_at:
                return Answer("", yes=False)
            self.safe[question.person] = question.hands.reveal()
            return Answer(question.person, yes=True)
        if question.wants:
            shares = self.types or list(self.safe.values())
            nth = sum(bool(one.wants) for one in self.asked) - 1
            return Answer("Ma Ma", yes=True, typed=Secret(shares[nth % len(shares)]))
        return Answer("Ma Ma", yes=self.confirm)


@dataclass
class Site:
    """Three Vaults, and the plan by which they are opened."""

    vaults: Vaults
    plan: Plan
    persons: Persons
    watch: Watch = field(default_factory=Watch)

    async def run(self, run: Run | None = None) -> Outcome:
        """Carry it through."""
        built = engine(self.plan, run, ask=self.persons, watch=self.watch)
        outcome = await built.run()
        self.why = "; ".join(str(one.problem.cause) for one in built.failures)
        self.remedies = " ".join(str(one.problem.remedy) for one in built.failures)
        return outcome

    @property
    def kept(self) -> dict[str, Any]:
        """What the cluster keeps of it."""
        found = json.loads((self.vaults.place / "configmap.json").read_text())
        kept: dict[str, Any] = json.loads(found["data"]["state"])
        return kept

    def said(self) -> list[str]:
        """How each Vault stands."""
        told = []
        for name in self.vaults.pods:
            seal = self.vaults.ask(name, "sys/seal-status")
            told.append("sealed" if seal["sealed"] else "open")
        return told


def rights(folder: Path) -> str:
    """The solution's own, for Vaults outside of pods, where no account of Kubernetes lies."""
    text = (PM4ML / "vault/first-rights.yaml").read_text()
    text = text.replace("{{ pm4ml_id }}", "bank-one").replace("{{ vault_namespace }}", "vault")
    made = yaml.safe_load(text.replace("/vault/audit", str(folder)))
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test"
    pem = folder / "authority.pem"
    subprocess.run(
        [*words.split(), "-keyout", "/dev/null", "-out", str(pem)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    made["auth"]["kubernetes"]["config"].update(
        disable_local_ca_jwt=True, kubernetes_ca_cert=pem.read_text()
    )
    text = yaml.safe_dump(made)
    return str(text)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    vaults = Vaults(tmp_path / "cluster", openbao())
    program = str(vaults.program(PM4ML / "operations/vaults.py"))
    common = {"program": program, "namespace": "vault", "kind": "vault"}
    made = plan(
        step("shares", **common, does="hand-over", shares="3", threshold="2",
             holders=", ".join(NAMES)),
        step("open", **common, does="open", rights="r.yaml",
             files={"r.yaml": rights(tmp_path)}),
    )  # fmt: skip
    vaults.begin()
    try:
        yield Site(vaults, made, Persons())
    finally:
        vaults.end()


TOKEN = re.compile(r"\b(?:hvs|s)\.[A-Za-z0-9]{20}")
"""A token of Vault's or OpenBao's: long enough to stand in no bytes by chance."""


def written(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file of a folder as text."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_text(errors="replace")


async def test_vault_is_handed_over_opened_given_its_rights_and_the_root_token_is_gone(
    site: Site, tmp_path: Path
) -> None:
    run = new_run(site.plan)
    assert await site.run(run) is Outcome.DONE, site.why
    assert site.said() == ["open"] * 3
    assert tuple(site.persons.safe) == NAMES
    assert site.kept["handed"] == list(NAMES)
    assert (site.kept["root"], site.kept["rights"]) == (False, True)
    # Nothing that was handed, typed or used stands in any file of the run or of the cluster.
    secrets = [*site.persons.safe.values()]
    for path, text in (*written(run.folder), *written(site.vaults.place)):
        assert not any(one in text for one in secrets), path
        assert not TOKEN.search(text), path
    answers = [event.data for event in site.watch.of(Kind.ANSWER)]
    assert [answer["by"] for answer in answers] == ["Ma Ma", *NAMES, "Ma Ma", "Ma Ma"]
    # Once more is nothing; the shares alone make a root token, and it may what was given.
    assert await site.run() is Outcome.ALREADY


async def test_wrong_shares_too_few_and_the_same_twice_are_told_and_asked_for_again(
    site: Site,
) -> None:
    await site.run()
    site.vaults.tell("delete", "pod", *site.vaults.pods)  # as after a power cut
    one, two, _ = site.persons.safe.values()
    foreign = "ab" * 32 + "07"
    site.persons.types = [one, "12 34", one, foreign, one, two]
    site.persons.asked.clear()
    assert await site.run() is Outcome.DONE, site.why
    assert site.said() == ["open"] * 3
    texts = [question.text for question in site.persons.asked]
    assert "it has 4 digits; a share has 66" in texts[2]
    assert "it was typed already" in texts[3]
    assert "at least one is not of this Vault" in texts[4]
    assert "Share 2 of the 2" in texts[5]
    assert len(texts) == 6


async def test_one_that_was_restarted_alone_is_opened_and_the_others_are_not_touched(
    site: Site,
) -> None:
    await site.run()
    site.vaults.tell("delete", "pod", "vault-1")
    site.watch.events.clear()
    assert await site.run() is Outcome.DONE, site.why
    assert site.said() == ["open"] * 3
    done = [event.data["sentence"] for event in site.watch.of(Kind.STEP_FINISHED)]
    assert done[-1] == "Opened with the shares of Ma Ma and Ma Ma: vault-1."


async def test_a_hand_over_that_was_cut_off_is_told_and_vault_begins_with_nothing(
    site: Site,
) -> None:
    """The process ends between the second share and the third: what it had is gone with it."""
    site.persons.leave_at = 3
    run = new_run(site.plan)
    assert await site.run(run) is Outcome.FAILED
    assert "share 3 was not taken" in site.why
    assert (site.kept["phase"], site.kept["handed"]) == ("handing-over", list(NAMES[:2]))
    lost = dict(site.persons.safe)

    # In the same process nothing is lost: it goes on with the third.
    assert held.held(run.id).shares
    held.let_go(run.id)
    site.persons = Persons(confirm=False)
    assert await site.run() is Outcome.FAILED
    (question,) = site.persons.asked
    assert "2 of 3 shares were handed over (A. Abara and B. Bello)" in question.text
    assert "nothing is deleted" in question.text
    assert "vault operator rekey" in site.remedies
    assert site.said() == ["sealed"] * 3

    site.persons = Persons()
    assert await site.run() is Outcome.DONE, site.why
    assert set(site.persons.safe.values()).isdisjoint(lost.values())
    assert site.said() == ["open"] * 3
    aside = list((site.vaults.place / "vault-0" / "data").glob("set-aside-*"))
    assert [sorted(one.name for one in each.iterdir()) for each in aside]


async def test_where_nobody_is_there_vault_is_not_initialised(site: Site) -> None:
    """Its shares would be lost as soon as they are made."""
    site.persons.confirm = False
    assert await site.run() is Outcome.FAILED
    (question,) = site.persons.asked
    assert question.present
    assert "Are the persons here?" in question.text
    assert site.vaults.ask("vault-0", "sys/seal-status")["initialized"] is False
    assert not (site.vaults.place / "configmap.json").exists()


async def test_before_all_shares_have_their_persons_it_is_not_opened(site: Site) -> None:
    """Else it would hold something, and be taken for empty after the next restart."""
    site.persons.leave_at = 3
    run = new_run(site.plan)
    await site.run(run)
    held.let_go(run.id)
    safe = dict(site.persons.safe)
    (stage,) = site.plan.stages
    site.plan = replace(site.plan, stages=(replace(stage, steps=stage.steps[1:]),))  # as `unseal`
    site.persons = Persons(safe)
    assert await site.run() is Outcome.FAILED
    assert "only 2 of 3 shares of Vault have their persons" in site.why
    assert "sitewright resume" in site.remedies
    assert not site.persons.asked
    assert site.said() == ["sealed"] * 3


@dataclass
class Cut(Persons):
    """The API goes away while the second person copies the share."""

    away: Path = Path()

    async def __call__(self, question: Question) -> Answer:
        answer = await super().__call__(question)
        if len(self.safe) == 2 and question.hands is not None and answer.yes:
            self.away.touch()
        return answer


async def test_a_share_is_handed_over_once_though_the_cluster_could_not_note_it(
    site: Site,
) -> None:
    site.persons = Cut(leave_at=3, away=site.vaults.place / "away")
    run = new_run(site.plan)
    assert await site.run(run) is Outcome.FAILED
    (site.vaults.place / "away").unlink()
    assert site.kept["handed"] == list(NAMES[:1])
    site.persons.leave_at = 99
    site.persons.away = site.vaults.place / "nowhere"
    assert await site.run(run) is Outcome.DONE, site.why
    handed = [one.person for one in site.persons.asked if one.hands is not None]
    assert handed == [*NAMES, NAMES[2]]  # the third was not there at first
    assert site.kept["handed"] == list(NAMES)


async def test_what_somebody_opened_by_hand_is_never_set_aside(site: Site) -> None:
    site.persons.leave_at = 3
    run = new_run(site.plan)
    await site.run(run)
    held.let_go(run.id)
    for share in site.persons.safe.values():
        site.vaults.ask("vault-0", "sys/unseal", body={"key": share})
    site.persons = Persons()
    assert await site.run() is Outcome.FAILED
    assert "is not set aside" in site.why
    assert not site.persons.asked


async def test_in_the_same_process_the_hand_over_goes_on_where_it_was(site: Site) -> None:
    site.persons.leave_at = 2
    run = new_run(site.plan)
    assert await site.run(run) is Outcome.FAILED
    site.persons.leave_at = 99
    assert await site.run(run) is Outcome.DONE, site.why
    assert tuple(site.persons.safe) == NAMES
    assert not any("cut off" in question.text for question in site.persons.asked)


async def test_rights_that_vault_does_not_take_leave_no_root_token(site: Site) -> None:
    good = site.plan
    files = dict(good.stages[0].steps[1].files)
    wrong = yaml.safe_load(files["r.yaml"])
    wrong["policies"]["vault-configurer"] = "this is no policy"
    (stage,) = good.stages
    opens = replace(stage.steps[1], files=(("r.yaml", yaml.safe_dump(wrong)),))
    site.plan = replace(good, stages=(replace(stage, steps=(stage.steps[0], opens)),))
    run = new_run(site.plan)
    assert await site.run(run) is Outcome.FAILED
    assert "did not take the first rights" in site.why
    assert "The root token was revoked" in site.why
    assert (site.kept["root"], site.kept["rights"]) == (False, False)
    # The next try makes one by the shares, and revokes that.
    site.plan = good
    held.let_go(run.id)
    assert await site.run() is Outcome.DONE, site.why
    assert (site.kept["root"], site.kept["rights"]) == (False, True)


async def test_nothing_is_begun_while_one_of_them_does_not_say_how_it_stands(site: Site) -> None:
    """A pod that is away may be the one that holds everything."""
    site.vaults.pods["vault-2"]["phase"] = "Pending"
    site.vaults.write()
    assert await site.run() is Outcome.FAILED
    assert "vault-2 is unknown (its pod is Pending)" in site.why
    assert not site.persons.asked
    (site.vaults.place / "away").touch()
    assert await site.run() is Outcome.FAILED
    assert "was refused" in site.why
