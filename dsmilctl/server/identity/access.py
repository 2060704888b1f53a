"""Access: the doors of a server put together: users, second factors, sessions, tokens, lockout."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence

from dsmilctl.clock import NANOSECONDS, Clock
from dsmilctl.errors import AuthenticationError, MfaRequired
from dsmilctl.model.identity import Identity
from dsmilctl.server.demo_accounts import PASSWORDS, refuse_demo_accounts
from dsmilctl.server.gateway import Limits
from dsmilctl.server.identity.attempts import Attempts
from dsmilctl.server.identity.lockout import Lockout
from dsmilctl.server.identity.passwords import Hasher
from dsmilctl.server.identity.sessions import Session, Sessions
from dsmilctl.server.identity.tokens import TokenMaker
from dsmilctl.server.identity.users import User, Users
from dsmilctl.wire.auth import ApiCapabilities, Login, Tokens, UserContext
from dsmilctl.wire.auth import Session as SessionInfo

LOGGER = logging.getLogger("dsmilctl.server.security")
TOTP_WINDOW = 1
TOTP_CODE = re.compile(r"[0-9]{6}")
"""ASCII alone: pyotp takes other digits for the same (NFKC), and a code would be good twice."""
Allowances = Callable[[Identity], tuple[int | None, int | None]]
"""Requests per minute and operations at once that an identity may have; None is any number."""
Granted = Callable[[Identity], Sequence[str]]
"""What the policy lets an identity do."""


class AccessControl:
    """Who may come in.  Nothing that somebody knows is ever logged.

    Raises ConfigError for a file of users that lets demo accounts in.
    """

    def __init__(
        self,
        users: Users,
        clock: Clock,
        *,
        tokens: TokenMaker,
        sessions: Sessions,
        lockout: Lockout,
        limits: Limits,
        allowances: Allowances,
        granted: Granted,
        hasher: Hasher | None = None,
    ) -> None:
        self.users = users
        self._clock = clock
        self._tokens = tokens
        self._sessions = sessions
        self._lockout = lockout
        self._limits = limits
        self._attempts = Attempts(clock, limits.logins_per_minute if limits.rate_limiting else 0)
        self._allowances = allowances
        self._granted = granted
        self._hasher = hasher or Hasher()
        self._used_codes: dict[tuple[str, str], float] = {}
        if users.in_file:
            refuse_demo_accounts(users, self._hasher)

    @property
    def failures(self) -> int:
        """Failed logins since the start."""
        return self._lockout.total

    @property
    def throttled(self) -> int:
        """Logins that were refused since the start because too many from their address had failed."""
        return self._attempts.refused

    @property
    def active(self) -> int:
        """Sessions that are open."""
        return len(self._sessions)

    async def login(self, login: Login, *, address: str, certificate_user: str) -> Tokens:
        """Log somebody in; raises AuthenticationError, MfaRequired, AccountLocked or RateLimitError."""
        self._attempts.begin(address)
        try:
            if login.grant == "certificate":
                user = self._allowed(self.users.by_certificate(certificate_user))
            elif login.grant == "service_token":
                user = self._allowed(self.users.by_service_token(login.service_token))
            else:
                user = await self._by_password(login)
        except MfaRequired:
            raise
        except AuthenticationError:
            self._lockout.failed()
            who = login.username if self.users.find(login.username) else "somebody unknown"
            LOGGER.warning("login of %s from %s failed (%s)", who, address, login.grant)
            raise
        session = self._sessions.begin(
            user, client_type=login.client_type, client_version=login.client_version, address=address
        )
        self._attempts.succeeded(address)
        LOGGER.info("%s logged in from %s (%s)", user.name, address, login.grant)
        return self._issue(user, session)

    async def _by_password(self, login: Login) -> User:
        """Who knows the password and has the second factor; only these can be guessed, so only they lock."""
        user = self.users.find(login.username)
        known = user is not None
        await self._lockout.begin(login.username, known=known)
        try:
            right = await self._hasher.matches(user.hashes if user else (), login.password)
            if not right or self._known_to_all(login):
                raise AuthenticationError("wrong user name or password")
            checked = self._allowed(user)
            if checked.totp:
                self._check_code(checked, login.mfa_token)
        except MfaRequired:
            self._lockout.end(login.username, known=known, right=None)
            raise
        except BaseException:
            self._lockout.end(login.username, known=known, right=False)
            raise
        self._lockout.end(login.username, known=known, right=True)
        return checked

    def _known_to_all(self, login: Login) -> bool:
        """Whether somebody comes to a real server with the password of a demo account, under any name."""
        if not self.users.in_file or login.password not in PASSWORDS:
            return False
        LOGGER.warning("the password of %s is that of a demo account: dsmilctl user passwd", login.username)
        return True

    def _allowed(self, user: User | None) -> User:
        if user is None or user.disabled:
            raise AuthenticationError("wrong user name or password")
        return user

    def _check_code(self, user: User, code: str | None) -> None:
        """The second factor.  Source: RFC 6238; a code is taken once."""
        import pyotp

        if not code:
            raise MfaRequired("a second factor is needed", methods=("totp",))
        now = self._clock.now() // NANOSECONDS
        self._used_codes = {key: at for key, at in self._used_codes.items() if at > now - 120}
        digits = code.strip()
        try:
            known = pyotp.TOTP(user.totp)
        except ValueError as error:  # a secret that is too short, in a file of before
            LOGGER.warning("the second factor of %s is no good: dsmilctl user totp makes another", user.name)
            raise AuthenticationError("wrong second factor") from error
        right = TOTP_CODE.fullmatch(digits) and known.verify(digits, for_time=now, valid_window=TOTP_WINDOW)
        if not right or (user.name, digits) in self._used_codes:
            raise AuthenticationError("wrong second factor")
        self._used_codes[user.name, digits] = now

    async def refresh(self, refresh_token: str, *, address: str) -> Tokens:
        """A new pair for a refresh token that was not used before."""
        session = self._sessions.redeem(refresh_token)
        user = self._still(session, self.users.find(session.user))
        session.address, session.judged = address, None
        return self._issue(user, session)

    def authenticate(self, token: str, *, in_emergency: bool = False) -> Identity:
        """Whose token it is; the clearance is the user's of now, not the one that the token was made with.

        In an emergency what was last known of the users will do where their file cannot be read.
        """
        claims = self._tokens.check(token)
        session = self._sessions.use(claims.session_id)
        look = self.users.last_known if in_emergency else self.users.find
        user, judged = look(session.user), session.judged
        if judged is None or judged[0] is not user:
            still = self._still(session, user)
            judged = session.judged = still, self.identity(still, session)
        return judged[1]

    def _still(self, session: Session, user: User | None) -> User:
        """Whose session it still is; ends that of a user who may not come in, or has other secrets now."""
        if user is None or user.disabled:
            self._sessions.end(session.session_id)
            raise AuthenticationError("the account is disabled")
        if user.secrets_digest != session.secrets_digest:
            self._sessions.end(session.session_id)
            message = "the password or the second factor was changed: the session has ended"
            raise AuthenticationError(message, hint="log in: POST /api/v2/auth/login")
        return user

    def identity(self, user: User, session: Session) -> Identity:
        """A user in a session, as the guard knows it."""
        return Identity(
            user=user.name,
            host=session.address,
            clearance=user.level,
            source="server",
            devices=None if user.devices is None else frozenset(user.devices),
            session_id=session.session_id,
            user_id=user.user_id,
            compartments=user.compartments,
            keys=user.keys,
        )

    def standing(self, name: str) -> Identity | None:
        """Who a user is apart from any session; None for one that is disabled or not there any more.

        Raises StateUnavailable when the users cannot be read.
        """
        user = self.users.find(name)
        if user is None or user.disabled:
            return None
        devices = None if user.devices is None else frozenset(user.devices)
        return Identity(name, "", user.level, "server", devices, user_id=user.user_id, keys=user.keys)

    async def logout(self, identity: Identity, session_id: str) -> None:
        """End this session or another one of the same user."""
        self._sessions.end_own(identity.user, session_id or identity.session_id)

    def sessions(self, identity: Identity) -> Sequence[SessionInfo]:
        """The sessions of this user."""
        return [session.info(identity.session_id) for session in self._sessions.of(identity.user)]

    def user_context(self, identity: Identity) -> UserContext:
        """Who somebody is and what that person may see and do."""
        return UserContext(
            user_id=identity.user_id,
            username=identity.user,
            clearance_level=identity.clearance.name,
            authorized_devices=sorted(identity.devices or (), key=str),
            permissions=list(self._granted(identity)),
            compartment_access=list(identity.compartments),
            all_devices=identity.devices is None,
        )

    def _issue(self, user: User, session: Session) -> Tokens:
        identity = self.identity(user, session)
        requests, operations = self._allowances(identity)
        return Tokens(
            access_token=self._tokens.make(
                user_id=user.user_id,
                username=user.name,
                clearance=user.clearance,
                session_id=session.session_id,
                compartments=list(user.compartments),
                permissions=list(self._granted(identity)),
                devices=user.devices,
            ),
            refresh_token=self._sessions.rotate(session),
            expires_in=self._tokens.lifetime,
            user_context=self.user_context(identity),
            api_capabilities=ApiCapabilities(
                max_requests_per_minute=requests,
                max_concurrent_operations=operations,
                bulk_operation_max_devices=self._limits.bulk_operation_max_devices,
            ),
        )
