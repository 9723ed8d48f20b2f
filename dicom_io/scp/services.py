"""What is neither C-ECHO nor C-STORE: read, served and written by pynetdicom.

An association object of the library that was never started stands for the one on
the wire. It gets whole messages, and what it wants to send is taken from its queue.
"""

from collections.abc import Sequence
from queue import Empty

from pynetdicom import AE
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.events import EventHandlerType
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import uid_to_service_class
from pynetdicom.transport import AddressInformation

from dicom_io.malformed import MALFORMED
from dicom_io.scp.negotiation import Request
from dicom_io.scp.pdu import IS_COMMAND, IS_LAST
from dicom_io.scp.states import Event, Interruption


class LibraryServices:
    """Serves the DIMSE-N requests of one association with handlers of pynetdicom."""

    def __init__(
        self, request: Request, address: str, handlers: Sequence[EventHandlerType]
    ) -> None:
        assoc = Association(AE(request.called_title), MODE_ACCEPTOR)
        assoc.requestor.primitive = request.primitive
        assoc.requestor.ae_title = request.calling_title
        assoc.requestor.address_info = AddressInformation(address.partition("%")[0], 0)
        assoc.is_established = True
        for handler in handlers:
            assoc.bind(*handler)
        self._assoc = assoc

    def serve(self, context: PresentationContext, command: bytes, data: bytes) -> bytes:
        """Serve a whole request; return the PDUs of the response.

        Raises Interruption where the message is not what its command says.
        """
        try:
            message = _message(context, command, data)
            service = uid_to_service_class(context.abstract_syntax or "")(self._assoc)
            service.SCP(message.message_to_primitive(), context)
            return b"".join(self._sent())
        except MALFORMED as error:
            reason = f"invalid DIMSE message: {type(error).__name__}"
            raise Interruption(Event.ABORT, reason) from error

    def _sent(self) -> list[bytes]:
        encoded: list[bytes] = []
        while True:
            try:
                primitive = self._assoc.dul.to_provider_queue.get(block=False)
            except Empty:
                return encoded
            if isinstance(primitive, P_DATA):
                pdu = P_DATA_TF()
                pdu.from_primitive(primitive)
                encoded.append(pdu.encode())


def _message(context: PresentationContext, command: bytes, data: bytes) -> DIMSEMessage:
    values = [[context.context_id, bytes([IS_COMMAND | IS_LAST]) + command]]
    if data:
        values.append([context.context_id, bytes([IS_LAST]) + data])
    primitive = P_DATA()
    # The setter takes lists only, whatever its annotation says.
    primitive.presentation_data_value_list = values  # type: ignore[assignment]
    message = DIMSEMessage()
    message.decode_msg(primitive)
    return message
