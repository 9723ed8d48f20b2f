"""Orders and reports that were delivered: the latest state of each."""

from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import Table, delete, insert

from dicom_io.inputs.orders import Order
from dicom_io.reports.values import OutsideReport
from gateway.ledger import schema
from gateway.ledger.reading import Reading

Message = Order | OutsideReport

_BODY = TypeAdapter[Message](Message)


class MessageWriting(Reading):
    """What keeps and forgets messages, each by its source and document."""

    def put_message(self, message: Message, now: datetime) -> None:
        """Keep a message, instead of its earlier state."""
        self.drop_message(type(message), message.source, message.document)
        names = {"accession_number": message.accession_number}
        if isinstance(message, OutsideReport):
            names["study_instance_uid"] = message.study_instance_uid
        self._connection.execute(
            insert(_table(type(message))).values(
                source=message.source,
                document=message.document,
                body=_BODY.dump_json(message).decode(),
                received_at=now,
                **names,
            )
        )

    def drop_message(self, kind: type[Message], source: str, document: str) -> None:
        """Forget one that was cancelled or withdrawn, if it is known."""
        gone = delete(_table(kind)).filter_by(source=source, document=document)
        self._connection.execute(gone)

    def forget_messages(self, before: datetime) -> int:
        """Forget messages received earlier than `before`; return how many."""
        count = 0
        for table in (schema.orders, schema.outside_reports):
            gone = delete(table).where(table.c.received_at < before)
            count += self._connection.execute(gone).rowcount
        return count


def _table(kind: type[Message]) -> Table:
    return schema.orders if kind is Order else schema.outside_reports
