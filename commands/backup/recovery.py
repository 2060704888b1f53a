"""Recovery: offers the newest good backup where the database of the archive turns out to be damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dsmilctl import diagnostics
from dsmilctl.clock import rfc3339
from dsmilctl.commands.execution import execute
from dsmilctl.commands.questions import confirm_by_name, interactive
from dsmilctl.config.paths import paths

if TYPE_CHECKING:
    from dsmilctl.archive.backup.manifest import Manifest
    from dsmilctl.archive.places import Places
    from dsmilctl.errors import DSMILError


def offered(error: DSMILError, places: Places) -> bool:
    """Ask a person whether the newest good backup takes the place of a damaged archive; whether it has."""
    from dsmilctl.commands.backup.restoring import put_back

    own = places.folder == paths().archive_folder
    found = _newest_good() if own and interactive() else None
    if found is None:
        return False
    diagnostics.warn(error.message)
    question = f"backup {found.name} of {rfc3339(found.created)} can take the place of the damaged archive"
    if not execute(confirm_by_name(question, found.name)):
        return False
    put_back(found, places)
    diagnostics.say(f"backup {found.name} is in its place")
    return True


def _newest_good() -> Manifest | None:
    from dsmilctl.commands.backup.place import repository_at

    repository = repository_at("")
    verified = (item for item in repository.manifests() if repository.was_verified(item) is not None)
    return next(verified, None)
