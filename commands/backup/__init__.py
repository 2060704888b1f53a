"""`dsmilctl backup`: copies of the archive, the proof that they are whole, and the way back."""

from __future__ import annotations

from dsmilctl.commands.backup import creating, listing, pruning, restoring, scheduling
from dsmilctl.commands.nouns import Noun

app = Noun("backup")
for part in (creating, listing, restoring, pruning, scheduling):
    app.verbs |= part.app.verbs
