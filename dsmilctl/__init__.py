"""dsmilctl sees, steers, records and stops a fleet of register-mapped devices."""

from __future__ import annotations

TYPE_CHECKING = False  # as typing has it, without importing that
if TYPE_CHECKING:
    from dsmilctl.client.remote.breaker import CircuitBreakerConfig as CircuitBreakerConfig
    from dsmilctl.client.remote.client import DSMILClient as DSMILClient
    from dsmilctl.client.remote.config import ClientConfig as ClientConfig
    from dsmilctl.client.remote.config import DSMILConfig as DSMILConfig
    from dsmilctl.client.remote.dotenv import load_dotenv as load_dotenv
    from dsmilctl.client.remote.logs import configure_logging as configure_logging
    from dsmilctl.client.remote.names import BulkOperation as BulkOperation
    from dsmilctl.client.remote.names import OperationType as OperationType
    from dsmilctl.client.remote.names import Register as Register
    from dsmilctl.client.remote.sync import SyncDSMILClient as SyncDSMILClient
    from dsmilctl.errors import AuthenticationError as AuthenticationError
    from dsmilctl.errors import ConfigError as ConfigError
    from dsmilctl.errors import DeviceError as DeviceError
    from dsmilctl.errors import DeviceNotFound as DeviceNotFound
    from dsmilctl.errors import DeviceQuarantined as DeviceQuarantined
    from dsmilctl.errors import DSMILError as DSMILError
    from dsmilctl.errors import NetworkError as NetworkError
    from dsmilctl.errors import OperationTimeout as OperationTimeout
    from dsmilctl.errors import PermissionDenied as PermissionDenied
    from dsmilctl.errors import ProtocolError as ProtocolError
    from dsmilctl.errors import RateLimitError as RateLimitError
    from dsmilctl.model.history import ReadingsPage as ReadingsPage
    from dsmilctl.model.history import ReadingsQuery as ReadingsQuery
    from dsmilctl.recording.archived import Archived as Archived
    from dsmilctl.recording.auto import AutoRecorder as AutoRecorder
    from dsmilctl.recording.session import RecordingSession as RecordingSession
    from dsmilctl.recording.session import recorded as recorded

__version__ = "0.1.0"

_HOMES = {
    "dsmilctl.client.remote.breaker": ("CircuitBreakerConfig",),
    "dsmilctl.client.remote.client": ("DSMILClient",),
    "dsmilctl.client.remote.config": ("ClientConfig", "DSMILConfig"),
    "dsmilctl.client.remote.dotenv": ("load_dotenv",),
    "dsmilctl.client.remote.logs": ("configure_logging",),
    "dsmilctl.client.remote.names": ("BulkOperation", "OperationType", "Register"),
    "dsmilctl.client.remote.sync": ("SyncDSMILClient",),
    "dsmilctl.errors": (
        "AuthenticationError", "ConfigError", "DSMILError", "DeviceError", "DeviceNotFound",
        "DeviceQuarantined", "NetworkError", "OperationTimeout", "PermissionDenied", "ProtocolError",
        "RateLimitError",
    ),
    "dsmilctl.model.history": ("ReadingsPage", "ReadingsQuery"),
    "dsmilctl.recording.archived": ("Archived",),
    "dsmilctl.recording.auto": ("AutoRecorder",),
    "dsmilctl.recording.session": ("RecordingSession", "recorded"),
}  # fmt: skip
_NAMES = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """A public name, imported when it is first used: `import dsmilctl` alone loads nothing."""
    home = _NAMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(home), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_NAMES})
