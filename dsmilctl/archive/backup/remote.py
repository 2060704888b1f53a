"""Remote: backups anywhere that fsspec reaches: S3, SFTP and whatever else is installed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib.util import find_spec
from threading import Lock
from typing import Any

from dsmilctl.archive.backup.folder import OBJECTS, TEMPORARY
from dsmilctl.errors import AuthenticationError, ConfigError, DSMILError, MissingExtraError, NetworkError
from dsmilctl.redaction import redact

INSTALL = "pip install 'dsmilctl[backup]'"
PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "sftp": "paramiko", "ssh": "paramiko"}
"""Scheme → the package that fsspec needs for it."""

WHOLE = ("s3", "s3a", "memory")
"""Schemes whose files appear when they are whole; elsewhere they are written under another name first."""

REFUSED = (
    "AuthenticationException",
    "BadAuthenticationType",
    "PasswordRequiredException",
    "NoCredentialsError",
)
"""What paramiko and botocore raise for somebody whom the other side does not let in."""

LOUD = ("paramiko", "s3fs", "botocore", "aiobotocore", "fsspec", "urllib3", "asyncio")


class Remote:
    """Backups below a URL.  An error of the network is a NetworkError, one of the file system an OSError.

    There is no lock that all such places have: two backups at once are safe, as objects are named by their
    content, but while one is made nobody should prune.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        scheme = url.partition("://")[0]
        require_remote(scheme)
        self._whole = scheme in WHOLE
        with _told(str(self)):
            self._files, self._root = _opened(self.url)
        self._turn: AbstractContextManager[object] = nullcontext() if self._files.async_impl else Lock()

    def __str__(self) -> str:
        return redact(self.url)

    @contextmanager
    def _asked(self) -> Iterator[Any]:
        """The file system, for one thread after the other where it does not take more."""
        with _told(str(self)), self._turn:
            yield self._files

    def names(self) -> list[str]:
        """Every file there is, but those that somebody is writing."""
        with self._asked() as files:
            files.invalidate_cache()
            try:
                found = files.find(self._root)
            except FileNotFoundError:
                return []
        start = f"{self._root.strip('/')}/"
        names = (str(path).lstrip("/").removeprefix(start) for path in found)
        return sorted(name for name in names if not name.endswith(TEMPORARY))

    def read(self, name: str) -> bytes:
        """The content of a file; raises FileNotFoundError."""
        with self._asked() as files:
            content: bytes = files.cat_file(f"{self._root}/{name}")
            return content

    def write(self, name: str, content: bytes) -> None:
        """Put a file in its place, whole."""
        path = f"{self._root}/{name}"
        with self._asked() as files:
            if self._whole:
                files.pipe_file(path, content)
            else:
                files.pipe_file(f"{path}{TEMPORARY}", content)
                files.mv(f"{path}{TEMPORARY}", path)

    def close(self) -> None:
        """Let go of the connection, where there is one that lasts."""
        client = getattr(self._files, "client", None)
        if client is not None:
            client.close()

    def settle(self) -> None:
        """The other side answers for what it has taken."""

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with self._asked() as files, suppress(FileNotFoundError):
            files.rm_file(f"{self._root}/{name}")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Make sure that there is a place; nobody is kept from changing it."""
        if not self._whole:
            with self._asked() as files:
                files.makedirs(f"{self._root}/{OBJECTS}".rstrip("/"), exist_ok=True)
        yield


def require_remote(scheme: str) -> None:
    """Raise MissingExtraError, which names the extra, unless what a scheme needs can be imported."""
    missing = [name for name in ("fsspec", PACKAGES.get(scheme, "fsspec")) if find_spec(name) is None]
    if missing:
        message = f"backups at {scheme}:// need {missing[0]}"
        raise MissingExtraError(message, hint=INSTALL, target="backup")


def _opened(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    import fsspec

    for name in LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if PACKAGES.get(url.partition("://")[0]) == "paramiko":
        from dsmilctl.archive.backup.known_hosts import KnownHosts

        options = {"skip_instance_cache": True, "host_key_policy": KnownHosts()}
    try:
        files, root = fsspec.core.url_to_fs(url, **options)
    except (ValueError, ImportError) as error:
        raise ConfigError(f"{redact(url)}: {error}", hint="a folder, s3://… or sftp://…") from error
    return files, str(root).rstrip("/")


@contextmanager
def _told(url: str) -> Iterator[None]:
    """What libraries say of a network in the words of this program; of files as it is."""
    try:
        yield
    except DSMILError:
        raise
    except FileNotFoundError:
        raise
    except PermissionError as error:
        hint = "look at the credentials and at what they allow"
        raise AuthenticationError(f"{url}: {error}", hint=hint, target=url) from error
    except Exception as error:  # each library has an error tree of its own: botocore, paramiko, aiohttp
        if type(error).__name__ in REFUSED:
            hint = "look at the credentials; AWS_… variables, or the keys of ssh"
            raise AuthenticationError(f"{url}: {error}", hint=hint, target=url) from error
        what = redact(str(error)) or type(error).__name__
        hint = "look at the address and the network"
        raise NetworkError(f"{url}: {what}", hint=hint, target=url) from error
