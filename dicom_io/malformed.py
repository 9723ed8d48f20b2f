"""What pydicom and pynetdicom raise on bytes that are not what they claim to be.

Elements are converted when they are first asked for, so any access to a foreign data
set may raise one of these, far from where it was read.
"""

import queue
import struct

from pydicom.errors import BytesLengthException
from pynetdicom.fsm import InvalidEventError

MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BytesLengthException,
    EOFError,
    InvalidEventError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    queue.Empty,
    struct.error,
)
