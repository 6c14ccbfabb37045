"""The templates of a chart, read without Helm: images that stand there, and those computed.

It is a second opinion, and the first where there is no Helm. A name of which one part is computed
in a way that is not understood is told, whatever else was found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, Final

from bundles.manifests.gitops_forms import without_given
from bundles.manifests.named_images import ImagesNamed, images_of_object, lines_with_images
from bundles.manifests.yaml_documents import helm_text, read_documents

_ACTION: Final = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.S)
_COMMENT: Final = re.compile(r"\{\{-?\s*/\*.*?\*/\s*-?\}\}", re.S)
_COMPUTED: Final = re.compile(
    r"""^[ \t]*(?:-[ \t]+)*(?:"""
    r"""["']?[\w.-]*(?:[iI]mage(?:Name)?|reference)["']?[ \t]*:[ \t]*"""
    r"""(?:[>|][-+0-9]*[ \t\r]*\n[ \t]+"""
    r"""|\r?\n[ \t]+(?=["']?\{\{-?[ \t]*(?!(?:if|with|range|else|end)\b|/\*)))?"""
    r"""|["']?--?(?:[\w.-]*[-_.])?image="""
    r"""|name:[ \t]*["']?(?:RELATED_IMAGE_\w+|(?:\w+_)?IMAGE)["']?[ \t\r]*\n[ \t]*value:[ \t]*"""
    r""")([^\n]*\{\{[^\n]*)$""",
    re.M,
)
"""A key, a flag or a variable whose image a template computes, on its line or the next."""
_IN_FLOW: Final = re.compile(
    r"""[{,][ \t]*(?:["']?(?:[\w.-]*[iI]mage(?:Name)?|reference)["']?[ \t]*:[ \t]+"""
    r"""|name:[ \t]*["']?(?:RELATED_IMAGE_\w+|(?:\w+_)?IMAGE)["']?[ \t]*,[ \t]*value:[ \t]+"""
    r""")((?:\{\{[^\n]*?\}\}|[^,{}\]\n])*)"""
)
"""The same within a mapping or a list that is written in one line."""
_DEFINE: Final = re.compile(
    r'\{\{-?\s*define\s+"([^"]+)"\s*-?\}\}(.*?)(?=\{\{-?\s*define\s|\Z)', re.S
)
_INCLUDE: Final = re.compile(r'(?:include|template|tpl)\s+"([^"]+)"')
_VALUES: Final = re.compile(r"\.Values((?:\.[A-Za-z0-9_-]+)+)")
_RELATIVE: Final = re.compile(r"(?<![\w$)])\.((?!Values\b|Chart\b|Release\b)[A-Za-z]\w*(?:\.\w+)*)")
_ASSIGNED: Final = re.compile(r"\{\{-?\s*(\$\w+)\s*:?=\s*(.*?)\s*-?\}\}", re.S)
_AROUND: Final = re.compile(r"\{\{-?\s*(?:with|range)\s+([^}]*)\}\}")
_APP_VERSION: Final = re.compile(r"\.[Cc]hart\.AppVersion")
_PRINTED: Final = re.compile(
    r"""(?:printf\s+"([^"]*)"\s+((?:[^()|"]|"[^"]*")*?)|print\s+"([^"]*)"\s+)\$?\.[Cc]hart\.AppVersion"""
)
"""The format or the text with which it is printed, and what stands between them."""
_ABOUT: Final = re.compile("image|tag", re.I)
_MARK: Final = "\u2400"
"""Stands for what a template computes; no image's name has such a sign."""

Find = Callable[[str], Any]
"""The value at a path such as image.tag; None where there is none."""


def set_aside(text: str) -> str:
    """A template with a mark for whatever it computes, so that it is YAML, mostly."""
    lines = []
    for line in _COMMENT.sub("", text).splitlines():
        bare = _ACTION.sub("", line)
        lines.append("" if not bare.strip() and "{{" in line else _ACTION.sub(_MARK, line))
    return "\n".join(lines)


def literal_images(name: str, text: str) -> ImagesNamed:
    """What a template names in full: where its computed parts are set aside, it is YAML mostly."""
    found = ImagesNamed()
    documents = read_documents(set_aside(text))
    inner = ImagesNamed()
    for value in documents.values:
        images_of_object(without_given(value, name), name, inner)
    for mine, its in ((found.images, inner.images), (found.perhaps, inner.perhaps)):
        mine.update({image: place for image, place in its.items() if _MARK not in image})
    found.tests.update(inner.tests)
    # Where two branches of a condition stand side by side, YAML keeps only the last of them.
    for image in lines_with_images(text):
        found.image(image, name)
    for image in found.tests:
        if all(image not in one for one in (inner.images, inner.perhaps)):
            found.images.pop(image, None)
    return found


def app_version_forms(texts: Iterable[str]) -> frozenset[str]:
    """How templates write the chart's appVersion as a tag: `{}`, `v{}`; `?` where it is unclear.

    Read are the lines that speak of an image or a tag, and the helpers whose names do.
    """
    forms: set[str] = set()
    for text in texts:
        about = False
        for line in _COMMENT.sub("", text).splitlines():
            defined = re.search(r'define\s+"([^"]+)"', line)
            about = bool(_ABOUT.search(defined[1])) if defined else about
            if _APP_VERSION.search(line) and (about or _ABOUT.search(line)):
                forms |= _forms_of(line)
    return frozenset(forms)


def _forms_of(line: str) -> set[str]:
    forms = set()
    for action in _ACTION.finditer(line):
        inner = action[1]
        if not _APP_VERSION.search(inner) or re.match(r"(?:if|else|with|range)\b", inner):
            continue  # a condition writes nothing
        if "%s%s" in inner:
            forms.add("?")  # what the second of them adds is not known
            continue
        printed = _PRINTED.search(inner)
        glued = re.search(r'[:"\s]([\w.-]*)$', line[: action.start()])
        before = glued[1] if glued and not inner.startswith("default") else ""
        after = re.match(r"[\w.-]*", line[action.end() :])
        if printed and printed[1] is not None:
            forms.add(_form_in(printed[1], len(printed[2].split())))
        elif printed:
            forms.add(f"{printed[3]}{{}}")
        else:
            forms.add(f"{before}{{}}{after[0] if after else ''}")
    return forms


def _form_in(written: str, number: int) -> str:
    """What a format of printf puts around one of its arguments, as far as that is the tag."""
    pieces = re.split(r"%[svq]", written)
    if number + 1 >= len(pieces):
        return "?"
    return f"{pieces[number].rpartition(':')[2]}{{}}{pieces[number + 1].partition('@')[0]}"


class Templates:
    """All templates of a chart, asked whether what they compute is known."""

    def __init__(self, texts: Mapping[str, str], find: Find, app_version: str) -> None:
        self._texts = texts
        self._find = find
        self._app_version = app_version
        self._defined: dict[str, str] = {}
        for text in texts.values():
            for name, body in _DEFINE.findall(_COMMENT.sub("", text)):
                self._defined.setdefault(name, body)

    def computed(self, known: Iterable[str], own: Iterable[str], off: Iterable[str]) -> ImagesNamed:
        """What the templates `own` compute; `known` are the paths of values that are images.

        What stands below the paths `off` is turned off, and counts for nothing.
        """
        found = ImagesNamed()
        paths = set(known)
        for name in own:
            text = _COMMENT.sub("", self._texts[name])
            for match in chain(_COMPUTED.finditer(text), _IN_FLOW.finditer(text)):
                line = match[1].strip()
                if "{{" not in line:
                    continue
                used = [path[1:] for path in _VALUES.findall(line)]
                if any(path.startswith(f"{root}.") for path in used for root in off):
                    continue
                whole = self._worked_out(line.strip("\"'"))
                if whole and re.search(r"[:/@]", whole):
                    found.image(whole, name)
                elif not self._is_known(line, text[: match.start()], text, paths):
                    number = text.count("\n", 0, match.start(1)) + 1
                    found.open(f"{name}, line {number}: which image {line[:120]} means")
        return found

    def _worked_out(self, line: str) -> str | None:
        """A line in which every action is a plain value; None where one is more than that."""
        unknown = False

        def value(match: re.Match[str]) -> str:
            nonlocal unknown
            text = self._value(match[1])
            if not text:
                unknown = True
            return text or ""

        whole = _ACTION.sub(value, line)
        plain = whole.partition(" #")[0].strip().strip("\"'")
        return None if unknown or not plain or " " in plain else plain

    def _value(self, action: str) -> str | None:
        first, *pipes = (part.strip() for part in action.split("|"))
        printed = re.fullmatch(r'printf\s+"([^"]*)"\s+(.*)', first)
        if printed:
            words = [self._word(word) for word in printed[2].split()]
            pieces = re.split("%[sv]", printed[1])
            if any(not word for word in words) or len(pieces) != len(words) + 1:
                return None
            found: str | None = pieces[0] + "".join(
                f"{word}{piece}" for word, piece in zip(words, pieces[1:], strict=True)
            )
        else:
            found = self._word(first)
        for pipe in pipes:
            other = re.fullmatch(r"default\s+(\S+)", pipe)
            if other:
                found = found or self._word(other[1])
            elif pipe not in ("quote", "squote", "toString", "trim"):
                return None
        return found

    def _word(self, word: str) -> str | None:
        path = re.fullmatch(r"\$?\.Values\.([\w.-]+)", word)
        if path:
            value = self._find(path[1])
            return helm_text(value) if isinstance(value, (str, int, float)) else None
        if re.fullmatch(r"\$?\.Chart\.AppVersion", word):
            return self._app_version or None
        quoted = re.fullmatch(r'"([^"]*)"', word)
        return quoted[1] if quoted else None

    def _is_known(self, line: str, before: str, text: str, known: set[str]) -> bool:
        """Whether the values that a line takes in are images that were found."""
        if re.search(r"\{\{-?\s*\.\s*(?:\||-?\}\})", line):
            # A dot alone is whatever the `with` or `range` around it goes through.
            around = _AROUND.findall(before)
            line += around[-1] if around else ""
        todo, seen = [line], set[str]()
        assigned = dict(_ASSIGNED.findall(text))
        while todo:
            one = todo.pop()
            if one in seen:
                continue
            seen.add(one)
            for path in _VALUES.findall(one):
                steps = path[1:].split(".")
                if any(".".join(steps[:n]) in known for n in range(1, len(steps) + 1)):
                    return True
            for relative in _RELATIVE.findall(one):
                # Within `range` and `with` the path begins somewhere below.
                steps = relative.split(".")
                for n in range(1, len(steps) + 1):
                    end = ".".join(steps[:n])
                    if any(path == end or path.endswith(f".{end}") for path in known):
                        return True
            todo += [self._defined[name] for name in _INCLUDE.findall(one) if name in self._defined]
            todo += [assigned[name] for name in re.findall(r"\$\w+", one) if name in assigned]
        return False
