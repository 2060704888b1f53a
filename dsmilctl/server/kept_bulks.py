"""Kept bulks: what became of the last bulks, as it was said, for whoever lost the answer on the way."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from dsmilctl.errors import NotFound
from dsmilctl.wire.operations import BulkAnswer

MOST = 1000
MOST_BYTES = 8 << 20
"""Bulks that are kept, and the bytes of their answers: as objects they would take three times as much."""


class KeptBulks:
    """The answers of bulks by user and id; the oldest makes room."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return len(self._answers)

    def keep(self, user: str, bulk: BulkAnswer) -> None:
        """Keep an answer; the newest one is kept however large it is."""
        content = msgspec.json.encode(bulk)
        self._answers[user, bulk.bulk_operation_id] = content
        self._size += len(content)
        while len(self._answers) > 1 and (len(self._answers) > MOST or self._size > MOST_BYTES):
            self._size -= len(self._answers.popitem(last=False)[1])

    def of(self, user: str, bulk_id: str) -> msgspec.Raw:
        """The answer to a bulk of this user; raises NotFound."""
        content = self._answers.get((user, bulk_id))
        if content is None:
            raise NotFound(f"no bulk {bulk_id!r} of {user}", target=bulk_id)
        return msgspec.Raw(content)
