"""Every bound of a reader stands in one table, and the page shows that table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from bundles.format import budgets

ROOT = Path(__file__).parents[3]
BOUND = re.compile(r"_?(?:[A-Z_]*_)?(?:LIMIT|LARGEST|BYTES|SECONDS)(?:_[A-Z_]*)?")
OWN = {
    # A format's own number, or one of our own text; nobody outside decides what is read.
    "bundles/manifests/git_needs.py": {"POINTER_LIMIT"},
    "bundles/serve/conversation.py": {"_UNWANTED_SECONDS"},
    # It travels to a machine as one file, and reads there what a machine's own programs say.
    "bundles/deliver/on_machine/runtimes.py": {"LIST_SECONDS"},
}


def bounds_of_their_own() -> Iterator[str]:
    """Constants that bound something and are numbers of their own."""
    for path in sorted((ROOT / "bundles").rglob("*.py")):
        place = str(path.relative_to(ROOT))
        if place == "bundles/format/budgets.py":
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
            if isinstance(node, ast.Assign):
                target = node.targets[0]
            if not isinstance(target, ast.Name) or not BOUND.fullmatch(target.id):
                continue
            value = getattr(node, "value", None)
            numbers = [n for n in ast.walk(value) if isinstance(n, ast.Constant)] if value else []
            if numbers and target.id not in OWN.get(place, ()):
                yield f"{place}: {target.id}"


def test_every_bound_is_in_the_table() -> None:
    assert list(bounds_of_their_own()) == []


def test_every_budget_is_said_in_words() -> None:
    named = {
        name for name in vars(budgets) if name.isupper() and name not in ("KIB", "MIB", "HOUR")
    }
    text = (ROOT / "bundles/format/budgets.py").read_text(encoding="utf-8")
    words = text[text.index("def table()") :]
    assert sorted(name for name in named if not re.search(rf"\b{name}\b", words)) == []


def test_the_page_shows_the_table() -> None:
    page = (ROOT / "docs/bundles.md").read_text(encoding="utf-8")
    rows = "\n".join(f"| {what} | {bound} |" for what, bound in budgets.table())
    assert rows in page
