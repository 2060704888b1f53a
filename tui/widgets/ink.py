"""Ink: the named styles in which widgets write; the colours are the style sheet's."""

from __future__ import annotations

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


def ink(widget: Widget, name: str, *, cursor: bool = False) -> Style:
    """The style of an ink, on the background of the cursor's row if asked.

    Where that background is the text's own colour reversed, the row has one colour and not a patchwork.
    """
    style = widget.get_component_rich_style(f"ink--{name}")
    if not cursor:
        return style
    ground = widget.get_component_rich_style("ink--cursor")
    if ground.reverse:
        return Style(bold=True, reverse=True)
    return style + Style(bgcolor=ground.bgcolor, bold=True)
