"""The keys of machines: one on several of them, all types, and what the consoles said."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, replace
from typing import Any

from textual import events

from foundation.hosts.model import Host
from foundation.hosts.openssh.hostkeys import HostKeyOffer, ShownKey
from screens.services.services import Access, Tried
from screens.shell.app import SitewrightApp
from screens.trust.confirm_keys import ConfirmKeysScreen
from screens.trust.paste_console import PasteScreen
from screens.trust.trust_words import row_words, twins
from screens.widgets.board import Board
from tests.screens.driving import shows, text, to_trust, until
from tests.screens.recorded import RecordedServices, offer_of

WIDE = (160, 40)


def key_of(name: str, algorithm: str) -> ShownKey:
    """A key whose fingerprint is that of its bytes, as ssh-keygen has it."""
    blob = hashlib.sha256(f"{name} {algorithm}".encode()).digest() * 2
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return ShownKey(algorithm, f"SHA256:{digest}", f"{algorithm} {base64.b64encode(blob).decode()}")


@dataclass
class ManyKeys(RecordedServices):
    """Machines with a key of each type; c1, c2, c3 are copies of one image."""

    async def try_machine(self, host: Host, access: Access) -> Tried:
        """Three keys a machine."""
        image = "image" if host.name.startswith("c") else host.name
        first, *others = (
            key_of(image, kind) for kind in ("ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa")
        )
        offer = replace(
            offer_of(host),
            algorithm=first.algorithm,
            fingerprint=first.fingerprint,
            public_key=first.public_key,
            others=tuple(others),
        )
        return Tried(host, offer=offer)


def line(name: str, kind: str = "ssh-ed25519") -> str:
    """What ssh-keygen -lf prints on a console, after the machine's name."""
    key = key_of(name, kind)
    return f"{name}: 256 {key.fingerprint} root@{name} ({key.kind})"


async def test_the_key_that_is_shown_is_the_one_that_is_compared() -> None:
    app = SitewrightApp(ManyKeys())
    async with app.run_test(size=WIDE) as pilot:
        await to_trust(pilot, "m1=10.10.0.11", "w1=10.10.0.14")
        await shows(
            pilot,
            key_of("m1", "ssh-ed25519").fingerprint,
            key_of("m1", "ssh-rsa").fingerprint,
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
        )


async def test_what_consoles_said_confirms_what_agrees_and_nothing_else() -> None:
    services = ManyKeys()
    app = SitewrightApp(services)
    async with app.run_test(size=WIDE) as pilot:
        await to_trust(pilot, "m1=10.10.0.11", "w1=10.10.0.14", "lb1=10.10.0.21", "st1=10.10.0.31")
        wrong = line("m1").replace("m1", "lb1")
        app.post_message(events.Paste("\n".join([line("m1", "ssh-rsa"), line("w1"), wrong])))
        await until(pilot, lambda: isinstance(app.screen, PasteScreen))
        await pilot.press("f10")
        await shows(pilot, "2 agree, 1 DIFFERS, 1 is not in it")
        assert app.memory.confirmed == {"m1", "w1"}
        app.screen.query_one("#keys-board", Board).move_to("lb1")
        await shows(pilot, "DIFFERS from the console")
        await pilot.press("space")
        await shows(pilot, "shows another key than its console said")
        assert app.memory.confirmed == {"m1", "w1"}
        await pilot.press("f10")
        await until(pilot, lambda: services.trusted)
        # Of m1 the console told the RSA key, so that one was compared and is trusted.
        assert [(o.host.name, o.kind) for o in services.trusted] == [
            ("m1", "RSA"),
            ("w1", "ED25519"),
        ]


async def test_one_key_on_several_machines_is_marked_and_looked_at_one_by_one() -> None:
    app = SitewrightApp(ManyKeys())
    async with app.run_test(size=WIDE) as pilot:
        await to_trust(pilot, "m1=10.10.0.11", "c1=10.10.0.14", "c2=10.10.0.15", "c3=10.10.0.16")
        await shows(pilot, "same key as c2 and c3", "same key as c1 and c3")
        await pilot.press("a")
        await shows(pilot, "several machines show one key")
        assert not isinstance(app.screen, ConfirmKeysScreen)
        for _ in range(3):
            await pilot.press("down")
        await shows(pilot, "copies of one image")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, ConfirmKeysScreen))
        for name in ("m1", "image"):
            assert key_of(name, "ssh-ed25519").fingerprint in text(pilot)


def shown(name: str, **more: Any) -> HostKeyOffer:
    return replace(offer_of(Host(name, "10.10.0.1")), **more)


def test_a_fingerprint_is_shown_whole_or_not_at_all() -> None:
    offer = shown("m1")
    whole = offer.fingerprint.removeprefix("SHA256:")
    for width in range(10, 120):
        _, words, _ = row_words(
            offer, confirmed=False, same_as=["w1"], comparison=None, width=width
        )
        assert whole in words or whole[:8] not in words


def test_only_machines_that_share_a_key_are_twins() -> None:
    one, two = shown("m1"), shown("m2")
    copy = replace(one, host=Host("m3", "10.10.0.3"))
    assert twins([one, two]) == {}
    assert twins([one, two, copy]) == {"m1": ("m3",), "m3": ("m1",)}
