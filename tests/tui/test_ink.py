"""Inks: looked up once, and anew when the style sheet says something else."""

from __future__ import annotations

from textual.app import App, ComposeResult

from dsmilctl.tui.widgets.ink import ink
from dsmilctl.tui.widgets.line import Line, Part


class Page(App[None]):
    """A line on a page whose colours are the theme's."""

    CSS = "Line > .ink--good { color: $primary; } Line.quiet > .ink--good { color: $secondary; }"

    def compose(self) -> ComposeResult:
        """One line."""
        yield Line()


async def test_an_ink_is_the_same_until_the_theme_or_the_class_of_its_widget_changes() -> None:
    app = Page()
    async with app.run_test() as pilot:
        line = app.query_one(Line)
        line.show([Part("all is well", "good")])
        await pilot.pause()
        before = ink(line, "good")
        line.refresh()
        again = ink(line, "good")

        app.theme = "nord" if app.theme != "nord" else "gruvbox"
        await pilot.pause()
        other_theme = ink(line, "good")
        line.add_class("quiet")
        await pilot.pause()
        quiet = ink(line, "good")

    assert again is before
    assert other_theme.color != before.color
    assert quiet.color != other_theme.color
