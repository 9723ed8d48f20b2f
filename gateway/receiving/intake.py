"""Receive: bytes + association facts -> a durable instance, then the answer.

The sink that the listener and our own retrievals write to. Success is returned
only when the data set and its ledger row are on disk.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from dicom_io.equality import same_attributes
from dicom_io.errors import Unreadable, UnreadableHeader
from dicom_io.header import Instance, identity_key, read_instance
from dicom_io.part10 import part10_header
from dicom_io.pictures.pixels import pixel_digest
from dicom_io.sink import Incoming, StoreFacts
from dicom_io.status import Status
from gateway.audit import AuditEntry, kinds
from gateway.audit.message import Action
from gateway.audit.parts import patient_of
from gateway.errors import LedgerFailure, LostRace, SpoolFailure
from gateway.failpoints import pass_failpoint
from gateway.ledger import (
    InstanceRecord,
    Ledger,
    NewInstance,
    Role,
    StudyRecord,
    Writing,
)
from gateway.lifecycle import Event, State
from gateway.receiving.admitting import (
    AdmissionRule,
    admit_as_ordinary,
    asked_by_campaign,
)
from gateway.receiving.matching import RoleRule, Unmatched
from gateway.receiving.reserves import Reserves
from gateway.receiving.tallies import Tallies
from gateway.site import Clock
from gateway.spool import Shelf, Spool, SpoolFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """Makes received instances durable and files them under their study.

    `reserves` are demanded before each instance; None: those of the spool alone.
    `tallies` count what the listener's associations bring; `admit` says as what a
    study of theirs is opened.
    """

    ledger: Ledger
    spool: Spool
    clock: Clock
    role_of: RoleRule
    reserves: Reserves | None = None
    tallies: Tallies = field(default_factory=Tallies)
    admit: AdmissionRule = admit_as_ordinary

    def receive(self, facts: StoreFacts) -> Incoming:
        """Open a place for one instance; raises NoRoom under a reserve."""
        if self.reserves is not None:
            self.reserves.demand()
        place = self.spool.begin()
        try:
            place.header(part10_header(facts))
        except SpoolFailure:
            place.discard()
            raise
        pass_failpoint("receive:opened")
        return _Arriving(intake=self, facts=facts, place=place)

    def file(self, facts: StoreFacts, new: NewInstance, header: Instance) -> Status:
        """Record a durable file, or answer for the one that is known already."""
        for _ in range(2):
            try:
                outcome = self.ledger.grouped(
                    lambda rows: self._recorded(rows, facts, new, header)
                )
                if isinstance(outcome, InstanceRecord):
                    return self._meet_again(facts, outcome, new, header)
                return self._answer(facts, new, outcome)
            except LostRace:
                continue  # another association or the purge was faster
        self.spool.remove([new.file_name])
        return Status.PROCESSING_FAILURE

    def _recorded(
        self, rows: Writing, facts: StoreFacts, new: NewInstance, header: Instance
    ) -> "InstanceRecord | _Recorded":
        """Record an instance, unless its UID is known: then return the known one."""
        known = rows.instance(new.sop_instance_uid)
        if known is not None:
            return known
        role = self.role_of(rows, facts, header, new.received_at)
        if isinstance(role, Role):
            self._say_begun(rows, facts, new, header)
        is_kept = self._record(rows, facts, new, header, role)
        return _Recorded(role=role, is_kept=is_kept)

    def _record(
        self,
        rows: Writing,
        facts: StoreFacts,
        new: NewInstance,
        header: Instance,
        role: Role | Unmatched | None,
    ) -> bool:
        """Record an instance as what it is, and say whether its file stays."""
        match role:
            case None:
                rows.append_audit(kinds.delivery_refused(facts, new.received_at))
                return False
            case Unmatched(reason=reason):
                return not _set_aside(rows, new, reason)
            case Role.OWN:
                return False
            case _:
                study = rows.study(new.study_instance_uid)
                if role is Role.CURRENT:
                    study = self._open(rows, facts, study, new, header)
                revision = study.revision if study else 0
                rows.add_instance(replace(new, role=role), revision)
                rows.append_audit(_received(facts, new, header, role))
                return True

    def _open(
        self,
        rows: Writing,
        facts: StoreFacts,
        study: StudyRecord | None,
        new: NewInstance,
        header: Instance,
    ) -> StudyRecord:
        """Open a study, or the one that is known again."""
        now = new.received_at
        if study is None:
            uid, title = new.study_instance_uid, new.calling_title
            asked = asked_by_campaign(rows, facts, uid, now)
            admission = asked or self.admit(title)
            return rows.open_study(uid, title, now, header.accession_number, admission)
        study = self._wanted(rows, facts, study, new)
        if study.state is State.RECEIVING:
            rows.touch_study(study.id, now)
            return study
        return rows.move(study, Event.IMAGE_ARRIVED, now, reason="a new image arrived")

    def _wanted(
        self, rows: Writing, facts: StoreFacts, study: StudyRecord, new: NewInstance
    ) -> StudyRecord:
        """Read a campaign's study for who sends it now, as any other of theirs.

        Results that the campaign kept back go to the destinations.
        """
        uid, now = new.study_instance_uid, new.received_at
        if study.emit or asked_by_campaign(rows, facts, uid, now) is not None:
            return study
        rows.let_out(study.id)
        rows.regroup(study.id, self.admit(new.calling_title).group)
        if study.state is State.KEPT:
            reason = "sent to be read, after a campaign had it read"
            return rows.move(study, Event.SENDING_RETRIED, now, reason=reason)
        return rows.study_by_id(study.id)

    def _say_begun(
        self, rows: Writing, facts: StoreFacts, new: NewInstance, header: Instance
    ) -> None:
        """Record that a study begins to arrive, before its first instance."""
        study, patient = new.study_instance_uid, patient_of(header.patient)
        if self.tallies.is_first(facts.association_id, study):
            entry = kinds.receiving_begun(facts, study, patient, new.received_at)
            rows.append_audit(entry)

    def _count(self, facts: StoreFacts, new: NewInstance, action: Action) -> None:
        study, cls = new.study_instance_uid, new.sop_class_uid
        self.tallies.count(facts.association_id, study, cls, action)

    def _answer(
        self, facts: StoreFacts, new: NewInstance, recorded: "_Recorded"
    ) -> Status:
        if not recorded.is_kept:
            self.spool.remove([new.file_name])
        if isinstance(recorded.role, Role):
            self._count(facts, new, Action.CREATE)
        pass_failpoint("receive:before-answer")
        is_wanted = isinstance(recorded.role, Role)
        return Status.SUCCESS if is_wanted else Status.NOT_AUTHORISED

    def _meet_again(
        self,
        facts: StoreFacts,
        known: InstanceRecord,
        new: NewInstance,
        header: Instance,
    ) -> Status:
        """Answer for an instance whose UID is known.

        Raises LostRace where the known one was purged meanwhile.
        """
        if not self._is_same(known, new, header):
            return self._quarantine(new)
        self._take_as_sent(facts, known, new, header)
        self._count(facts, new, Action.READ)
        if self.spool.path(known.file_name).is_file():
            self.spool.remove([new.file_name])
        else:
            with self.ledger.writing() as rows:
                rows.replace_file(known.id, new)
            logger.warning("replaced the lost file of %s", new.sop_instance_uid)
        return Status.SUCCESS

    def _quarantine(self, new: NewInstance) -> Status:
        with self.ledger.writing() as rows:
            again = _set_aside(rows, new, "same SOP Instance UID with other content")
        if again:
            self.spool.remove([new.file_name])
        return Status.DUPLICATE_CONFLICT

    def _take_as_sent(
        self,
        facts: StoreFacts,
        known: InstanceRecord,
        new: NewInstance,
        header: Instance,
    ) -> None:
        """Open the study of an image that we knew only as somebody's prior.

        One that a campaign keeps to itself is not its own any more.
        """
        with self.ledger.reading() as known_rows:
            study = known_rows.study(new.study_instance_uid)
        if known.role is not Role.RETRIEVED and (study is None or study.emit):
            return
        with self.ledger.writing() as rows:
            role = self.role_of(rows, facts, header, new.received_at)
            if role is not Role.CURRENT:
                return
            study = rows.study(new.study_instance_uid)
            if known.role is not Role.RETRIEVED:
                if study is not None:
                    self._wanted(rows, facts, study, new)
                return
            study = self._open(rows, facts, study, new, header)
            rows.make_current(known.id, study.revision)
            rows.append_audit(_received(facts, new, header, role))

    def _is_same(
        self, known: InstanceRecord, new: NewInstance, header: Instance
    ) -> bool:
        same_syntax = known.transfer_syntax_uid == new.transfer_syntax_uid
        if same_syntax and known.digest == new.digest:
            return True
        held = self.spool.path(known.file_name)
        try:
            if not header.has_pixels:
                return same_attributes(held, header.path)
            if identity_key(read_instance(held)) != identity_key(header):
                return False
            return pixel_digest(held) == pixel_digest(header.path)
        except (Unreadable, FileNotFoundError):
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recorded:
    """What an instance was recorded as, and whether its file stays."""

    role: Role | Unmatched | None
    is_kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arriving:
    """One instance on its way in: the `Incoming` of the listener."""

    intake: Intake
    facts: StoreFacts
    place: SpoolFile

    def write(self, data: bytes | memoryview) -> None:
        """Append data set bytes as received."""
        self.place.write(data)
        pass_failpoint("receive:written")

    def write_pieces(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Append data set bytes that lie apart in memory."""
        self.place.write_pieces(pieces)
        pass_failpoint("receive:written")

    def discard(self) -> None:
        """Forget what was written."""
        self.place.discard()

    def commit(self) -> Status:
        """Make the instance durable and return what the sender is answered.

        Raises SpoolFailure or LedgerFailure; the sender then must keep it.
        """
        file_name = self.place.commit(Shelf.INSTANCES)
        try:
            return self._file(file_name)
        except LedgerFailure:
            self._drop_unless_named(file_name)
            raise

    def _drop_unless_named(self, file_name: str) -> None:
        """Remove a durable file if surely no row names it.

        Where the ledger does not answer, its last commit may have been durable.
        """
        with suppress(LedgerFailure):
            with self.intake.ledger.reading() as rows:
                known = rows.instance(self.facts.sop_instance_uid)
            if known is None or known.file_name != file_name:
                self.intake.spool.remove([file_name])

    def _file(self, file_name: str) -> Status:
        spool = self.intake.spool
        try:
            header = read_instance(spool.path(file_name))
        except UnreadableHeader as error:
            spool.remove([file_name])
            logger.warning("refused %s: %s", self.facts.sop_instance_uid, error)
            return Status.CANNOT_UNDERSTAND
        if not _agrees(self.facts, header):
            spool.remove([file_name])
            return Status.DATA_SET_MISMATCH
        return self.intake.file(self.facts, self._describe(file_name, header), header)

    def _describe(self, file_name: str, header: Instance) -> NewInstance:
        return NewInstance(
            study_instance_uid=header.study_instance_uid,
            series_instance_uid=header.series_instance_uid,
            sop_class_uid=header.sop_class_uid,
            sop_instance_uid=header.sop_instance_uid,
            transfer_syntax_uid=self.facts.transfer_syntax_uid,
            file_name=file_name,
            size=self.place.size,
            digest=self.place.digest,
            role=Role.DOCUMENT,
            calling_title=str(self.facts.calling_title),
            received_at=self.intake.clock(),
        )


def _agrees(facts: StoreFacts, header: Instance) -> bool:
    """Whether command set and data set name the same instance (PS3.4 B.2.3)."""
    return (
        facts.sop_class_uid == header.sop_class_uid
        and facts.sop_instance_uid == header.sop_instance_uid
    )


def _received(
    facts: StoreFacts, new: NewInstance, header: Instance, role: Role
) -> AuditEntry:
    patient = patient_of(header.patient)
    return kinds.instance_received(facts, new, role, new.received_at, patient=patient)


def _set_aside(rows: Writing, new: NewInstance, reason: str) -> bool:
    """Quarantine an instance; true where the same one is kept there already."""
    again = rows.is_quarantined(new.sop_instance_uid, new.digest)
    if not again:
        rows.quarantine(new, reason)
    rows.append_audit(kinds.instance_quarantined(new, reason))
    logger.warning("quarantined %s: %s", new.sop_instance_uid, reason)
    return again
