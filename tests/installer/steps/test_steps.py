"""Kinds of step on this machine: files for real; Helm, kubectl and Docker by stand-in programs.

The stand-ins keep the real command lines' contract as far as the steps rely on it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, get_args

import pytest

from foundation.problems import InputProblem
from installer.events import Kind, Outcome
from installer.steps import file
from installer.steps.kind import KINDS, done_at_once, step_kind
from tests.installer.engine_site import Watch, engine, new_run, plan, step

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="steps run as root; this is not root")


@pytest.fixture(autouse=True)
def state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the file step keeps on a machine, out of this one's /var."""
    monkeypatch.setattr(file, "_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


async def outcome_of(kind: str, watch: Watch | None = None, **spec: Any) -> tuple[Outcome, Any]:
    """Run one step of a kind in a run of its own."""
    made = plan(step("x", kind=kind, **spec))
    running = engine(made, watch=watch)
    return await running.run(), running


async def test_a_file_is_written_with_owner_and_mode_and_then_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "conf"
    then = {"script": f"echo reloaded >> {tmp_path}/log"}
    spec: dict[str, Any] = {
        "path": str(path),
        "content": "a ' $x\n\n",
        "mode": "0640",
        "then": then,
    }
    assert (await outcome_of("file", **spec))[0] is Outcome.DONE
    assert path.read_text() == "a ' $x\n\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (await outcome_of("file", **spec))[0] is Outcome.ALREADY
    path.chmod(0o644)
    assert (await outcome_of("file", **spec))[0] is Outcome.DONE
    path.write_text("somebody else's")
    assert (await outcome_of("file", **spec))[0] is Outcome.DONE
    assert (tmp_path / "log").read_text() == "reloaded\n" * 3
    assert [p.name for p in path.parent.iterdir()] == ["conf"]


async def test_a_command_after_a_change_that_failed_is_run_when_the_step_is_done_again(
    tmp_path: Path,
) -> None:
    """The file is right already, and yet the step is not done until its command has ended well."""
    path = tmp_path / "conf"
    spec: dict[str, Any] = {
        "path": str(path),
        "content": "x",
        "then": {"script": f"test -e {tmp_path}/ready"},
    }
    outcome, running = await outcome_of("file", **spec)
    assert outcome is Outcome.FAILED
    assert path.read_text() == "x"
    assert "exit status 1" in running.failures[0].problem.cause
    (tmp_path / "ready").touch()
    assert (await outcome_of("file", **spec))[0] is Outcome.DONE
    assert (await outcome_of("file", **spec))[0] is Outcome.ALREADY


async def test_a_file_is_brought_back_as_it_was(tmp_path: Path) -> None:
    old, fresh = tmp_path / "old", tmp_path / "fresh"
    old.write_text("before")
    old.chmod(0o600)
    made = plan(
        step("a", kind="file", path=str(old), content="after"),
        step("b", kind="file", path=str(fresh), content="after"),
    )
    run = new_run(made)
    assert await engine(made, run).run() is Outcome.DONE
    assert await engine(made, run).undo("one", by="Ma Ma") is Outcome.UNDONE
    assert old.read_text() == "before"
    assert stat.S_IMODE(old.stat().st_mode) == 0o600
    assert not fresh.exists()


async def test_a_file_that_a_later_run_found_done_is_brought_back_too(tmp_path: Path) -> None:
    """As it was before the run that wrote it; once, and not a second time."""
    file = tmp_path / "file"
    file.write_text("before")
    made = plan(step("a", kind="file", path=str(file), content="after"))
    assert await engine(made, new_run(made)).run() is Outcome.DONE
    later = new_run(made)
    assert await engine(made, later).run() is Outcome.ALREADY
    assert await engine(made, later).undo("one", by="Ma Ma") is Outcome.UNDONE
    assert file.read_text() == "before"
    file.write_text("somebody else's")
    assert await engine(made, new_run(made)).undo("one", by="Ma Ma") is Outcome.ALREADY
    assert file.read_text() == "somebody else's"


async def test_a_folder_or_a_link_in_the_place_of_a_file(tmp_path: Path) -> None:
    outcome, running = await outcome_of("file", path=str(tmp_path), content="x")
    assert outcome is Outcome.FAILED
    assert "is a folder" in running.failures[0].problem.cause
    (tmp_path / "target").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert (await outcome_of("file", path=str(tmp_path / "link"), content="x"))[0] is Outcome.DONE
    assert (tmp_path / "target").read_text() == "kept"
    assert not (tmp_path / "link").is_symlink()


async def test_a_relative_path_is_refused() -> None:
    outcome, running = await outcome_of("file", path="etc/x", content="x")
    assert outcome is Outcome.FAILED
    assert isinstance(running.failures[0].problem, InputProblem)


async def test_a_private_file_is_not_shown_in_a_dry_run(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("topsecret")
    watch = Watch()
    made = plan(step("a", kind="file", path=str(tmp_path / "conf"), content="x", mode="0600"))
    await engine(made, watch=watch, dry_run=True).run()
    told = " ".join(str(event.data) for event in watch.of(Kind.NOTE))
    assert "topsecret" not in told
    assert "private and is not shown" in told


def program(path: Path, text: str) -> tuple[str, ...]:
    """A stand-in program."""
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return (str(path),)


HELM = """
echo "$*" >> {log}
case $1 in
list) [ -e {store} ] || {{ echo '[]'; exit; }}
    echo '[{{"status":"deployed","chart":"argo-cd-7.7.0"}}]' ;;
get) cat {store} ;;
upgrade) sed -e 's/^/{{"a": /; s/a: //; s/$/}}/' > {store}; echo released ;;
uninstall) rm {store} ;;
esac
"""


async def test_a_release_is_installed_once_and_again_when_its_values_differ(tmp_path: Path) -> None:
    store, log = tmp_path / "store", tmp_path / "log"
    helm = program(tmp_path / "helm", HELM.format(log=log, store=store))
    spec: dict[str, Any] = {
        "release": "argo", "namespace": "argocd", "chart": "argo/argo-cd", "version": "7.7.0",
        "values": "values.yaml", "files": {"values.yaml": "a: 1"}, "program": helm,
    }  # fmt: skip
    assert (await outcome_of("helm", **dict(spec)))[0] is Outcome.DONE
    assert json.loads(store.read_text()) == {"a": 1}
    assert (await outcome_of("helm", **dict(spec)))[0] is Outcome.ALREADY
    other = {**spec, "files": {"values.yaml": "a: 2"}}
    assert (await outcome_of("helm", **other))[0] is Outcome.DONE
    upgrade = next(line for line in log.read_text().splitlines() if line.startswith("upgrade"))
    assert upgrade.startswith("upgrade argo argo/argo-cd --install --namespace argocd")
    assert "--version 7.7.0 --values - --wait" in upgrade


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ("exit 1", "does not say since when"),
        ("echo 'Kubernetes cluster unreachable'", "does not say since when"),
        ("echo '[]'", "does not say since when"),
        ("""echo '[{"revision": 1e999, "chart": "argo-cd-7.7.0"}]'""", "does not say since when"),
        ("""echo '[{"revision": NaN, "chart": "argo-cd-7.7.0"}]'""", "does not say since when"),
        ("printf '[%.0s' $(seq 100000)", "does not say since when"),
        ("head -c 6000000 /dev/zero", "does not say since when"),
        ("""printf '\\033]0;x\\007[{"revision": 1}]'""", "does not say since when"),
        ("""echo '[{"revision": 1, "chart": "argo-cd-5.0.0"}]'""", "there before this step"),
        ("""echo '[{"revision": 7, "chart": "argo-cd-7.7.0"}]'""", "from revision 7 on alone"),
        ("""echo '[{"revision": 1, "chart": "argo-cd-7.7.0"}]'""", ""),
    ],
)
async def test_a_release_that_stood_before_is_never_uninstalled(
    history: str, told: str, tmp_path: Path
) -> None:
    store, log = tmp_path / "store", tmp_path / "log"
    store.write_text("{}")  # with values of somebody else
    text = HELM.format(log=log, store=store).replace("esac", f"history) {history} ;;\nesac")
    helm = program(tmp_path / "helm", text)
    one = step("h", kind="helm", release="argo", namespace="n", chart="argo/argo-cd",
               version="7.7.0", program=helm, values="v", files={"v": "a: 1"})  # fmt: skip
    made = plan(one)
    run = new_run(made)
    assert await engine(made, run).run() is Outcome.DONE
    running = engine(made, run)
    await running.undo(made.stages[0].id, by="A. Test")
    assert store.exists() is bool(told)
    assert told in " ".join(str(one.problem.cause) for one in running.failures)


@pytest.mark.parametrize(
    ("status", "refusal", "remedy"),
    [
        (
            "pending-upgrade",
            "another operation (install/upgrade/rollback) is in progress",
            "helm rollback r --namespace n --wait --timeout 10m",
        ),
        ("uninstalling", '"r" has no deployed releases', "helm uninstall r --namespace n"),
    ],
)
async def test_a_release_left_half_done_says_how_to_take_it_back(
    status: str, refusal: str, remedy: str, tmp_path: Path
) -> None:
    text = f"""case $1 in list) echo '[{{"status":"{status}","chart":"c-1"}}]' ;;
    upgrade) echo 'Error: UPGRADE FAILED: {refusal}' >&2; exit 1 ;;
    esac"""
    helm = program(tmp_path / "helm", text)
    outcome, running = await outcome_of(
        "helm", release="r", namespace="n", chart="c", version="1", program=helm
    )
    assert outcome is Outcome.FAILED
    assert str(running.failures[0].problem.remedy).endswith(remedy)
    # Helm's mark is the same for who is at it and for who died: nobody takes a live half back.
    assert f"is {status}: somebody else works on it just now" in running.failures[0].problem.cause
    assert "See that nobody is at it" in str(running.failures[0].problem.remedy)


KUBECTL = """
case $1 in
diff) cat > {log}.new; [ -e {store} ] || exit 1; cmp -s {log}.new {store} ;;
apply) echo "$*" >> {log}; cat > {store}; echo applied ;;
esac
"""


async def test_manifests_are_applied_where_they_differ(tmp_path: Path) -> None:
    store, log = tmp_path / "store", tmp_path / "log"
    kubectl = program(tmp_path / "kubectl", KUBECTL.format(log=log, store=store))
    spec: dict[str, Any] = {
        "manifest": "m.yaml",
        "namespace": "ns",
        "program": kubectl,
        "files": {"m.yaml": "kind: X\n"},
    }
    assert (await outcome_of("kubectl", **dict(spec)))[0] is Outcome.DONE
    assert store.read_text() == "kind: X\n"
    assert (await outcome_of("kubectl", **dict(spec)))[0] is Outcome.ALREADY
    assert log.read_text() == (
        "apply --server-side --field-manager=sitewright --namespace ns --filename -\n"
    )


def test_what_a_kind_is_stands_in_one_place() -> None:
    """A kind that is new is one file and one line: no list of kinds, no second control host, and
    nobody else reads its data; two that show a plan show them all alike.
    """
    lists = re.compile(
        r"step\.kind (?:not )?in [(\[{]|\bhost(?:\.name)? [!=]= \"control\""
        r"|step\.kind [!=]= \"|\.spec\b"
    )
    theirs = {
        "installer/plans/plan.py",
        "installer/commands/plan.py",
        "screens/words/plan_words.py",
    }
    # What has a spec there is an object of Kubernetes, or what a driver is told; no plan is seen.
    others = {"updates", "acceptance"}
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("installer", "screens")
        for path in (ROOT / folder).rglob("*.py")
        if "solutions" not in path.parts
        and path.parent != ROOT / "installer/steps"
        and not others & set(path.parts)
        and str(path.relative_to(ROOT)) not in theirs
        for line in path.read_text().splitlines()
        if lists.search(line)
    ]
    assert not found


def test_every_kind_of_step_can_be_had() -> None:
    for name, traits in KINDS.items():
        kind = step_kind(name)
        assert get_args(kind.model.model_fields["kind"].annotation) == (name,)
        assert done_at_once(name) == traits.once
    with pytest.raises(InputProblem, match="no kind of step"):
        step_kind("magic")
