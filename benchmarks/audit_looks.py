"""The pages of the audit that are looked at, on the log of `audit_rows`."""

from datetime import datetime, timedelta

from benchmarks.audit_rows import patient_of, study_uid
from benchmarks.looks import FIRST_MS, Look

_ROW, _PATH = "<time datetime", "/audit"
_SOME = "Audit records"
"""Stands on the page whether anything was found or not."""


def audit_looks(records: int, until: datetime) -> tuple[Look, ...]:
    """Return the pages, of a log of so many records in the year that ends `until`."""
    middle = until - timedelta(days=182)
    place = f"{middle:%Y-%m-%dT%H:%M:%SZ}~{records // 2}"
    month = f"from={middle:%Y-%m-%d}&to={middle + timedelta(days=30):%Y-%m-%d}"
    number = max(records // 40, 1)
    asked = {
        "a page in the middle": (f"after={place}", _ROW),
        "a month": (month, _ROW),
        "oldest first": ("order=oldest", _ROW),
        "people": ("view=people", _ROW),
        "out of hours": ("view=out-of-hours", _ROW),
        "break-glass, none": ("view=break-glass", _SOME),
        "failures": ("view=failures", _ROW),
        "changed settings, none": ("view=settings", _SOME),
        "a person": ("user=anna", _ROW),
        "what a person did": ("view=people&user=anna", _ROW),
        "the most frequent user": ("user=maira-gateway", _ROW),
        "an event": ("event=110104", _ROW),
        "a rare event": ("event=110126", _SOME),
        "an outcome": ("outcome=0", _ROW),
        "an action": ("action=D", _ROW),
        "a node": ("node=PACS", _ROW),
        "an address": ("address=10.1.1.7", _ROW),
        "a rare text": ("text=archive", _SOME),
        "a text that nobody wrote": ("text=unheard-of", _SOME),
        "a frequent user, such a text": (
            "user=maira-gateway&text=unheard-of",
            _SOME,
        ),
        "people, such a text": ("view=people&text=unheard-of", _SOME),
        "out of hours, such a text": ("view=out-of-hours&text=unheard-of", _SOME),
        "failures, such a text": ("view=failures&text=unheard-of", _SOME),
        "a study": (f"study={study_uid(number)}", _ROW),
        "a patient": (f"patient={patient_of(number // 3)}", _ROW),
    }
    return (
        Look(name="audit, first page", path=_PATH, shows=_ROW, bound=FIRST_MS),
        *(
            Look(name=f"audit, {name}", path=f"{_PATH}?{question}", shows=shows)
            for name, (question, shows) in asked.items()
        ),
        Look(name="audit, bulk access", path=f"{_PATH}/bulk", shows="Bulk access"),
        Look(name="audit, sent twice", path=f"{_PATH}/repeats", shows="Sent twice"),
        Look(name="audit, reviews", path=f"{_PATH}/reviews", shows="Reviews"),
    )
