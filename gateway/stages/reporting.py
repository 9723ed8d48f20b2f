"""Ask the engine about a gathered study, and keep what it said.

Kept as JSON before anything is encoded, so a repeated `encode` works from the same
words and makes the same bytes.
"""

from dataclasses import replace
from datetime import timedelta

from dicom_io.evidence import Evidence, SlotName
from dicom_io.inputs.context import assemble
from dicom_io.inputs.history import History
from dicom_io.inputs.refusal import Declined, DeclineReason
from dicom_io.inputs.view import Views
from gateway.audit import kinds
from gateway.documents import ENGINE, EVIDENCE, REPORTS
from gateway.failpoints import pass_failpoint
from gateway.ledger import Document, SlotRecord, StudyRecord
from gateway.lifecycle import Event
from gateway.rules import picture_options
from gateway.site import Site
from gateway.stages.gathering import read_gathered
from gateway.stages.turn import Later, Moved
from model.engine import author_of
from model.errors import ConstantImage, EngineAway, RefusedRequest
from model.report import (
    Flag,
    FlagKind,
    GroundedReport,
    ReportInputs,
    ReportRequest,
    Task,
)

PRIOR_SLOTS = (SlotName.PRIOR_FRONTAL, SlotName.PRIOR_REPORT, SlotName.COMPARISON)


def report(site: Site, study: StudyRecord, views: Views) -> Moved | Declined | Later:
    """Assemble the case, ask the engine, and keep report, evidence and identity.

    While there is no engine the study waits; that uses up none of its attempts.
    """
    try:
        site.engine.generate([])  # is it there? Pictures are decoded only then
        return _read(site, study, views)
    except EngineAway as error:
        pause = timedelta(seconds=site.settings.work.first_pause_seconds)
        return Later(
            not_before=site.clock() + pause,
            reason=str(error),
            attempts=study.attempts,
        )


def _read(site: Site, study: StudyRecord, views: Views) -> Moved | Declined:
    gathered = read_gathered(site, study)
    case = assemble(views, gathered, picture_options(site))
    if isinstance(case, Declined):
        return case
    try:
        pass_failpoint("infer:before")
        (reports,) = site.engine.generate([request_for(site, case.inputs)])
        pass_failpoint("infer:after")
    except ConstantImage as error:
        return Declined(reason=DeclineReason.CONSTANT_IMAGE, detail=str(error))
    except RefusedRequest as error:
        return Moved(event=Event.GAVE_UP, reason=f"the engine refused: {error}")
    evidence = _with_notes(case.evidence, gathered)
    said = tuple(_with_disputes(each, views) for each in reports)
    return _written(site, study, evidence, said)


def _with_disputes(said: GroundedReport, views: Views) -> GroundedReport:
    """Say in a report that the view of an image is disputed."""
    disputes = (Flag(kind=FlagKind.VIEW_DISPUTED, detail=each) for each in views.flags)
    return replace(said, flags=(*said.flags, *disputes))


def _with_notes(evidence: Evidence, gathered: History) -> Evidence:
    """Say how the search for the prior went, also in the slots that stay empty."""
    reason = "; ".join(gathered.notes[:1])
    slots = tuple(
        replace(slot, reason=reason)
        if slot.name in PRIOR_SLOTS and gathered.prior is None
        else slot
        for slot in evidence.slots
    )
    return replace(evidence, slots=slots, notes=(*evidence.notes, *gathered.notes))


def request_for(site: Site, inputs: ReportInputs) -> ReportRequest:
    """Return all that the site asks about a study."""
    wanted, engine = site.settings.results, site.settings.engine
    return ReportRequest(
        inputs=inputs,
        tasks=wanted.tasks,
        phrases=wanted.phrases,
        deadline_seconds=engine.deadline_seconds or None,
    )


def _written(
    site: Site,
    study: StudyRecord,
    evidence: Evidence,
    reports: tuple[GroundedReport, ...],
) -> Moved:
    held = sorted(
        {flag.kind for said in reports for flag in said.flags}
        & set(site.settings.results.hold_flags)
    )
    identity, now = author_of(site.engine, reports[0]), site.clock()
    entry = kinds.report_written(
        study.study_instance_uid, evidence, identity, reports, now
    )
    return Moved(
        event=Event.REPORT_HELD if held else Event.REPORT_WRITTEN,
        reason=f"held for {', '.join(held)}" if held else None,
        said=counted(reports),
        documents={
            Document.EVIDENCE: EVIDENCE.dump_json(evidence).decode(),
            Document.REPORTS: REPORTS.dump_json(reports).decode(),
            Document.ENGINE: ENGINE.dump_json(identity).decode(),
        },
        slots=_slot_records(study, evidence),
        audit=(entry,),
    )


def counted(reports: tuple[GroundedReport, ...]) -> tuple[int, int]:
    """Return how many findings and how many flags reports have.

    Findings are the most that one task names: two tasks say the same twice. Phrases
    that a site asks for are its own, not findings.
    """
    told = [said for said in reports if said.task is not Task.PHRASE_GROUNDING]
    findings = max((len(said.phrases) for said in told), default=0)
    return findings, sum(len(said.flags) for said in reports)


def _slot_records(study: StudyRecord, evidence: Evidence) -> tuple[SlotRecord, ...]:
    return tuple(
        SlotRecord(
            study_id=study.id,
            revision=study.revision,
            name=slot.name,
            filled=slot.filled,
            source=slot.source,
            sop_instance_uid=slot.instance.sop_instance_uid if slot.instance else None,
            document=slot.document,
            reason=slot.reason,
        )
        for slot in evidence.slots
    )
