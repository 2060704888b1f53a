"""Theme: the three looks of the dashboard.  Nothing is said by colour alone; colours only help the eye."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="dark",
    primary="#7fb0d8",
    secondary="#5f7f9c",
    accent="#7fb0d8",
    foreground="#ccd4dd",
    background="#10151b",
    surface="#161d25",
    panel="#1c2530",
    boost="#1c2530",
    success="#8cc08f",
    warning="#e3b566",
    error="#ec8075",
    dark=True,
    variables={
        "ink-dim": "#8593a3",
        "ink-faint": "#4d5b6b",
        "ink-strong": "#f2f5f8",
        "ink-cursor": "#2a3b4d",
        "ink-stop": "#ffffff",
        "ink-stop-back": "#b3342c",
        "ink-armed": "#10151b",
        "ink-spark": "#4f7da3",
        "input-cursor-background": "#ccd4dd",
        "scrollbar": "#33414f",
        "scrollbar-background": "#10151b",
        "border": "#7fb0d8",
    },
)

LIGHT = Theme(
    name="light",
    primary="#1f5f94",
    secondary="#54738f",
    accent="#1f5f94",
    foreground="#26313c",
    background="#f6f7f9",
    surface="#edf0f3",
    panel="#e3e8ed",
    boost="#e3e8ed",
    success="#22692b",
    warning="#855300",
    error="#b3261e",
    dark=False,
    variables={
        "ink-dim": "#5b6874",
        "ink-faint": "#a9b4be",
        "ink-strong": "#0b1117",
        "ink-cursor": "#cfdfee",
        "ink-stop": "#ffffff",
        "ink-stop-back": "#b3261e",
        "ink-armed": "#ffffff",
        "ink-spark": "#6c9cc6",
        "scrollbar": "#b9c4cf",
        "scrollbar-background": "#f6f7f9",
        "border": "#1f5f94",
    },
)

ANSI = Theme(
    name="ansi",
    ansi=True,
    primary="ansi_blue",
    secondary="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    accent="ansi_cyan",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    variables={
        "ink-dim": "ansi_default",
        "ink-faint": "ansi_bright_black",
        "ink-strong": "ansi_default",
        "ink-cursor": "ansi_default",
        "ink-stop": "ansi_bright_white",
        "ink-stop-back": "ansi_red",
        "ink-armed": "ansi_black",
        "ink-spark": "ansi_blue",
        "border": "ansi_cyan",
        "scrollbar": "ansi_bright_black",
        "scrollbar-background": "ansi_default",
        "input-cursor-text-style": "reverse",
    },
)

THEMES = (DARK, LIGHT, ANSI)
