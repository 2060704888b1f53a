"""Bad days of a server, as they look from a shell: what is known is told, and nothing is made up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.commands.served import PLANT, RemoteShell, serving
from tests.commands.shell import Shell

WHY = "--justification 'the night shift asked for it'"
TOKEN = {"DSMIL_SERVICE_TOKEN": "dsmil-service-0123456789abcdef"}


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[RemoteShell]:
    """A server whose devices 0x8030 to 0x8033 take a while."""
    with serving(tmp_path, "--no-rate-limit", "--fault", "slow:0x8030-0x8033:1.2") as shell:
        shell.log_in("operator", "dsmil_op_2024")
        yield shell


def test_a_server_killed_in_the_middle_of_a_bulk_leaves_every_outcome_unknown(slow: RemoteShell) -> None:
    line = f"--timeout 20 -C plant bulk write 0x8030-0x8033 CONFIG 5 --yes {WHY.replace(chr(39), '')} -o json"
    running = slow.start(*_words(line))
    assert slow.server.goes_on
    _until_asked(slow)

    slow.server.send(signal.SIGKILL)
    answer = running.end()

    assert answer.exit == 5, answer.err
    results = answer.data["results"]
    assert [item["status"] for item in results] == ["TIMEOUT"] * 4
    assert {item["error"]["code"] for item in results} == {"TIMEOUT"}
    assert all(item["error"]["message"].startswith("the outcome is unknown: ") for item in results)
    assert answer.data["summary"]["failed"] == 0, "nobody knows that they failed"


def test_a_write_whose_answer_is_lost_is_unknown_and_one_that_never_left_is_not(slow: RemoteShell) -> None:
    running = slow.start("-C", PLANT, "device", "write", "0x8030", "CONFIG", "5", "--yes", "-o", "json")
    _until_asked(slow)
    slow.server.send(signal.SIGKILL)
    lost = running.end()
    assert (lost.exit, lost.error.code) == (5, "TIMEOUT")

    unsent = slow("dsmilctl -C plant device write 0x8030 CONFIG 5 --yes -o json")

    assert (unsent.exit, unsent.error.code) == (3, "NETWORK_ERROR")


def _words(line: str) -> list[str]:
    head, _, reason = line.partition("--justification ")
    text, _, tail = reason.partition(" -o ")
    return [*head.split(), "--justification", text, "-o", tail]


def _until_asked(slow: RemoteShell) -> None:
    """Wait until the intents of the bulk are on the server's disk."""
    import time

    ends = time.monotonic() + 30
    folder = slow.home / "state/servers/sim-serve"
    while time.monotonic() < ends:
        written = "".join(file.read_text() for file in folder.glob("journal*.jsonl"))
        if written.count("INTENT") >= 1:
            return
        time.sleep(0.05)
    raise AssertionError("the bulk never reached the server")


def test_a_read_says_that_the_server_is_gone(slow: RemoteShell) -> None:
    slow.server.send(signal.SIGKILL)
    slow.server.end()

    answer = slow("dsmilctl -C plant device read 0x8000 -o json")

    assert (answer.exit, answer.error.code, answer.error.target) == (3, "NETWORK_ERROR", slow.url)


def test_a_logout_forgets_the_login_also_when_the_server_is_gone(slow: RemoteShell) -> None:
    slow.server.send(signal.SIGKILL)
    slow.server.end()

    answer = slow("dsmilctl -C plant auth logout -o json")

    assert answer.exit == 0
    assert (answer.data["logged_out"], answer.data["session_ended"]) == (True, False)
    assert slow.url in answer.data["problem"]
    assert slow("dsmilctl -C plant auth status").exit == 4


@contextmanager
def proxy(status: int, content: bytes, *headers: tuple[str, str]) -> Iterator[str]:
    """Something that is no DSMIL server."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            for name, value in (("Content-Length", str(len(content))), *headers):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815 - so http.server names them

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("line", ["device read 0x8000", "device list", "emergency status", "auth whoami"])
def test_the_page_of_a_proxy_is_told_as_what_it_is(tmp_path: Path, line: str) -> None:
    shell = Shell(tmp_path)
    with proxy(200, b"<html>Please sign in</html>", ("Content-Type", "text/html")) as url:
        shell.run("context", "add", PLANT, "--url", url)

        answer = shell(f"dsmilctl -C plant {line} -o json", environment=TOKEN)

    assert (answer.exit, answer.error.code) == (3, "PROTOCOL_ERROR")
    assert "text/html" in answer.error.message
    assert TOKEN["DSMIL_SERVICE_TOKEN"] not in answer.err


def test_a_stop_that_meets_a_proxy_is_not_confirmed(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    with proxy(200, b"<html>Please sign in</html>", ("Content-Type", "text/html")) as url:
        shell.run("context", "add", PLANT, "--url", url)

        answer = shell("dsmilctl -C plant emergency stop --deadline 500ms -o json", environment=TOKEN)

    assert (answer.exit, answer.error.code) == (8, "STOP_NOT_CONFIRMED")


def test_a_server_that_has_no_time_is_told_with_the_time_to_wait(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    body = b'{"error":{"code":"RATE_LIMITED","message":"too many","retry_after":600,"request_id":"r"}}'
    with proxy(429, body, ("Content-Type", "application/json"), ("Retry-After", "600")) as url:
        shell.run("context", "add", PLANT, "--url", url)

        answer = shell("dsmilctl -C plant device read 0x8000 -o json", environment=TOKEN)

    assert (answer.exit, answer.error.code) == (1, "RATE_LIMITED")
