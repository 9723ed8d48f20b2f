"""Where earlier studies come from: the archive, or files given by hand."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from dicom_io.ae import LocalAE, RemoteAE, Retrieval
from dicom_io.header import read_instance
from dicom_io.identifiers import StudyAnswer, StudyAnswers, StudyQuery
from dicom_io.scu import peer
from dicom_io.scu.suboperations import Level
from dicom_io.sink import Sink
from gateway.ledger import InstanceRecord, Ledger, Role
from gateway.pacing import Pacing, RecentAnswers
from gateway.spool import Spool

_LEVELS = {
    Level.STUDY: "",
    Level.SERIES: ", series by series",
    Level.IMAGE: ", image by image",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """How a study was brought here, and whether all of it came.

    `sent`: how many instances the source says that it has sent; `is_apart`: they come
    to our listener, perhaps later than its answer.
    """

    how: str
    is_whole: bool
    sent: int = 0
    is_apart: bool = False


class PriorSource(Protocol):
    """Answers for a patient's studies and brings their instances.

    Both raise `PeerFailure` where another node does not do its part.
    """

    @property
    def name(self) -> str:
        """Name it in reasons and in the audit."""
        ...

    def find(self, question: StudyQuery) -> StudyAnswers:
        """Return the studies that the source names for one patient."""
        ...

    def count(self, study_instance_uid: str) -> int | None:
        """Return how many instances it knows of a study; None: it does not say."""
        ...

    def retrieve(
        self, study_instance_uid: str, sink: Sink, seconds: float = inf
    ) -> Brought:
        """Bring a study's instances to `sink`, in `seconds` at most."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivePriors:
    """Earlier studies of the research PACS, over DIMSE or DICOMweb.

    `pacing` is shared by all that ask the same peers. `recent` keeps what was
    answered about a patient's studies; counts are always asked anew, because they
    say whether a study has grown.
    """

    local: LocalAE
    remote: RemoteAE
    pacing: Pacing = field(default_factory=Pacing)
    recent: RecentAnswers[StudyAnswers] = field(
        default_factory=lambda: RecentAnswers(0)
    )

    @property
    def name(self) -> str:
        """The peer's name in the settings."""
        return self.remote.name

    def find(self, question: StudyQuery) -> StudyAnswers:
        """Ask for the studies of one patient, unless that was just answered."""
        known = self.recent.get((self.name, question), time.monotonic())
        if known is not None:
            return known
        with self._asking():
            answers = peer.find_studies(self.local, self.remote, question)
        self.recent.put((self.name, question), answers, time.monotonic())
        return answers

    def count(self, study_instance_uid: str) -> int | None:
        """Ask for Number of Study Related Instances."""
        with self._asking():
            return peer.count_instances(self.local, self.remote, study_instance_uid)

    def retrieve(
        self, study_instance_uid: str, sink: Sink, seconds: float = inf
    ) -> Brought:
        """Retrieve as the peer's settings say."""
        remote = self.remote
        with self.pacing.holding(
            remote.name, remote.max_queries, remote.deadline_seconds
        ):
            retrieved = peer.retrieve_study(
                self.local, remote, study_instance_uid, sink, seconds
            )
        return Brought(
            how=f"{retrieved.service}{_LEVELS[retrieved.level]}",
            is_whole=retrieved.is_whole,
            sent=retrieved.sent,
            is_apart=retrieved.service == Retrieval.MOVE,
        )

    def _asking(self) -> AbstractContextManager[None]:
        remote = self.remote
        return self.pacing.asking(
            remote.name, remote.max_queries, remote.deadline_seconds
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFiles:
    """Earlier studies among the files that a person named; no network."""

    ledger: Ledger
    spool: Spool

    @property
    def name(self) -> str:
        """Say where they come from."""
        return "the given files"

    def find(self, question: StudyQuery) -> StudyAnswers:
        """Return the studies of the given files that carry the Patient ID."""
        with self.ledger.reading() as rows:
            every = rows.studies(limit=sum(rows.counts().values()))
            studies = [rows.instances(study.study_instance_uid) for study in every]
        answers = [self._answer(instances) for instances in studies if instances]
        wanted = question.patient_id
        return StudyAnswers(
            studies=tuple(a for a in answers if a.patient.patient_id == wanted)
        )

    def count(self, study_instance_uid: str) -> int | None:
        """Say nothing: what was given is all there is."""
        _ = study_instance_uid
        return None

    def retrieve(
        self, study_instance_uid: str, sink: Sink, seconds: float = inf
    ) -> Brought:
        """Do nothing: the files are in the spool already."""
        _ = study_instance_uid, sink, seconds
        return Brought(how="given", is_whole=True)

    def _answer(self, instances: Sequence[InstanceRecord]) -> StudyAnswer:
        images = [i for i in instances if i.role is Role.CURRENT] or instances
        first = read_instance(self.spool.path(images[0].file_name))
        return StudyAnswer(
            study_instance_uid=first.study_instance_uid,
            patient=first.patient,
            study_date=first.study_date,
            study_time=first.study_time,
            accession_number=first.accession_number,
            study_description=first.study_description,
            modalities=(first.modality,) if first.modality else (),
            body_part=first.body_part,
            instance_count=len(instances),
        )
