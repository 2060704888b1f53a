"""The application: the endpoints of the contract behind one door that judges, limits, times and answers."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache, partial

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from dsmilctl.errors import AuthenticationError, DSMILError, NotFound, PermissionDenied, StateUnavailable
from dsmilctl.model.identity import Identity
from dsmilctl.server.asked import Asked
from dsmilctl.server.directory import Directory
from dsmilctl.server.endpoint import PREFIX, Call, Endpoint
from dsmilctl.server.envelope import answer, failure, stamp, unexpected
from dsmilctl.server.gateway import Gateway
from dsmilctl.server.idempotency import only_reads
from dsmilctl.server.intake import read_body, read_query
from dsmilctl.server.loop_lag import loop_watched
from dsmilctl.server.openapi import document
from dsmilctl.server.push.websocket import websocket_route
from dsmilctl.server.routes import ENDPOINTS
from dsmilctl.server.strangers import ACQUAINTED

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Application(Starlette):
    """Starlette, which is asked only for what is no endpoint of the contract."""

    gateway: Gateway
    directory: Directory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an endpoint, else whatever there is."""
        found = self.directory.find(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await super().__call__(scope, receive, send)
            return
        endpoint, scope["path_params"] = found
        response = await _serve(self.gateway, endpoint, Asked(scope, receive))
        await response(scope, receive, send)


def build_app(gateway: Gateway, extra: Sequence[BaseRoute] = ()) -> Starlette:
    """The ASGI application over a gateway, with routes of others in `extra`.

    Its state holds the gateway: who serves it calls `gateway.push.close()` before connections are cut.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        watched = gateway.client.watch_alarms(gateway.limits.alarm_watch)
        async with gateway.client, watched, loop_watched(gateway.metrics, gateway.clock):
            try:
                yield
            finally:
                await gateway.push.close()

    routes = [
        Route(endpoint.full_path, partial(_route, gateway, endpoint), methods=[endpoint.method])
        for endpoint in ENDPOINTS
    ]
    app = Application(
        routes=[*_merged(routes), websocket_route(gateway), _document_route(gateway), *extra],
        lifespan=lifespan,
        exception_handlers={HTTPException: partial(_no_route, gateway), Exception: partial(_fault, gateway)},
    )
    app.router.redirect_slashes = False
    app.state.gateway = app.gateway = gateway
    app.directory = Directory(ENDPOINTS)
    return app


def _document_route(gateway: Gateway) -> Route:
    """The OpenAPI document, for everybody; it is made when it is asked for first."""

    @cache
    def content() -> bytes:
        return msgspec.json.encode(document(ENDPOINTS))

    async def serve(request: Request) -> Response:
        response = Response(content(), media_type="application/json")
        response.headers["X-Request-ID"] = request_id_of(Asked(request.scope, request.receive))
        gateway.metrics.note(request.method, "/openapi.json", 200, 0.0)
        return response

    return Route(f"{PREFIX}/openapi.json", serve, methods=["GET"])


def _merged(routes: Sequence[Route]) -> list[Route]:
    """Routes with fixed words before those with parts that vary, so that `/operations/bulk` is found."""
    return sorted(routes, key=lambda route: (route.path.count("{"), route.path))


async def _route(gateway: Gateway, endpoint: Endpoint, request: Request) -> Response:
    """The same where Starlette found the endpoint: for HEAD."""
    return await _serve(gateway, endpoint, Asked(request.scope, request.receive))


async def _serve(gateway: Gateway, endpoint: Endpoint, asked: Asked) -> Response:
    begun = gateway.clock.monotonic()
    request_id = request_id_of(asked)
    try:
        response = await _answer(gateway, endpoint, asked, request_id)
    except DSMILError as error:
        response = failure(error, gateway.clock, request_id)
        gateway.push.refused(error, asked.identity, asked.address, f"{asked.method} {asked.path}")
    except Exception as error:  # a fault of ours must not show its traceback to a client
        response = unexpected(error, gateway.clock, request_id)
    elapsed = gateway.clock.monotonic() - begun
    gateway.metrics.note(asked.method, endpoint.path, response.status_code, elapsed)
    stamp(response, request_id, elapsed)
    return response


async def _answer(gateway: Gateway, endpoint: Endpoint, asked: Asked, request_id: str) -> Response:
    token = asked.token
    identity = asked.identity = _identity(gateway, endpoint, token)
    if identity is not None:
        asked.scope[ACQUAINTED] = True
        _require_clearance(identity, endpoint)
    client = gateway.client_for(identity)
    if identity is not None and endpoint.counted:
        await client.count_request()
    call = Call(
        gateway=gateway,
        identity=identity,
        client=client,
        path=asked.scope["path_params"],
        query=read_query(asked, endpoint.query),
        body=await read_body(asked, endpoint.body),
        address=asked.address,
        token=token,
        certificate_user=asked.certificate_user,
        request_id=request_id,
        last_event_id=asked.header(b"last-event-id"),
        heard=asked.receive,
    )
    key = asked.header(b"idempotency-key") if endpoint.login and asked.method == "POST" else ""
    if not key or identity is None or only_reads(call.body):
        return await _handled(endpoint, call)
    content = _digest(asked, call)
    return await gateway.idempotency.once(identity.user, key, content, partial(_handled, endpoint, call))


async def _handled(endpoint: Endpoint, call: Call) -> Response:
    if call.identity is None or not endpoint.operation:
        found = await endpoint.handler(call)
    else:
        async with call.client.operation():
            found = await endpoint.handler(call)
    return found if isinstance(found, Response) else answer(found, endpoint.status)


def _identity(gateway: Gateway, endpoint: Endpoint, token: str) -> Identity | None:
    """Whose token it is; where nobody needs one, a token that is not good (any more) is as none."""
    if endpoint.login:
        return gateway.access.authenticate(token, in_emergency=endpoint.emergency)
    with suppress(AuthenticationError, StateUnavailable):
        return gateway.access.authenticate(token) if token else None
    return None


def _digest(asked: Asked, call: Call) -> bytes:
    """What an Idempotency-Key stands for: the whole path, as its last word may be the verb, and the body."""
    return msgspec.json.encode([asked.path, call.body], order="deterministic")


def _require_clearance(identity: Identity, endpoint: Endpoint) -> None:
    if identity.clearance < endpoint.clearance:
        error = PermissionDenied(
            f"{endpoint.summary}: this needs clearance {endpoint.clearance.name}, "
            f"{identity.user} has {identity.clearance.name}",
            hint=f"ask somebody whose clearance is {endpoint.clearance.name} or higher",
            required=endpoint.clearance.name,
            held=identity.clearance.name,
        )
        raise error


def request_id_of(asked: Asked) -> str:
    """The id that the client gave, where it is harmless, else a new one."""
    given = asked.header(b"x-request-id")
    return given if given and _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()


async def _no_route(gateway: Gateway, request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    message = f"{request.method} {request.url.path} is not part of this API"
    request_id = request_id_of(Asked(request.scope, request.receive))
    response = failure(NotFound(message, hint="/api/v2/openapi.json"), gateway.clock, request_id)
    response.status_code = status
    response.headers["X-Request-ID"] = request_id
    response.headers["Cache-Control"] = "no-store"
    if isinstance(error, HTTPException) and error.headers:
        response.headers.update(error.headers)
    return response


async def _fault(gateway: Gateway, request: Request, error: Exception) -> Response:
    return unexpected(error, gateway.clock, request_id_of(Asked(request.scope, request.receive)))
