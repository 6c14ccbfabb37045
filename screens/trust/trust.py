"""Trust: the machines' host keys beside what was known and what their consoles said."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from foundation.wording import shortened
from screens.answers.wizard import StepId
from screens.dialogs.ask_programs import ask_about_programs
from screens.services.services import Access, Tried
from screens.shell.step import StepScreen
from screens.trust.trust_words import WHOLE, offer_text, pasted_words, row_words, twins
from screens.widgets.board import Board, Cell, Column, Row
from screens.widgets.keys import Key
from screens.words.program_words import programs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from foundation.hosts.model import Host
    from foundation.hosts.openssh.fingerprints import Comparison
    from foundation.hosts.openssh.hostkeys import HostKeyOffer


class TrustScreen(StepScreen):
    """Fingerprints to compare, by eye or by what the consoles said."""

    STEP = StepId.TRUST
    CSS_PATH = "trust.tcss"
    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("Space", "Confirm", "screen.confirm"),
        Key("p", "Paste", "screen.paste"),
        Key("a", "All", "screen.all"),
        Key("y", "Copy command", "screen.copy_command"),
        Key("r", "Ask again", "screen.retry"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "confirm", "Confirm", show=False),
        Binding("a", "all", "Confirm all", show=False),
        Binding("p", "paste", "Paste what consoles said", show=False),
        Binding("y", "copy_command", "Copy the command for the consoles", show=False),
        Binding("r", "retry", "Ask again", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.asking: dict[str, int] = {}
        self.attempt = 0
        self.same: Mapping[str, tuple[str, ...]] = {}
        """By machine: the others that show one of its keys."""
        self.said: dict[str, Comparison] = {}
        """By machine: its keys beside what the consoles said; empty before anything was pasted."""
        self.looked: set[str] = set()
        """Machines whose keys stood under the cursor."""

    def compose_body(self) -> ComposeResult:
        """The keys, and the one under the cursor in full."""
        yield Board((Column("", 3), Column("machine", name=True), Column("key")), id="keys-board")
        with VerticalScroll(id="offer"):
            yield Static("", id="offer-text", markup=False)

    def on_mount(self) -> None:
        """Show what the tries brought, and ask those that brought nothing yet."""
        hosts = self._hosts()
        self._compare()
        self._show()
        self.query_one("#keys-board", Board).focus()
        self._ask([host for host in hosts if self._offer(host) is None])
        self._explain()

    def on_resize(self, _event: events.Resize) -> None:
        """Whole fingerprints where there is room for them."""
        self.call_after_refresh(self._show)

    def _hosts(self) -> list[Host]:
        return [host for host in self.answers.inventory() if not host.local]

    def _offer(self, host: Host) -> HostKeyOffer | None:
        tried = self.memory.tried.get(host.name)
        return tried.offer if tried is not None else None

    def _offers(self) -> list[HostKeyOffer]:
        return [offer for host in self._hosts() if (offer := self._offer(host)) is not None]

    def _unknown(self) -> list[HostKeyOffer]:
        return [offer for offer in self._offers() if offer.state == "unknown"]

    # ---- the list

    @property
    def _name_width(self) -> int:
        """The longest name, as far as a whole fingerprint keeps its room; see `row_words`."""
        width = self.query_one("#keys-board", Board).size.width or self.app.size.width - 18
        longest = max((len(host.name) for host in self._hosts()), default=7)
        return min(max(longest, 7), max(width // 3, width - 6 - 18 - WHOLE - 30, 12))

    def _show(self) -> None:
        board = self.query_one("#keys-board", Board)
        board.set_columns(
            (Column("", 3), Column("machine", name=True, most=self._name_width), Column("key"))
        )
        board.set_rows([self._row(host) for host in self._hosts()])

    def _row(self, host: Host) -> Row:
        tried = self.memory.tried.get(host.name)
        offer = self._offer(host)
        if host.name in self.asking:
            return Row(host.name, (Cell(""), Cell(host.name), Cell("asking", "muted")))
        if tried is None or offer is None:
            cause = tried.problem.cause if tried and tried.problem else "not asked yet"
            return Row(host.name, (Cell(" - "), Cell(host.name), Cell(f"no key: {cause}", "warn")))
        width = self.query_one("#keys-board", Board).size.width - self._name_width - 7
        mark, text, tone = row_words(
            offer,
            confirmed=host.name in self.memory.confirmed,
            same_as=self.same.get(host.name, ()),
            comparison=self.said.get(host.name),
            width=width,
        )
        return Row(host.name, (Cell(mark), Cell(host.name), Cell(text, tone)))

    # ---- asking

    def _ask(self, hosts: list[Host]) -> None:
        access = self.access
        for host in hosts:
            self.attempt += 1
            self.asking[host.name] = self.attempt
            self.run_quietly(self._ask_one(host, access, self.attempt), group=f"ask {host.name}")
        self._update()

    async def _ask_one(self, host: Host, access: Access, attempt: int) -> None:
        tried: Tried = await self.services.try_machine(host, access)
        if self.asking.get(host.name) != attempt:
            return
        del self.asking[host.name]
        before = self._offer(host)
        if tried.offer is None or before is None or before.public_key != tried.offer.public_key:
            # What a person confirmed was another key than the one offered now.
            self.memory.confirmed.discard(host.name)
            self.looked.discard(host.name)
        self.memory.tried[host.name] = tried
        self._compare()
        self._update()
        ask_about_programs(self, tried.problem, self._ask_programs)

    def _ask_programs(self) -> None:
        """Ask those again that waited for a word about programs."""
        tried = self.memory.tried
        waited = [h for h in self._hosts() if h.name in tried]
        self._ask([host for host in waited if programs_of(tried[host.name].problem)])

    def _update(self) -> None:
        """Draw every row anew: what one machine shows may be what another shows too."""
        board = self.query_one("#keys-board", Board)
        board.update_rows([self._row(host) for host in self._hosts()])
        self._explain()

    def action_retry(self) -> None:
        """Ask the machine under the cursor again."""
        host = self._under_cursor()
        self.memory.programs_left.clear()
        if host is not None:
            self._ask([host])

    # ---- what the consoles said

    def action_paste(self) -> None:
        """Open the place for what the consoles said."""
        self._open_paste(self.memory.consoles)

    def on_paste(self, event: events.Paste) -> None:
        """What is pasted over the list opens in that place, to look at first."""
        event.stop()
        if event.text.strip():
            self._open_paste(event.text)

    def _open_paste(self, text: str) -> None:
        from screens.trust.paste_console import PasteScreen

        self.app.push_screen(PasteScreen(text), self._take_paste)

    def _take_paste(self, text: str | None) -> None:
        if text is None:
            return
        from foundation.hosts.openssh.fingerprints import read_console

        self._remember()
        for name, said in self.said.items():
            if said.verdict == "agrees":
                self.memory.confirmed.discard(name)  # it hung on the text before
        self.memory.consoles = text
        self._compare()
        for name, said in self.said.items():
            if said.verdict == "agrees":
                self.memory.confirmed.add(name)
            elif said.verdict == "differs":
                self.memory.confirmed.discard(name)
        self._update()
        words = read_console(text, self._hosts())
        bad = any(said.verdict == "differs" for said in self.said.values())
        sentence = pasted_words(self.said, words.shortcomings()) if text.strip() else ""
        self.say(sentence, bad=bad)

    def _compare(self) -> None:
        """Hold the keys against each other, and against what the consoles said."""
        from foundation.hosts.openssh.fingerprints import compare, read_console

        self.same = twins(self._offers())
        self.said = {}
        if self.memory.consoles.strip():
            words = read_console(self.memory.consoles, self._hosts())
            self.said = {said.offer.host.name: said for said in compare(self._unknown(), words)}

    def action_copy_command(self) -> None:
        """What prints every fingerprint of a machine, into the clipboard of the terminal."""
        from foundation.hosts.openssh.hostkeys import ALL_KEYS_COMMAND

        self.app.copy_to_clipboard(ALL_KEYS_COMMAND)
        self.say(f"Copied, where the terminal allows it: {ALL_KEYS_COMMAND}")

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
        said = self.said.get(host.name)
        if offer.state == "changed":
            self.say(
                f"The key of {host.name} has changed, and a changed key cannot be accepted here. "
                "What to do stands beside it.",
                bad=True,
            )
        elif said is not None and said.verdict == "differs":
            self.say(
                f"{host.name} shows another key than its console said, and cannot be confirmed. "
                "Press p to correct what was pasted, or r to ask the machine again.",
                bad=True,
            )
        elif offer.state == "unknown":
            self._remember()
            self.memory.confirmed.symmetric_difference_update({host.name})
            self._update()

    def action_all(self) -> None:
        """Confirm every unknown key, after a look at the list."""
        from screens.trust.confirm_keys import ConfirmKeysScreen

        offers = [offer for offer in self._unknown() if self._may_confirm(offer)]
        if not offers:
            self.say("There is no unknown key to confirm.")
            return
        unseen = [o.host.name for o in offers if o.host.name in self.same.keys() - self.looked]
        if unseen:
            self.query_one("#keys-board", Board).move_to(unseen[0])
            self.say(
                f"{shortened(unseen)}: several machines show one key. Look at each with the cursor "
                "before all are confirmed at once.",
                bad=True,
            )
            return
        self.app.push_screen(ConfirmKeysScreen(offers), self._confirm_all)

    def _remember(self) -> None:
        """Keep what is confirmed and what was pasted, so that it can be taken back."""
        confirmed, consoles = set(self.memory.confirmed), self.memory.consoles

        def back() -> None:
            self.memory.confirmed.clear()
            self.memory.confirmed |= confirmed
            self.memory.consoles = consoles
            self._compare()
            self._update()

        self.slip("", back)

    def _may_confirm(self, offer: HostKeyOffer) -> bool:
        said = self.said.get(offer.host.name)
        return said is None or said.verdict != "differs"

    def _confirm_all(self, sure: bool | None) -> None:
        if sure:
            self._remember()
            self.memory.confirmed |= {
                offer.host.name for offer in self._unknown() if self._may_confirm(offer)
            }
            self._update()

    def action_next(self) -> None:
        """Write the confirmed keys down, and go on."""
        offers: list[HostKeyOffer] = []
        for offer in self._unknown():
            name = offer.host.name
            if name in self.memory.confirmed and self._may_confirm(offer):
                # Where the console told a key, that one was compared, whatever type is shown.
                told = self.said[name].agreeing if name in self.said else ()
                offers += told or [offer]
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

    def on_board_highlighted(self, event: Board.Highlighted) -> None:
        """Show the key under the cursor in full."""
        self.looked.add(event.key)
        self._explain()

    def _explain(self) -> None:
        host = self._under_cursor()
        text: Content | str = ""
        if host is not None:
            text = offer_text(
                host,
                self.memory.tried.get(host.name),
                same_as=self.same.get(host.name, ()),
                comparison=self.said.get(host.name),
            )
        self.query_one("#offer-text", Static).update(text)
        self.query_one("#offer", VerticalScroll).scroll_home(animate=False)
