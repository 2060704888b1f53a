"""Sources: which files and variables settings may come from, and whether they are still the same.

Only questions to the file system are asked here, no file is opened: every command passes this way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import msgspec

from dsmilctl.config.paths import DOTENV_FILE, PROJECT_FILE, Paths

PREFIX = "DSMIL_"

NOT_SETTINGS = frozenset(
    {
        "DSMIL_API_VERSION",
        "DSMIL_BACKUP_PASSPHRASE",
        "DSMIL_BASE_URL",
        "DSMIL_CA",
        "DSMIL_CACHE_TTL",
        "DSMIL_CLIENT_CERT",
        "DSMIL_CLIENT_CERT_PASSWORD",
        "DSMIL_DEBUG",
        "DSMIL_ENABLE_COMPRESSION",
        "DSMIL_HOME",
        "DSMIL_MAX_CONNECTIONS",
        "DSMIL_MAX_RETRIES",
        "DSMIL_PASSWORD",
        "DSMIL_SERVICE_TOKEN",
        "DSMIL_SIM_OPTIONS",
        "DSMIL_TOKEN",
        "DSMIL_USERNAME",
        "DSMIL_VERIFY_SSL",
    }
)
"""Variables that others read: folders, contexts, the SDK's credentials.  They never reach a cache."""

STRANGE = (".yaml", ".yml", ".json")
"""Endings of settings files that people expect and that are not read; one beside a TOML file is an error."""


class Source(msgspec.Struct, frozen=True):
    """A file that exists, or might: `level` is `system`, `user`, `project` or `dotenv`.

    `identity` changes whenever the content may have changed; it is empty when there is no such file.
    """

    level: str
    path: str
    identity: str = ""

    @property
    def exists(self) -> bool:
        """Whether there is something of that name."""
        return bool(self.identity)

    @property
    def known(self) -> bool:
        """Whether the system let us look at it."""
        return self.exists and not self.identity.startswith("errno")


def sources(paths: Paths) -> list[Source]:
    """Every file that matters, weakest level first, also the absent ones."""
    found = [Source("system", file) for file in _spellings(str(paths.system_settings_file))]
    found += [Source("user", file) for file in _spellings(str(paths.settings_file))]
    try:
        here = os.getcwd()  # noqa: PTH109 - text is enough and ten times as quick
    except OSError:
        return _identified(found)  # the folder was removed under us: there is no project here
    for folder in project_folders(here):
        found += [Source("project", file) for file in _spellings(f"{folder}/{PROJECT_FILE}")]
    found.append(Source("dotenv", f"{here}/{DOTENV_FILE}"))
    return _nearest_project(_identified(found))


def _spellings(file: str) -> list[str]:
    stem = file.removesuffix(".toml")
    return [file, *(stem + ending for ending in STRANGE)]


def _identified(found: list[Source]) -> list[Source]:
    return [Source(source.level, source.path, identity(source.path)) for source in found]


def identity(path: str) -> str:
    """What tells one state of a file from another; empty when there is none."""
    try:
        state = os.stat(path)  # noqa: PTH116 - a Path is not needed for a question
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        return f"errno {error.errno}"
    times = f"{state.st_mtime_ns} {state.st_ctime_ns}"
    return f"{times} {state.st_size} {state.st_dev} {state.st_ino} {state.st_mode} {state.st_uid}"


def project_folders(here: str) -> list[str]:
    """The folder we are in and those above it up to the home folder or the top of a git checkout.

    Outside of both only the folder we are in: a file that somebody left in `/tmp` is not our project.
    """
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.home() raises where there is none
    passed = []
    for folder in _upwards(here):
        passed.append(folder)
        if folder == home or os.path.exists(f"{folder}/.git"):  # noqa: PTH110 - a question, as above
            return passed
    return [here]


def _upwards(folder: str) -> Iterator[str]:
    while True:
        yield folder
        above = os.path.dirname(folder)  # noqa: PTH120 - text, as above
        if above == folder:
            return
        folder = above


def _nearest_project(found: list[Source]) -> list[Source]:
    """Without the project files above the nearest one: projects do not nest."""
    folders = [_folder(source) for source in found if source.level == "project" and source.exists]
    if not folders:
        return found
    return [
        source for source in found if source.level != "project" or len(_folder(source)) >= len(folders[0])
    ]


def _folder(source: Source) -> str:
    return source.path.rpartition("/")[0]


def environment() -> dict[str, str]:
    """The variables that are, or look like, settings; an empty one counts as not set."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and value and name not in NOT_SETTINGS
    }
