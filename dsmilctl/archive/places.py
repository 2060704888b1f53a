"""Places: the files of one archive, all in one folder."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Places(msgspec.Struct, frozen=True):
    """Where each part of an archive is.

    `database` is the hot store, `segments` the folder of sealed readings, `lock` says which process records,
    `closing` what every file looked like when the last recorder ended.
    """

    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "archive.db"

    @property
    def segments(self) -> Path:
        """The folder of Parquet files."""
        return self.folder / "segments"

    @property
    def lock(self) -> Path:
        """Held by the one process that records."""
        return self.folder / "recorder.lock"

    @property
    def gate(self) -> Path:
        """Held while another process writes beside the recorder, and by the recorder when it ends."""
        return self.folder / "recorder.gate"

    @property
    def closing(self) -> Path:
        """The digests of every file, written when a recorder ends in order."""
        return self.folder / "closing.json"

    @property
    def beside(self) -> Path:
        """The folder of files in other formats, written while it is recorded."""
        return self.folder / "beside"

    @property
    def exists(self) -> bool:
        """Whether anything was ever recorded here."""
        return self.database.is_file()

    def segment(self, name: str) -> Path:
        """One sealed file."""
        return self.segments / name
