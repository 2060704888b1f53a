"""Tables: which columns are shown, how wide they are, and what becomes of a text that is too long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from textual.app import App, ComposeResult

from dsmilctl.tui.widgets.table import Cell, Column, Table
from tests.tui.dashboard import dashboard, screen_of, until
from tests.tui.fake_client import World


class Wide(Table):
    """A table of one growing name, one number and two columns that may go."""

    def columns(self) -> Sequence[Column]:
        return [
            Column("name", "NAME", 10, grows=True, most=12, ending=True),
            Column("number", "NUMBER", 6, right=True),
            Column("long", "LONG", 30, drop=2),
            Column("short", "SHORT", 5, drop=1),
        ]

    def row_count(self) -> int:
        return 1

    def cells(self, index: int) -> Sequence[Cell]:
        del index
        return [Cell("Interface module 07"), Cell("5"), Cell("…"), Cell("s")]


@pytest.mark.parametrize(
    ("width", "head", "row"),
    [
        (20, "  NAME        NUMBER", "▸ Interf… 07       5"),
        (34, "  NAME            NUMBER  SHORT", "▸ Interface… 07        5  s"),
        (
            100,
            "  NAME                  NUMBER  LONG                                SHORT",
            "▸ Interface mo… 07           5  …                                   s",
        ),
    ],
)
async def test_columns_get_what_they_need_then_air_and_a_cut_name_keeps_its_number(
    width: int, head: str, row: str
) -> None:
    class Alone(App[None]):
        CSS = "Table { height: 1fr; }"

        def compose(self) -> ComposeResult:
            yield Wide()

    async with Alone().run_test(size=(width + 1, 6)) as pilot:
        await pilot.pause()
        table = pilot.app.query_one(Wide)
        lines = [table.render_line(y).text.rstrip() for y in (0, 1)]
        assert lines == [head, row]


async def test_the_palette_shows_the_command_line_however_low_the_screen(world: World) -> None:
    for height in (12, 24, 40):
        async with dashboard(world, size=(80, height)) as pilot:
            await pilot.press("colon")
            await until(pilot, lambda: "$ dsmilctl -C plant device list" in screen_of(pilot))
            assert "What do you want to do?" in screen_of(pilot)
