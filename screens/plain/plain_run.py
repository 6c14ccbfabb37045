"""Install, verify and hand over in plain lines: progress as it comes, questions by number."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from foundation.problems import Problem
from foundation.shown_once import must_be_able_to_show, take_off
from installer.events import Event, Kind, Outcome
from installer.plans.plan import CONTROL_HOST, told_host
from installer.record.errand import Errand
from installer.steps.kind import Answer, Question
from screens.answers.wizard import StepId
from screens.plain.plain_settings import ask_name, ask_secrets
from screens.plain.plain_shares import ask_unseen
from screens.plain.prompt import BackWanted, LeaveWanted
from screens.run.run_lines import RunLines
from screens.run.run_words import progress_sentence, titles_of
from screens.services.file_words import shown_path, stem
from screens.services.memory import Changed, Touched

if TYPE_CHECKING:
    from installer.plans.plan import Plan
    from installer.record.progress import Progress
    from installer.running.levers import Control
    from installer.running.work import Failure
    from screens.plain.plain import PlainWizard
    from screens.services.services import Driven, Installing, Order

Result = TypeVar("Result")


class _Lines:
    """Events as lines: stages numbered, steps by machine, output behind a bar.

    While a person is asked something nothing is said; it comes when the answer is there.
    """

    def __init__(self, wizard: PlainWizard, plan: Plan, asking: asyncio.Lock) -> None:
        self._asking = asking
        self._kept: list[str] = []
        self._say = wizard.dialogue.say
        self.state: Callable[[float], Progress | None] = lambda _: None
        """How far the run is at a moment."""
        width = max(map(len, (*dict(plan.hosts), told_host(CONTROL_HOST, plan.control))))
        self._lines = RunLines(plan, width, self._how_far)
        self.failed = asyncio.Event()

    def _how_far(self, now: float) -> Progress | None:
        return self.state(now)

    def __call__(self, events: Sequence[Event]) -> None:
        """A subscriber of the engine."""
        for event in events:
            if event.kind is Kind.STEP_FINISHED and event.data.get("outcome") == "failed":
                self.failed.set()
            for line in self._lines.of(event):
                begin = "\n" if event.kind is Kind.STAGE_STARTED else ""
                self._tell(f"{begin}{line.text}")

    def _tell(self, text: str) -> None:
        if self._asking.locked():
            self._kept.append(text)
            return
        self.let_go()
        self._say(text)

    def let_go(self) -> None:
        """Say what was kept back."""
        kept, self._kept = self._kept, []
        for text in kept:
            self._say(text)


async def _typed(ask: Callable[[], Result]) -> Result:
    """Ask a person without holding up the run; a thread that waits for a line holds up no end."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def work() -> None:
        try:
            answer = ask()
        except BaseException as error:
            # A loop that has ended meanwhile wants no answer any more.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_give, future, None, error)
        else:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_give, future, answer, None)

    threading.Thread(target=work, daemon=True, name="a question").start()
    return await future


def _give(future: asyncio.Future[Result], answer: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(answer)  # type: ignore[arg-type]  # of the type that was asked for


class _Person:
    """Puts the engine's questions and its failures to the person, one at a time."""

    def __init__(self, wizard: PlainWizard) -> None:
        self.wizard = wizard
        self.one = asyncio.Lock()

    async def __call__(self, question: Question) -> Answer:
        """A confirmation or a checklist, answered by name."""
        talk, over = self.wizard.dialogue, threading.Event()
        async with self.one:
            asking = asyncio.ensure_future(_typed(lambda: self._ask(question, over)))
            try:
                return await asyncio.shield(asking)
            except asyncio.CancelledError:
                # The line that is waited for would be taken from whatever is asked next.
                over.set()
                take_off()
                talk.say("It stops. What was asked waits for its line still: Enter, or q, ends it.")
                with contextlib.suppress(BackWanted, LeaveWanted, Problem):
                    await asking
                raise

    def _ask(self, question: Question, over: threading.Event) -> Answer:
        talk = self.wizard.dialogue
        if question.hands is not None or question.wants:
            return ask_unseen(talk, question, over.is_set)
        if question.present:
            must_be_able_to_show()
        talk.say()
        talk.say(f"QUESTION: {question.title}")
        if question.text != question.title:
            talk.say(question.text)
        items = question.items or ("Is it so?",)
        ticks = []
        for number, item in enumerate(items, 1):
            talk.say(f"{number}. {item}")
            ticks.append(_yes(self.wizard, "Is it so"))
        by = ask_name(self.wizard)
        return Answer(by=by, yes=all(ticks), items=tuple(ticks) if question.items else ())

    async def others(self, text: str, control: Control) -> None:
        """Ask what to do about work of others on the machines.

        A line that was asked for must be typed, or it would be taken for the next answer.
        """
        talk = self.wizard.dialogue

        def ask() -> int:
            from screens.run.ask_others import ABOUT, TITLE

            for line in ("", TITLE.upper(), text, ABOUT):
                talk.say(line)
            talk.say("1. Wait until it has ended")
            talk.say("2. End theirs")
            talk.say("3. Leave: stop ours")
            try:
                return int(talk.ask_number("Your choice", 3))
            except (BackWanted, LeaveWanted):
                return 3

        async with self.one:
            asking = asyncio.ensure_future(_typed(ask))
            try:
                chosen = await asyncio.shield(asking)
            except asyncio.CancelledError:
                talk.say("It has ended meanwhile. 1 goes on.")
                await asking
                raise
        if chosen == 2:
            control.end_theirs(by=self.wizard.memory.person)
        elif chosen == 3:
            control.stop(by=self.wizard.memory.person)

    async def decide(self, work: Installing, failed: asyncio.Event) -> None:
        """Wait for failures, and ask what to do about each; ends with the run."""
        engine = work.engine
        while True:
            await failed.wait()
            failed.clear()
            # The step ends on its other machines before the run waits for a decision.
            while not engine.failures:  # noqa: ASYNC110 - the engine's own list
                await asyncio.sleep(0.05)
            for failure in tuple(engine.failures):
                async with self.one:
                    choice = await _typed(lambda failure=failure: self._choose(failure, engine))  # type: ignore[misc]  # bound at once
                if choice is not None:
                    choice()

    def _choose(self, failure: Failure, engine: Driven) -> Callable[[], None] | None:
        """What the person wants done about a failure, as a lever of the engine."""
        talk, wizard = self.wizard.dialogue, self.wizard
        control, by = engine.control, wizard.memory.person
        title = titles_of(engine.plan).get(f"{failure.stage}/{failure.step}", failure.step)
        talk.say()
        name = told_host(failure.host, engine.plan.control)
        the = "the " if failure.host == CONTROL_HOST and not engine.plan.control else ""
        talk.say(f"FAILED: {title}, on {the}{name}.")
        talk.problem(failure.problem)
        for line in failure.lines[-6:]:
            talk.command(line)
        talk.say("1. Try it again")
        talk.say("2. Leave it out, by name and with a reason")
        talk.say("3. Take the stage back, and end")
        talk.say("4. Stop; what is done stays done")
        place = {"stage": failure.stage, "step": failure.step, "host": failure.host}
        while True:
            try:
                match talk.ask_number("Your choice", 4):
                    case 1:
                        return lambda: control.retry(by=by, **place)
                    case 2:
                        name = ask_name(wizard)
                        reason = talk.ask("Why it is right without it").strip()
                        if reason:
                            return lambda: control.skip(by=name, reason=reason, **place)
                        talk.say("Both the name and the reason are needed.")
                    case 3:
                        if _yes(wizard, "Take the whole stage back"):
                            return lambda: control.undo_stage(by=by, stage=failure.stage)
                    case _:
                        return lambda: control.stop(by=by)
            except BackWanted:
                continue
            except LeaveWanted:
                return lambda: control.stop(by=by)


def _yes(wizard: PlainWizard, question: str) -> bool:
    while True:
        answer = wizard.dialogue.ask(f"{question}? yes or no").lower()
        if answer in ("yes", "y", "no", "n"):
            return answer in ("yes", "y")


def install(wizard: PlainWizard) -> StepId | None:
    """Carry the order through, or go on with a run; asks again where it stopped or failed."""
    talk, memory = wizard.dialogue, wizard.memory
    if memory.order is None:
        return StepId.PLAN
    begun = memory.installed is not None or memory.order.run is None
    while True:
        order = memory.order
        if not begun and not _yes(wizard, "Go on with this installation where it stands"):
            raise BackWanted
        begun = True
        if not order.by:
            order = memory.order = replace(order, by=ask_name(wizard))
        secrets = ask_secrets(wizard, order.plan.secrets)
        if secrets is None:
            begun = False
            continue
        outcome = _carried(wizard, replace(order, secrets=secrets, access=wizard.access()))
        if outcome in (Outcome.DONE, Outcome.ALREADY):
            return None
        talk.say("go: go on where it stands. report: what was done so far. q: quit.")
        while (word := talk.ask("Word", "go").lower()) not in ("go", "report"):
            talk.say(f'"{word}" is none of the words.')
        if word == "report" and memory.installed is not None:
            return StepId.HAND_OVER


def _carried(wizard: PlainWizard, order: Order) -> Outcome | None:
    """One start of the engine to its end; what went wrong is said."""
    from installer.record.site_lock import Locked

    talk = wizard.dialogue
    talk.say("Looking at the machines once more before anything is begun.")
    try:
        return wizard.wait(_carry(wizard, order))
    except Locked as problem:
        talk.problem(problem)
        about = "Take this site over? Theirs stops before its next step. Type take over"
        if not order.take_over and talk.ask(about, "no").lower() == "take over":
            return _carried(wizard, replace(order, take_over=True))
    except Problem as problem:
        talk.problem(problem)
    return None


async def _carry(wizard: PlainWizard, order: Order) -> Outcome:
    from installer.record.progress import progress_of

    talk, memory = wizard.dialogue, wizard.memory
    person = _Person(wizard)
    lines = _Lines(wizard, order.plan, person.one)
    async with wizard.services.installing(order, person, person.others) as work:
        memory.installed = work
        memory.order = replace(order, run=work.run.folder, take_over=False)
        before, memory.changed = memory.changed, Touched(Changed.NOW, order.by)
        talk.say(f"The record of the installation: {shown_path(work.run.folder)}")
        lines.state = lambda now: progress_of(
            work.engine.plan, work.engine.state, work.expected, now=now
        )
        work.engine.subscribe(lines)
        deciding = asyncio.create_task(person.decide(work, lines.failed))
        try:
            with _stopping(lambda: work.engine.control.stop(by=order.by)):
                # Said once it is so.
                talk.say("Ctrl-C stops it; what runs on machines goes on there and is found again.")
                outcome = await work.engine.run()
        finally:
            deciding.cancel()
            lines.let_go()
            memory.forget_unbegun(order)
            changed = bool(work.engine.state.changed)
            now = wizard.services.now()
            memory.changed = Touched(Changed.DONE, order.by, now) if changed else before
    _tell_end(wizard, work, outcome)
    return outcome


def _tell_end(wizard: PlainWizard, work: Installing, outcome: Outcome) -> None:
    from installer.record.progress import progress_of

    engine = work.engine
    now = wizard.services.now().timestamp()
    progress = progress_of(engine.plan, engine.state, work.expected, now=now)
    text = progress_sentence(progress, engine.state, outcome, paused=False, again="go")
    wizard.dialogue.say()
    wizard.dialogue.say(text)


@contextlib.contextmanager
def _stopping(stop: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C stops the run in order, instead of the program."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    taken = False
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGINT, stop)
        taken = True
    try:
        yield
    finally:
        if taken:
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)


def verify(wizard: PlainWizard) -> StepId | None:
    """What the checks at the end found; they can be asked again."""
    from installer.plans.verification import verification
    from screens.run.verify_words import check_rows, verdict

    talk, memory = wizard.dialogue, wizard.memory
    work, order = memory.installed, memory.order
    if work is None or order is None:
        return StepId.PLAN
    plan = verification(work.engine.plan)
    if plan is None:
        talk.say("This solution has no checks of its own; each step was verified when it was done.")
        return None
    while True:
        state = (memory.verified or work).engine.state
        talk.say(verdict(plan, state, running=False).replace("; r asks all of them", ""))
        for number, row in enumerate(check_rows(plan, state), 1):
            word, check, place = (cell.text for cell in row.cells)
            talk.say(f"{number}. {word}: {check} ({place})")
        talk.say("again: ask them again; nothing is changed. go: go on.")
        if hub := _is_hub(wizard):
            talk.say("prove: prove the hub's figures; it sends transfers.")
        word = talk.ask("Word", "go").lower()
        if word == "prove" and hub:
            from screens.plain import plain_acceptance

            plain_acceptance.ask(wizard)
            talk.topic = StepId.VERIFY.value
            continue
        if word != "again":
            return None
        secrets = ask_secrets(wizard, plan.secrets) or {}
        again = replace(
            order,
            plan=plan,
            access=wizard.access(),
            secrets=secrets,
            run=None,
            errand=Errand.VERIFY,
        )
        try:
            wizard.wait(_verify(wizard, again))
        except Problem as problem:
            talk.problem(problem)


def _is_hub(wizard: PlainWizard) -> bool:
    """Whether what was installed is a hub, whose figures can be proven."""
    memory = wizard.memory
    if not memory.solutions:
        memory.solutions = wizard.wait(wizard.services.solutions())
    return any(one.hub for one in memory.solutions if one.id == wizard.answers.solution)


async def _verify(wizard: PlainWizard, order: Order) -> None:
    before = wizard.memory.verified

    def begun(work: Installing) -> None:
        wizard.memory.verified = work

    try:
        await watched(wizard, order, begun)
    finally:
        verified = wizard.memory.verified
        if verified is not None and not verified.begun:
            wizard.memory.verified = before


async def watched(
    wizard: PlainWizard, order: Order, begun: Callable[[Installing], None]
) -> Outcome:
    """Carry out what ends by itself where it fails, line by line; Ctrl-C stops it in order.

    `begun` is told of it before it runs. Raises Problem.
    """
    async with wizard.services.installing(order, _Person(wizard)) as work:
        work.engine.subscribe(_Lines(wizard, order.plan, asyncio.Lock()))
        with _stopping(lambda: work.engine.control.stop(by=order.by)):
            begun(work)
            return await work.engine.run()


def hand_over(wizard: PlainWizard) -> StepId | None:
    """Say the report, and write it to files."""
    from screens.plain.plain_runs import tell_report

    work = wizard.memory.installed
    if work is None:
        return StepId.PLAN
    report = wizard.wait(wizard.services.hand_over(work.run.folder))
    tell_report(wizard, report, stem(wizard.answers))
    return None
