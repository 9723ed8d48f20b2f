"""The seven inputs of the model, each with what filled it and why; pure."""

from dataclasses import dataclass

from dicom_io.evidence import ReferencedInstance, Slot, SlotName, reference
from dicom_io.header import Instance
from dicom_io.inputs.prior import Prior
from dicom_io.inputs.sections import Sections
from dicom_io.inputs.view import Views


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedImages:
    """The images whose pictures the model was given; None: none was."""

    frontal: Instance
    lateral: Instance | None
    prior: Instance | None


def fill_slots(
    views: Views, prior: Prior | None, used: UsedImages, sections: Sections
) -> tuple[Slot, ...]:
    """Return all seven slots, in the order of `SlotName`."""
    return (
        _image(SlotName.CURRENT_FRONTAL, used.frontal, _reason(views, "frontal")),
        _lateral(views, used),
        _prior_frontal(prior, used),
        _prior_report(prior, used),
        _text(
            SlotName.INDICATION,
            sections.indication,
            f"from {sections.indication_source}",
        ),
        _text(SlotName.TECHNIQUE, sections.technique, "written from the views used"),
        _comparison(prior, used, sections),
    )


def _reason(views: Views, name: str) -> str:
    """Return the line of `Views.reasons` that is about one of the two images."""
    return next((line for line in views.reasons if line.startswith(name)), name)


def _image(name: SlotName, instance: Instance, reason: str) -> Slot:
    return Slot(name=name, filled=True, reason=reason, instance=reference(instance))


def _empty(name: SlotName, reason: str) -> Slot:
    return Slot(name=name, filled=False, reason=reason)


def _lateral(views: Views, used: UsedImages) -> Slot:
    name = SlotName.CURRENT_LATERAL
    if used.lateral is not None:
        return _image(name, used.lateral, _reason(views, "lateral"))
    if views.lateral is not None:
        return _empty(name, "the lateral image is not usable; see the notes")
    return _empty(name, "the study has no lateral image")


def _prior_frontal(prior: Prior | None, used: UsedImages) -> Slot:
    name = SlotName.PRIOR_FRONTAL
    if prior is None:
        return _empty(name, "there is no prior study")
    if used.prior is None:
        return _empty(name, "the prior's image is not usable; see the notes")
    return _image(name, used.prior, prior.reasons[0])


def _prior_report(prior: Prior | None, used: UsedImages) -> Slot:
    name = SlotName.PRIOR_REPORT
    if prior is None:
        return _empty(name, "there is no prior study")
    if prior.report is None:
        return _empty(name, _no_report(prior))
    if used.prior is None:
        return _empty(name, "not read without the prior's image, which is not usable")
    return _text(name, prior.report.text, prior.report.reason, prior.report.instance)


def _no_report(prior: Prior) -> str:
    refused = "; ".join(
        f"{each.what}: {each.reason}" for each in prior.rejected_reports
    )
    return refused or "the prior study has no report"


def _comparison(prior: Prior | None, used: UsedImages, sections: Sections) -> Slot:
    name = SlotName.COMPARISON
    if prior is not None and used.prior is None:
        return _empty(name, "the prior's image is not usable; see the notes")
    return _text(name, sections.comparison, "written from the prior used")


def _text(
    name: SlotName,
    value: str | None,
    reason: str,
    instance: ReferencedInstance | None = None,
) -> Slot:
    if value is None:
        return _empty(name, "nothing to write it from")
    return Slot(name=name, filled=True, reason=reason, instance=instance, value=value)
