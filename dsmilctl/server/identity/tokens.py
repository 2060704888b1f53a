"""Tokens: JSON Web Tokens with one pinned algorithm.  Source: RFC 7519, RFC 8725."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import jwt
import msgspec

from dsmilctl.clock import NANOSECONDS, Clock
from dsmilctl.errors import AuthenticationError, ConfigError, TokenExpired
from dsmilctl.model.device import DeviceId

ISSUER = "dsmil-control-system"
AUDIENCE = "dsmil-users"
LONGEST_TOKEN = 8192
MOST_KNOWN = 4096
"""Tokens whose signature is not checked again."""
MOST_DEVICES = 200
"""Devices that a token names; the claim is for display, and tokens travel in headers."""


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What an access token says.  `exp` and `iat` are in seconds since the epoch."""

    sub: str
    username: str
    clearance: str
    session_id: str
    jti: str
    exp: int
    iat: int
    compartments: list[str] = []
    permissions: list[str] = []


class TokenMaker:
    """Makes and checks access tokens.  HS256 with a random key, or EdDSA with a private key in PEM.

    `leeway` are the seconds that clocks may differ.
    """

    def __init__(self, clock: Clock, *, lifetime: int = 3600, pem: bytes = b"", leeway: int = 0) -> None:
        self._clock = clock
        self._leeway = leeway
        self._known: OrderedDict[bytes, Claims] = OrderedDict()
        self.lifetime = lifetime
        if pem:
            private = _ed25519(pem)
            self._algorithm, self._signing, self._checking = "EdDSA", private, private.public_key()
        else:
            key: Any = secrets.token_bytes(32)
            self._algorithm, self._signing, self._checking = "HS256", key, key

    def make(
        self,
        *,
        user_id: str,
        username: str,
        clearance: str,
        session_id: str,
        compartments: Sequence[str] = (),
        permissions: Sequence[str] = (),
        devices: Sequence[DeviceId] | None = None,
    ) -> str:
        """An access token for a session; `devices` None (all) or very many are left out of it."""
        now = self._clock.now() // NANOSECONDS
        claims: dict[str, Any] = {
            "sub": user_id,
            "username": username,
            "clearance": clearance,
            "permissions": list(permissions),
            "compartments": list(compartments),
            "session_id": session_id,
            "jti": secrets.token_urlsafe(12),
            "iat": now,
            "exp": now + self.lifetime,
            "iss": ISSUER,
            "aud": AUDIENCE,
        }
        if devices is not None and len(devices) <= MOST_DEVICES:
            claims["authorized_devices"] = list(devices)
        return jwt.encode(claims, self._signing, algorithm=self._algorithm)

    def check(self, token: str) -> Claims:
        """The claims of a token; raises AuthenticationError or TokenExpired.

        Time is our clock's, so that a test and a server agree; the algorithm is ours, never the header's.
        """
        if not token or len(token) > LONGEST_TOKEN:
            raise AuthenticationError("no valid token", hint="log in: POST /api/v2/auth/login")
        claims = self._genuine(token)
        if claims.exp + self._leeway <= self._clock.now() // NANOSECONDS:
            raise TokenExpired("the token has expired", hint="POST /api/v2/auth/refresh")
        return claims

    def _genuine(self, token: str) -> Claims:
        """The claims of a token whose signature is ours; that is found out once, as it never changes.

        Known tokens are kept by their digest: how long a look-up takes tells nothing about a token.
        """
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        if (claims := self._known.get(digest)) is None:
            claims = self._known[digest] = self._verified(token)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return claims

    def _verified(self, token: str) -> Claims:
        try:
            found = jwt.decode(
                token,
                self._checking,
                algorithms=[self._algorithm],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "require": ["exp", "jti"],
                },
            )
            return msgspec.convert(found, Claims)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError, RecursionError):
            raise AuthenticationError("no valid token", hint="log in: POST /api/v2/auth/login") from None


def _ed25519(pem: bytes) -> Any:
    """The private key in a PEM file; raises ConfigError for another kind of key, or for none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    hint = "openssl genpkey -algorithm ed25519 -out signing.pem"
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError("the signing key is no private key in PEM", hint=hint) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("the signing key is no Ed25519 key", hint=hint)
    return key
