"""Problem panel: what happened, why, and what to do, in the place where it happened."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from foundation.problems import Problem, as_sentence
from foundation.secrets import redact


class ProblemPanel(VerticalScroll):
    """Shows a problem, a note, or nothing; what is longer than its room scrolls to its end."""

    def __init__(self) -> None:
        super().__init__(id="problem")
        self._text = Static("", id="problem-text", markup=False)
        self.passing = False
        """Whether what it says is true only while something is under way."""

    def compose(self) -> ComposeResult:
        """The text."""
        yield self._text

    def allow_focus(self) -> bool:
        """Tab comes by only where there is something to scroll to."""
        return self.max_scroll_y > 0

    def show(self, problem: Problem) -> None:
        """A problem: its title and place, its cause, its remedy."""
        place = f" ({problem.where})" if problem.where else ""
        parts: list[str | tuple[str, str]] = [
            (redact(f"{problem.title}{place}. "), "bold"),
            redact(_sentence(problem.cause)),
        ]
        if problem.remedy:
            parts += ["\n", ("Do: ", "bold"), redact(problem.remedy)]
        self._put(Content.assemble(*parts), "-bad")

    def note(self, text: str, *, bad: bool = False, passing: bool = False) -> None:
        """A sentence; an empty one clears the panel."""
        if not text:
            self.clear()
        else:
            self._put(Content(redact(text)), "-bad" if bad else "-note")
            self.passing = passing

    def pass_over(self) -> None:
        """Clear what was true only while something was under way."""
        if self.passing:
            self.clear()

    def clear(self) -> None:
        """Nothing to say."""
        self.remove_class("-bad", "-note")
        self.passing = False
        self._text.update("")

    def _put(self, content: Content, kind: str) -> None:
        self.remove_class("-bad", "-note")
        self.passing = False
        self.add_class(kind)
        self._text.update(content)
        self.scroll_home(animate=False)


def _sentence(text: str) -> str:
    text = text.strip()
    text = as_sentence(text)
    return text if text.endswith((".", "!", "?")) else text + "."
