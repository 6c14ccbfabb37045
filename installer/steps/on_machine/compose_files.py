"""Where the image of a Compose service is said, and how other files say it; a part of
`compose_service`.

The vendor's file, the first, is never changed: an override is, or the .env file that the image's
name is taken from. How a file is written anew is a proposal only: Compose itself is asked what it
comes to before it counts (`compose_service`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

Json = dict[str, Any]

VARIABLE = re.compile(r"\$\{(\w+)(?::?-[^}]*)?\}|\$(\w+)")
OVERRIDES = {
    "compose.yaml": "compose.override.yaml",
    "compose.yml": "compose.override.yml",
    "docker-compose.yaml": "docker-compose.override.yaml",
    "docker-compose.yml": "docker-compose.override.yml",
}
"""What Compose reads by itself beside a file of such a name."""
HEAD = "# Written by Sitewright beside the project's own file, which it does not change.\n"


def with_image(text: str, service: str, image: str) -> str:
    """An override in which a service has an image; all else as it was."""
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    top = next((n for n, line in enumerate(lines) if re.match(r"services:\s*(#.*)?$", line)), None)
    if top is None:
        return f'{"".join(lines)}services:\n  {service}:\n    image: "{image}"\n'
    inside = list(_block(lines, top))
    first = next((_indent(lines[n]) for n in inside), 2)
    name = re.compile(rf"[ ]{{{first}}}([\"']?){re.escape(service)}\1:[ ]*(.*)$")
    for number in inside:
        found = name.match(lines[number])
        if found is None:
            continue
        if found[2].startswith("{"):
            lines[number] = _in_braces(lines[number], image)
        else:
            _in_block(lines, number, image)
        return "".join(lines)
    pad = " " * first
    lines.insert(top + 1, f'{pad}{service}:\n{pad}  image: "{image}"\n')
    return "".join(lines)


def _block(lines: list[str], head: int) -> list[int]:
    """The lines below one that are deeper than it, without blank ones and comments."""
    found = []
    for number in range(head + 1, len(lines)):
        text = lines[number].strip()
        if not text or text.startswith("#"):
            continue
        if _indent(lines[number]) <= _indent(lines[head]):
            break
        found.append(number)
    return found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _in_block(lines: list[str], head: int, image: str) -> None:
    inside = _block(lines, head)
    deep = _indent(lines[inside[0]]) if inside else _indent(lines[head]) + 2
    for number in inside:
        found = re.match(rf"([ ]{{{deep}}}image:[ ]*)(\"[^\"]*\"|'[^']*'|[^ #\n]*)", lines[number])
        if found:
            lines[number] = f'{found[1]}"{image}"{lines[number][found.end() :]}'
            return
    lines.insert(head + 1, f'{" " * deep}image: "{image}"\n')


def _in_braces(line: str, image: str) -> str:
    said = re.compile(r"(\bimage:[ ]*)(\"[^\"]*\"|'[^']*'|[^ ,}\n]*)")
    if said.search(line):
        return said.sub(lambda found: f'{found[1]}"{image}"', line, count=1)
    return line.replace("{", f'{{image: "{image}", ', 1)


def with_variable(text: str, name: str, value: str) -> str:
    """A .env file in which a variable has another value; all else as it was."""
    said = re.compile(rf"(?m)^((?:export[ ]+)?{re.escape(name)}[ ]*=).*$")
    return said.sub(lambda found: found[1] + value, text)


def has_variable(text: str, name: str) -> bool:
    """Whether a .env file gives a variable its value, once."""
    return len(re.findall(rf"(?m)^(?:export[ ]+)?{re.escape(name)}[ ]*=", text)) == 1


def variable_of(plain: Json, service: str, image: str) -> tuple[str, str] | None:
    """The variable by which an image is named, and what stands before it in its name.

    `plain` is the project before variables were filled in. None where the name has none, more than
    one, or something behind it, and where the variable has a part in anything else.
    """
    said = str(((plain.get("services") or {}).get(service) or {}).get("image") or "")
    found = list(VARIABLE.finditer(said))
    if len(found) != 1 or found[0].end() != len(said):
        return None
    name, before = found[0][1] or found[0][2], said[: found[0].start()]
    uses = re.findall(rf"\$\{{?{re.escape(name)}\b", str(plain))
    return (name, before) if len(uses) == 1 and image.startswith(before) else None


def override_of(files: list[str]) -> str:
    """The file beside or behind the vendor's that may say another image; "" where none is read."""
    if len(files) > 1:
        return files[-1]
    first = Path(files[0])
    return str(first.with_name(OVERRIDES[first.name])) if first.name in OVERRIDES else ""
