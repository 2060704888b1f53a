"""The completion scripts as they are installed: generated, checked in, found beside the package."""

from __future__ import annotations

from pathlib import Path

import dsmilctl
from dsmilctl.errors import NotFound

FILES = {"bash": "dsmilctl.bash", "zsh": "_dsmilctl", "fish": "dsmilctl.fish"}
"""The file of each shell, named as that shell looks for it."""


def script(shell: str) -> str:
    """The script for `bash`, `zsh` or `fish`; raises NotFound when the installation lacks it."""
    file = Path(dsmilctl.__file__).parent / "completions" / FILES[shell]
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        message = f"no completion script for {shell}: {file}: {error.strerror}"
        raise NotFound(message, hint="pip install --force-reinstall dsmilctl", target=shell) from error
