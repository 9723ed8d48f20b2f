"""Withdraw results: a person retracts them, a revision that says so is sent.

The ledger keeps what was withdrawn; who got any of it gets the withdrawal.
"""

from dataclasses import replace
from datetime import datetime

from dicom_io.errors import NotEncodable
from dicom_io.results.encode import material_of
from dicom_io.results.kinds import ResultKind
from dicom_io.results.preflight import demand_sound, look_at
from dicom_io.results.withdrawal import Withdrawal, encode_withdrawal
from gateway.audit import kinds
from gateway.documents import WITHDRAWAL
from gateway.errors import IllegalMove, NoSuchStudy
from gateway.ledger import Document, Ledger, Reading, ResultRecord, StudyRecord
from gateway.lifecycle import Event
from gateway.people import Decider, demand_role
from gateway.site import Site
from gateway.stages.encoding import (
    documents_before,
    keep,
    read_case,
    reference_to,
    result_context,
)
from gateway.stages.turn import Moved

_CARRIED = (Document.VIEWS, Document.EVIDENCE, Document.REPORTS, Document.ENGINE)
"""What the withdrawn reading was: the withdrawal speaks of the same images."""

_ABOUT_OTHERS = frozenset({ResultKind.WITHDRAWAL_SR, ResultKind.REJECTION_NOTE})
"""What withdraws is not withdrawn itself."""


def retract(
    ledger: Ledger, study_instance_uid: str, by: Decider, now: datetime
) -> StudyRecord:
    """Withdraw all results of a study; return it in the revision that says so.

    Raises RoleNotStated, NoSuchStudy, LostRace, and IllegalMove where the study is
    in no state with results, is purged, or none were made.
    """
    demand_role(by, "a retraction")
    with ledger.writing() as rows:
        study = rows.study(study_instance_uid)
        if study is None:
            raise NoSuchStudy(f"no study {study_instance_uid[:64]!r}")
        results = rows.results(study.id)
        if not results:
            raise IllegalMove("no results were made of this study: nothing to retract")
        read_in = max(result.revision for result in results)
        carried = {n: rows.document(study.id, read_in, n) for n in _CARRIED}
        withdrawal = _withdrawal(study, results, by)
        entry = kinds.study_decided(study_instance_uid, Event.RETRACTED, by, now)
        reason = f"retracted by {by}: {by.why}"
        moved = rows.move(study, Event.RETRACTED, now, reason=reason, audit=[entry])
        for name, body in carried.items():
            rows.put_document(study.id, moved.revision, name, body or "null")
        body = WITHDRAWAL.dump_json(withdrawal).decode()
        rows.put_document(study.id, moved.revision, Document.WITHDRAWAL, body)
        return moved


def is_one(site: Site, study: StudyRecord) -> bool:
    """Whether the present revision withdraws results."""
    with site.ledger.reading() as rows:
        return is_withdrawal(rows, study)


def is_withdrawal(rows: Reading, study: StudyRecord) -> bool:
    """Whether the present revision withdraws results."""
    return rows.document(study.id, study.revision, Document.WITHDRAWAL) is not None


def encode(site: Site, study: StudyRecord) -> Moved:
    """Make the objects durable that withdraw the earlier ones."""
    with site.ledger.reading() as rows:
        body = rows.document(study.id, study.revision, Document.WITHDRAWAL)
        own = frozenset(row.sop_instance_uid for row in rows.results(study.id))
    case = read_case(site, study)
    said = case.reports[0]
    context = replace(
        result_context(site, study, said, case.engine),
        predecessors=tuple(
            reference_to(study, row) for row in documents_before(site, study)
        ),
    )
    withdrawal = WITHDRAWAL.validate_json(body or "null")
    try:
        made = encode_withdrawal(
            material_of(case.frontal, said, case.evidence, context),
            withdrawal,
            own,
            site.settings.wanted_kinds(),
        )
        looks = [look_at(one, case.evidence) for one in made]
        demand_sound(looks, case.evidence, context, withdrawal.results)
    except NotEncodable as error:
        return Moved(event=Event.GAVE_UP, reason=f"no valid withdrawal: {error}"[:500])
    # who is told depends on what was sent before, not on what is sent now
    results = tuple(
        replace(keep(site, study, said, context, one), send=True) for one in made
    )
    entry = kinds.results_created(study.study_instance_uid, results, site.clock())
    return Moved(event=Event.RESULTS_ENCODED, results=results, audit=(entry,))


def _withdrawal(
    study: StudyRecord, results: list[ResultRecord], by: Decider
) -> Withdrawal:
    return Withdrawal(
        why=by.why,
        role=str(by.role),
        results=tuple(
            reference_to(study, result)
            for result in results
            if result.kind not in _ABOUT_OTHERS
        ),
    )
