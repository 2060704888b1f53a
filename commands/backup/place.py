"""Place: which backups a command line means, and what goes into them beside the archive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dsmilctl.clock import rfc3339
from dsmilctl.config.paths import paths
from dsmilctl.redaction import redact
from dsmilctl.tables import Column

if TYPE_CHECKING:
    from dsmilctl.archive.backup.creating import Source
    from dsmilctl.archive.backup.encryption import Encrypting
    from dsmilctl.archive.backup.manifest import Manifest
    from dsmilctl.archive.backup.repository import Target

PassphraseFile = Annotated[
    str, typer.Option("--passphrase-file", metavar="FILE", help="what opens encrypted backups; - is stdin")
]
At = Annotated[
    str, typer.Option("--at", metavar="URL", help="those in another folder, or at s3://… or sftp://…")
]
BackupName = Annotated[str, typer.Argument(metavar="NAME", help="its name, or last")]
COLUMNS = (
    Column("name", flexible=True),
    Column("created"),
    Column("size", right=True),
    Column("files", right=True),
    Column("recordings", right=True),
    Column("rows", right=True),
    Column("verified"),
    Column("problem", sparse=True, flexible=True),
)


def repository_at(url: str, passphrase_file: str = "", *, encrypts: bool = False) -> Encrypting:
    """The backups at a place, without one those of the user's own; a passphrase is read when it is needed."""
    from dsmilctl.archive.backup.encryption import Encrypting
    from dsmilctl.commands.backup.passphrase import passphrase

    return Encrypting(_target(url), lambda new: passphrase(passphrase_file, new=new), encrypts=encrypts)


def _target(url: str) -> Target:
    """A folder, or anything that fsspec reaches."""
    if "://" in url and not url.startswith("file://"):
        from dsmilctl.archive.backup.remote import Remote

        return Remote(url)
    from dsmilctl.archive.backup.folder import Folder

    return Folder(Path(url.removeprefix("file://")) if url else paths().backup_folder)


def along() -> list[Source]:
    """The files beside the archive that hold no secrets: settings, contexts, policy and the journal."""
    from dsmilctl.archive.backup.creating import Source

    return [Source(name, path) for name, path in _plain() if path.is_file() and not _tells(path)]


def secret() -> list[Source]:
    """The files that only an encrypted backup takes along: tokens, users, settings with a secret in them."""
    from dsmilctl.archive.backup.creating import Source

    folders = paths()
    tokens = folders.tokens_folder
    kept = sorted(tokens.iterdir()) if tokens.is_dir() else []
    found = [("config/users.json", folders.users_file)]
    found += [(name, path) for name, path in _plain() if path.is_file() and _tells(path)]
    found += [(f"state/tokens/{path.name}", path) for path in kept]
    return [Source(name, path) for name, path in found if path.is_file()]


def _tells(path: Path) -> bool:
    """Whether a file that people write has a secret in it: a password in an address, a token of a driver."""
    if path.suffix == ".jsonl":
        return False  # the journal was written without
    text = path.read_text(errors="replace")
    return redact(text) != text


def _plain() -> Iterator[tuple[str, Path]]:
    folders = paths()
    for path in (folders.settings_file, folders.contexts_file, folders.policy_file):
        yield f"config/{path.name}", path
    if folders.journal_folder.is_dir():
        for path in sorted(folders.journal_folder.glob("journal*.jsonl")):
            yield f"state/{path.name}", path


def scratch() -> Path:
    """The folder for what is needed while a command runs only."""
    from dsmilctl.config.private import make_folders

    make_folders(paths().cache)
    return paths().cache


def row_of(manifest: Manifest, verified: int | None) -> dict[str, Any]:
    """A backup as a row."""
    return {
        "name": manifest.name,
        "created": rfc3339(manifest.created),
        "size": manifest.size,
        "files": manifest.files,
        "recordings": manifest.recordings,
        "rows": manifest.rows,
        "verified": None if verified is None else rfc3339(verified),
    }
