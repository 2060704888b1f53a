"""Old socket: the WebSocket of version 1.0 of the API behind the messages of version 2.

Source: the original web back end's WebSocket, as it was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from dsmilctl.client.remote.dialect import value_of

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

TOPICS = {"system_events": "system_status"}
"""Subscriptions that version 1.0 has under another name."""
TIMEOUT = 60.0
"""Seconds without a word from the client after which the original asks whether it is still there."""


class Socket(Protocol):
    """What is needed of a WebSocket."""

    async def send(self, message: str) -> None:
        """Send a text."""
        ...

    async def recv(self, decode: bool | None = None) -> Any:
        """The next message; bytes with `decode=False`."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


class OldSocket:
    """A WebSocket that is spoken to in version 2 and speaks version 1.0.

    The original names no request in its answers and says nothing at all to what it refuses.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._waiting: dict[tuple[str, str], list[str]] = {}

    async def send(self, message: str) -> None:
        """Send what a message of version 2 means."""
        asked = msgspec.json.decode(message)
        kind, data, reply_to = asked["type"], asked.get("data", {}), asked.get("id", "")
        if kind == "CLIENT_HEARTBEAT":
            await self._say("PING", "PONG", "", reply_to)
        elif kind == "SUBSCRIBE_ADVANCED":
            topic = TOPICS.get(data["subscription"], data["subscription"])
            await self._say("SUBSCRIBE", "SUBSCRIPTION_CONFIRMED", topic, reply_to)
        elif kind == "UNSUBSCRIBE":
            await self._say("UNSUBSCRIBE", "UNSUBSCRIPTION_CONFIRMED", data["subscription_id"], reply_to)

    async def _say(self, kind: str, answer: str, topic: str, reply_to: str) -> None:
        self._waiting.setdefault((answer, topic), []).append(reply_to)
        said = {"type": kind, "data": {"subscription": topic} if topic else {}}
        await self._socket.send(msgspec.json.encode(said).decode())

    async def recv(self, decode: bool | None = None) -> Any:
        """The next message that means something in version 2."""
        del decode
        while True:
            content = await self._socket.recv(decode=False)
            told = msgspec.json.decode(content)
            if not isinstance(told, dict):
                continue
            if told.get("type") == "PING":
                await self._socket.send('{"type":"PONG","data":{}}')
            elif (found := self._translated(told)) is not None:
                return msgspec.json.encode(found)

    def _translated(self, told: Mapping[str, Any]) -> dict[str, Any] | None:
        kind, data = str(told.get("type", "")), told.get("data")
        data = data if isinstance(data, dict) else {}
        stamp = str(told.get("timestamp", ""))
        if kind in ("PONG", "SUBSCRIPTION_CONFIRMED", "UNSUBSCRIPTION_CONFIRMED"):
            return self._answer(kind, str(data.get("subscription", "")), stamp)
        if kind == "DEVICE_STATE_CHANGED":
            return {"type": "DEVICE_STATE_UPDATE", "data": _update(data, stamp), "timestamp": stamp}
        if kind == "EMERGENCY_STOP":
            stop = {
                "message": data.get("reason", ""),
                "reason": data.get("reason", ""),
                "severity": "CRITICAL",
            }
            return {"type": "EMERGENCY_BROADCAST", "data": stop, "timestamp": stamp}
        if kind in ("SECURITY_ALERT", "AUDIT_EVENT"):
            return {"type": kind, "data": data, "timestamp": stamp}
        if kind in ("SYSTEM_STATUS_UPDATE", "SYSTEM_NOTIFICATION"):
            return {"type": "SYSTEM_EVENT", "data": {"event_type": kind, **data}, "timestamp": stamp}
        return None

    def _answer(self, kind: str, topic: str, stamp: str) -> dict[str, Any] | None:
        asked = self._waiting.get((kind, topic))
        if not asked:
            return None
        data = {"subscription_id": topic, "subscription": topic, "timeout_s": TIMEOUT}
        return {"type": kind, "id": asked.pop(0), "data": data, "timestamp": stamp}

    async def close(self) -> None:
        """Close it."""
        await self._socket.close()


def _update(data: Mapping[str, Any], stamp: str) -> dict[str, Any]:
    """What became of somebody's operation, as the state of the device."""
    update = data.get("update") or {}
    found = update.get("result_data") or {}
    good = bool(update.get("success"))
    return {
        "device_id": data.get("device_id", 0),
        "register": str(found.get("register", "")),
        "value": value_of(found.get("data")) if good else None,
        "quality": "good" if good else "bad",
        "timestamp": str(update.get("timestamp") or stamp),
        "error": "" if good else str(found.get("error") or "the operation failed"),
        "error_code": "" if good else "HARDWARE_ERROR",
    }
