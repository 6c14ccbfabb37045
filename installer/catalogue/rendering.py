"""Rendering: templates filled in strictly, before anything starts.

A name that has no value is an InputProblem that names the template, the line and the name; it is
never an empty text. Templates see the values they are given and the files of one folder, nothing
else. Text is written as it is (no HTML escaping), in shell scripts every value is quoted, and in
documents of YAML a writer of YAML writes it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from copy import copy
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any, Final

from jinja2 import BaseLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError, Undefined
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from foundation.documents import dump_yaml, read_text
from foundation.problems import InputProblem
from foundation.wording import nearest

_NAMED: Final = re.compile(r"'([^']+)' is undefined|has no (?:attribute|element) '?([^']+?)'?$")
_TOP: Final = "<template>"
"""The file name that Jinja2 gives a template made from a text; it stands in its tracebacks."""


COMMON: Final = Path(__file__).resolve().parent.parent / "common"
"""What several solutions share, as common/…; it is ours, whoever made the solution."""


class _FolderLoader(BaseLoader):
    """Templates of one folder and those below it; a link that leads out of it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def get_source(
        self, environment: Any, template: str
    ) -> tuple[str, str | None, Callable[[], bool] | None]:
        shared = template.startswith("common/")
        folder = COMMON if shared else self._folder
        path = (folder / template.removeprefix("common/" if shared else "")).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            raise TemplateNotFound(template)
        return read_text(path), str(path), None


def shell_word(value: object) -> str:
    """A value as one word of a POSIX shell, quoted wherever that is needed."""
    return shlex.quote(str(value))


def yaml_value(value: object) -> str:
    """A value as YAML on one line, the same value in a block, in braces and beside a comment."""
    if isinstance(value, Undefined):
        return str(value)  # which raises, since it is strict
    if isinstance(value, _Part):
        return value
    return _word(value) if isinstance(value, str) else _one_line(value)


@lru_cache(maxsize=1024)
def _word(text: str) -> str:
    return _one_line(text)


def _one_line(value: object) -> str:
    # Written as the one entry of a list, it is a value that stands wherever one may.
    text = dump_yaml([value], default_flow_style=True, width=float("inf"))
    return text.rstrip("\n")[1:-1]


class _Part(str):
    """A piece of a text that stands as it is between other letters of a document."""

    __slots__ = ()


def part(value: object) -> str:
    """A word for the inside of a block of text, where no quotes belong; raises ValueError."""
    text = str(value)
    if not re.fullmatch(r"[A-Za-z0-9._:/@-]+", text):
        raise ValueError(f"{text!r} is no plain word, and cannot stand inside of a text")
    return _Part(text)


_Finalize = Callable[[object], str] | None


def _environment(finalize: _Finalize, loader: BaseLoader | None = None) -> Any:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # configuration files and scripts, never HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
        loader=loader,
    )
    # Jinja2's own `default` filter would let a missing value pass.
    for name in ("default", "d"):
        environment.filters.pop(name)
    environment.filters["inside"] = part
    return environment


@lru_cache(maxsize=2048)
def _code(finalize: _Finalize, template: str) -> CodeType:
    """A template compiled, which takes longer than filling it in; every plan has the same ones."""
    code: CodeType = _environment(finalize).compile(template)
    return code


class Renderer:
    """Fills in templates with the values of one site."""

    def __init__(self, values: Mapping[str, Any], folder: Path) -> None:
        self._values = dict(values)
        self._folder = folder
        loader = _FolderLoader(folder)
        ways: tuple[_Finalize, ...] = (None, shell_word, yaml_value)
        self._environments = {finalize: _environment(finalize, loader) for finalize in ways}
        self._templates: dict[tuple[_Finalize, str], Any] = {}

    def knowing(self, **values: Any) -> Renderer:
        """One that knows these values too, and shares what was compiled."""
        other = copy(self)
        other._values = {**self._values, **values}
        return other

    def text(self, template: str, *, where: str) -> str:
        """The template filled in; `where` names it in the InputProblem."""
        return self._render(None, template, where)

    def script(self, template: str, *, where: str) -> str:
        """A shell script filled in: every value stands in it as one quoted word."""
        return self._render(shell_word, template, where)

    def yaml(self, template: str, *, where: str) -> str:
        """A document of YAML filled in: each expression comes to one whole value, none to a part.

        `{{ "*." ~ domain }}` is a value; `*.{{ domain }}` would be a part of one.
        """
        return self._render(yaml_value, template, where)

    def file(self, name: str) -> str:
        """A template file of the folder, filled in; raises InputProblem."""
        return self.text(self.source(name), where=name)

    def source(self, name: str) -> str:
        """The text of a file of the folder as it stands; raises InputProblem."""
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise InputProblem(
                f'the file "{name}" lies outside the solution\'s folder',
                where=str(self._folder),
                remedy="Name a file of that folder.",
            )
        return read_text(path)

    def _template(self, finalize: _Finalize, template: str) -> Any:
        known = (finalize, template)
        if known not in self._templates:
            environment = self._environments[finalize]
            self._templates[known] = environment.template_class.from_code(
                environment, _code(finalize, template), environment.make_globals(None)
            )
        return self._templates[known]

    def _render(self, finalize: _Finalize, template: str, where: str) -> str:
        if "{" not in template:
            return template
        try:
            return str(self._template(finalize, template).render(self._values))
        except TemplateSyntaxError as error:
            raise InputProblem(
                f"line {error.lineno}: {error.message}",
                where=where,
                remedy="Mend the template.",
            ) from error
        except UndefinedError as error:
            raise self._missing(error, where) from error
        except TemplateNotFound as error:
            raise InputProblem(
                f'it includes "{error.name}", which is not in the solution\'s folder',
                where=where,
                remedy="Mend the template, or bring the file.",
            ) from error
        except SecurityError as error:
            raise InputProblem(
                f"line {_line(error)}: it asks for what a template may not do ({error})",
                where=where,
                remedy="Mend the template.",
            ) from error
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise InputProblem(
                f"line {_line(error)}: {error}", where=where, remedy="Mend the template."
            ) from error
        except (RecursionError, MemoryError) as error:
            raise InputProblem(
                "it includes itself, or never ends", where=where, remedy="Mend the template."
            ) from error

    def _missing(self, error: UndefinedError, where: str) -> InputProblem:
        found = _NAMED.search(str(error))
        name = (found[1] or found[2]) if found else str(error)
        if name.isdecimal():
            return InputProblem(
                f"line {_line(error)}: it names a machine by a role that no machine of the site "
                "has, or another entry that a list lacks",
                where=where,
                remedy="Give each role to a machine in the site file, or mend the template.",
            )
        close = nearest(name, self._values)
        hint = f'; did you mean "{close}"?' if close else ""
        return InputProblem(
            f'line {_line(error)}: "{name}" has no value{hint}',
            where=where,
            remedy=f"Give the setting {name} in the site file, or mend the template.",
        )


def _line(error: BaseException) -> int:
    """The line of the template in which an error arose; 1 where it cannot be told."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _TOP:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
