"""Keys: the commands that are there on every page."""

from __future__ import annotations

from dsmilctl.tui.command import Command
from dsmilctl.tui.terminal import STOP_KEY

EVERYWHERE = (
    Command(
        STOP_KEY,
        "stop_everything",
        "STOP",
        show=False,
        priority=True,
        summary="Emergency stop of every device, at once, without asking",
        twin="dsmilctl -C {context} emergency stop",
        impact="danger",
    ),
    Command(
        "ctrl+c",
        "interrupt",
        "quit",
        show=False,
        priority=True,
        summary="Copy the selected text, or quit with exit status 130",
    ),
    Command("a", "arm", "arm", summary="Arm writes for a minute", impact="screen"),
    Command(
        "c", "contexts", "context", summary="Switch to another context", twin="dsmilctl context use NAME"
    ),
    Command(
        "J",
        "journal",
        "journal",
        summary="The journal of every change",
        twin="dsmilctl -C {context} audit log",
        impact="read",
    ),
    Command(
        "E",
        "emergency",
        "emergency",
        summary="What is stopped, who confirmed, and the release",
        twin="dsmilctl -C {context} emergency status",
        impact="read",
    ),
    Command(
        "A",
        "approvals",
        "approvals",
        show=False,
        summary="What a second person is asked for; approve or reject it",
        twin="dsmilctl -C {context} approval list",
        impact="read",
    ),
    Command(
        "I",
        "sessions",
        "sessions",
        show=False,
        summary="Your sessions at the server, and ending one",
        twin="dsmilctl -C {context} auth sessions",
        impact="read",
    ),
    Command(
        "R",
        "recordings",
        "recordings",
        show=False,
        summary="What was recorded, what records now; start and end it",
        twin="dsmilctl record list",
        impact="read",
    ),
    Command(
        "B",
        "backups",
        "backups",
        show=False,
        summary="The backups of the archive; make one, prove one",
        twin="dsmilctl backup list",
        impact="read",
    ),
    Command(
        "L",
        "log_in",
        "log in",
        show=False,
        summary="Log in to the server, again or as somebody else",
        twin="dsmilctl -C {context} auth login",
    ),
    Command(
        "colon,ctrl+p",
        "commands",
        "commands",
        summary="Every command, with the command line that does the same",
        pinned=True,
    ),
    Command("question_mark,f1", "help", "help", summary="Every key of every screen", pinned=True),
    Command(
        "y",
        "copy_twin",
        "copy",
        show=False,
        summary="Copy the command line that shows the same as this screen",
    ),
    Command("t", "next_theme", "theme", show=False, summary="Dark, light or the terminal's own colours"),
    Command(
        "ctrl+s",
        "screenshot_here",
        "picture",
        show=False,
        summary="Save a picture of the screen as SVG in the current folder",
    ),
    Command("ctrl+r", "reconnect", "reconnect", show=False, summary="Open the context again without waiting"),
    Command(
        "ctrl+z",
        "suspend_process",
        "suspend",
        show=False,
        summary="Suspend the dashboard; fg brings it back",
    ),
    Command("q,ctrl+q", "back_or_quit", "quit", show=False, summary="Back to the fleet, and from there quit"),
)

PAGE_TWINS = {
    "fleet": "dsmilctl -C {context} device read {selector} --watch",
    "device": "dsmilctl -C {context} device read {device} --watch",
    "journal": "dsmilctl -C {context} audit log",
    "emergency": "dsmilctl -C {context} emergency status",
    "approvals": "dsmilctl -C {context} approval list",
    "sessions": "dsmilctl -C {context} auth sessions",
    "recordings": "dsmilctl record list",
    "recording": "dsmilctl record query {device} {register} --recording {recording}",
    "replay": "dsmilctl record replay {recording} --speed {speed}",
    "backups": "dsmilctl backup list",
    "help": "dsmilctl --help",
}
"""The command line that shows the same as a page."""
