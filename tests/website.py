"""Builds docs/ as a site of plain HTML pages: `python -m tests.website FOLDER`.

One page a Markdown file, no script, no font and nothing else from elsewhere, so that it can be
opened from a disk where there is no internet.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from os.path import relpath
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT: Final = Path(__file__).parent.parent
DOCS: Final = ROOT / "docs"
MENU: Final = (
    ("Begin", "index.html"),
    ("The map", "options/index.html"),
    ("One box", "quickstart/experimenter.html"),
    ("A site", "quickstart/field-engineer.html"),
    ("Support", "quickstart/support.html"),
    ("The command", "command.html"),
)

STYLE: Final = """
:root { color-scheme: light dark; --ground: #f8f8f5; --text: #1f252c; --muted: #59636e;
  --accent: #1c6a8c; --line: #d9dcdb; --code: #ecedea; }
@media (prefers-color-scheme: dark) { :root { --ground: #11161d; --text: #d5dbe3;
  --muted: #93a0b0; --accent: #6cb6d9; --line: #2b3542; --code: #1a212b; } }
body { margin: 0 auto; max-width: 62rem; padding: 1rem 1.5rem 4rem; background: var(--ground);
  color: var(--text); font: 16px/1.55 ui-sans-serif, system-ui, sans-serif; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding-bottom: .6rem;
  border-bottom: 1px solid var(--line); }
a { color: var(--accent); text-underline-offset: .15em; }
h1, h2, h3 { line-height: 1.25; margin: 2rem 0 .6rem; } h1 { margin-top: 1.4rem; }
pre { background: var(--code); padding: .7rem .9rem; border-radius: 6px; overflow-x: auto; }
code { font: .9em ui-monospace, monospace; } p code, li code, td code { background: var(--code);
  padding: .1em .3em; border-radius: 4px; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .92em; }
th, td { border-bottom: 1px solid var(--line); padding: .35rem .7rem .35rem 0; text-align: left;
  vertical-align: top; } img { max-width: 100%; }
sub { color: var(--muted); vertical-align: baseline; } sub a { color: var(--muted); }
"""


def sources() -> dict[Path, str]:
    """Every Markdown file that becomes a page, with the place of the page."""
    found = {ROOT / "README.md": "index.html"}
    for path in sorted(DOCS.rglob("*.md")):
        name = path.relative_to(DOCS).with_suffix(".html")
        found[path] = str(name.with_name("index.html") if path.stem == "README" else name)
    return found


def build(folder: Path) -> list[str]:
    """Write the site below a folder; returns the places of its pages."""
    pages = sources()
    for source, place in pages.items():
        target = folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page(source, place, pages), encoding="utf-8")
    shutil.copytree(DOCS / "pictures", folder / "pictures", dirs_exist_ok=True)
    return list(pages.values())


def page(source: Path, place: str, pages: dict[Path, str]) -> str:
    """One page of the site."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = markdown.parse(source.read_text(encoding="utf-8"))
    _anchor(tokens)
    for token in _every(tokens):
        for name in ("href", "src"):
            target = token.attrGet(name)
            if isinstance(target, str):
                token.attrSet(name, link(target, source, place, pages))
                if not token.attrGet(name):
                    del token.attrs[name]  # a file of the repository that is no page: only named
    body = markdown.renderer.render(tokens, markdown.options, {})
    body = body.replace("<table>", '<div class="wide"><table>').replace(
        "</table>", "</table></div>"
    )
    title = next((t.content for t in tokens if t.type == "inline"), "Sitewright")
    here = Path(place).parent
    menu = " ".join(f'<a href="{relpath(to, here)}">{escape(word)}</a>' for word, to in MENU)
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)} · Sitewright</title>\n<style>{STYLE}</style>\n"
        f"<nav>{menu}</nav>\n{body}</html>\n"
    )


def link(target: str, source: Path, place: str, pages: dict[Path, str]) -> str:
    """Where a link of a Markdown file leads on the site; empty where the site has no such page."""
    name, _, mark = target.partition("#")
    if "://" in target or not name:
        return target
    file = (source.parent / name).resolve()
    mark = f"#{mark}" if mark else ""
    if file in pages:
        return relpath(pages[file], Path(place).parent) + mark
    if file.is_relative_to(DOCS / "pictures"):
        return relpath(file.relative_to(DOCS), Path(place).parent)
    return ""


def _anchor(tokens: list[Token]) -> None:
    """Give each heading the name that links use."""
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            slug = re.sub(r"[^\w -]", "", inline.content.lower()).replace(" ", "-")
            opening.attrSet("id", slug)


def _every(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _every(token.children or [])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.website FOLDER")
    print("\n".join(build(Path(sys.argv[1]))))
