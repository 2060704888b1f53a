"""ServerProcess: a DSMIL server in a process of its own, with what it costs, for benchmarks of both ends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

ACCOUNT = {"username": "admin", "password": "dsmil_admin_2024"}
TICKS = os.sysconf("SC_CLK_TCK")


class ServerProcess:
    """`dsmilctl sim serve` with so many devices, or any other command whose first line names its URL."""

    def __init__(self, *options: str, command: list[str] | None = None) -> None:
        serve = ["-C", "sim", "-o", "ndjson", "sim", "serve", "--port", "0", "--no-rate-limit", *options]
        self._command = command or [sys.executable, "-m", "dsmilctl", *serve]
        self._home = tempfile.TemporaryDirectory(prefix="dsmilctl-bench-")
        self.url = ""
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        environment = {**os.environ, "DSMIL_HOME": self._home.name}
        self._process = subprocess.Popen(self._command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._home.cleanup()

    @property
    def processor_seconds(self) -> float:
        """Seconds of processor time that the server has used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def megabytes(self) -> float:
        """Memory of the server that nobody shares, in MB."""
        lines = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private")) / 1024

    def token(self) -> str:
        """An access token of the first demo account."""
        import httpx

        answer = httpx.post(f"{self.url}/api/v2/auth/login", json=ACCOUNT, trust_env=False).json()
        return str(answer["data"]["access_token"] if "data" in answer else answer["access_token"])


class Line:
    """One keep-alive connection that says one request at a time, with no library in between."""

    def __init__(self, url: str, token: str) -> None:
        self._host, _, port = url.rpartition("//")[2].partition(":")
        self._port = int(port)
        self._head = (
            f"Host: {self._host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        )
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self) -> Self:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        return self

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        """Status and body of one answer."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        answered = await self._reader.readuntil(b"\r\n\r\n")
        length = answered.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        return int(answered[9:12]), await self._reader.readexactly(int(length or 0))

    def close(self) -> None:
        """Hang up."""
        self._writer.close()
