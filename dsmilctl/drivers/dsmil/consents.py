"""Consents: second persons of the other server, whom its guard asks for before it changes a device."""

from __future__ import annotations

from typing import Any

from dsmilctl.client.remote.api import Api
from dsmilctl.client.remote.approvals import ask, every
from dsmilctl.client.remote.failures import again
from dsmilctl.drivers.dsmil.conversation import Conversation
from dsmilctl.errors import ApprovalRequired, DeviceQuarantined, DSMILError
from dsmilctl.wire.emergency import Approval, ApprovalRequest

APPROVED, PENDING = "APPROVED", "PENDING"
NEEDS_ONE = (ApprovalRequired, DeviceQuarantined)
"""Refusals that the consent of a second person may turn into a change."""


class Consents:
    """The approvals that this account asks for, each for exactly one change."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation

    async def given(self, wanted: ApprovalRequest, refusal: DSMILError) -> str:
        """The id of an approval that was given for this change.

        Raises the server's own refusal: with the id of the approval that has to be given first, which is
        asked for now if it was not before, or as it is where nobody can be asked there.
        """

        async def find(api: Api) -> Approval:
            mine = api.session.user.username if api.session.user else ""
            known = [item for item in await every(api, "") if _is_about(item, wanted, mine)]
            for status in (APPROVED, PENDING):
                for item in known:
                    if item.status == status:
                        return item
            return await ask(api, wanted)

        try:
            found = await self._conversation.call(find)
        except DSMILError:
            raise refusal from None
        if found.status == APPROVED:
            return found.approval_id
        raise self._waiting(found, refusal)

    def _waiting(self, approval: Approval, refusal: DSMILError) -> DSMILError:
        """The same refusal, with the approval that would turn it."""
        server, name = self._conversation.options.server, approval.approval_id
        url = f"{self._conversation.options.url.rstrip('/')}/api/v2/approvals/{name}"
        error = again(refusal)
        error.message = f"{server}: {refusal.message}: {name} waits for one there"
        error.args = (error.message,)
        error.hint = f"as somebody else on {server}: dsmilctl approval approve {name}; then try again"
        error.__dict__["details"] = {"approval_id": name, "approval_url": url, "server": server}
        return error


def _is_about(approval: Approval, wanted: ApprovalRequest, user: str) -> bool:
    """Whether it is about this change of this user; what is left out there is nothing here."""
    told, data = approval.operation, wanted.operation_data
    asked: dict[str, Any] = {
        "operation_type": wanted.operation_type,
        "device_id": wanted.device_id,
        "register": data.register,
        "value": data.value,
        "command": wanted.command,
        "settings": data.settings,
    }
    return approval.requested_by == user and all(
        told.get(name) == value or (name not in told and value in (None, "", {}))
        for name, value in asked.items()
    )
