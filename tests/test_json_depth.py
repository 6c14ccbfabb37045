"""JSON from outside that goes too deep is told as what it is, and ends no process."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
FLOORS = ("foundation", "preflight", "bundles", "installer", "screens")
OURS = {
    "bundles/deliver/on_machine/place.py": "what Sitewright sends there, and what it kept there",
    "foundation/hosts/on_machine/receive.py": "what Sitewright sends there",
    "installer/ansible/on_control_host/drive.py": "what Sitewright sends there",
    "installer/ansible/on_control_host/sitewright_events.py": "what Sitewright sends there",
    "installer/solutions/pm4ml/playbooks/files/checklist/__main__.py": "what it found before",
    "installer/steps/cluster_check.py": "what it rendered a line before",
    "installer/steps/on_machine/rollout.py": "what Sitewright sends there",
    "installer/acceptance/driver/fleet.py": "what our own processes say",
    "installer/acceptance/driver/null_hub.py": "what our own processes say",
    "installer/acceptance/driver/spec.py": "what our own processes say",
    "installer/acceptance/driver/worker.py": "what our own processes say",
}
"""Files that read only what we wrote ourselves a moment before, and what that is."""


def _unheld(path: Path) -> list[int]:
    """The lines of a file that read JSON where nobody heeds how deep it goes."""
    text = path.read_text("utf-8")
    if "json.load" not in text:
        return []
    tree = ast.parse(text)
    held: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try) and any(
            handler.type is None
            or {"RecursionError", "Exception"}
            & set(ast.unparse(handler.type).strip("()").split(", "))
            for handler in node.handlers
        ):
            held.update(inner for part in node.body for inner in ast.walk(part))
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("json.loads", "json.load")
        and node not in held
    ]


def test_whoever_reads_json_heeds_how_deep_it_goes() -> None:
    found = {
        name: lines
        for floor in FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
        if (name := str(path.relative_to(ROOT))) not in OURS and (lines := _unheld(path))
    }
    assert found == {}


def test_what_is_ours_is_there() -> None:
    assert [name for name in OURS if not (ROOT / name).is_file()] == []
