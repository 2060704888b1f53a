"""Server-Sent Events: the lines of a stream as events.  Source: the HTML standard, section 9.2."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable

import msgspec


class ServerEvent(msgspec.Struct, frozen=True):
    """One event; `retry` is how many milliseconds to wait before coming back."""

    type: str
    data: str
    id: str = ""
    retry: int | None = None


async def events_of(lines: AsyncIterable[str]) -> AsyncGenerator[ServerEvent, None]:
    """The events in a stream's lines; an unfinished one at the end is dropped, comments are left out."""
    kind, last_id, retry = "message", "", None
    data: list[str] = []
    async for line in lines:
        if not line:
            if data:
                yield ServerEvent(kind, "\n".join(data), last_id, retry)
            kind, data = "message", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
        elif name == "id" and "\0" not in value:
            last_id = value
        elif name == "retry" and value.isdigit():
            retry = int(value)
