"""From a gathered study to result objects: ask the engine, keep, encode.

What the engine said is kept as JSON before anything is encoded, so a repeated
`encode` works from the same words and makes the same bytes.
"""

from dataclasses import replace
from datetime import datetime
from hashlib import sha256

from dicom_io.context import PictureOptions, assemble
from dicom_io.evidence import Evidence, ReferencedInstance, SlotName
from dicom_io.results.encode import encode_results
from dicom_io.results.values import EncodedInstance, ResultContext, ResultKind
from dicom_io.view import Declined, DeclineReason, Views
from gateway.audit import kinds
from gateway.documents import ENGINE, EVIDENCE, REPORTS
from gateway.gathering import Gathered, read_gathered
from gateway.ledger import (
    DeliveryState,
    Document,
    Reading,
    ResultRecord,
    StudyRecord,
)
from gateway.lifecycle import Event, State
from gateway.site import Site
from gateway.spool import Shelf
from gateway.turn import Moved
from model.engine import EngineIdentity
from model.errors import ConstantImage, RefusedRequest
from model.report import GroundedReport, ReportInputs, ReportRequest, Task
from model.version import VERSION

PRIOR_SLOTS = (SlotName.PRIOR_FRONTAL, SlotName.PRIOR_REPORT, SlotName.COMPARISON)


def report(site: Site, study: StudyRecord, views: Views) -> Moved | Declined:
    """Assemble the case, ask the engine, and keep report, evidence and identity."""
    gathered = read_gathered(site, study)
    case = assemble(views, gathered.prior, picture_options(site))
    if isinstance(case, Declined):
        return case
    try:
        (reports,) = site.engine.generate([request_for(site, case.inputs)])
    except ConstantImage as error:
        return Declined(reason=DeclineReason.CONSTANT_IMAGE, detail=str(error))
    except RefusedRequest as error:
        return Moved(event=Event.GAVE_UP, reason=f"the engine refused: {error}")
    evidence = _with_notes(case.evidence, gathered)
    return _written(site, study, evidence, reports)


def encode(site: Site, study: StudyRecord, views: Views) -> Moved:
    """Encode every report of this revision and make the objects durable."""
    with site.ledger.reading() as rows:
        evidence = rows.document(study.id, study.revision, Document.EVIDENCE)
        reports = rows.document(study.id, study.revision, Document.REPORTS)
        engine = rows.document(study.id, study.revision, Document.ENGINE)
    about = EVIDENCE.validate_json(evidence or "null")
    identity = ENGINE.validate_json(engine or "null")
    results: list[ResultRecord] = []
    for said in REPORTS.validate_json(reports or "null"):
        context = _result_context(site, study, said, identity)
        encoded = encode_results(views.frontal.path, said, about, context)
        results += [_keep(site, study, said, context, one) for one in encoded]
    entry = kinds.results_created(study.study_instance_uid, results, site.clock())
    return Moved(event=Event.RESULTS_ENCODED, results=tuple(results), audit=(entry,))


def _with_notes(evidence: Evidence, gathered: Gathered) -> Evidence:
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
    wanted = site.settings.results
    return ReportRequest(inputs=inputs, tasks=wanted.tasks, phrases=wanted.phrases)


def picture_options(site: Site) -> PictureOptions:
    """Return how pictures are made for the model."""
    return PictureOptions(
        rendering=site.settings.pictures.rendering, limits=site.settings.decode_limits()
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
    identity, now = site.engine.identity, site.clock()
    entry = kinds.report_written(
        study.study_instance_uid, evidence, identity, reports, now
    )
    return Moved(
        event=Event.REPORT_HELD if held else Event.REPORT_WRITTEN,
        reason=f"held for {', '.join(held)}" if held else None,
        documents={
            Document.EVIDENCE: EVIDENCE.dump_json(evidence).decode(),
            Document.REPORTS: REPORTS.dump_json(reports).decode(),
            Document.ENGINE: ENGINE.dump_json(identity).decode(),
        },
        audit=(entry,),
    )


def _result_context(
    site: Site, study: StudyRecord, said: GroundedReport, identity: EngineIdentity
) -> ResultContext:
    return ResultContext(
        case_key=case_key(study, said, identity),
        revision=study.revision,
        created_at=_completed_at(site, study),
        device_uid=site.device_uid,
        model_manufacturer=identity.model_manufacturer,
        predecessors=_predecessors(site, study, said.task),
        software_version=VERSION,
    )


def case_key(study: StudyRecord, said: GroundedReport, identity: EngineIdentity) -> str:
    """Return the digest of what was read, by which weights and settings.

    The same study read again with the same inputs, weights and settings has the
    same key, so its objects have the same UIDs.
    """
    made = said.provenance
    parts = (
        study.study_instance_uid,
        said.task,
        said.phrase or "",
        made.prompt_digest,
        *(f"{name}={digest}" for name, digest in made.image_digests),
        identity.weights_digest,
        identity.settings_digest,
        made.adapter_version,
    )
    return sha256("\0".join(parts).encode()).hexdigest()


def _completed_at(site: Site, study: StudyRecord) -> datetime:
    """Return when this revision was first judged complete: stable on a retry.

    In the zone of this machine, as content times of DICOM objects are local.
    """
    with site.ledger.reading() as rows:
        moves = rows.moves(study.id)
    times = [
        move.at
        for move in moves
        if move.revision == study.revision and move.to_state is State.COMPLETE
    ]
    return min(times).astimezone()


def _predecessors(
    site: Site, study: StudyRecord, task: Task
) -> tuple[ReferencedInstance, ...]:
    """Return the SRs of the revision before that these take the place of.

    A phrase has none: several phrases share a task, and each is asked anew.
    """
    if task is Task.PHRASE_GROUNDING:
        return ()
    with site.ledger.reading() as rows:
        earlier = [
            result
            for result in rows.results(study.id)
            if result.revision < study.revision and _left(site, rows, result)
        ]
    newest = max((r.revision for r in earlier), default=0)
    return tuple(
        ReferencedInstance(
            study_instance_uid=study.study_instance_uid,
            series_instance_uid=row.series_instance_uid,
            sop_class_uid=row.sop_class_uid,
            sop_instance_uid=row.sop_instance_uid,
        )
        for row in earlier
        if row.revision == newest and row.task == task and row.kind != ResultKind.GSPS
    )


def _left(site: Site, rows: Reading, result: ResultRecord) -> bool:
    """Whether the result is known elsewhere, or here where nothing is sent."""
    if not site.destinations:
        return True
    arrived = (DeliveryState.STORED, DeliveryState.COMMITTED)
    return any(
        row.sop_instance_uid == result.sop_instance_uid and row.state in arrived
        for row in rows.deliveries(result.study_id, result.revision)
    )


def _keep(
    site: Site,
    study: StudyRecord,
    said: GroundedReport,
    context: ResultContext,
    encoded: EncodedInstance,
) -> ResultRecord:
    wanted = site.settings.results
    return ResultRecord(
        study_id=study.id,
        revision=study.revision,
        kind=encoded.kind,
        task=said.task,
        sop_class_uid=encoded.sop_class_uid,
        sop_instance_uid=encoded.sop_instance_uid,
        series_instance_uid=encoded.series_instance_uid,
        file_name=site.spool.keep(Shelf.RESULTS, encoded.data),
        send=wanted.send_phrases or said.task is not Task.PHRASE_GROUNDING,
        created_at=context.created_at,
    )
