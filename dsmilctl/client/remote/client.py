"""DSMILClient: the SDK, and the client interface, over a DSMIL server."""

from __future__ import annotations

from dsmilctl.client.remote.alarms import AlarmRoom
from dsmilctl.client.remote.approvals import ApprovalRequests
from dsmilctl.client.remote.authentication import Authentication
from dsmilctl.client.remote.emergencies import Emergencies
from dsmilctl.client.remote.inventory import Inventory
from dsmilctl.client.remote.operations import Operations
from dsmilctl.client.remote.remote import RemoteClient
from dsmilctl.client.remote.streaming import Streaming
from dsmilctl.client.remote.tuning import Tuning


class DSMILClient(
    Authentication,
    Inventory,
    Operations,
    Streaming,
    Emergencies,
    ApprovalRequests,
    AlarmRoom,
    Tuning,
    RemoteClient,
):
    """A client of a DSMIL server.

    Use it as an asynchronous context manager, or close it.
    """
