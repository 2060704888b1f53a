"""Facts: what help pages tell and the command tree does not know: exit codes, variables, files."""

from __future__ import annotations

import inspect
from pathlib import Path

from dsmilctl.config.paths import Paths
from dsmilctl.config.schema import SettingsSchema
from dsmilctl.config.sources import PREFIX
from dsmilctl.diagnostics import EXIT_CODES

Fact = tuple[str, str]
"""A name and what it means."""

SELECTORS: tuple[Fact, ...] = (
    ("0x8000, 32768, boiler-1", "one device, by its id or name"),
    ("0x8000-0x800F, 0x8000..0x800F", "every device from one number to another"),
    ("boiler-*", "every device whose id or name matches"),
    ("@controllers, @all", "every device of a group, or of the context"),
    ("risk=HIGH, state!=error", "narrows the other terms"),
    ("-", "a list on standard input, one term a line"),
)

_VARIABLES: tuple[Fact, ...] = (
    ("DSMIL_HOME", "one folder for settings, state, data and cache, instead of the XDG folders"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_DATA_HOME, XDG_CACHE_HOME", "the base of the folders below FILES"),
    ("NO_COLOR", "when set, nothing is coloured"),
)

_FOLDERS = Paths(
    config=Path("~/.config/dsmilctl"),
    state=Path("~/.local/state/dsmilctl"),
    data=Path("~/.local/share/dsmilctl"),
    cache=Path("~/.cache/dsmilctl"),
    runtime=Path("$XDG_RUNTIME_DIR/dsmilctl"),
    system=Path("/etc/xdg/dsmilctl"),
)
_FILES = (
    "settings_file",
    "system_settings_file",
    "contexts_file",
    "policy_file",
    "current_context_file",
    "journal_folder",
    "latch_folder",
    "tokens_folder",
    "completion_cache",
)


def exit_codes() -> list[Fact]:
    """Every exit status with its meaning."""
    return [(str(code), meaning) for code, meaning in EXIT_CODES.items()]


def variables() -> list[Fact]:
    """Every environment variable: those for folders and colours, then one for each setting."""
    settings = [
        (f"{PREFIX}{name.upper()}", _sentence(field.description or ""))
        for name, field in SettingsSchema.model_fields.items()
    ]
    return [*_VARIABLES, *settings]


def files() -> list[Fact]:
    """Every file and folder that a user may want to find."""
    return [(str(getattr(_FOLDERS, name)), _meaning(name)) for name in _FILES]


def _meaning(name: str) -> str:
    return _sentence(inspect.getdoc(getattr(Paths, name)) or "")


def _sentence(text: str) -> str:
    """A sentence as the end of a line of a list: no capital, no full stop."""
    plain = " ".join(text.split()).rstrip(".")
    return plain[:1].lower() + plain[1:]
