"""Login: what all machines share, secrets included, which stay in memory."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.widgets import Static

from foundation.hosts.connection import Credentials
from foundation.problems import InputProblem
from foundation.secrets import Secret
from screens.answers.answers import Login
from screens.machines.login_words import login_from
from screens.shell.dialog import Buttons, Form
from screens.widgets.field import Field, Line


@dataclass(frozen=True, slots=True)
class LoginAnswer:
    """The shared login, and the secrets of this session."""

    login: Login
    credentials: Credentials


class LoginScreen(Form[LoginAnswer]):
    """User, port, key, bastion, passwords."""

    HELP = "login"

    def __init__(self, login: Login, credentials: Credentials) -> None:
        super().__init__()
        self.login = login
        self.credentials = credentials

    def compose(self) -> ComposeResult:
        """One line a thing; a secret that is set shows as set and is never shown itself."""
        login, secrets = self.login, self.credentials
        keys = ", ".join(str(path) for path in login.identity_files)
        known = ", ".join(str(path) for path in login.known_hosts)
        with Vertical(classes="dialog -wide"):
            yield Static("How to log in to all of them", classes="dialog-title", markup=False)
            with VerticalScroll(classes="dialog-lines", can_focus=False):
                yield Field("User", id="user", value=login.user or "", example="your own name")
                yield Field("Port", id="port", value=str(login.port or ""), example="22")
                yield Field("Key file", id="key", value=keys, example="agent and usual keys")
                yield Field(
                    "Bastion", id="bastion", value=login.bastion or "", example="user@host, or none"
                )
                yield Field("Known hosts", id="known", value=known, example="Sitewright's own file")
                yield Field(
                    "Use sudo", id="sudo", value="yes" if login.sudo else "no", example="yes or no"
                )
                yield Static(
                    "Secrets stay in memory and are written nowhere.", classes="secrets muted"
                )
                yield Field("Password", id="password", secret=True, example=_set(secrets.password))
                yield Field(
                    "Key passphrase", id="phrase", secret=True, example=_set(secrets.passphrase)
                )
                yield Field(
                    "sudo password", id="sudo-password", secret=True,
                    example=_set(secrets.sudo_password),
                )  # fmt: skip
            yield Static("", classes="dialog-error", id="wrong", markup=False)
            yield Buttons("Take it")

    def on_mount(self) -> None:
        """Begin in the first line."""
        self.query_one("#user", Line).focus()

    def _text(self, name: str) -> str:
        return self.query_one(f"#{name}", Line).value.strip()

    def action_take(self) -> None:
        """Close with the answer, if every line can be used."""
        try:
            answer = LoginAnswer(self._login(), self._credentials())
        except InputProblem as problem:
            where = f"{problem.where}: " if problem.where else ""
            self.query_one("#wrong", Static).update(f"{where}{problem.cause}. {problem.remedy}")
            return
        self.dismiss(answer)

    def _login(self) -> Login:
        return login_from(
            user=self._text("user"),
            port=self._text("port"),
            keys=self._text("key"),
            bastion=self._text("bastion"),
            known_hosts=self._text("known"),
            sudo=self._text("sudo"),
        )

    def _credentials(self) -> Credentials:
        old = self.credentials

        def secret(name: str, before: Secret | None) -> Secret | None:
            # Not stripped: a password may begin or end with a space.
            value = self.query_one(f"#{name}", Line).value
            return Secret(value) if value else before

        return Credentials(
            password=secret("password", old.password),
            passphrase=secret("phrase", old.passphrase),
            sudo_password=secret("sudo-password", old.sudo_password),
        )


def _set(secret: Secret | None) -> str:
    return "set; type another to change it" if secret else "none"
