"""Ink: the named styles in which widgets write; the colours are the style sheet's."""

from __future__ import annotations

from typing import ClassVar

from rich.style import Style
from textual.widget import Widget

INKS = frozenset(
    {
        "plain",
        "dim",
        "faint",
        "spark",
        "strong",
        "good",
        "warn",
        "bad",
        "accent",
        "key",
        "head",
        "stop",
        "cursor",
        "armed",
    }
)
INK_CLASSES = frozenset(f"ink--{name}" for name in INKS)
"""What a widget that writes in inks names as its COMPONENT_CLASSES."""


class Inked(Widget):
    """A widget that writes in inks, and looks each of them up once for as long as the style sheet holds.

    The framework forgets its own look-ups at every refresh, and a live chart asks for twenty a second.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = set(INK_CLASSES)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.inks: dict[tuple[str, bool], Style] = {}

    def notify_style_update(self) -> None:
        """Another theme, or another class of this widget."""
        super().notify_style_update()
        self.inks.clear()


def ink(widget: Inked, name: str, *, cursor: bool = False) -> Style:
    """The style of an ink, on the background of the cursor's row if asked."""
    if (style := widget.inks.get((name, cursor))) is None:
        style = widget.inks[name, cursor] = _looked_up(widget, name, cursor=cursor)
    return style


def _looked_up(widget: Inked, name: str, *, cursor: bool) -> Style:
    """The style of an ink now.

    Where the cursor's background is the text's own colour reversed, the row has one colour and not a
    patchwork.
    """
    style = widget.get_component_rich_style(f"ink--{name}")
    if not cursor:
        return style
    ground = widget.get_component_rich_style("ink--cursor")
    if ground.reverse:
        return Style(bold=True, reverse=True)
    return style + Style(bgcolor=ground.bgcolor, bold=True)
