"""What is cut away of text from outside is seen to be, and its secrets are looked for before."""

from __future__ import annotations

import ast
from pathlib import Path

from foundation.secrets import MASK, Secret, cut
from installer.steps.releases.refused import refusal
from installer.updates import alerts

ROOT = Path(__file__).parent.parent.parent
FLOORS = ("foundation", "preflight", "bundles", "installer", "screens")


def test_nothing_that_came_from_outside_is_cut_in_silence() -> None:
    """`cut` is the one way to shorten it: not a slice of what was cleaned or searched."""
    found = []
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            text = path.read_text("utf-8")
            if "on_machine" in path.parts:
                continue
            if "clean_line(" not in text and "redact(" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
                    inner = node.value
                    while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
                        inner = inner.func.value
                    name = getattr(getattr(inner, "func", None), "id", "")
                    if name in ("clean_line", "redact", "clean") and "/on_machine/" not in str(
                        path
                    ):
                        found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_where_it_was_cut_is_seen_at_either_end() -> None:
    assert cut("as it is", 8) == "as it is"
    assert cut("one two three", 9) == "one two …"
    assert cut(b"one two three", 9, last=True) == "… o three"
    assert cut("\x1b[31mred", 40) == "red"


def test_a_secret_is_masked_before_anything_is_cut() -> None:
    secret = Secret("a-long-secret-of-somebody")
    said = cut(f"{'x' * 20} {secret.reveal()} {'y' * 40}", 32)
    assert said == f"{'x' * 20} {MASK} yy …"
    refused = refusal(f"Error: {'x' * 697} {secret.reveal()}")
    assert "a-long" not in refused.why
    assert refused.why.endswith("…")


def test_a_message_that_is_too_long_ends_between_commands_and_says_so() -> None:
    command = f"kubectl patch {'x' * 600}"
    text = "\n".join(["head", *(f"```\n{command}\n```" for _ in range(200))])
    told = alerts._bounded(text)
    lines = told.split("\n")
    assert len(told) <= alerts._LONGEST
    assert lines[-1].startswith("… There is more")
    assert {line for line in lines if line.startswith("kubectl")} == {command}
    assert lines.count("```") % 2 == 0
