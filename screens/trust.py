"""Trust: the machines' host keys beside what was known, confirmed one by one or all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from screens.machine_words import CONSOLE_COMMAND, removal_command
from screens.services import Access, Tried
from screens.step import StepScreen
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key
from screens.wizard import StepId

if TYPE_CHECKING:
    from foundation.hosts.hostkeys import HostKeyOffer
    from foundation.hosts.model import Host


class TrustScreen(StepScreen):
    """Fingerprints to compare."""

    STEP = StepId.TRUST
    CSS_PATH = "trust.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Space", "Confirm", "screen.confirm"),
        Key("a", "All", "screen.all"),
        Key("r", "Ask again", "screen.retry"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "confirm", "Confirm", show=False),
        Binding("a", "all", "Confirm all", show=False),
        Binding("r", "retry", "Ask again", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.asking: dict[str, int] = {}
        self.attempt = 0
        self.name_width = 7

    def compose_body(self) -> ComposeResult:
        """The keys, and the one under the cursor in full."""
        yield Board((Column("", 3), Column("machine", 12), Column("key")), id="keys-board")
        with VerticalScroll(id="offer"):
            yield Static("", id="offer-text", markup=False)

    def on_mount(self) -> None:
        """Show what the tries brought, and ask those that brought nothing yet."""
        hosts = self._hosts()
        self.name_width = min(max((len(host.name) for host in hosts), default=7), 16)
        board = self.query_one("#keys-board", Board)
        board.set_columns(
            (Column("", 3), Column("machine", max(self.name_width, 7)), Column("key"))
        )
        board.set_rows([self._row(host) for host in hosts])
        board.focus()
        self._ask([host for host in hosts if self._offer(host) is None])
        self._explain()

    def _hosts(self) -> list[Host]:
        return [host for host in self.answers.inventory() if not host.local]

    def _offer(self, host: Host) -> HostKeyOffer | None:
        tried = self.memory.tried.get(host.name)
        return tried.offer if tried is not None else None

    def _row(self, host: Host) -> Row:
        tried = self.memory.tried.get(host.name)
        offer = self._offer(host)
        if host.name in self.asking:
            return Row(host.name, (Cell(""), Cell(host.name), Cell("asking", "muted")))
        if tried is None or offer is None:
            cause = tried.problem.cause if tried and tried.problem else "not asked yet"
            return Row(host.name, (Cell(" - "), Cell(host.name), Cell(f"no key: {cause}", "warn")))
        confirmed = host.name in self.memory.confirmed
        mark, word, tone = {
            "trusted": ("[x]", "trusted", "pass"),
            "unknown": ("[x]", "confirmed", "pass") if confirmed else ("[ ]", "unknown", "warn"),
            "changed": (" ! ", "CHANGED", "fail"),
        }[offer.state]
        text = f"{word:<9} {offer.fingerprint.removeprefix('SHA256:')}"
        return Row(host.name, (Cell(mark), Cell(host.name), Cell(text, tone)))

    # ---- asking

    def _ask(self, hosts: list[Host]) -> None:
        access = self.access
        for host in hosts:
            self.attempt += 1
            self.asking[host.name] = self.attempt
            self.run_quietly(self._ask_one(host, access, self.attempt), group=f"ask {host.name}")
        self._update(hosts)

    async def _ask_one(self, host: Host, access: Access, attempt: int) -> None:
        tried: Tried = await self.services.try_machine(host, access)
        if self.asking.get(host.name) != attempt:
            return
        del self.asking[host.name]
        before = self._offer(host)
        if tried.offer is None or before is None or before.public_key != tried.offer.public_key:
            # What a person confirmed was another key than the one offered now.
            self.memory.confirmed.discard(host.name)
        self.memory.tried[host.name] = tried
        self._update([host])

    def _update(self, hosts: list[Host]) -> None:
        board = self.query_one("#keys-board", Board)
        board.update_rows([self._row(host) for host in hosts])
        if board.key in {host.name for host in hosts}:
            self._explain()

    def action_retry(self) -> None:
        """Ask the machine under the cursor again."""
        host = self._under_cursor()
        if host is not None:
            self._ask([host])

    # ---- confirming

    def _under_cursor(self) -> Host | None:
        key = self.query_one("#keys-board", Board).key
        return next((host for host in self._hosts() if host.name == key), None)

    def on_board_chosen(self, event: Board.Chosen) -> None:
        """Enter does as Space does."""
        event.stop()
        self.action_confirm()

    def action_confirm(self) -> None:
        """Confirm the key under the cursor, or take that back."""
        host = self._under_cursor()
        offer = self._offer(host) if host is not None else None
        if host is None or offer is None:
            return
        if offer.state == "changed":
            self.say(
                f"The key of {host.name} has changed, and a changed key cannot be accepted here. "
                "What to do stands beside it.",
                bad=True,
            )
        elif offer.state == "unknown":
            self.memory.confirmed.symmetric_difference_update({host.name})
            self._update([host])

    def action_all(self) -> None:
        """Confirm every unknown key, after a look at the list."""
        from screens.confirm_keys import ConfirmKeysScreen

        unknown = [
            (host.name, offer)
            for host in self._hosts()
            if (offer := self._offer(host)) is not None and offer.state == "unknown"
        ]
        if not unknown:
            self.say("There is no unknown key to confirm.")
            return
        self.app.push_screen(ConfirmKeysScreen([offer for _, offer in unknown]), self._confirm_all)

    def _confirm_all(self, sure: bool | None) -> None:
        if sure:
            hosts = self._hosts()
            for host in hosts:
                offer = self._offer(host)
                if offer is not None and offer.state == "unknown":
                    self.memory.confirmed.add(host.name)
            self._update(hosts)

    def action_next(self) -> None:
        """Write the confirmed keys down, and go on."""
        offers = [
            offer
            for host in self._hosts()
            if host.name in self.memory.confirmed
            and (offer := self._offer(host)) is not None
            and offer.state == "unknown"
        ]
        self.run_quietly(self._trust(offers), group="trust")

    async def _trust(self, offers: list[HostKeyOffer]) -> None:
        if offers:
            await self.services.trust(offers, self.access)
            for offer in offers:
                name = offer.host.name
                self.memory.seen.pop(name, None)
                self.memory.tried.pop(name, None)
        self.wizard.go_next(self.answers)

    # ---- showing

    def on_board_highlighted(self, _event: Board.Highlighted) -> None:
        """Show the key under the cursor in full."""
        self._explain()

    def _explain(self) -> None:
        host = self._under_cursor()
        text: Content | str = ""
        if host is not None:
            text = offer_text(host, self.memory.tried.get(host.name))
        self.query_one("#offer-text", Static).update(text)
        self.query_one("#offer", VerticalScroll).scroll_home(animate=False)


def offer_text(host: Host, tried: Tried | None) -> Content:
    """A machine's key in full, under the one that was known, so that the eye can compare them."""
    if tried is None:
        return Content(f"{host.name} is being asked for its key.")
    if tried.offer is None:
        if tried.problem is None:
            return Content(f"{host.name} has not been asked yet.")
        return Content.assemble(
            (f"{tried.problem.title}\n", "bold"),
            f"{tried.problem.cause}.\n" if tried.problem.cause else "",
            tried.problem.remedy,
        )
    offer = tried.offer
    parts: list[str | tuple[str, str]] = [
        (f"{host.name}", "bold"), f"  {host.endpoint}  {offer.algorithm}\n",
        f"offered  {offer.fingerprint}\n",
    ]  # fmt: skip
    match offer.state:
        case "trusted":
            place = f", in {offer.known_in}" if offer.known_in else ""
            parts.append(f"known    the same{place}\n")
        case "unknown":
            parts += [
                "known    nothing yet\n",
                f"On its console:  {CONSOLE_COMMAND}",
            ]
        case _:
            parts += [
                f"known    {offer.known_fingerprint}\n         in {offer.known_in}\n",
                ("The machine was set up anew, or somebody else answers in its place. ", "bold"),
                (
                    "Ask on its console. If it was set up anew, remove the old key, then press r:"
                    f"\n{removal_command(host, offer)}"
                ),
            ]
    return Content.assemble(*parts)
