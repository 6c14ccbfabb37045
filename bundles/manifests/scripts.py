"""Scripts, makefiles and units of a repository: what somebody who runs them would install or start.

None of them is run here, and none is a manifest. Images that stand in one whole are a perhaps; a
line that fetches charts, manifests or images which do not stand there is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from bundles.manifests.named_images import images_among_words

SCRIPTS: Final = (
    *(".sh", ".bash", ".ksh", ".mk", "Makefile", "makefile", "GNUmakefile", "Justfile", "justfile"),
    *(".service", ".container"),
)
"""What the names of scripts, makefiles and units end with."""
_MOST_LINES: Final = 5
"""Sentences for one file; the number of the others is told."""
_HELM: Final = frozenset({"install", "upgrade", "pull", "fetch", "template"})
_APPLIES: Final = frozenset({"apply", "create", "replace"})
_STARTS: Final = frozenset({"run", "pull", "create"})
_OF_IMAGES: Final = frozenset({"docker", "podman", "nerdctl", "crictl", "ctr"})
_OF_OBJECTS: Final = frozenset({"kubectl", "oc", "kustomize"})
_ENDS: Final = re.compile(r"(?:&&|\|\||[;|&\n()`])")
_FROM_AFAR: Final = re.compile(r"://|\bgithub\.com/|\bgitlab\.com/")
_HERE: Final = re.compile(r"""["']?(?:\.{1,2}(?:/|["']?$)|/)""")


def images_in_script(text: str) -> list[str]:
    """The images that stand whole in a script, wherever that is."""
    return list(images_among_words(text))


def told_of_script(path: str, text: str) -> Iterator[str]:
    """A sentence for each line that brings what does not stand there."""
    found = []
    number = 1
    for line in text.replace("\r\n", "\n").replace("\\\n", "\\ ").split("\n"):
        if not line.lstrip().startswith(("#", ";")):
            found += [(number, part) for part in _bringing(line)]
        number += 1 + line.count("\\ ")
    for place, part in found[:_MOST_LINES]:
        yield (
            f"{path}, line {place}: what `{part[:100]}` brings; name its charts and images in the "
            "recipe"
        )
    if more := found[_MOST_LINES:]:
        yield f"{path}: what {len(more)} more of its lines bring, from line {more[0][0]} on"


def _bringing(line: str) -> Iterator[str]:
    """The commands of a line that fetch something which does not stand there whole."""
    afar = bool(_FROM_AFAR.search(line))
    for part in _ENDS.split(line):
        words = part.replace("\\", " ").split()
        for number, word in enumerate(words):
            program = word.strip("\"'@-").rpartition("/")[2].rpartition("=")[2]
            if _brings(program, words[number + 1 :], afar=afar):
                yield " ".join(words[number:])
                break


def _brings(program: str, words: Sequence[str], *, afar: bool) -> bool:
    named = set(words)
    if program in ("helm", "helm3"):
        return bool(named & _HELM) and not any(_HERE.match(word) for word in words)
    if program in _OF_OBJECTS:
        return afar and bool(named & (_APPLIES | {"build"}))
    if program in _OF_IMAGES and named & _STARTS:
        return not list(images_among_words(" ".join(words)))
    return False
