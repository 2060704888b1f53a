"""The one tree of errors: codes, exit statuses, what an error carries, and the name that was meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsmilctl import errors
from dsmilctl.errors import DeviceError, DSMILError, RateLimitError, nearest

EXIT_STATUS = {
    errors.UsageError: 2,
    errors.ConfigError: 2,
    errors.MissingExtraError: 2,
    errors.ConfirmationRequired: 2,
    errors.InvalidParameter: 2,
    errors.NotFound: 2,
    errors.DeviceNotFound: 2,
    errors.Refused: 1,
    errors.EmergencyStopActive: 1,
    errors.ReadOnly: 1,
    errors.JustificationRequired: 1,
    errors.ApprovalRequired: 1,
    errors.RateLimitError: 1,
    errors.StateUnavailable: 1,
    errors.DeviceQuarantined: 1,
    errors.HardwareError: 1,
    errors.Unreachable: 3,
    errors.NetworkError: 3,
    errors.ProtocolError: 3,
    errors.AuthenticationError: 4,
    errors.TokenExpired: 4,
    errors.MfaRequired: 4,
    errors.AccountLocked: 4,
    errors.PermissionDenied: 4,
    errors.OperationTimeout: 5,
    errors.DeviceBusy: 7,
    errors.Conflict: 7,
    errors.StopNotConfirmed: 8,
    errors.CheckFailed: 9,
}


def tree(kind: type[DSMILError]) -> list[type[DSMILError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in tree(child))]


@pytest.mark.parametrize(
    ("kind", "status"), EXIT_STATUS.items(), ids=lambda item: getattr(item, "code", item)
)
def test_every_error_ends_a_command_with_the_status_that_scripts_rely_on(
    kind: type[DSMILError], status: int
) -> None:
    assert kind.exit_status == status


def test_no_error_of_ours_stands_outside_the_table_above() -> None:
    ours = {kind for kind in tree(DSMILError) if kind.__module__ == errors.__name__}

    assert ours - set(EXIT_STATUS) == {DSMILError, DeviceError}


def test_the_codes_are_those_of_the_api() -> None:
    codes = {kind.code for kind in tree(DSMILError) if kind.__module__ == errors.__name__}

    assert {
        "APPROVAL_REQUIRED", "AUTHENTICATION_FAILED", "CONFLICT", "DEVICE_BUSY", "DEVICE_NOT_FOUND",
        "DEVICE_QUARANTINED", "EMERGENCY_STOP", "HARDWARE_ERROR", "INTERNAL_ERROR", "INVALID_PARAMETER",
        "JUSTIFICATION_REQUIRED", "NETWORK_ERROR", "NOT_FOUND", "PERMISSION_DENIED", "PROTOCOL_ERROR",
        "RATE_LIMITED", "READ_ONLY", "TIMEOUT",
    } <= codes  # fmt: skip


def test_an_error_says_what_happened_what_to_do_and_to_what() -> None:
    error = errors.InvalidParameter("no register 'TMP'", hint="Did you mean TEMP?", target="TMP")

    assert str(error) == error.message == "no register 'TMP'"
    assert (error.hint, error.target) == ("Did you mean TEMP?", "TMP")


def test_an_error_about_a_device_names_the_device() -> None:
    error = errors.DeviceBusy("0x8000 is busy", device_id=0x8000)

    assert error.device_id == 0x8000
    assert error.target == "0x8000"
    assert error.error_code == error.code == "DEVICE_BUSY"


def test_a_rate_limit_says_when_to_come_back() -> None:
    assert RateLimitError("too many", retry_after=2.5).retry_after == 2.5


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("TMP", "TEMP"), ("temp", "TEMP"), ("STATE", "STATUS"), ("volts", "VOLTAGE"), ("xyzzy", "")],
)
def test_the_nearest_name_is_offered_whatever_its_case(typed: str, meant: str) -> None:
    offered = nearest(typed, ["STATUS", "CONFIG", "DATA", "TEMP", "VOLTAGE", "ERROR"])

    assert offered == (f"Did you mean {meant}?" if meant else "")


@given(st.text(), st.lists(st.text(min_size=1)))
def test_an_offer_is_always_one_of_the_known_names(typed: str, known: list[str]) -> None:
    offered = nearest(typed, known)

    assert offered == "" or offered.removeprefix("Did you mean ").removesuffix("?") in known


def test_a_name_of_64_kib_is_not_compared_with_anything() -> None:
    assert nearest("x" * 65_536, ["x" * 60_000] * 10_000) == ""
