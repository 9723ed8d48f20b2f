"""Bring one earlier study here and judge it by what really came."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from dicom_io.errors import PeerTimedOut
from dicom_io.evidence import Rejection
from dicom_io.header import Instance, read_instance
from dicom_io.identifiers import StudyQuery
from dicom_io.identity import is_exact_key
from dicom_io.inputs.looking import look
from dicom_io.inputs.prior import (
    Prior,
    PriorStudy,
    RetrievedStudy,
    choose_prior,
    complete_prior,
)
from dicom_io.inputs.ranking import Dropped, Ranked
from dicom_io.sink import Sink
from gateway import away
from gateway.audit import kinds
from gateway.failpoints import pass_failpoint
from gateway.ledger import StudyRecord
from gateway.receiving.intake import Intake
from gateway.receiving.matching import role_of_retrieved
from gateway.rules import picture_options, prior_guard
from gateway.site import Site
from gateway.sources.asking import ask_for_reports
from gateway.sources.kinds import ReportKey
from gateway.sources.priors import Brought, PriorSource

RETRIEVAL_WINDOW = timedelta(hours=1)
"""How long an answer to a retrieval may take whose end was not seen."""

_POLL_SECONDS = 0.05
"""Deliveries are noticed in the ledger: another process may have taken them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """For which study a prior is looked for, where, and until when (`Site.elapsed`)."""

    site: Site
    source: PriorSource
    study: StudyRecord
    frontal: Instance
    question: StudyQuery
    ends_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What came of one candidate; `notes` is what the sources of reports said."""

    found: Prior | Dropped
    notes: tuple[str, ...] = ()


def examine(search: Search, candidate: Ranked) -> Examined:
    """Retrieve one candidate and look at what really came.

    Raises the PeerFailure kinds.
    """
    instances, is_whole = _retrieve(search, candidate)
    uid = candidate.answer.study_instance_uid
    if not instances:
        reason = "nothing was retrieved"
        return Examined(found=Dropped(study_instance_uid=uid, reason=reason))
    documents = [each.path for each in instances if not each.has_pixels]
    retrieved = RetrievedStudy(
        instances=instances,
        seen=look(documents, instances, picture_options(search.site)),
        ranked=candidate,
    )
    chosen = choose_prior(search.frontal, retrieved, prior_guard(search.site))
    if isinstance(chosen, Dropped):
        _say_refusal(search, chosen)
        return Examined(found=chosen)
    if not is_whole:
        flag = _said_missing(candidate, len(instances))
        chosen = replace(chosen, flags=(*chosen.flags, flag))
    return _with_reports(search, chosen, retrieved)


def say_refused(search: Search, dropped: Sequence[Dropped]) -> None:
    """Record the studies that the identity guard refused, if there are any."""
    refused = [
        Rejection(what=each.study_instance_uid, reason=each.reason)
        for each in dropped
        if each.refused
    ]
    if not refused:
        return
    uid, now = search.study.study_instance_uid, search.site.clock()
    entry = kinds.prior_refused(uid, search.question, search.source.name, refused, now)
    with search.site.ledger.writing() as rows:
        rows.append_audit(entry)


def _say_refusal(search: Search, dropped: Dropped) -> None:
    reason = f"in its instances: {dropped.reason}"
    say_refused(search, [replace(dropped, reason=reason)])


def _retrieve(search: Search, candidate: Ranked) -> tuple[tuple[Instance, ...], bool]:
    """Return what is held of a candidate, and whether that is all of it."""
    site, name = search.site, search.source.name
    uid, count = candidate.answer.study_instance_uid, candidate.answer.instance_count
    with _expecting(search, uid) as sink:
        brought = _brought(search, candidate, sink)
        _await_deliveries(search, candidate, brought)
    with site.ledger.writing() as rows:
        held = rows.instances(uid)
        how, now = _said_how(brought, len(held)), site.clock()
        rows.append_audit(kinds.prior_retrieved(uid, name, how, len(held), now))
    is_whole = brought.is_whole and len(held) >= (count or 0)
    return tuple(
        read_instance(site.spool.path(row.file_name)) for row in held
    ), is_whole


def _said_how(brought: Brought, held: int) -> str:
    """Name the way; with what was sent that nobody here has got."""
    lost = brought.sent - held
    return f"{brought.how}, {lost} sent that did not come" if lost > 0 else brought.how


def _brought(search: Search, candidate: Ranked, sink: Sink) -> Brought:
    """Let the source bring a study.

    An archive that sent all it had named, and does not end its answer, has done its
    part; else its PeerFailure is raised.
    """
    site, name = search.site, search.source.name
    uid, count = candidate.answer.study_instance_uid, candidate.answer.instance_count
    seconds = search.ends_at - site.elapsed()
    try:
        with away.asking(site, name):
            pass_failpoint("prior:before-fetch")
            brought = search.source.retrieve(uid, sink, seconds)
            pass_failpoint("prior:after-fetch")
            return brought
    except PeerTimedOut:
        if not count or _held(search, uid) < count:
            raise
        return Brought(how="a retrieval without an end", is_whole=True)


def _await_deliveries(search: Search, candidate: Ranked, brought: Brought) -> None:
    """Wait for what comes to our listener after the archive's answer.

    Ends when as much is held as was sent, or named where nothing was counted; and
    when nothing new came for the settling time.
    """
    if not brought.is_apart:
        return
    uid, named = candidate.answer.study_instance_uid, candidate.answer.instance_count
    wanted, settle = brought.sent or named or 1, search.site.settings.prior
    held, changed = _held(search, uid), time.monotonic()
    while held < wanted and time.monotonic() - changed < settle.settle_seconds:
        time.sleep(_POLL_SECONDS)
        now_held = _held(search, uid)
        if now_held != held:
            held, changed = now_held, time.monotonic()


def _held(search: Search, uid: str) -> int:
    with search.site.ledger.reading() as rows:
        return len(rows.instances(uid))


def _said_missing(candidate: Ranked, held: int) -> str:
    answer = candidate.answer
    said = f"{answer.study_instance_uid} did not come whole"
    count = answer.instance_count
    return (
        said if not count or held >= count else f"{said}: {held} of {count} instances"
    )


def _with_reports(
    search: Search, chosen: PriorStudy, retrieved: RetrievedStudy
) -> Examined:
    """Ask for the reports of a study that serves; none is asked for of others."""
    site = search.site
    key = ReportKey(
        study_instance_uid=chosen.study_instance_uid,
        accession_number=_accession_number(chosen, retrieved),
        patient=search.frontal.patient,
    )
    asked = ask_for_reports(site, search.study, key)
    prior = complete_prior(
        chosen,
        replace(retrieved, reports=asked.reports),
        site.settings.report_rules(),
    )
    rejected = (*asked.rejected, *prior.rejected_reports)
    return Examined(found=replace(prior, rejected_reports=rejected), notes=asked.notes)


def _accession_number(chosen: PriorStudy, retrieved: RetrievedStudy) -> str | None:
    """Return the image's or else the answer's, if it can mean one study alone."""
    ranked = retrieved.ranked
    answered = None if ranked is None else ranked.answer.accession_number
    number = chosen.frontal.accession_number or answered
    return number if number is not None and is_exact_key(number) else None


@contextmanager
def _expecting(search: Search, uid: str) -> Iterator[Sink]:
    """Hold a retrieval open while instances of study `uid` may arrive for it."""
    site, now = search.site, search.site.clock()
    with site.ledger.writing() as rows:
        expires_at = now + RETRIEVAL_WINDOW
        row = rows.begin_retrieval(
            uid, search.study.id, search.source.name, now, expires_at
        )
        rows.append_audit(kinds.retrieving_begun(uid, search.source.name, now))
    intake = Intake(
        ledger=site.ledger,
        spool=site.spool,
        clock=site.clock,
        role_of=role_of_retrieved,
    )
    try:
        yield intake.receive
    finally:
        with site.ledger.writing() as rows:
            rows.close_retrieval(row.id)
