"""Messages: what the threads of the dashboard tell the app.  A newer one replaces an older one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from dsmilctl.errors import DSMILError
from dsmilctl.model.approval import Approval
from dsmilctl.model.audit import AuditRecord, AuditVerdict
from dsmilctl.model.device import DeviceStatus
from dsmilctl.model.emergency import Stop
from dsmilctl.model.operation import Operation
from dsmilctl.model.reading import Batch
from dsmilctl.tui.stop import StopProgress

if TYPE_CHECKING:
    from dsmilctl.client.remote.results import AuthResult
    from dsmilctl.tui.backups import BackupListing
    from dsmilctl.tui.recordings import Listing, SeriesRow, Span
    from dsmilctl.wire.auth import Session


class LoggedIn(Message):
    """Somebody tried to log in."""

    def __init__(self, result: AuthResult) -> None:
        super().__init__()
        self.result = result


class SessionsRead(Message):
    """The sessions of this user."""

    def __init__(self, sessions: list[Session]) -> None:
        super().__init__()
        self.sessions = sessions

    def can_replace(self, message: Message) -> bool:
        """The newest list is the one to show."""
        return isinstance(message, SessionsRead)


class ApprovalsRead(Message):
    """The approvals that this user may see."""

    def __init__(self, approvals: list[Approval]) -> None:
        super().__init__()
        self.approvals = approvals

    def can_replace(self, message: Message) -> bool:
        """The newest list is the one to show."""
        return isinstance(message, ApprovalsRead)


class Asked(Message):
    """A second person was asked for an approval."""

    def __init__(self, approval: Approval) -> None:
        super().__init__()
        self.approval = approval


class Decided(Message):
    """An approval was approved or rejected."""

    def __init__(self, approval: Approval) -> None:
        super().__init__()
        self.approval = approval


class Ticked(Message):
    """The store changed, or time went by: take a new snapshot."""

    def can_replace(self, message: Message) -> bool:
        """One snapshot shows all that happened until it is taken."""
        return isinstance(message, Ticked)


class Arranged(Message):
    """The rows of the fleet were filtered and sorted anew."""

    def __init__(self, order: list[int], problem: DSMILError | None = None) -> None:
        super().__init__()
        self.order = order
        self.problem = problem

    def can_replace(self, message: Message) -> bool:
        """Only the newest arrangement counts."""
        return isinstance(message, Arranged)


class Found(Message):
    """A device was found by a few letters, at this place of the table."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place


class Read(Message):
    """The registers of the device on the screen were read."""

    def __init__(self, batch: Batch) -> None:
        super().__init__()
        self.batch = batch

    def can_replace(self, message: Message) -> bool:
        """The newest values are the ones to show."""
        return isinstance(message, Read)


class Sampled(Message):
    """The register on the chart got a sample; the series has it already."""

    def can_replace(self, message: Message) -> bool:
        """One frame shows every sample there is."""
        return isinstance(message, Sampled)


class HistoryRead(Message):
    """Records of the journal were read."""

    def __init__(self, records: list[AuditRecord], problem: DSMILError | None = None) -> None:
        super().__init__()
        self.records = records
        self.problem = problem

    def can_replace(self, message: Message) -> bool:
        """The newest records are the ones to show."""
        return isinstance(message, HistoryRead)


class Verified(Message):
    """The journal was checked."""

    def __init__(self, verdict: AuditVerdict) -> None:
        super().__init__()
        self.verdict = verdict


class StopsRead(Message):
    """The stops there were."""

    def __init__(self, stops: list[Stop]) -> None:
        super().__init__()
        self.stops = stops


class Released(Message):
    """Stops were released."""

    def __init__(self, stops: list[Stop]) -> None:
        super().__init__()
        self.stops = stops


class Refusal(Message):
    """What was asked for was refused, or failed."""

    def __init__(self, error: DSMILError) -> None:
        super().__init__()
        self.error = error


class Planned(Message):
    """A dry run let the change pass."""

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self.operation = operation


class Done(Message):
    """A change was carried out, well or not."""

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self.operation = operation


class StatesRead(Message):
    """A lifecycle verb was carried out."""

    def __init__(self, statuses: list[DeviceStatus]) -> None:
        super().__init__()
        self.statuses = statuses


class StopMoved(Message):
    """An emergency stop that was pulled here got on."""

    def __init__(self, progress: StopProgress) -> None:
        super().__init__()
        self.progress = progress

    def can_replace(self, message: Message) -> bool:
        """Only the newest progress of the same stop counts."""
        return isinstance(message, StopMoved) and message.progress.number == self.progress.number


class RecordingsRead(Message):
    """The recordings were listed."""

    def __init__(self, listing: Listing) -> None:
        super().__init__()
        self.listing = listing

    def can_replace(self, message: Message) -> bool:
        """The newest list is the one to show."""
        return isinstance(message, RecordingsRead)


class SeriesRead(Message):
    """The registers of a recording were listed, and the times of its first and last reading."""

    def __init__(self, series: list[SeriesRow], times: tuple[int, int]) -> None:
        super().__init__()
        self.series = series
        self.times = times


class SpansRead(Message):
    """A register of a recording was read, between two moments in nanoseconds UTC."""

    def __init__(self, series: SeriesRow, spans: list[Span], times: tuple[int, int]) -> None:
        super().__init__()
        self.series = series
        self.spans = spans
        self.times = times


class BackupsRead(Message):
    """The backups were listed."""

    def __init__(self, listing: BackupListing) -> None:
        super().__init__()
        self.listing = listing

    def can_replace(self, message: Message) -> bool:
        """The newest list is the one to show."""
        return isinstance(message, BackupsRead)


class CarriedOut(Message):
    """A command line was carried out; `text` says what became of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
