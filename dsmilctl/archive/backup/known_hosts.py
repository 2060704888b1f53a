"""Known hosts: an SSH server is spoken to only with a key that the user's known_hosts file has."""

from __future__ import annotations

import paramiko

from dsmilctl.config.paths import ssh_known_hosts_file
from dsmilctl.errors import AuthenticationError


class KnownHosts(paramiko.MissingHostKeyPolicy):
    """Refuses a server whose key is not known, which fsspec would trust.  Raises AuthenticationError."""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Judge the key of a server that paramiko does not know: it has read no file yet."""
        file = ssh_known_hosts_file()
        known = paramiko.HostKeys(str(file)) if file.is_file() else paramiko.HostKeys()
        if not known.check(hostname, key):
            raise AuthenticationError(
                f"the key of {hostname} is not in {file}, or another one is",
                hint="connect once with ssh, and compare its fingerprint", target=hostname,
            )  # fmt: skip
