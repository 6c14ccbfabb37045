"""A node that is dead: the proof of it, what lies on it, and that the cluster forgets it."""

from __future__ import annotations

import importlib
import json
import re
import socket
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.installer.pm4ml.machines.cluster import NO, UNTOLD, YES, pod, volume
from tests.installer.pm4ml.machines.masters import Masters

PROOF = "300"


class Dying:
    """m3 of three masters, or the worker w5, by its own look dead for ten minutes."""

    def __init__(self, masters: Masters) -> None:
        self.masters = masters
        self.place = masters.cluster.place
        masters.are(0, 0, 0)
        for name in ("m3", "w5"):
            self.unready(name, timedelta(minutes=10))
        members = masters.members()
        members[2]["Address"] = "127.0.0.3:1"
        masters.cluster.has(members=members)
        (self.place / "forced").write_text("127.0.0.3:1")
        self.answers_at()

    def answers_at(self, *ports: int) -> None:
        """The ports that are tried: on this machine each answers, if only by a refusal."""
        text = (self.place / "dead.py").read_text()
        lines = [f"PORTS = {ports!r}" if one.startswith("PORTS =") else one
                 for one in text.splitlines()]  # fmt: skip
        (self.place / "dead.py").write_text("\n".join(lines) + "\n")

    def unready(self, name: str, since: timedelta, status: str = "Unknown") -> None:
        nodes = json.loads((self.place / "nodes.json").read_text())
        then = (datetime.now(UTC) - since).strftime("%Y-%m-%dT%H:%M:%SZ")
        for one in nodes:
            if one["metadata"]["name"] == name:
                one["status"]["conditions"] = [
                    {"type": "Ready", "status": status, "lastTransitionTime": then}
                ]
        self.masters.cluster.has(nodes=nodes)

    def ask(self, action: str, *more: str, name: str = "m3", address: str = "") -> tuple[int, str]:
        return self.masters.cluster.ask(
            action, name, *more, address=address or "127.0.0.3", program=self.place / "dead.py"
        )


@pytest.fixture
def dying(masters: Masters) -> Dying:
    return Dying(masters)


def test_a_dead_master_is_forgotten_by_force(dying: Dying) -> None:
    dying.unready("w5", timedelta(0), "True")
    assert dying.ask("fit", PROOF, "2") == (YES, "")
    assert dying.ask("gone")[0] == NO
    assert dying.ask("forget", PROOF)[0] == YES
    assert "remove-node m3 --force" in dying.masters.cluster.calls
    assert dying.ask("gone")[0] == YES
    assert dying.ask("forget", PROOF)[0] == YES
    status, said = dying.ask("fit", PROOF, "2")
    assert status == NO
    assert "it is forgotten already" in said


def test_a_member_whose_node_was_deleted_by_hand_is_forgotten_too(dying: Dying) -> None:
    nodes = json.loads((dying.place / "nodes.json").read_text())
    nodes = [one for one in nodes if one["metadata"]["name"] != "m3"]
    dying.masters.cluster.has(nodes=nodes)
    dying.unready("w5", timedelta(0), "True")
    assert dying.ask("fit", PROOF, "2") == (YES, "")
    assert dying.ask("forget", PROOF)[0] == YES
    assert "remove-node 127.0.0.3 --force" in dying.masters.cluster.calls


@pytest.mark.parametrize("how", ["refuses", "answers", "ready", "just now", "no majority"])
def test_what_lives_is_never_forgotten(dying: Dying, how: str) -> None:
    dying.unready("w5", timedelta(0), "True")
    why = {
        "refuses": "127.0.0.3 refuses connections to port 1, so the machine runs",
        "answers": "127.0.0.3 answers at port",
        "ready": "m3 is Ready: its kubelet speaks to the API",
        "just now": r"m3 is not Ready for \d+ s only",
        "no majority": "of 3 members of the database that vote 1 would stay, and 2 must agree",
    }[how]
    with socket.create_server(("127.0.0.3", 0)) as listening:
        if how in ("refuses", "answers"):
            dying.answers_at(1 if how == "refuses" else int(listening.getsockname()[1]))
        if how == "ready":
            dying.unready("m3", timedelta(minutes=10), "True")
        if how == "just now":
            dying.unready("m3", timedelta(seconds=60))
        if how == "no majority":
            members = dying.masters.members()
            members[1]["Address"] = "127.0.0.2:1"
            dying.masters.cluster.has(members=members)
        for words in (("fit", PROOF, "2"), ("forget", PROOF)):
            status, said = dying.ask(*words)
            assert status == NO, words
            assert re.search(why, said)
    assert "remove-node" not in dying.masters.cluster.calls


@pytest.mark.parametrize("kind", ["nodes", "members"])
def test_that_it_is_dead_cannot_be_told_where_an_answer_is_missing(dying: Dying, kind: str) -> None:
    (dying.place / f"{kind}.err").write_text("no answer")
    for words in (("fit", PROOF, "2"), ("forget", PROOF)):
        assert dying.ask(*words)[0] == UNTOLD
    assert "remove-node" not in dying.masters.cluster.calls


def test_since_when_it_is_silent_has_to_be_told(dying: Dying) -> None:
    nodes = json.loads((dying.place / "nodes.json").read_text())
    del nodes[2]["status"]["conditions"][0]["lastTransitionTime"]
    dying.masters.cluster.has(nodes=nodes)
    status, said = dying.ask("unheard", PROOF)
    assert status == UNTOLD
    assert "does not say since when" in said


def test_everything_that_stands_against_it_is_told_at_once(dying: Dying) -> None:
    dying.answers_at(1)
    dying.unready("m3", timedelta(seconds=60))
    status, said = dying.ask("fit", PROOF, "3")
    assert status == NO
    for sentence in (
        "refuses connections to port 1", "is not Ready for ", "w5 is not Ready",
        "of the masters 2 would stay (m1, m2), and the site file names 3",
    ):  # fmt: skip
        assert sentence in said


def test_what_lies_on_it_is_named_for_a_person_to_judge(dying: Dying) -> None:
    for action in ("volumes", "pods"):
        assert dying.ask(action) == (YES, "")
    assert dying.ask("copies")[0] == UNTOLD
    dying.masters.cluster.has(
        pods=[pod("mysql-0", "m3", owner="StatefulSet"), pod("mine", "m3", owner=""),
              pod("log", "m3", owner="DaemonSet")],
        persistentvolumes=[volume("pvc-1", "m3"), volume("pvc-2", "m1")],
    )  # fmt: skip
    assert dying.ask("volumes") == (UNTOLD, "pvc-1 lies on it (10Gi, db/data-mysql-0)\n")
    status, said = dying.ask("pods")
    assert status == UNTOLD
    assert "shop/mysql-0 (StatefulSet)" in said
    assert "shop/mine (made by nobody: it will be gone)" in said
    assert "log" not in said


def test_what_waits_for_volumes_that_are_gone_is_named(dying: Dying) -> None:
    """Of a driver that pins by the name of the node, as OpenEBS does by a label of its own."""
    here: Any = volume("pvc-2", "m1")
    nodes = json.loads((dying.place / "nodes.json").read_text())
    nodes = [one for one in nodes if one["metadata"]["name"] != "m3"]
    for one in nodes:
        one["metadata"]["labels"]["openebs.io/nodename"] = one["metadata"]["name"]
    everywhere = volume("pvc-3", "m1")
    del everywhere["spec"]["nodeAffinity"]
    dying.masters.cluster.has(
        nodes=nodes, persistentvolumes=[volume("pvc-1", "m3"), here, everywhere]
    )
    status, said = dying.ask("lost")
    assert status == YES
    assert "db/data-mysql-0 waits for pvc-1, which no node has any more" in said
    assert "kubectl -n db delete pvc data-mysql-0" in said
    assert "pvc-2" not in said
    assert "pvc-3" not in said


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (TimeoutError(110, "timed out"), ""),
        (OSError(113, "No route to host"), ""),
        (ConnectionRefusedError(111, "refused"), "so the machine runs"),
        (ConnectionResetError(104, "reset"), "so the machine runs"),
        (OSError(101, "Network is unreachable"), None),
        (PermissionError(1, "not permitted"), None),
    ],
)
def test_only_silence_is_no_answer(
    masters: Masters, monkeypatch: pytest.MonkeyPatch, raised: OSError, told: str | None
) -> None:
    """That this machine has no way there says nothing of the other."""
    monkeypatch.syspath_prepend(str(masters.cluster.place))
    for name in ("dead", "members", "nodes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    dead = importlib.import_module("dead")
    for name in ("dead", "members", "nodes"):
        monkeypatch.delitem(sys.modules, name)

    def fails(*_: object) -> None:
        raise raised

    monkeypatch.setattr(socket, "create_connection", fails)
    if told is None:
        with pytest.raises(dead.nodes.Untold):
            dead.answer_of("10.0.0.9", 22)
    else:
        assert dead.answer_of("10.0.0.9", 22).endswith(told)
        assert bool(dead.answer_of("10.0.0.9", 22)) is bool(told)
