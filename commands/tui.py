"""`dsmilctl tui`: the dashboard."""

from __future__ import annotations

from collections.abc import Callable
from threading import Timer
from typing import Annotated

import typer

from dsmilctl.commands.garbage import LONG, collect_often
from dsmilctl.commands.invocation import invocation
from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.runner import end_with
from dsmilctl.config.contexts import find_context

app = Noun("tui")


@app.alone(impact="read")
def tui(
    low_bandwidth: Annotated[bool, typer.Option("--low-bandwidth", help="paint less on a slow line")] = False,
) -> None:
    """Open the dashboard on the context.  Writes have to be armed; the stop key is ctrl+x, always.

    Example: dsmilctl -C sim tui
    Example: dsmilctl -C local --read-only tui
    """
    from dsmilctl.client.connecting import prepare
    from dsmilctl.client.interface import Client
    from dsmilctl.tui.run import run_dashboard

    chosen = invocation()
    # Fixed now: the stop key means the fleet on the screen, whatever somebody chooses elsewhere later.
    name = find_context(chosen.context).name

    known: dict[str, Callable[[], Client]] = {}

    def open_client(context: str) -> Client:
        # Read once: the stop key must not depend on files that somebody edits while the dashboard runs.
        if context not in known:
            known[context] = prepare(context, read_only=chosen.read_only, timeout=chosen.timeout or None)
        return known[context]()

    # By a thread: Textual makes the loop, in which `execute` would have it done.
    later = Timer(LONG, collect_often)
    later.daemon = True
    later.start()
    end_with(
        run_dashboard(
            context_name=name,
            read_only=chosen.read_only,
            low_bandwidth=low_bandwidth or chosen.settings.low_bandwidth,
            open_client=open_client,
        )
    )
