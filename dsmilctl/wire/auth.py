"""Logging in and out, tokens, sessions and who one is."""

from __future__ import annotations

from typing import Literal

from dsmilctl.model.device import DeviceId
from dsmilctl.wire.base import Answer, Request

ClientType = Literal["web", "python", "cpp", "mobile", "cli"]
Grant = Literal["password", "certificate", "service_token"]


class Login(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /auth/login`.  A certificate grant takes the user from the client's certificate."""

    username: str = ""
    password: str = ""
    client_type: ClientType = "python"
    client_version: str = ""
    mfa_token: str | None = None
    grant: Grant = "password"
    service_token: str = ""


class UserContext(Answer, frozen=True, kw_only=True):
    """Who somebody is and what that person may see and do; `all_devices` says that none is kept away."""

    user_id: str
    username: str
    clearance_level: str
    authorized_devices: list[DeviceId]
    permissions: list[str] = []
    compartment_access: list[str] = []
    all_devices: bool = False


class ApiCapabilities(Answer, frozen=True, kw_only=True):
    """What the server lets this client do; None is any number."""

    max_requests_per_minute: int | None
    max_concurrent_operations: int | None
    websocket_enabled: bool = True
    bulk_operations_enabled: bool = True
    bulk_operation_max_devices: int = 84


class Tokens(Answer, frozen=True, kw_only=True):
    """`200` of login and refresh.  `expires_in` is in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int
    user_context: UserContext
    api_capabilities: ApiCapabilities
    token_type: str = "bearer"


class Refresh(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /auth/refresh`.  A refresh token is used once; a second use ends the session."""

    refresh_token: str


class Logout(Request, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`POST /auth/logout`: this session or the named one."""

    session_id: str = ""


class Session(Answer, frozen=True, kw_only=True):
    """One session of a user."""

    session_id: str
    client_type: str
    client_version: str
    created_at: str
    last_activity: str
    address: str
    current: bool = False


class Sessions(Answer, frozen=True, kw_only=True):
    """`GET /auth/sessions`."""

    sessions: list[Session]
