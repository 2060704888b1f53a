"""`dsmilctl record`: keep what a fleet does, look into it, take it along, prove it."""

from __future__ import annotations

from dsmilctl.commands.nouns import Noun
from dsmilctl.commands.record import carrying, checking, listing, maintaining, querying, running

app = Noun("record")
for part in (running, listing, querying, carrying, checking, maintaining):
    app.verbs |= part.app.verbs
