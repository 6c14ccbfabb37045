"""The style sheet of the HTML report: calm on a screen, in the dark, on a phone and on A4."""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff", "soft": "#f4f6f7", "line": "#c9d0d4", "ink": "#1a2226", "dim": "#4d5a61",
    "accent": "#0b5c74", "fail": "#a3191f", "warn": "#7a4b00", "unknown": "#5b3a8c",
    "ok": "#17603a",
}  # fmt: skip
"""Colours by day and on paper; every one of the words has WCAG AA contrast on paper and soft."""

DARK = {
    "paper": "#14181b", "soft": "#1e2428", "line": "#3c464c", "ink": "#e4e8ea", "dim": "#a9b4ba",
    "accent": "#7fd0e8", "fail": "#ff9a94", "warn": "#f0c36a", "unknown": "#cdb2f5",
    "ok": "#86d6a4",
}  # fmt: skip
"""Colours by night, with the same contrast."""


def _variables(colors: dict[str, str]) -> str:
    return "".join(f"--{name}:{color};" for name, color in colors.items())


_COLORS = f"""
:root {{ color-scheme: light dark; {_variables(LIGHT)} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(DARK)} }} }}
@media print {{ :root {{ color-scheme: light; {_variables(LIGHT)} }} }}
"""

_RULES = """\
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 70rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans",
  Arial, sans-serif; overflow-wrap: break-word; }
h1, h2, h3, h4 { line-height: 1.25; margin: 0; text-wrap: balance; }
h1 { font-size: 1.1rem; font-weight: 600; color: var(--accent); }
h2 { font-size: 1.35rem; margin: 3rem 0 .75rem; padding-bottom: .3rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h4 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: .5rem 0; }
a { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.verdict { margin: .5rem 0 1.5rem; font-size: 1.25rem; line-height: 1.4; }
.verdict strong { display: block; font-size: 1.9rem; line-height: 1.2; }
.dim { color: var(--dim); }
.fail { color: var(--fail); } .warn, .waived { color: var(--warn); }
.unknown { color: var(--unknown); } .ok { color: var(--ok); }
.word { font-weight: 700; }
.grid .ok { font-weight: 400; }
.grid .word, .findings .word { white-space: nowrap; }
.findings { min-width: 44rem; }
.findings td:nth-child(2) { overflow-wrap: anywhere; min-width: 6rem; }
dl { display: grid; grid-template-columns: minmax(6.5rem, max-content) minmax(0, 1fr);
  gap: .3rem 1rem; margin: .5rem 0; }
dt { color: var(--dim); }
dd { margin: 0; min-width: 0; unicode-bidi: isolate; }
dd p:first-child, dd pre:first-child { margin-top: 0; }
dd p:last-child, dd pre:last-child { margin-bottom: 0; }
code, pre { font-family: ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas,
  monospace; font-size: .9em; unicode-bidi: isolate; }
code { background: var(--soft); padding: .1em .3em; border-radius: 3px;
  overflow-wrap: anywhere; }
pre { background: var(--soft); margin: .4rem 0; padding: .5rem .75rem; border-radius: 4px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre code { background: none; padding: 0; }
.scroll { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--line); unicode-bidi: isolate; }
thead th { color: var(--dim); font-weight: 600; border-bottom-width: 2px; }
tbody th { font-weight: 600; }
.grid { font-size: .86rem; }
.grid td, .grid thead th { white-space: nowrap; padding: .35rem .75rem .35rem 0; }
.grid tbody th { position: sticky; left: 0; background: var(--paper); min-width: 5rem; }
.entry { margin: 0 0 1rem; padding: .25rem 0 .75rem 1rem; border-left: 3px solid var(--line); }
.entry.fail-edge { border-left-color: var(--fail); }
.entry h3, .entry h4 { margin: 0 0 .4rem; }
.entry .also { margin: 0 0 .4rem; }
summary { cursor: pointer; color: var(--accent); padding: .25rem 0; }
td time { white-space: nowrap; }
.signatures td { height: 3.2rem; vertical-align: bottom; }
.machine { margin-top: 2.5rem; }
footer { margin-top: 3rem; padding-top: .75rem; border-top: 1px solid var(--line);
  color: var(--dim); font-size: .9rem; }
@media (max-width: 40rem) {
  body { padding: 1.25rem 1rem 3rem; }
  .verdict { font-size: 1.1rem; } .verdict strong { font-size: 1.5rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: .6rem; }
  table { font-size: .88rem; }
}
@media print {
  @page { size: A4; margin: 16mm 15mm; }
  html { background: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  h2 { margin-top: 1.6rem; } h2, h3, h4, thead { break-after: avoid; }
  thead { display: table-header-group; }
  tr, .entry, .keep, dl { break-inside: avoid; }
  .machine > h3, .machine > p, .machine > dl { break-after: avoid; }
  .scroll { overflow: visible; }
  .findings { font-size: 8.5pt; min-width: 0; } .grid { font-size: 7.5pt; }
  .findings td { padding: .2rem .4rem .2rem 0; }
  .grid .word { white-space: normal; } .grid td, .grid thead th { padding: .25rem .35rem .25rem 0; }
  .grid tbody th { position: static; }
  .new-page { break-before: page; }
  a { color: inherit; text-decoration: none; }
  code, pre { background: none; } pre { border: 1px solid var(--line); }
  details::details-content { content-visibility: visible; display: block; block-size: auto; }
  summary { color: var(--dim); list-style: none; }
}
"""

STYLE = _COLORS + _RULES
