"""Orders of a modality worklist, asked by accession number."""

from dataclasses import dataclass

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource
from dicom_io.scu.worklist import find_orders
from gateway.errors import SourceFailure
from gateway.sources.kinds import OrderKey


@dataclass(frozen=True, slots=True, kw_only=True)
class WorklistOrders:
    """What the RIS has scheduled, by C-FIND (PS3.4 Annex K)."""

    local: LocalAE
    remote: RemoteAE

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
        try:
            return find_orders(self.local, self.remote, key.accession_number)
        except ValueError as error:
            raise SourceFailure(str(error)) from error
