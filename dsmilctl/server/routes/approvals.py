"""`/approvals`: the consent of a second person to exactly one operation."""

from __future__ import annotations

from dsmilctl.server.endpoint import Endpoint

ENDPOINTS: tuple[Endpoint, ...] = ()
