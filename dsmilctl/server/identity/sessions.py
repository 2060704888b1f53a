"""Sessions: what a login began, with refresh tokens that rotate.

A refresh token is used once.  A second use means that somebody has a copy: the session ends for both.
Source: OAuth 2.0 Security Best Current Practice (RFC 9700), section 4.14.
"""

from __future__ import annotations

import hmac
import secrets
from collections import deque

from dsmilctl.clock import Clock, rfc3339
from dsmilctl.errors import AuthenticationError, NotFound
from dsmilctl.model.identity import Identity
from dsmilctl.server.identity.passwords import token_digest
from dsmilctl.server.identity.users import User
from dsmilctl.wire.auth import Session as SessionInfo

IDLE_SECONDS = 3600.0
LONGEST_SECONDS = 24 * 3600.0
MOST_PER_USER = 100
MOST_SPENT = 1000
"""Spent refresh tokens that are still recognised in each session."""


class Session:
    """One session.  Only `Sessions` changes it."""

    __slots__ = (
        "address", "began", "client_type", "client_version", "created_at", "judged", "last_activity",
        "last_used", "refresh_digest", "secrets_digest", "session_id", "spent", "user",
    )  # fmt: skip

    def __init__(self, user: User, client_type: str, client_version: str, address: str, clock: Clock) -> None:
        self.session_id = f"session-{secrets.token_hex(12)}"
        self.user = user.name
        self.secrets_digest = user.secrets_digest
        self.client_type = client_type
        self.client_version = client_version
        self.address = address
        self.judged: tuple[User, Identity] | None = None
        """Whose requests these are, for as long as the user is this one: another one is judged anew."""
        self.created_at = self.last_activity = clock.now()
        self.began = self.last_used = clock.monotonic()
        self.refresh_digest = ""
        self.spent: deque[str] = deque()

    def info(self, current: str) -> SessionInfo:
        """The session as its user sees it."""
        return SessionInfo(
            session_id=self.session_id,
            client_type=self.client_type,
            client_version=self.client_version,
            created_at=rfc3339(self.created_at),
            last_activity=rfc3339(self.last_activity),
            address=self.address,
            current=self.session_id == current,
        )


class Sessions:
    """The sessions of one server.  A restart ends them all: the signing key is new then, too."""

    def __init__(self, clock: Clock, *, idle: float = IDLE_SECONDS, longest: float = LONGEST_SECONDS) -> None:
        self._clock = clock
        self._idle = idle
        self._longest = longest
        self._sessions: dict[str, Session] = {}
        self._by_refresh: dict[str, str] = {}

    def __len__(self) -> int:
        self._end_old()
        return len(self._sessions)

    def begin(self, user: User, *, client_type: str, client_version: str, address: str) -> Session:
        """A new session; of a user with too many the one that was idle longest ends."""
        self._end_old()
        own = [item for item in self._sessions.values() if item.user == user.name]
        if len(own) >= MOST_PER_USER:
            self.end(min(own, key=lambda item: item.last_used).session_id)
        session = Session(user, client_type, client_version, address, self._clock)
        self._sessions[session.session_id] = session
        return session

    def use(self, session_id: str) -> Session:
        """A session that goes on, now; raises AuthenticationError when it has ended."""
        session = self._sessions.get(session_id)
        if session is None or self._over(session):
            self.end(session_id)
            raise AuthenticationError("the session has ended", hint="log in: POST /api/v2/auth/login")
        session.last_used, session.last_activity = self._clock.monotonic(), self._clock.now()
        return session

    def rotate(self, session: Session) -> str:
        """A new refresh token for a session; the one before is spent."""
        token = secrets.token_urlsafe(32)
        if session.refresh_digest:
            session.spent.append(session.refresh_digest)
            if len(session.spent) > MOST_SPENT:
                self._by_refresh.pop(session.spent.popleft(), None)
        session.refresh_digest = token_digest(token)
        self._by_refresh[session.refresh_digest] = session.session_id
        return token

    def redeem(self, refresh_token: str) -> Session:
        """The session of a refresh token; raises AuthenticationError, and ends the session of a spent one."""
        digest = token_digest(refresh_token)
        session = self._sessions.get(self._by_refresh.get(digest, ""))
        if session is None:
            raise AuthenticationError("no valid refresh token", hint="log in: POST /api/v2/auth/login")
        if not hmac.compare_digest(digest, session.refresh_digest):
            self.end(session.session_id)
            raise AuthenticationError("the refresh token was used before: the session has ended")
        return self.use(session.session_id)

    def end(self, session_id: str) -> None:
        """End a session; nothing when it has ended."""
        session = self._sessions.pop(session_id, None)
        if session is not None:
            for digest in {session.refresh_digest, *session.spent}:
                self._by_refresh.pop(digest, None)

    def end_own(self, user: str, session_id: str) -> None:
        """End a session of this user; raises NotFound for one of somebody else."""
        session = self._sessions.get(session_id)
        if session is None or session.user != user:
            raise NotFound(f"no session {session_id!r}", target=session_id)
        self.end(session_id)

    def of(self, user: str) -> list[Session]:
        """The open sessions of a user, the oldest first."""
        self._end_old()
        return [item for item in self._sessions.values() if item.user == user]

    def _over(self, session: Session) -> bool:
        now = self._clock.monotonic()
        return now - session.last_used > self._idle or now - session.began > self._longest

    def _end_old(self) -> None:
        for session in [item for item in self._sessions.values() if self._over(item)]:
            self.end(session.session_id)
