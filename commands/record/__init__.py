"""`dsmilctl record`: keep what a fleet does, look into it, take it along, prove it."""

from __future__ import annotations

from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record import (
    carrying,
    checking,
    listing,
    maintaining,
    noting,
    querying,
    replaying,
    reporting,
    running,
    starting,
    stopping,
    token,
)

app = Noun("record")
for part in (
    running, starting, stopping, listing, noting, querying, carrying, replaying, reporting, checking,
    maintaining, token,
):  # fmt: skip
    app.verbs |= part.app.verbs
