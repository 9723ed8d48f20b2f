"""The seven inputs of the model, each with what filled it and why; pure."""

from dataclasses import dataclass, replace

from dicom_io.evidence import Slot, SlotName, reference
from dicom_io.header import Instance
from dicom_io.inputs.history import History
from dicom_io.inputs.prior import Prior
from dicom_io.inputs.sections import Sections
from dicom_io.inputs.view import Views

FROM_IMAGE = "image"
"""`Slot.source` of a picture."""
FROM_VIEWS = "views"
"""`Slot.source` of the technique: written from the views used."""
FROM_PRIOR = "prior"
"""`Slot.source` of the comparison: written from the prior used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedImages:
    """The images whose pictures the model was given; None: none was."""

    frontal: Instance
    lateral: Instance | None
    prior: Instance | None


def fill_slots(
    views: Views, history: History, used: UsedImages, sections: Sections
) -> tuple[Slot, ...]:
    """Return all seven slots, in the order of `SlotName`."""
    frontal = _image(
        SlotName.CURRENT_FRONTAL, used.frontal, _reason(views, used.frontal, "frontal")
    )
    prior = history.prior
    return (
        replace(frontal, rejected=views.rejected),
        replace(_lateral(views, used), rejected=views.rejected),
        replace(_prior_frontal(prior, used), rejected=history.rejected_priors),
        _prior_report(prior, used),
        _indication(sections),
        _text(
            SlotName.TECHNIQUE,
            sections.technique,
            FROM_VIEWS,
            "written from the views used",
        ),
        _comparison(prior, used, sections),
    )


def _reason(views: Views, image: Instance, name: str) -> str:
    """Return the line of `Views.reasons` that is about one of the two images."""
    starts = (name, image.sop_instance_uid)
    return next((line for line in views.reasons if line.startswith(starts)), name)


def _image(name: SlotName, instance: Instance, reason: str) -> Slot:
    return Slot(
        name=name,
        filled=True,
        reason=reason,
        instance=reference(instance),
        source=FROM_IMAGE,
    )


def _empty(name: SlotName, reason: str) -> Slot:
    return Slot(name=name, filled=False, reason=reason)


def _lateral(views: Views, used: UsedImages) -> Slot:
    name = SlotName.CURRENT_LATERAL
    if used.lateral is not None:
        return _image(name, used.lateral, _reason(views, used.lateral, "lateral"))
    if views.lateral is not None:
        return _empty(name, "the lateral image is not usable; see the notes")
    return _empty(name, "the study has no lateral image")


def _prior_frontal(prior: Prior | None, used: UsedImages) -> Slot:
    name = SlotName.PRIOR_FRONTAL
    if prior is None:
        return _empty(name, "there is no prior study")
    if used.prior is None:
        return _empty(name, "the prior's image is not usable; see the notes")
    return _image(name, used.prior, "; ".join(prior.reasons))


def _prior_report(prior: Prior | None, used: UsedImages) -> Slot:
    name = SlotName.PRIOR_REPORT
    if prior is None:
        return _empty(name, "there is no prior study")
    empty = Slot(name=name, filled=False, reason="", rejected=prior.rejected_reports)
    report = prior.report
    if report is None:
        return replace(empty, reason=_no_report(prior))
    if used.prior is None:
        reason = "not read without the prior's image, which is not usable"
        return replace(empty, reason=reason)
    return replace(
        empty,
        filled=True,
        reason=report.reason,
        instance=report.instance,
        value=report.text,
        source=report.source.value,
        # a DICOM document is named by its instance
        document=report.document if report.instance is None else None,
    )


def _no_report(prior: Prior) -> str:
    refused = "; ".join(
        f"{each.what}: {each.reason}" for each in prior.rejected_reports
    )
    return refused or "the prior study has no report"


def _indication(sections: Sections) -> Slot:
    source = sections.indication_source
    slot = _text(SlotName.INDICATION, sections.indication, source, f"from {source}")
    return replace(slot, document=sections.indication_document)


def _comparison(prior: Prior | None, used: UsedImages, sections: Sections) -> Slot:
    name = SlotName.COMPARISON
    if prior is not None and used.prior is None:
        return _empty(name, "the prior's image is not usable; see the notes")
    return _text(name, sections.comparison, FROM_PRIOR, "written from the prior used")


def _text(name: SlotName, value: str | None, source: str | None, reason: str) -> Slot:
    if value is None:
        return _empty(name, "nothing to write it from")
    return Slot(name=name, filled=True, reason=reason, value=value, source=source)
