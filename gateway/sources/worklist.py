"""Orders of a modality worklist, asked by accession number."""

from dataclasses import dataclass, field

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource
from dicom_io.scu.worklist import find_orders
from gateway.errors import SourceFailure
from gateway.pacing import Pacing
from gateway.sources.kinds import OrderKey


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistOrders:
    """What the RIS has scheduled, by C-FIND (PS3.4 Annex K).

    `pacing` is shared by all that ask the same peers.
    """

    local: LocalAE
    remote: RemoteAE
    pacing: Pacing = field(default_factory=Pacing)

    @property
    def source(self) -> OrderSource:
        """A worklist."""
        return OrderSource.WORKLIST

    @property
    def name(self) -> str:
        """The peer's name in the settings."""
        return self.remote.name

    def find(self, key: OrderKey) -> list[Order]:
        """Ask; raises SourceFailure where nothing may be sent, or PeerFailure."""
        remote = self.remote
        try:
            with self.pacing.asking(
                remote.name, remote.max_queries, remote.deadline_seconds
            ):
                return find_orders(self.local, remote, key.accession_number)
        except ValueError as error:
            raise SourceFailure(str(error)) from error
