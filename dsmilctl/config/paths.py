"""Paths: the only module that knows where anything of dsmilctl lies.

The folders are those of the XDG base directory specification (on macOS those of platformdirs), worked out
here without an import because every command needs them.  `DSMIL_HOME` puts all of them below one folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

import msgspec

from dsmilctl.errors import ConfigError

HOME = "DSMIL_HOME"
"""The environment variable that names one folder for everything: for tests, demos and throw-away homes."""

VARIABLES = (HOME, "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")
"""The environment variables that move what a user keeps."""

NAME = "dsmilctl"
PROJECT_FILE = ".dsmilctl.toml"
DOTENV_FILE = ".env"


class Paths(msgspec.Struct, frozen=True):
    """The folders of one user; none of them has to exist.

    `config` holds what people write, `state` what must survive (journal, latch, tokens), `data` archives and
    backups, `cache` what can be worked out again, `runtime` sockets and locks, `system` what the machine's
    owner has set for everybody.
    """

    config: Path
    state: Path
    data: Path
    cache: Path
    runtime: Path
    system: Path

    @property
    def settings_file(self) -> Path:
        """The user's settings."""
        return self.config / "config.toml"

    @property
    def system_settings_file(self) -> Path:
        """The settings of everybody on this machine."""
        return self.system / "config.toml"

    @property
    def contexts_file(self) -> Path:
        """The user's contexts."""
        return self.config / "contexts.toml"

    @property
    def policy_file(self) -> Path:
        """The user's guard policy."""
        return self.config / "policy.yaml"

    @property
    def current_context_file(self) -> Path:
        """Which context was chosen, and which one before."""
        return self.state / "current-context.json"

    @property
    def journal_folder(self) -> Path:
        """Where the `journal*.jsonl` files are."""
        return self.state

    @property
    def latch_folder(self) -> Path:
        """Where the emergency latch of each fleet is."""
        return self.state / "latch"

    @property
    def latch_fallbacks(self) -> tuple[Path, ...]:
        """Where stops lie whose latch cannot be written: in every runtime folder of this user's programs.

        A cron job and a service have other ones than a session; they meet in that of the user's number.
        """
        known = _runtimes(self.state)
        return tuple(folder / "latch" for folder in (known if self.runtime in known else (self.runtime,)))

    @property
    def foreign_latches(self) -> tuple[Path, ...]:
        """Where such stops of the state folder's owner lie; for root alone, whom others let look."""
        try:
            owner = self.state.stat().st_uid
        except OSError:
            return ()
        if os.geteuid() or not owner or self.runtime not in _runtimes(self.state):
            return ()
        return (_runtime_of(owner) / "latch",)

    @property
    def driver_switches_file(self) -> Path:
        """Which drivers are disabled, why and since when."""
        return self.state / "drivers.json"

    @property
    def users_file(self) -> Path:
        """Who may come in to a server of this user."""
        return self.config / "users.json"

    @property
    def tokens_folder(self) -> Path:
        """Where secrets are kept, one file each."""
        return self.state / "tokens"

    @property
    def login_locks_folder(self) -> Path:
        """Where the locks are that let one process at a time renew a login."""
        return self.state / "logins"

    @property
    def log_file(self) -> Path:
        """Where a program that runs long logs when asked for a file without a name."""
        return self.state / "dsmilctl.log"

    @property
    def archive_folder(self) -> Path:
        """Where recordings are kept."""
        return self.data / "archive"

    def recorder_folder(self, archive: Path) -> Path:
        """Where the recorder of an archive tells how it is, and logs."""
        digest = hashlib.sha256(os.fsencode(archive.absolute())).hexdigest()
        return self.state / "recorders" / digest[:16]

    def check_file(self, archive: Path) -> Path:
        """How the last full check of an archive went."""
        return self.recorder_folder(archive) / "check.json"

    @property
    def backup_folder(self) -> Path:
        """Where backups of the archives are."""
        return self.data / "backups"

    @property
    def backup_status_file(self) -> Path:
        """How the last attempt at a backup went."""
        return self.state / "backup.json"

    @property
    def settings_cache(self) -> Path:
        """The folder of validated settings."""
        return self.cache / "settings"

    @property
    def entry_point_cache(self) -> Path:
        """Which drivers are installed."""
        return self.cache / "entry-points.json"

    @property
    def completion_cache(self) -> Path:
        """The folder of the words that TAB offers without asking a device."""
        return self.cache / "completion"

    def driver_state(self, fleet: str, driver: str) -> Path:
        """The folder in which a driver keeps state for one fleet; the names cannot lead out of it."""
        return self.state / "drivers" / file_name(fleet) / file_name(driver)


def paths() -> Paths:
    """The folders as the environment says now."""
    home = os.environ.get(HOME, "").strip()
    if home:
        return _below(Path(home).expanduser().absolute())
    return _linux() if sys.platform.startswith("linux") else _platform()


def systemd_user_folder() -> Path:
    """Where systemd looks for the units of this user.  Source: systemd.unit(5)."""
    return _xdg("XDG_CONFIG_HOME", "~/.config").parent / "systemd" / "user"


def ssh_known_hosts_file() -> Path:
    """Where ssh keeps the keys of the servers that this user trusts.  Source: ssh(1), FILES."""
    return Path(_home("~/.ssh")) / "known_hosts"


def _below(home: Path) -> Paths:
    return Paths(
        config=home / "config",
        state=home / "state",
        data=home / "data",
        cache=home / "cache",
        runtime=home / "run",
        system=home / "system",
    )


def _linux() -> Paths:
    state = _xdg("XDG_STATE_HOME", "~/.local/state")
    return Paths(
        config=_xdg("XDG_CONFIG_HOME", "~/.config"),
        state=state,
        data=_xdg("XDG_DATA_HOME", "~/.local/share"),
        cache=_xdg("XDG_CACHE_HOME", "~/.cache"),
        runtime=_runtime(state),
        system=_system(),
    )


def _xdg(variable: str, default: str) -> Path:
    """A base folder; the specification has relative paths ignored."""
    value = os.environ.get(variable, "").strip()
    return Path(value if value.startswith("/") else _home(default)) / NAME


def _home(folder: str) -> str:
    found = os.path.expanduser(folder)  # noqa: PTH111 - Path.expanduser raises what nobody expects
    if found.startswith("~"):
        raise ConfigError("this user has no home folder", hint=f"set HOME, or {HOME} to a folder of your own")
    return found


def _system() -> Path:
    for folder in os.environ.get("XDG_CONFIG_DIRS", "").split(":"):
        if folder.strip().startswith("/"):
            return Path(folder.strip()) / NAME
    return Path("/etc/xdg") / NAME


def _runtime(state: Path) -> Path:
    """The user's own runtime folder; without one the state folder, as a name in /tmp could be anybody's."""
    return next((folder for folder in _runtimes(state) if _own(folder.parent)), state / "run")


def _runtimes(state: Path) -> tuple[Path, ...]:
    """The runtime folders that programs of this user may have, whether they are there now or not."""
    session = os.environ.get("XDG_RUNTIME_DIR", "").strip()
    sessions = (Path(session) / NAME,) if session.startswith("/") and _own(Path(session)) else ()
    return tuple(dict.fromkeys((*sessions, _runtime_of(os.geteuid()), state / "run")))


def _runtime_of(user: int) -> Path:
    """What systemd makes for a user at the first login and removes at the last logout: pam_systemd(8)."""
    return Path(f"/run/user/{user}") / NAME


def _own(folder: Path) -> bool:
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077


def _platform() -> Paths:
    from platformdirs import PlatformDirs

    folders = PlatformDirs(NAME, appauthor=False)
    return Paths(
        config=folders.user_config_path,
        state=folders.user_state_path,
        data=folders.user_data_path,
        cache=folders.user_cache_path,
        runtime=folders.user_runtime_path,
        system=folders.site_config_path,
    )


def file_name(name: str) -> str:
    """A name as one component of a path: what is not a plain letter, digit, `_`, `-` or `.` becomes `%XX`."""
    plain = "".join(
        character
        if character.isascii() and (character.isalnum() or character in "_-.")
        else _escaped(character)
        for character in name
    )
    return f"%2E{plain[1:]}" if plain.startswith(".") else plain or "%"


def _escaped(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def name_of(file: str) -> str:
    """The name that `file_name` was given."""
    plain, *escaped = file.split("%")
    octets = plain.encode() + b"".join(_octets(part) for part in escaped if part)
    return octets.decode("utf-8", "surrogatepass")


def _octets(part: str) -> bytes:
    return bytes.fromhex(part[:2]) + part[2:].encode()
