"""Where an error came from, without what it says.

Errors of libraries quote the value that they could not read: it may be a patient's
name. The frames of our code hold none.
"""

import traceback

_CAUSES_CAP = 5


def frames_of(error: BaseException) -> str:
    """Return the traceback of an error and of what caused it, without messages."""
    told: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(told) < _CAUSES_CAP:
        frames = "".join(traceback.format_tb(seen.__traceback__))
        told.append(f"{type(seen).__name__}\n{frames}")
        seen = seen.__cause__ or seen.__context__
    return "from ".join(told)
