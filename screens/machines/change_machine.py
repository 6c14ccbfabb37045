"""One machine changed: its name, address and its own way in."""

from __future__ import annotations

from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from foundation.hosts.ansible.inventory import checked_address, name_fault
from foundation.hosts.model import Host
from foundation.problems import InputProblem
from screens.machines.login_words import checked_bastion, key_file, port_of, user_name, words_of
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line


class ChangeScreen(Form[Host]):
    """The machine's own lines; what is empty is taken from the shared login."""

    HELP = "machines"

    def __init__(self, host: Host, others: frozenset[str], port: int | None = None) -> None:
        super().__init__()
        self.host = host
        self.others = others
        self.port = port
        """What the machine says itself; None leaves it to the login of all."""

    def compose(self) -> ComposeResult:
        """One line a thing."""
        host = self.host
        keys = ", ".join(str(path) for path in host.identity_files)
        shared = "as all"
        with Vertical(classes="dialog -wide"):
            yield Static(f"Change {host.name}", classes="dialog-title", markup=False)
            yield Field("Name", id="name", value=host.name)
            yield Field("Address", id="address", value=host.address)
            yield Field("User", id="user", value=host.user or "", example=shared)
            yield Field("Port", id="port", value=str(self.port or ""), example=shared)
            yield Field("Key file", id="key", value=keys, example=shared)
            yield Field("Bastion", id="bastion", value=host.bastion or "", example=shared)
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Take it")

    def on_mount(self) -> None:
        """Begin with the address, which is what is wrong most often."""
        self.query_one("#address", Line).focus()

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Line).value.strip()

    def action_take(self) -> None:
        """Close with the machine, if every line can be used."""
        try:
            host = self._host()
        except InputProblem as problem:
            self.query_one("#wrong", Static).update(f"{problem.cause}. {problem.remedy}")
            return
        self.dismiss(host)

    def _host(self) -> Host:
        name = self._text("name")
        if fault := name_fault(name):
            raise InputProblem(
                f"this cannot be the name of a machine: {fault}", remedy="Write one word."
            )
        if name in self.others:
            raise InputProblem(f'another machine is called "{name}"', remedy="Choose another.")
        bastion = self._text("bastion") or None
        if bastion is not None:
            checked_bastion(bastion)
        self.port = port_of(self._text("port"))
        return replace(
            self.host,
            name=name,
            address=checked_address(self._text("address").strip("[]")),
            user=user_name(self._text("user")),
            port=self.port or 22,
            identity_files=tuple(key_file(word) for word in words_of(self._text("key"))),
            bastion=bastion,
        )
