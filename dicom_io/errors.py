"""Errors of `dicom_io`.

DicomError
├── Unreadable               bytes that are not the DICOM they claim to be
│   ├── UnreadableHeader     attributes cannot be parsed within the limits
│   └── UnreadablePixels     pixel data missing, broken, or over the limits
├── UnsupportedImage         readable, but not a picture that can be reported
├── PeerFailure              another node did not do what was asked
│   ├── PeerUnreachable      no connection or no association; retry may help
│   ├── PeerRefused          the peer said no for good
│   │   └── IdentifierRefused  to the keys or the level; others may serve
│   └── PeerTimedOut         no answer within the deadline
├── NotEncodable             a result that cannot become a valid object
└── ListenerFailure          the listener cannot bind or lost its socket
"""


class DicomError(Exception):
    """Base of all errors of this package."""


class Unreadable(DicomError):  # noqa: N818 - says what the bytes are
    """Bytes that are not what they claim to be."""


class UnreadableHeader(Unreadable):
    """The attributes cannot be parsed within the limits."""


class UnreadablePixels(Unreadable):
    """The pixel data is missing, broken, or larger than the limits."""


class UnsupportedImage(DicomError):  # noqa: N818 - says what the image is
    """The image is readable but not one that can be reported."""


class PeerFailure(DicomError):  # noqa: N818 - says who failed
    """Another node did not do what was asked; trying again may help."""


class PeerUnreachable(PeerFailure):
    """No connection or no association."""


class PeerRefused(PeerFailure):
    """The peer refused for good; trying again will not help."""


class IdentifierRefused(PeerRefused):
    """The peer does not take this identifier; one with other keys may serve."""


class PeerTimedOut(PeerFailure):
    """No answer within the deadline."""


class NotEncodable(DicomError):  # noqa: N818 - says what the result is
    """The result cannot become a valid object; the message says why."""


class ListenerFailure(DicomError):  # noqa: N818 - says what failed
    """The listener cannot bind its port or lost its socket."""
