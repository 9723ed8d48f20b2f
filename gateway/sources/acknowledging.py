"""What is answered to an HL7 v2 message: ACK with MSA and ERR (chapter 2.9)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.sources.hl7 import Envelope, Fault


class Answer(StrEnum):
    """Acknowledgment codes of original mode (HL7 table 0008)."""

    ACCEPT = "AA"
    """It is in the ledger."""
    ERROR = "AE"
    """It cannot be read, or cannot be kept just now."""
    REJECT = "AR"
    """Its type is not taken, or it is too large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What is answered; `text` holds nothing of the message."""

    answer: Answer
    fault: Fault | None = None
    text: str = ""

    def encode(self, to: Envelope, now: datetime) -> bytes:
        """Return the ACK, in ASCII; sender and receiver change places."""
        text = "".join(each for each in self.text if each not in r"|^~\&")
        at = now.strftime("%Y%m%d%H%M%S+0000")
        event = f"^{to.trigger}" if to.trigger else ""
        header = _segment(
            "MSH",
            r"^~\&",
            *(to.receiver, to.receiver_facility, to.sender, to.sender_facility),
            *(at, "", f"ACK{event}", f"{now.timestamp():.6f}"),
            *(to.processing, to.version),
        )
        answered = _segment("MSA", self.answer, to.control_id, text)
        segments = [header, answered.rstrip("|")]
        if self.fault is not None:
            segments.append(f"ERR|||{self.fault}^^HL70357|E||||{text}")
        message = "".join(f"{segment}\r" for segment in segments)
        return message.encode("ascii", "replace")


def _segment(*fields: str) -> str:
    """Join fields; a sender whose own separator is another may have ours in them."""
    return "|".join(each.replace("|", "\\F\\") for each in fields)
