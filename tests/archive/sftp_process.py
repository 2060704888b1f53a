"""A server of SFTP as a process of its own: ada sees one folder; port and key are told on stdout."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import asyncssh


class Door(asyncssh.SSHServer):
    """Lets in ada with her password."""

    def begin_auth(self, username: str) -> bool:
        """Nobody comes in without."""
        return True

    def password_auth_supported(self) -> bool:
        """Passwords are what is asked for."""
        return True

    def validate_password(self, username: str, password: str) -> bool:
        """Whether it is ada."""
        return (username, password) == ("ada", "engine")


async def serve(folder: str) -> None:
    """Serve until somebody ends the process."""
    key = asyncssh.generate_private_key("ssh-ed25519")

    def shown(channel: Any) -> asyncssh.SFTPServer:
        return asyncssh.SFTPServer(channel, chroot=folder.encode())

    server = await asyncssh.create_server(
        Door, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=shown, allow_scp=False
    )
    print(server.get_port(), key.export_public_key().decode().strip(), flush=True)  # noqa: T201 - for the test
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
