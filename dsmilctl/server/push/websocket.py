"""`/api/v2/ws`: who may open a WebSocket."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlsplit

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from dsmilctl.clock import rfc3339
from dsmilctl.errors import DSMILError, RateLimitError
from dsmilctl.model.identity import Identity
from dsmilctl.server.endpoint import PREFIX
from dsmilctl.server.gateway import Gateway
from dsmilctl.server.push.connection import Connection, limited
from dsmilctl.server.strangers import ACQUAINTED
from dsmilctl.wire.messages import CLOSE_FORBIDDEN, CLOSE_UNAUTHENTICATED

PATH = f"{PREFIX}/ws"
TRY_AGAIN_LATER = 1013


def websocket_route(gateway: Gateway) -> WebSocketRoute:
    """The route of the WebSocket."""

    async def endpoint(websocket: WebSocket) -> None:
        with suppress(WebSocketDisconnect):  # the client was gone before it was let in
            await _serve(gateway, websocket)

    return WebSocketRoute(PATH, endpoint)


async def _serve(gateway: Gateway, websocket: WebSocket) -> None:
    """Let somebody in, or close with the code that says why not: for that it has to be accepted first."""
    await websocket.accept()
    if gateway.push.closing:
        await websocket.close(TRY_AGAIN_LATER, "the server ends")
        return
    if not _same_origin(websocket):
        await websocket.close(CLOSE_FORBIDDEN, "another origin")
        return
    token = token_of(websocket)
    try:
        identity = gateway.access.authenticate(token)
    except DSMILError as error:
        await websocket.close(CLOSE_UNAUTHENTICATED, error.message[:100])
        return
    websocket.scope[ACQUAINTED] = True
    try:
        await gateway.client_for(identity).count_request()
        with gateway.seats.one(identity.user):
            await Connection(gateway, websocket, identity, token, gateway.limits.heartbeat).run()
    except RateLimitError as error:
        await _refuse(gateway, websocket, identity, error)


async def _refuse(gateway: Gateway, websocket: WebSocket, identity: Identity, error: RateLimitError) -> None:
    """Say when to come again, and close."""
    address = websocket.client.host if websocket.client else ""
    gateway.push.refused(error, identity, address, f"GET {PATH}")
    await websocket.send_text(limited(error, rfc3339(gateway.clock.now())))
    await websocket.close(TRY_AGAIN_LATER, error.message[:100])


def token_of(websocket: WebSocket) -> str:
    """The token of the Authorization header, or of the query for browsers, which cannot set a header."""
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return websocket.query_params.get("token", "")


def _same_origin(websocket: WebSocket) -> bool:
    """Whether a page of this server opens it; programs other than browsers name no origin."""
    origin = websocket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == websocket.headers.get("host")
