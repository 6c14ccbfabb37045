"""Shares in plain lines: one is handed to a person, or typed by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foundation.shown_once import TooSmall, shown_once
from installer.steps.kind import Answer, Question
from installer.steps.vaults.shares import confirms, lines
from screens.plain.prompt import BackWanted, LeaveWanted

if TYPE_CHECKING:
    from collections.abc import Callable

    from foundation.secrets import Secret
    from screens.plain.prompt import Dialogue


def ask_unseen(
    talk: Dialogue, question: Question, over: Callable[[], bool] = lambda: False
) -> Answer:
    """Put the question; not yes where the person goes back or leaves, and nothing is lost by it.

    Once it is `over`, nobody waits for the answer any more, and the next line ends it.
    """
    talk.say()
    talk.say(f"QUESTION: {question.title}")
    talk.say(question.text)
    try:
        name = question.person
        while not name:
            name = talk.ask("Name of the person, for the record").strip()
            _ended(over)
        if question.hands is not None:
            return _handed(talk, name, question.hands, over)
        while (typed := talk.ask_secret(question.wants)) is None:
            _ended(over)
            talk.say("It is needed.")
        return Answer(by=name, yes=True, typed=typed)
    except (BackWanted, LeaveWanted):
        return Answer(by="", yes=False)


def _ended(over: Callable[[], bool]) -> None:
    if over():
        raise LeaveWanted


def _handed(talk: Dialogue, name: str, share: Secret, over: Callable[[], bool]) -> Answer:
    shown = True
    while True:
        if shown:
            talk.ask(f"Enter shows it, once {name} alone sees this screen")
            _ended(over)
            try:
                page = [f"The share of {name}:", "", *lines(share), "", "Copy it whole."]
                with shown_once(page, over):
                    talk.wait_for_enter()
            except TooSmall as problem:
                talk.say(f"Not shown: {problem.cause}. Make it larger.")
                continue
            _ended(over)
        typed = talk.ask_secret("From the copy, its last group and its check; none shows it again")
        _ended(over)
        if typed is not None and confirms(share, typed.reveal()):
            return Answer(by=name, yes=True)
        shown = typed is None
        if not shown:
            talk.say("It does not end so. Look at the copy.")
