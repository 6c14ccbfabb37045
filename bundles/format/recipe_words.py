"""The words of a recipe: what a name, an address, a version or a branch may look like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import AfterValidator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema


def _plain_address(text: str) -> str:
    scheme, _, rest = text.partition(":")
    host = rest.removeprefix("//").partition("/")[0].rpartition("@")[2].lstrip("[")
    if rest.startswith(":") or (rest.startswith("//") and host.startswith("-")):
        # The address is not repeated: it may hold a login.
        raise ValueError(f"this {scheme} address is no plain one of a server or a file")
    return text


@dataclass(frozen=True, slots=True)
class Form:
    """What a text looks like, by a pattern for programs and by words for people.

    A pattern says nothing to a person, so that a text of another form is told by `meaning`, the end
    of the sentence "it should be …".
    """

    pattern: str
    meaning: str

    def checked(self, text: str) -> str:
        """The text as it is; raises ValueError."""
        if not re.fullmatch(self.pattern, text):
            raise ValueError(f"it should be {self.meaning}")
        return text

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": self.pattern}


Hash = Annotated[str, Form(r"^[0-9a-f]{64}$", "a SHA-256 hash, 64 digits of 0-9 and a-f")]
Digest = Annotated[str, Form(r"^sha256:[0-9a-f]{64}$", "sha256: and 64 digits of 0-9 and a-f")]
Name = Annotated[
    str,
    Form(r"^[A-Za-z0-9][A-Za-z0-9._+@~-]{0,199}$", "a name of letters, digits and . _ + @ ~ -"),
]
# `word::` is git's for a program that speaks to a server, and a host with a dash an option of one.
Url = Annotated[
    str,
    Form(
        r"^[a-z][a-z0-9+.-]*:[!-~]{1,2000}$",
        "an address that begins with how it is reached: https://…, oci://…, ssh://git@HOST/PATH "
        "(for git@HOST:PATH), file:///PATH",
    ),
    AfterValidator(_plain_address),
]
Platform = Annotated[
    str, Form(r"^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9.]+)?$", "system and architecture, as linux/amd64")
]
Package = Annotated[
    str,
    Form(
        r"^[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]+)?$",
        "one package by its whole name, NAME, NAME:ARCHITECTURE or NAME=VERSION (no * and no "
        "/RELEASE)",
    ),
]
Python = Annotated[str, Form(r"^3\.[0-9]{1,2}$", 'a version of Python in quotes, as "3.12"')]
PATTERN: Final = r"[A-Za-z0-9*?][A-Za-z0-9*?._:/@-]{0,199}"
Pattern = Annotated[
    str,
    Form(f"^{PATTERN}$", "the name of an image or a pattern of it, as docker.io/bitnami/*"),
]
Kind = Annotated[
    str,
    Form(
        r"^[A-Za-z*?][A-Za-z0-9*?]{0,99}(\.[a-z0-9*?.-]{1,200})?$",
        "a kind of objects with its group, as Kafka.kafka.strimzi.io",
    ),
]
SnapName = Annotated[
    str, Form(r"^[a-z0-9][a-z0-9-]{0,39}$", "a snap's name, of small letters, digits and -")
]
Word = Annotated[
    str, Form(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$", "a word of letters, digits and . _ / -")
]
Version = Annotated[
    str,
    Form(
        r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$",
        "one version, as 1.2.3 (no range such as ^1 or >=1.2: what is brought is pinned)",
    ),
]
"""Of a chart: SemVer, with what may follow a plus."""


def _ref(text: str) -> str:
    """What `git check-ref-format` takes; a name such as a..b or a@{1} means something else."""
    parts = text.split("/")
    if (
        ".." in text
        or "@{" in text
        or text == "@"
        or text.endswith((".", "/"))
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    ):
        raise ValueError("git takes it for no name of a branch or a tag")
    return text


Ref = Annotated[
    str,
    Form(
        r"^[^\x00-\x20\x7f~^:?*\[\\-][^\x00-\x20\x7f~^:?*\[\\]{0,199}$",
        "the name of a branch or a tag, as main or v1.30.2+k3s1",
    ),
    AfterValidator(_ref),
]
Requirement = Annotated[
    str,
    Form(
        r"^[A-Za-z0-9][^\r\n\x00]{0,300}$",
        "one Python package, as pyyaml==6.0.2 (no option of pip: name what a file lists)",
    ),
]
