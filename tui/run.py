"""Run: starts the dashboard in a terminal, and leaves the terminal as it was, whatever ends it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from dsmilctl.client.interface import Client
from dsmilctl.errors import UsageError


def run_dashboard(
    context_name: str,
    read_only: bool,
    low_bandwidth: bool,
    open_client: Callable[[str], Client],
    contexts: Sequence[str] = (),
) -> int:
    """Run the dashboard until somebody leaves it; the exit status of the command.

    130, 143 and 129 after SIGINT, SIGTERM and SIGHUP.  Raises UsageError without a usable terminal.
    """
    check_terminal(context_name)
    from dsmilctl.tui.app import DashboardApp

    app = DashboardApp(
        open_client,
        context_name,
        contexts=contexts,
        read_only=read_only,
        low_bandwidth=low_bandwidth,
    )
    status = app.run()
    app.stopper.close(5.0)
    return status or app.return_code or 0


def check_terminal(context_name: str) -> None:
    """Raise UsageError unless there is a terminal that a dashboard can be drawn on."""
    hint = f"dsmilctl -C {context_name} device read @all --watch shows the same line by line"
    for name, stream in (("input", sys.stdin), ("output", sys.stdout), ("error output", sys.stderr)):
        if not stream.isatty():
            raise UsageError(f"the dashboard needs a terminal, and standard {name} is none", hint=hint)
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError("the dashboard needs a terminal that can move the cursor (TERM is dumb)", hint=hint)
