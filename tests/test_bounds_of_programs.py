"""Every program that we start, and every request, has an end: a rule over the whole source.

A program that never ends, or never stops writing, is a machine or a server that never answers: no
reader may wait for it without a bound.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = ("foundation", "preflight", "bundles", "installer", "screens")

_STARTS = {"create_subprocess_exec", "create_subprocess_shell", "Popen"}
_BOUND = re.compile(r"asyncio\.timeout|timeout=|_SECONDS\b|\.poll\(|deadline|until")
"""What a function says that does not wait for ever."""
_ELSEWHERE = ("on_machine", "on_control_host", "playbooks")
"""What runs on a machine is a part of a job or a command there, which has a time as a whole."""
_CLIENTS = {"AsyncClient", "Client", "urlopen", "HTTPConnection", "HTTPSConnection"}
_WORDS = ("subprocess", *_CLIENTS)
"""Without one of these a file starts and asks nothing."""
ONE_CLIENT = {
    "bundles/registries/web.py",
    "foundation/clusters/https.py",
    "installer/solutions/pm4ml/operations/vaults.py",
    "installer/updates/alerts.py",
}
"""Where requests are made, of registries, of clusters, and on a master of Vault: with a time, and
each answer counted; and to webhooks, of whose answer the status alone is read."""


def _functions() -> Iterator[tuple[str, ast.AST, str]]:
    """Each outermost function or method of the source: file, tree, text."""
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            place = str(path.relative_to(ROOT))
            if any(name in path.parts for name in _ELSEWHERE):
                continue
            text = path.read_text("utf-8")
            if not any(name in text for name in _WORDS):
                continue
            tree = ast.parse(text)
            classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
            for node in (*tree.body, *(node for one in classes for node in one.body)):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    yield place, node, ast.unparse(node)


def _calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            name = node.func.id if isinstance(node.func, ast.Name) else name
            yield name, node


def test_every_program_that_is_started_has_an_end() -> None:
    wrong = []
    for place, function, text in _functions():
        name = getattr(function, "name", "")
        for called, node in _calls(function):
            words = {keyword.arg for keyword in node.keywords}
            whole = ast.unparse(node.func)
            if whole in ("subprocess.run", "subprocess.check_output", "subprocess.call"):
                if "timeout" not in words:
                    wrong.append(f"{place}:{node.lineno} {whole} without a time")
            elif called in _STARTS:
                if not _BOUND.search(text):
                    wrong.append(f"{place}:{node.lineno} {called} in {name} without a time")
            elif called == "communicate" and "create_subprocess" in text:
                wrong.append(f"{place}:{node.lineno} communicate takes whatever is written")
    assert wrong == []


def test_what_watches_on_a_machine_takes_every_answer_by_the_bounded_way() -> None:
    """A part of a job has the job's time, and no bound of what a program in it says."""
    folder = ROOT / "installer/steps/on_machine"
    wrong = [
        f"{path.name}: {word}"
        for path in folder.glob("*.py")
        for word in ("capture_output", "check_output", "communicate(")
        if word in path.read_text("utf-8")
    ]
    assert wrong == []


def test_every_request_is_made_by_the_client_that_has_bounds() -> None:
    wrong = []
    for place, function, _ in _functions():
        for called, node in _calls(function):
            if called in _CLIENTS and place not in ONE_CLIENT:
                wrong.append(f"{place}:{node.lineno} {ast.unparse(node.func)}")
            elif called in _CLIENTS and "timeout" not in {word.arg for word in node.keywords}:
                wrong.append(f"{place}:{node.lineno} {called} without a time")
    assert wrong == []
