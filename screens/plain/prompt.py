"""Dialogue: questions and answers in plain lines, for screen readers, serial lines and pipes.

Nothing moves the cursor, nothing has a colour. Every question says how to go back, get help and
leave; the end of the input is a way to leave too.
"""

from __future__ import annotations

import getpass
import re
import sys
import textwrap
from collections.abc import Callable, Container
from pathlib import Path
from typing import Final, TextIO

from foundation.problems import Problem, as_sentence
from foundation.secrets import Secret, redact
from foundation.terminal import visible
from foundation.typed_paths import is_folder, is_there, typed_path

WIDTH: Final = 76
WAYS: Final = "b back, ? help, q quit"


class BackWanted(Exception):
    """The person wants to go back a step."""


class LeaveWanted(Exception):
    """The person wants to leave, or the input has ended."""


class Dialogue:
    """Says lines and asks for lines."""

    def __init__(self, source: TextIO | None = None, target: TextIO | None = None) -> None:
        self.source = source or sys.stdin
        self.target = target or sys.stdout
        encoding = (getattr(self.target, "encoding", None) or "ascii").lower()
        self.ascii_only = not encoding.replace("-", "").startswith("utf")
        self.topic = "welcome"

    def say(self, text: str = "", *, indent: str = "") -> None:
        """A paragraph, wrapped; its own line breaks are kept."""
        from preflight.report.words import clean_lines, to_ascii

        lines = clean_lines(redact(text)) or [""]
        for line in lines:
            shown = to_ascii(line) if self.ascii_only else line
            # The text of a numbered line stands under itself.
            number = re.match(r"\d+[.] ", shown)
            wrapped = textwrap.wrap(
                shown.strip(),
                WIDTH,
                initial_indent=indent,
                subsequent_indent=indent + " " * (number.end() if number else 0),
                break_long_words=False,
                break_on_hyphens=False,
            )
            print("\n".join(wrapped) if wrapped else "", file=self.target)
        self.target.flush()

    def line(self, text: str) -> None:
        """Lines as they are, such as a table's: neither wrapped nor joined."""
        from preflight.report.words import clean

        for one in redact(text).split("\n"):
            self._print(f"{clean(one)}\n")

    def command(self, text: str) -> None:
        """A command on lines of its own, never broken, so that it can be copied."""
        from preflight.report.words import clean_lines

        for line in clean_lines(redact(text)):
            self._print(f"    {line}\n")

    def entry(self, label: str, text: str) -> None:
        """A label with a text that hangs beneath itself."""
        if text.strip():
            self.say(f"{label}: {text.strip()}", indent="  ")

    def problem(self, problem: Problem) -> None:
        """A problem: what, where, why, and what to do."""
        place = f" ({problem.where})" if problem.where else ""
        cause = as_sentence(problem.cause)
        self.say(f"Problem: {problem.title}{place}. {cause.rstrip('.')}.")
        if problem.remedy:
            self.say(f"Do: {problem.remedy}")

    def ask(self, question: str, default: str = "") -> str:
        """One line from the person; raises BackWanted or LeaveWanted."""
        while True:
            shown = f" [{default}]" if default else ""
            self._print(f"{question}{shown} ({WAYS}): ")
            line = self.source.readline()
            if not line:
                print(file=self.target)
                raise LeaveWanted
            answer = line.strip()
            match answer.lower():
                case "b":
                    raise BackWanted
                case "q":
                    raise LeaveWanted
                case "?":
                    self._help()
                case _:
                    return answer or default

    def ask_number(
        self, question: str, count: int, *, default: int | None = None, others: Container[str] = ()
    ) -> int | str:
        """A number from 1 to `count`, or one of some words; asks until it is one of them."""
        while True:
            answer = self.ask(question, str(default) if default else "")
            if answer in others:
                return answer
            if answer.isascii() and answer.isdigit() and 1 <= int(answer[:6]) <= count:
                return int(answer)
            self.say(f'"{answer}" is none of the answers; type a number from 1 to {count}.')

    def ask_file_to_write(
        self, default: str, against: Callable[[Path], str] = lambda _path: ""
    ) -> Path:
        """The name of a file that is then written; one that is there only on a second word.

        Raises InputProblem for a name that is none.
        """
        while True:
            path = typed_path(self.ask("Name of the file", default))
            if told := against(path) or ("This is a folder." if is_folder(path) else ""):
                self.say(told)
            elif not is_there(path) or self._over(path):
                return path

    def _over(self, path: Path) -> bool:
        answer = self.ask(f"{path} is there already. Write over it", "no")
        return answer.lower() in ("y", "yes")

    def ask_secret(self, question: str) -> Secret | None:
        """A secret, unseen on a terminal; None where nothing was typed."""
        if self.source is sys.stdin and sys.stdin.isatty():
            try:
                text = getpass.getpass(
                    visible(f"{question} (unseen, Enter for none): "), stream=None
                )
            except EOFError:
                raise LeaveWanted from None
        else:
            self._print(f"{question} (Enter for none): ")
            line = self.source.readline()
            if not line:
                raise LeaveWanted
            text = line.rstrip("\r\n")
        return Secret(text) if text else None

    def wait_for_enter(self) -> None:
        """Until a line ends, whatever stands in it; raises LeaveWanted."""
        if not self.source.readline():
            raise LeaveWanted

    def _print(self, text: str) -> None:
        if self.ascii_only:
            from preflight.report.words import to_ascii

            text = to_ascii(text)
        print(text, end="", file=self.target, flush=True)

    def _help(self) -> None:
        from screens.shell.help_texts import help_on

        text = help_on(self.topic)
        self.say()
        self.say(text.title)
        for paragraph in text.paragraphs:
            self.say(paragraph, indent="  ")
        self.say()


def ask_yes(talk: Dialogue, question: str, default: str = "") -> bool:
    """Yes or no; asks until it is one of them. Raises BackWanted, LeaveWanted."""
    while (answer := talk.ask(f"{question}? yes or no", default).lower()) not in _YES_OR_NO:
        talk.say("Type yes or no.")
    return answer in ("y", "yes")


_YES_OR_NO: Final = ("y", "yes", "n", "no")
