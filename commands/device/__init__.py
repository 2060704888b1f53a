"""`dsmilctl device`: list, read, write and control devices."""

from __future__ import annotations

from dsmilctl.commands.device import control, history, lifecycle, listing, reading, writing
from dsmilctl.commands.nouns import Noun

app = Noun("device")
for part in (listing, reading, writing, control, history, lifecycle):
    app.verbs |= part.app.verbs
