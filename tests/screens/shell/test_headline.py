"""The first line of every step, at several widths."""

from __future__ import annotations

from textual.app import App, ComposeResult
from textual.widgets import Static

from screens.widgets.headline import Headline


class Line(App[None]):
    """Nothing but the line."""

    CSS = """
    #headline { height: 1; }
    #brand, #changed { width: auto; }
    #site { width: 1fr; }
    """

    def compose(self) -> ComposeResult:
        """The line of a site whose name is long."""
        yield Headline("core-test-harness single-box", "Machines were changed", "core-test-harness")


async def test_a_name_without_room_is_shortened_and_not_cut() -> None:
    app = Line()
    async with app.run_test(size=(80, 5)) as pilot:
        shown = app.query_one("#site", Static)
        assert str(shown.render()) == "core-test-harness single-box"
        app.query_one(Headline).show(changed="Nothing has been changed on any machine yet")
        await pilot.pause()
        assert str(shown.render()) == "core-test-harness"
        app.query_one(Headline).show(site="new site")
        await pilot.pause()
        assert str(shown.render()) == "new site"
        long = "Machines were changed on 28 Nov, by Asha Mwangi of the operations team in Dodoma"
        app.query_one(Headline).show(changed=long, shorter="Machines were changed on 28 Nov")
        await pilot.pause()
        assert str(app.query_one("#changed", Static).render()) == "Machines were changed on 28 Nov"
