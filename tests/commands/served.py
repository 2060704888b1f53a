"""A shell beside a server: `sim serve` in a process of its own, and a context `plant` that talks to it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.commands.shell import NONE, STILL, Running, Shell

PLANT = "plant"


class RemoteShell(Shell):
    """A shell whose context `plant` is a server."""

    def __init__(self, home: Path, server: Running, url: str, environment: Mapping[str, str]) -> None:
        super().__init__(home, environment)
        self.server = server
        self.url = url

    def log_in(self, user: str, password: str, context: str = PLANT) -> None:
        """Log in to the context as a demo account."""
        answer = self.run("-C", context, "auth", "login", user, "--password-stdin", stdin=password)
        assert answer.exit == 0, answer.err


@contextmanager
def serving(home: Path, *options: str, environment: Mapping[str, str] = NONE) -> Iterator[RemoteShell]:
    """Serve simulated devices until the end; `options` are those of `sim serve`."""
    variables = {**STILL, **environment}
    server = Shell(home, variables).start("sim", "serve", "--port", "0", "--json", *options, anew=False)
    try:
        url = json.loads(server.line())["url"]
        shell = RemoteShell(home, server, url, variables)
        assert shell.run("context", "add", PLANT, "--url", url).exit == 0
        yield shell
    finally:
        answer = server.end(signal.SIGTERM)
        assert "Traceback" not in answer.err, answer.err
