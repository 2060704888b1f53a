"""`/auth`: logging in and out, tokens and sessions."""

from __future__ import annotations

from starlette.responses import Response

from dsmilctl.server.endpoint import Call, Endpoint
from dsmilctl.wire.auth import Login, Logout, Refresh, Sessions, Tokens, UserContext


async def login(call: Call) -> Tokens:
    """Log in by password, TOTP, service token or certificate."""
    return await call.gateway.access.login(
        call.body, address=call.address, certificate_user=call.certificate_user
    )


async def refresh(call: Call) -> Tokens:
    """A new pair of tokens for a refresh token; each can be used once."""
    return await call.gateway.access.refresh(call.body.refresh_token, address=call.address)


async def logout(call: Call) -> Response:
    """End this session or another one of the same user."""
    await call.gateway.access.logout(call.user, call.body.session_id)
    return Response(status_code=204)


async def sessions(call: Call) -> Sessions:
    """The open sessions of this user."""
    return Sessions(sessions=list(call.gateway.access.sessions(call.user)))


async def whoami(call: Call) -> UserContext:
    """Who one is."""
    return call.gateway.access.user_context(call.user)


FAILURES = ("AUTHENTICATION_FAILED", "MFA_REQUIRED", "ACCOUNT_LOCKED", "RATE_LIMITED")
ENDPOINTS = (
    Endpoint(
        method="POST", path="/auth/login", handler=login, body=Login, answer=Tokens,
        summary="Log in", login=False, errors=FAILURES,
    ),
    Endpoint(
        method="POST", path="/auth/refresh", handler=refresh, body=Refresh, answer=Tokens,
        summary="Rotate the tokens", login=False, errors=FAILURES,
    ),
    Endpoint(
        method="POST", path="/auth/logout", handler=logout, body=Logout, answer=None, status=204,
        summary="End a session", errors=("NOT_FOUND",),
    ),
    Endpoint(
        method="GET", path="/auth/sessions", handler=sessions, answer=Sessions, summary="List the sessions",
    ),
    Endpoint(method="GET", path="/auth/whoami", handler=whoami, answer=UserContext, summary="Who am I"),
)  # fmt: skip
