"""The endpoints of the contract, a room per subject."""

from __future__ import annotations

from dsmilctl.server.endpoint import Endpoint
from dsmilctl.server.routes import (
    alarms,
    approvals,
    auth,
    bulk,
    devices,
    drivers,
    emergency,
    journal,
    operations,
    readings,
    streams,
    system,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *auth.ENDPOINTS,
    *system.ENDPOINTS,
    *devices.ENDPOINTS,
    *operations.ENDPOINTS,
    *bulk.ENDPOINTS,
    *streams.ENDPOINTS,
    *emergency.ENDPOINTS,
    *approvals.ENDPOINTS,
    *drivers.ENDPOINTS,
    *journal.ENDPOINTS,
    *readings.ENDPOINTS,
    *alarms.ENDPOINTS,
)
"""Every endpoint; routes and OpenAPI document are made from this list alone."""
