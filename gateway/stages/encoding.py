"""From what the model said to result objects on disk.

Everything is read from what the stages before kept, so the stage may run twice:
same case, same UIDs, same bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from dicom_io.errors import NotEncodable
from dicom_io.evidence import Evidence, ReferencedInstance
from dicom_io.results.apart import encode_apart
from dicom_io.results.encode import Outputs
from dicom_io.results.identity import identify
from dicom_io.results.kinds import ResultKind
from dicom_io.results.values import EncodedInstance, ResultContext
from gateway.audit import kinds
from gateway.documents import ENGINE, EVIDENCE, REPORTS, VIEWS
from gateway.failpoints import pass_failpoint
from gateway.ledger import (
    DeliveryRecord,
    DeliveryState,
    Document,
    ResultRecord,
    StudyRecord,
)
from gateway.lifecycle import Event, State
from gateway.site import Site
from gateway.spool import Shelf
from gateway.stages.turn import Moved
from model.engine import EngineIdentity
from model.report import FlagKind, GroundedReport, Task
from model.version import VERSION

DOCUMENT_KINDS = frozenset(
    {
        ResultKind.FINDINGS_SR,
        ResultKind.FINDINGS_SR_2D,
        ResultKind.NARRATIVE_SR,
        ResultKind.WITHDRAWAL_SR,
    }
)
"""What a later document names as its predecessor (PS3.3 C.17.2)."""

_STAND_IN = Outputs(kinds=frozenset({ResultKind.FINDINGS_SR_2D}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCase:
    """What was read and said: all that the objects are made of."""

    frontal: Path
    evidence: Evidence
    reports: tuple[GroundedReport, ...]
    engine: EngineIdentity


def encode(site: Site, study: StudyRecord) -> Moved:
    """Encode every report of this revision and make the objects durable.

    What cannot become a valid object, or fails the last look, parks the study.
    """
    try:
        return _written(site, study)
    except NotEncodable as error:
        return Moved(event=Event.GAVE_UP, reason=f"no valid result: {error}"[:500])


def _written(site: Site, study: StudyRecord) -> Moved:
    case = read_case(site, study)
    outputs = Outputs(
        kinds=site.settings.wanted_kinds(), limits=site.settings.decode_limits()
    )
    results = [
        keep(site, study, said, context, made)
        for said in case.reports
        for context in [result_context(site, study, said, case.engine)]
        for made in _encoded(case, said, context, outputs)
    ]
    entry = kinds.results_created(study.study_instance_uid, results, site.clock())
    return Moved(event=Event.RESULTS_ENCODED, results=tuple(results), audit=(entry,))


def encode_stand_in(
    site: Site, study: StudyRecord, refused: ResultRecord
) -> ResultRecord:
    """Make the Comprehensive form of a findings SR durable, and return its row.

    For a destination that takes no Comprehensive 3D SR; the same each time.
    """
    case = read_case(site, study)
    for said in case.reports:
        context = result_context(site, study, said, case.engine)
        own = identify(ResultKind.FINDINGS_SR, said, context)
        if own.sop_instance_uid == refused.sop_instance_uid:
            (made,) = _encoded(case, said, context, _STAND_IN)
            return keep(site, study, said, context, made)
    raise NotEncodable(f"no report here made {refused.sop_instance_uid}")


def read_case(site: Site, study: StudyRecord) -> ReadCase:
    """Return what the stages before kept of this revision."""
    with site.ledger.reading() as rows:
        views, evidence, reports, engine = (
            rows.document(study.id, study.revision, name) or "null"
            for name in (
                Document.VIEWS,
                Document.EVIDENCE,
                Document.REPORTS,
                Document.ENGINE,
            )
        )
    return ReadCase(
        frontal=VIEWS.validate_json(views).frontal.path,
        evidence=EVIDENCE.validate_json(evidence),
        reports=REPORTS.validate_json(reports),
        engine=ENGINE.validate_json(engine),
    )


def _encoded(
    case: ReadCase, said: GroundedReport, context: ResultContext, outputs: Outputs
) -> tuple[EncodedInstance, ...]:
    made = encode_apart(case.frontal, said, case.evidence, context, outputs)
    pass_failpoint("build:after")
    return made


def result_context(
    site: Site, study: StudyRecord, said: GroundedReport, identity: EngineIdentity
) -> ResultContext:
    """Return what the objects of a report say about their making."""
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
    elsewhere = (f.detail for f in said.flags if f.kind is FlagKind.DEVICE_CHANGED)
    parts = (
        study.study_instance_uid,
        said.task,
        said.phrase or "",
        made.prompt_digest,
        *(f"{name}={digest}" for name, digest in made.image_digests),
        identity.weights_digest,
        identity.settings_digest,
        made.adapter_version,
        *elsewhere,
    )
    return sha256("\0".join(parts).encode()).hexdigest()


def _completed_at(site: Site, study: StudyRecord) -> datetime:
    """Return when this revision began its way to results: stable on a retry.

    When it was first judged complete, or retracted.

    In the zone of this machine, as content times of DICOM objects are local.
    """
    with site.ledger.reading() as rows:
        moves = rows.moves(study.id)
    times = [
        move.at
        for move in moves
        if move.revision == study.revision
        and (move.to_state is State.COMPLETE or move.event is Event.RETRACTED)
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
    return tuple(
        reference_to(study, row)
        for row in documents_before(site, study)
        if row.task == task or row.kind == ResultKind.WITHDRAWAL_SR
    )


def documents_before(site: Site, study: StudyRecord) -> list[ResultRecord]:
    """Return the SRs that this revision takes the place of.

    Those of the newest earlier revision that each destination surely has, and of every
    later one that it may have. One whose answer was lost may be there: what was tried
    counts, unless it went there in another form. Where nothing is sent they are the
    newest that were made here.
    """
    with site.ledger.reading() as rows:
        earlier = [r for r in rows.results(study.id) if r.revision < study.revision]
        revisions = sorted({result.revision for result in earlier})
        sendings = [
            (revision, row)
            for revision in (revisions if site.destinations else ())
            for row in rows.deliveries(study.id, revision)
            if row.state is not DeliveryState.REPLACED
        ]
    oldest = max(revisions, default=0)
    if site.destinations:
        tried = {row.sop_instance_uid for _, row in sendings if row.first_tried_at}
        earlier = [result for result in earlier if result.sop_instance_uid in tried]
        documents = {r.sop_instance_uid for r in earlier if r.kind in DOCUMENT_KINDS}
        oldest = _surely_elsewhere(
            [each for each in sendings if each[1].sop_instance_uid in documents]
        )
    return [r for r in earlier if r.revision >= oldest and r.kind in DOCUMENT_KINDS]


def _surely_elsewhere(sendings: Sequence[tuple[int, DeliveryRecord]]) -> int:
    """Return the oldest of the newest revisions that destinations surely have.

    sendings : of documents, with their revision, in its order. 0 where a revision was
    tried and one of the destinations surely has none.
    """
    newest: dict[str, int] = {}
    for revision, sent in groupby(sendings, itemgetter(0)):
        rows = [row for _, row in sent]
        for destination in {row.destination for row in rows if row.first_tried_at}:
            states = {row.state for row in rows if row.destination == destination}
            known = newest.get(destination, 0)
            newest[destination] = revision if states <= _ARRIVED else known
    return min(newest.values(), default=0)


_ARRIVED = frozenset({DeliveryState.STORED, DeliveryState.COMMITTED})


def reference_to(study: StudyRecord, result: ResultRecord) -> ReferencedInstance:
    """Return the reference by which another object names a result of ours."""
    return ReferencedInstance(
        study_instance_uid=study.study_instance_uid,
        series_instance_uid=result.series_instance_uid,
        sop_class_uid=result.sop_class_uid,
        sop_instance_uid=result.sop_instance_uid,
    )


def keep(
    site: Site,
    study: StudyRecord,
    said: GroundedReport,
    context: ResultContext,
    encoded: EncodedInstance,
) -> ResultRecord:
    """Write an object to the spool and return its row."""
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
