"""Machines: named one at a time, as a list, or from a file, and each tried at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from foundation.hosts.model import Host
from foundation.problems import InputProblem, Problem, as_sentence
from foundation.wording import shortened
from screens.answers.answers import Answers, Login, joined
from screens.answers.wizard import StepId
from screens.dialogs.ask_programs import ask_about_programs
from screens.machines.machine_words import asked_machines, is_unfilled, tried_words
from screens.services.services import Access, MachineFile
from screens.shell.step import StepScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.field import Field, Line
from screens.widgets.keys import Key
from screens.widgets.rail import Rail
from screens.words.program_words import programs_of


class MachinesScreen(StepScreen):
    """The list of machines with what each try met."""

    STEP = StepId.MACHINES
    CSS_PATH = "machines.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("F2", "Login", "screen.login"),
        Key("F3", "This one", "screen.here"),
        Key("F5", "List", "screen.list"),
        Key("F6", "File", "screen.file"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "login", "Login", show=False),
        Binding("f3", "here", "This machine", show=False),
        Binding("f5", "list", "List", show=False),
        Binding("f6", "file", "File", show=False),
        Binding("delete,d", "drop", "Remove", show=False),
        Binding("r", "retry", "Try again", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.hosts: list[Host] = []
        self.login = Login()
        self.ends: dict[str, str] = {}
        self.attempt = 0
        """Which trial of a machine counts; the answer to an earlier one is stale."""
        self.trying: dict[str, int] = {}
        self.adding = 0
        """How many texts were typed; each is read on its own."""

    def compose_body(self) -> ComposeResult:
        """A line to type in, and the list."""
        yield Field("Add a machine", id="add", example="ubuntu@10.10.0.14, or a name")
        yield Board(
            (Column("machine", name=True), Column("address", name=True), Column("does it answer?")),
            id="machines",
        )
        yield Static("", id="state", markup=False)

    def on_mount(self) -> None:
        """Show what is known, and try what was not tried yet."""
        self.hosts = list(self.answers.machines)
        self.login = self.answers.login
        self.query_one("#add", Line).focus()
        self._show()
        self._try([host for host in self.hosts if host.name not in self.memory.tried])

    def step_keys(self) -> Sequence[Key]:
        """Those of the list where the cursor is in it."""
        if self.query("#machines:focus"):
            return (
                Key("Enter", "Change", "screen.change"),
                Key("Del d", "Take off", "screen.drop"),
                Key("r", "Again", "screen.retry"),
                *self.KEYS,
            )
        return self.KEYS

    def action_change(self) -> None:
        """Enter on the list."""
        self.query_one("#machines", Board).action_choose()

    def collect(self) -> Answers:
        """The machines and the shared login."""
        typed = self.query_one("#add", Line).value.strip()
        if typed and not self.hosts:
            raise InputProblem(
                "what is typed is not on the list yet", where=typed, remedy="Press Enter first."
            )
        unfilled = [host.name for host in self.hosts if is_unfilled(host)]
        if unfilled:
            self.query_one("#machines", Board).move_to(unfilled[0])
            self.query_one("#machines", Board).focus()
            raise InputProblem(
                "no address was filled in yet",
                where=shortened(unfilled[:6]),
                remedy="Press Enter on each, or fill them in in the site file and open it again.",
            )
        self._keep()
        return self.answers

    # ---- adding

    def on_input_submitted(self, event: Line.Submitted) -> None:
        """Enter adds what is typed."""
        event.stop()
        text = event.value.strip()
        if text:
            # The line is free at once for what is typed next; a text that cannot stand comes back.
            self.query_one("#add", Line).value = ""
            self.adding += 1
            self.run_quietly(self._add_text(text), group=f"add {self.adding}")
        elif self.hosts:
            self.action_next()

    def on_line_pasted_lines(self, event: Line.PastedLines) -> None:
        """Several lines pasted into the line open as a list."""
        event.stop()
        self._open_list(event.text)

    async def _add_text(self, text: str) -> None:
        line = self.query_one("#add", Line)
        try:
            self._add(await self.services.hosts_from_text(text))
        except Problem:
            if not line.value:
                line.value = text
                line.cursor_position = len(text)
            raise

    def _remember(self, text: str) -> None:
        """Keep the list and the login as they are, so that what comes now can be taken back."""
        hosts, login, credentials = list(self.hosts), self.login, self.memory.credentials
        tried = dict(self.memory.tried)
        answers = self.answers

        def back() -> None:
            self.hosts, self.login, self.memory.credentials = hosts, login, credentials
            for host in hosts:
                if host.name in tried:
                    self.memory.tried.setdefault(host.name, tried[host.name])
            site = answers.site
            self.wizard.answers = replace(
                self.answers.saying(hosts=site.hosts, waivers=site.waivers, control=site.control),
                idle=answers.idle,
            )
            self._show()
            self._keep()
            self._try([host for host in hosts if host.name not in self.memory.tried])

        self.slip(text, back)

    def _add(self, hosts: Iterable[Host]) -> None:
        """Take machines onto the list; raises InputProblem for a name or address twice."""
        new = tuple(hosts)
        wanted = list(joined(self.hosts, new, self.login, self.answers.ports))
        if new:
            self._remember("Added " + shortened([host.name for host in new]))
        self.hosts = wanted
        self.say("")
        self._show(new[-1].name if new else None)
        self._keep()
        self._try(new)

    def action_here(self) -> None:
        """F3: this machine itself."""
        host = self.services.this_machine()
        if any(entry.local for entry in self.hosts):
            self.say("This machine is on the list already.")
            return
        self._add((host,))

    def action_list(self) -> None:
        """F5: a list to paste or write."""
        self._open_list("")

    def _open_list(self, text: str) -> None:
        from screens.machines.machine_list import ListScreen

        self.app.push_screen(ListScreen(text), self._take_hosts)

    def _take_hosts(self, hosts: tuple[Host, ...] | None) -> None:
        if hosts:
            try:
                self._add(hosts)
            except InputProblem as problem:
                self.show_problem(problem)

    def action_file(self) -> None:
        """F6: a site file, an inventory or a list."""
        from screens.dialogs.ask_file import FileScreen

        self.app.push_screen(
            FileScreen(
                "Read machines from a file",
                "A site file, an Ansible inventory (INI or YAML), or a list with one a line.",
                example="inventory.ini",
            ),
            self._take_file,
        )

    def _take_file(self, path: Path | None) -> None:
        if path is not None:
            self.run_quietly(self._read_file(path), group="add")

    async def _read_file(self, path: Path) -> None:
        file: MachineFile = await self.services.machine_file(path)
        if file.answers is not None:
            # What cannot be taken whole is not taken in part.
            ports = {**self.answers.ports, **file.answers.ports}
            joined(self.hosts, file.hosts, file.answers.login, ports)
            self.wizard.answers = self.answers.with_site(file.answers)
            self.login = file.answers.login
        self._add(file.hosts)
        if file.notes:
            self.say("; ".join(file.notes))

    def _keep(self) -> None:
        """Take the list among the answers, and on disk at once: typing it is work.

        What was seen of a machine that is reached another way now is seen no more, and whatever
        was judged is judged again.
        """
        before = self.answers
        answers = before.with_machines(self.hosts).with_login(self.login)
        if answers.inventory() != before.inventory() or answers.login != before.login:
            known = {host.name: host for host in before.inventory()}
            for host in answers.inventory():
                if known.get(host.name) != host:
                    self.memory.seen.pop(host.name, None)
            self.memory.forget_judgement()
            answers = replace(answers, furthest=self.STEP.value)
        self.wizard.answers = answers
        self.wizard.keep_place()
        self.query_one(Rail).follow(answers)

    # ---- changing

    def action_login(self) -> None:
        """F2: how to log in."""
        from screens.machines.login import LoginScreen

        self.app.push_screen(LoginScreen(self.login, self.memory.credentials), self._take_login)

    def _take_login(self, answer: object) -> None:
        from screens.machines.login import LoginAnswer

        if isinstance(answer, LoginAnswer):
            try:
                joined((), self.hosts, answer.login, self.answers.ports)
            except InputProblem as problem:
                self.show_problem(problem)
                return
            self._remember("Changed the login")
            self.login = answer.login
            self.memory.credentials = answer.credentials
            # Another login may see more, or less.
            self.memory.forget_results()
            self._keep()
            self._try([host for host in self.hosts if not host.local])

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter on a machine changes it."""
        from screens.machines.change_machine import ChangeScreen

        host = next((host for host in self.hosts if host.name == event.key), None)
        if host is not None and not host.local:
            others = frozenset(entry.name for entry in self.hosts) - {host.name}
            own = next((m.port for m in self.answers.site.hosts if m.name == host.name), None)
            panel = ChangeScreen(host, others, own)
            self.app.push_screen(panel, lambda new: self._replace(host, new, panel.port))

    def _replace(self, old: Host, new: Host | None, port: int | None) -> None:
        if new is None or old not in self.hosts:
            return
        said = self.answers.with_port(old.name, port)
        if new == old and said.site.hosts == self.answers.site.hosts:
            return
        try:
            others = [host for host in self.hosts if host != old]
            joined(others, (new,), self.login, {**self.answers.ports, new.name: port})
        except InputProblem as problem:
            self.show_problem(problem)
            return
        self._remember(f"Changed {old.name}")
        self.hosts[self.hosts.index(old)] = new
        self.wizard.answers = self.answers.renamed(old.name, new.name).with_port(new.name, port)
        self.memory.tried.pop(old.name, None)
        self.memory.confirmed.discard(old.name)
        self.memory.seen.pop(old.name, None)
        self._show(new.name)
        self._keep()
        self._try((new,))

    def action_drop(self) -> None:
        """Take the machine under the cursor off the list."""
        board = self.query_one("#machines", Board)
        if not board.has_focus or board.key is None:
            return
        name = board.key
        self._remember(f"Took off {name}")
        self.hosts = [host for host in self.hosts if host.name != name]
        for known in (self.memory.tried, self.memory.seen, self.trying):
            known.pop(name, None)
        self.memory.confirmed.discard(name)
        self._show()
        self._keep()

    # ---- trying

    def action_retry(self) -> None:
        """Try the machine under the cursor again."""
        name = self.query_one("#machines", Board).key
        self.memory.programs_left.clear()
        self._try([host for host in self.hosts if host.name == name])

    def _try_programs(self) -> None:
        """Try those again that waited for a word about programs."""
        tried = self.memory.tried
        self._try([h for h in self.hosts if h.name in tried and programs_of(tried[h.name].problem)])

    def _try(self, hosts: Iterable[Host]) -> None:
        wanted = {host.name for host in hosts}
        inventory = self.answers.with_machines(self.hosts).with_login(self.login).inventory()
        access = replace(self.access, inventory=inventory)
        for host in inventory:
            if host.name in wanted and not is_unfilled(host):
                self.attempt += 1
                self.trying[host.name] = self.attempt
                self.run_quietly(
                    self._try_one(host, access, self.attempt), group=f"try {host.name}"
                )
        self._show()

    async def _try_one(self, host: Host, access: Access, attempt: int) -> None:
        tried = await self.services.try_machine(host, access)
        if self.trying.get(host.name) != attempt:
            return
        del self.trying[host.name]
        self.memory.tried[host.name] = tried
        self.query_one("#machines", Board).update_rows([self._row(host)])
        self._explain()
        ask_about_programs(self, tried.problem, self._try_programs)

    def _row(self, host: Host) -> Row:
        tried = self.memory.tried.get(host.name)
        if is_unfilled(host):
            state = Cell("its address is to be filled in: Enter", "warn")
        elif host.name in self.trying:
            state = Cell("trying", "muted")
        elif tried is None:
            state = Cell("not tried yet", "muted")
        else:
            state = Cell(*tried_words(tried))
        return Row(host.name, (Cell(host.name), Cell(self._end(host), "muted"), state))

    def _end(self, host: Host) -> str:
        """Where a machine is reached, with the port of all where it says none itself."""
        return self.ends.get(host.name, host.endpoint)

    def _show(self, keep: str | None = None) -> None:
        board = self.query_one("#machines", Board)
        reached = self.answers.with_machines(self.hosts).with_login(self.login).inventory()
        self.ends = {host.name: host.endpoint for host in reached}
        board.display = bool(self.hosts)
        board.set_rows([self._row(host) for host in self.hosts], keep=keep)
        self._explain()

    def on_board_highlighted(self, _event: Board.Highlighted) -> None:
        """Say in full what the machine under the cursor met."""
        self._explain()

    def _explain(self) -> None:
        tried = self.memory.tried.get(self.query_one("#machines", Board).key or "")
        text = Content("")
        if tried is not None and tried.problem is not None:
            problem = tried.problem
            text = Content.assemble(
                (f"{tried.host.name}: {problem.title}. ", "bold"),
                f"{as_sentence(problem.cause)}. {problem.remedy}",
            )
        for note in tried.notes if tried is not None else ():
            text = Content.assemble(text, "\n" if text else "", ("Note: ", "bold"), f"{note}.")
        if not self.hosts:
            text = Content(self._asked())
        state = self.query_one("#state", Static)
        state.update(text)
        state.display = bool(text)

    def _asked(self) -> str:
        """Which machines the goal asks for, as long as none is named; empty where it is open."""
        answers = self.answers
        for solution in self.memory.solutions:
            for one in solution.environments:
                if (solution.id, one.id) == (answers.solution, answers.environment):
                    return asked_machines(one.needs)
        return ""
