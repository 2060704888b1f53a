"""The demo accounts of the simulator.  A real server starts with none, and refuses to have these."""

from __future__ import annotations

from dsmilctl.errors import ConfigError
from dsmilctl.server.identity.passwords import Cost, Hasher
from dsmilctl.server.identity.users import User, Users

ALL = None
FIRST_60 = tuple(range(0x8000, 0x803C))
FIRST_36 = tuple(range(0x8000, 0x8024))

ACCOUNTS = (
    ("admin", "admin_001", ("dsmil_admin_2024",), "TOP_SECRET", ALL, ("SCI", "SAP", "DSMIL")),
    ("operator", "op_001", ("dsmil_op_2024", "secure_password"), "SECRET", FIRST_60, ("DSMIL",)),
    (
        "analyst",
        "analyst_001",
        ("dsmil_analyst_2024", "analyst_password"),
        "CONFIDENTIAL",
        FIRST_36,
        ("DSMIL",),
    ),
    ("supervisor", "super_001", ("dsmil_super_2024",), "TOP_SECRET", ALL, ("SCI", "SAP", "DSMIL")),
    ("monitor", "monitor_001", ("monitor_password",), "CONFIDENTIAL", FIRST_36, ("DSMIL",)),
)
"""Name, id, passwords, clearance, devices, compartments.

Source: the DSMIL API, version 2, demo accounts; two have a second password, that of the SDK's programs.
"""

COST = Cost(rounds=1, memory=64, lanes=1)
"""Everybody knows these passwords: dear hashes would guard nothing, and hold up each start by two seconds."""

PASSWORDS = frozenset(password for account in ACCOUNTS for password in account[2])


def refuse_demo_accounts(users: Users, hasher: Hasher) -> None:
    """Raise ConfigError when users of a real server may come in as the demo accounts do, which all know.

    Only names of demo accounts are tried: each comparison takes a while.
    """
    for name, _, passwords, *_ in ACCOUNTS:
        user = users.find(name)
        if user is None or user.disabled:
            continue
        if any(hasher.fits(hashed, password) for hashed in user.hashes for password in passwords):
            message = f"user {name!r} has the password of the simulator's demo account, which everybody knows"
            raise ConfigError(message, hint=f"dsmilctl user passwd {name}", target="--users")


def demo_users() -> Users:
    """The demo accounts, in memory; whoever lets them in compares all passwords at their cost."""
    hasher, users = Hasher(COST), {}
    for name, user_id, passwords, clearance, devices, compartments in ACCOUNTS:
        first, *others = [hasher.hash(password) for password in passwords]
        users[name] = User(
            name=name,
            user_id=user_id,
            password=first,
            other_passwords=tuple(others),
            clearance=clearance,
            devices=devices,
            compartments=compartments,
        )
    return Users(users=users)
