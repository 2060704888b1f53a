"""Every error that dsmilctl raises: one tree, each with a code, a hint, a target and an exit status.

DSMILError
├── UsageError (2)                    the command line or the configuration is wrong
│   ├── ConfigError
│   ├── MissingExtraError
│   ├── ConfirmationRequired
│   ├── InvalidParameter
│   └── NotFound
├── Refused (1)                       the guard or the device said no
│   ├── EmergencyStopActive, ReadOnly, JustificationRequired, ApprovalRequired
│   ├── RateLimitError                with `retry_after`
│   └── StateUnavailable              the journal, latch or policy cannot be read or written
├── DeviceError                       about one device, with `device_id` and `error_code`
│   ├── DeviceNotFound (2), DeviceQuarantined (1), HardwareError (1)
│   ├── DeviceBusy (7), Conflict (7)
│   └── OperationTimeout (5)          sent, but no answer: the outcome is unknown
├── AuthenticationError (4), PermissionDenied (4)
├── Unreachable (3)                   NetworkError, ProtocolError
├── StopNotConfirmed (8)
└── CheckFailed (9)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

E = TypeVar("E", bound=Exception)


class DSMILError(Exception):
    """The root of every error of dsmilctl.

    `code` is the stable name that scripts compare, `exit_status` what a command ends with, `hint` the next
    thing to do and `target` the device, register, file or option that the message is about.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", target: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.target = target

    def __str__(self) -> str:
        return self.message


class UsageError(DSMILError):
    """The command line is wrong."""

    code = "USAGE"
    exit_status = 2


class ConfigError(UsageError):
    """A configuration file, environment variable or context is wrong."""

    code = "CONFIG"


class MissingExtraError(UsageError):
    """A feature needs a package of an extra that is not installed."""

    code = "MISSING_EXTRA"


class ConfirmationRequired(UsageError):
    """A dangerous command was given without a terminal and without `--yes` or `--confirm`."""

    code = "CONFIRMATION_REQUIRED"


class InvalidParameter(UsageError):
    """A value, register, selector or option is malformed or out of range."""

    code = "INVALID_PARAMETER"


class NotFound(UsageError):
    """A named thing that is not a device (context, stop, operation, driver) does not exist."""

    code = "NOT_FOUND"


class Refused(DSMILError):
    """The guard refused a change."""

    code = "REFUSED"
    exit_status = 1


class EmergencyStopActive(Refused):
    """The device is under an emergency stop; `details["stop_id"]` says which."""

    code = "EMERGENCY_STOP"

    def __init__(self, message: str, *, hint: str = "", target: str = "", stop_id: str = "") -> None:
        super().__init__(message, hint=hint, target=target)
        self.details = {"stop_id": stop_id} if stop_id else {}


class ReadOnly(Refused):
    """The context, the session or the command is read-only."""

    code = "READ_ONLY"


class JustificationRequired(Refused):
    """The policy asks for a justification."""

    code = "JUSTIFICATION_REQUIRED"


class ApprovalRequired(Refused):
    """The policy asks for a second person; `details["approval_url"]` is where a server takes the request."""

    code = "APPROVAL_REQUIRED"

    def __init__(self, message: str, *, hint: str = "", target: str = "", url: str = "") -> None:
        super().__init__(message, hint=hint, target=target)
        self.details = {"approval_url": url} if url else {}


class RateLimitError(Refused):
    """Too many operations; `retry_after` is in seconds."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, *, retry_after: float, hint: str = "", target: str = "") -> None:
        super().__init__(message, hint=hint, target=target)
        self.retry_after = retry_after


class StateUnavailable(Refused):
    """The journal, the latch, the policy or the state folder cannot be read or written."""

    code = "STATE_UNAVAILABLE"


class DeviceError(DSMILError):
    """Something about one device; `device_id` is the id as shown, `error_code` the stable code."""

    code = "HARDWARE_ERROR"

    def __init__(self, message: str, *, device_id: int | str = "", hint: str = "", target: str = "") -> None:
        shown = f"0x{device_id:04X}" if isinstance(device_id, int) else device_id
        super().__init__(message, hint=hint, target=target or shown)
        self.device_id = device_id

    @property
    def error_code(self) -> str:
        """The stable code of the error, as `code`."""
        return self.code


class DeviceNotFound(DeviceError):
    """No device of that id in the context."""

    code = "DEVICE_NOT_FOUND"
    exit_status = 2


class DeviceQuarantined(DeviceError):
    """The device is quarantined.  Its `error_code` is that of the SDK specification: QUARANTINED."""

    code = "DEVICE_QUARANTINED"

    @property
    def error_code(self) -> str:
        """`QUARANTINED`, as the SDK specification compares it; `code` is the API's DEVICE_QUARANTINED."""
        return "QUARANTINED"


class HardwareError(DeviceError):
    """The device answered with an error, or an answer that cannot be."""

    code = "HARDWARE_ERROR"


class DeviceBusy(DeviceError):
    """The lifecycle does not allow it now, or somebody else holds the device."""

    code = "DEVICE_BUSY"
    exit_status = 7


class Conflict(DeviceError):
    """Compare-and-set found another value than expected."""

    code = "CONFLICT"
    exit_status = 7


class OperationTimeout(DeviceError):
    """No answer within the deadline; for a write the outcome is unknown."""

    code = "TIMEOUT"
    exit_status = 5


class AuthenticationError(DSMILError):
    """Not logged in, or the credentials were refused."""

    code = "AUTHENTICATION_FAILED"
    exit_status = 4


class TokenExpired(AuthenticationError):
    """The access token is over; a refresh token may give a new one."""

    code = "TOKEN_EXPIRED"


class MfaRequired(AuthenticationError):
    """A second factor is needed; `details["mfa_methods"]` names the ways."""

    code = "MFA_REQUIRED"

    def __init__(self, message: str, *, methods: tuple[str, ...] = ("totp",), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.details = {"mfa_methods": list(methods)}


class AccountLocked(AuthenticationError):
    """Too many failed logins; `retry_after` is in seconds."""

    code = "ACCOUNT_LOCKED"

    def __init__(self, message: str, *, retry_after: float, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class PermissionDenied(DSMILError):
    """The identity may not do this; `details` names the clearance that it takes and the one that it has."""

    code = "PERMISSION_DENIED"
    exit_status = 4

    def __init__(
        self, message: str, *, hint: str = "", target: str = "", required: str = "", held: str = ""
    ) -> None:
        super().__init__(message, hint=hint, target=target)
        self.details = {"required_clearance": required, "user_clearance": held} if required else {}


class Unreachable(DSMILError):
    """No conversation with the device or server was possible."""

    code = "NETWORK_ERROR"
    exit_status = 3


class NetworkError(Unreachable):
    """No connection, or it broke.  `unsent` says that nothing can have reached the other side."""

    unsent = False


class ProtocolError(Unreachable):
    """An answer came that is not of the protocol."""

    code = "PROTOCOL_ERROR"


class StopNotConfirmed(DSMILError):
    """An emergency stop that not every device confirmed."""

    code = "STOP_NOT_CONFIRMED"
    exit_status = 8


class CheckFailed(DSMILError):
    """A check (journal, archive, backup) found problems."""

    code = "CHECK_FAILED"
    exit_status = 9


def kind_of(code: str) -> type[DSMILError]:
    """The kind of error with that stable code; the root of all for a code that is not known."""
    kinds: list[type[DSMILError]] = [DSMILError]
    for kind in kinds:  # grows while it is walked: the whole tree
        if kind.code == code:
            return kind
        kinds += kind.__subclasses__()
    return DSMILError


LONGEST_NAME = 100
"""Characters of a name that is worth comparing with others."""


def error_of(code: str, message: str, *, hint: str = "", target: str = "") -> DSMILError:
    """The error of that code, as it came over a wire or out of an operation's outcome."""
    kind = kind_of(code)
    if kind is RateLimitError:
        return RateLimitError(message, retry_after=1.0, hint=hint, target=target)
    if kind is AccountLocked:
        return AccountLocked(message, retry_after=1.0, hint=hint)
    if kind is MfaRequired:
        return MfaRequired(message, hint=hint)
    return kind(message, hint=hint, target=target)


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that offers the known name nearest to `name`, or an empty string."""
    import difflib

    if len(name) > LONGEST_NAME:
        return ""
    candidates = list(known)
    folded = {candidate.casefold().lstrip("-"): candidate for candidate in reversed(candidates)}
    matches = difflib.get_close_matches(name.casefold().lstrip("-"), folded, n=1, cutoff=0.6)
    return f"Did you mean {folded[matches[0]]}?" if matches else ""


def kept(error: E) -> E:
    """An error that is kept as an answer, without the frames it came through: they hold what holds it."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
