"""Completion words: what TAB offers, kept as plain files that a shell reads without starting a process.

Below `cache/completion`: `current` (the context's name), `contexts`, `drivers`, and per context a folder with
`devices` and `registers`.  A file has one word a line, a tab, and what the word means.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from dsmilctl.config.paths import file_name
from dsmilctl.errors import ConfigError
from dsmilctl.model.device import Device

Word = tuple[str, str]
"""A word and what it means."""

LONGEST = 200


class CompletionWords:
    """The words in one cache folder.  Failing to keep them never fails a command."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep_current(self, context: str) -> None:
        """The context that commands use where none is named."""
        self._keep(self._folder / "current", [(context, "")])

    def keep_contexts(self, contexts: Iterable[Word]) -> None:
        """Every context, with what it talks to."""
        self._keep(self._folder / "contexts", contexts)

    def keep_drivers(self, drivers: Iterable[Word]) -> None:
        """Every installed driver, with its summary."""
        self._keep(self._folder / "drivers", drivers)

    def keep_fleet(self, context: str, devices: Sequence[Device]) -> None:
        """The devices, groups and registers of a context."""
        folder = self._folder / file_name(context)
        groups = sorted({device.group for device in devices if device.group})
        words = [("@all", "every device"), *((f"@{group}", "group") for group in groups)]
        self._keep(folder / "devices", words + [(device.shown_id, device.name) for device in devices])
        models = {id(device.registers): device.registers for device in devices}.values()
        registers = {register.name: register.unit for model in models for register in model}
        self._keep(folder / "registers", registers.items())

    def _keep(self, file: Path, words: Iterable[Word]) -> None:
        text = "".join(f"{word}\t{meaning[:LONGEST]}\n" for word, meaning in words if _plain(word, meaning))
        content = text.encode("utf-8", "replace")
        try:
            if file.read_bytes() == content:
                return
        except OSError:
            pass  # not there yet, or unreadable: written anew
        self._write(file, content)

    def _write(self, file: Path, content: bytes) -> None:
        from dsmilctl.config.private import write_private

        try:
            for folder in (self._folder.parent, self._folder, file.parent):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_private(file, content, durable=False)
        except (OSError, ConfigError):
            return  # TAB then offers less; the command has nothing to do with it


def _plain(word: str, meaning: str) -> bool:
    """Whether a line can be shown by a shell: one line, and no control character that a terminal obeys."""
    return bool(word) and len(word) <= LONGEST and word.isprintable() and (meaning + " ").isprintable()
