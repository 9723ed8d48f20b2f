"""A zoo of archives: what each does in its own way, and what comes of the search.

One row of `ZOO` is one behaviour and the verdict that is expected of it. The search
is the gateway's own, from the query to the prior; deliveries come to a real listener.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from benchmarks.rounds import free_port
from config.load import Table
from dicom_io.ae import AETitle, LocalAE, RemoteAE, Retrieval, WebEndpoint
from dicom_io.contexts import message_context
from dicom_io.identifiers import StudyQuery
from dicom_io.inputs.history import History
from dicom_io.scp.listener import open_listener
from dicom_io.scu.answers import study_identifier
from dicom_io.scu.asking import Question, ask
from dicom_io.scu.association import Proposal, associated
from dicom_io.scu.send import store_instances
from dicom_io.status import Status, StoreVerdict
from gateway.lifecycle import State
from gateway.sources.priors import ArchivePriors
from gateway.stages.gathering import read_gathered
from tests.data.network import LOCAL, Recorder, at
from tests.data.peers import dcmqrscp, orthanc, require_dicomweb, until
from tests.data.stages import PRIOR_UID, STUDY_UID, Bench, bench_at, prior_film
from tests.data.zoo import (
    GET,
    IMAGE,
    MOVE,
    OUT_OF_RESOURCES,
    SERIES,
    STUDY,
    UNABLE,
    Habits,
    ZooArchive,
    zoo_archive,
)

ROUTER = RemoteAE(name="router", title=AETitle("ROUTER"), host="127.0.0.1", port=104)
QUICK: Table = {
    "prior": {
        "attempts": 1,
        "study_seconds": 30.0,
        "settle_seconds": 0.4,
        "pause_seconds": 0.1,
    }
}
UNTIL_HERE = (("settle_seconds", 20.0),)
"""A wait that is over when all that was sent, or named, has come."""
UNTIL_CUT_OFF = 30.0
"""A pause, in seconds, that is over when the association is."""
OPTIONAL = ("PatientBirthDate", "PatientSex", "IssuerOfPatientID", "ModalitiesInStudy")
RELATIONAL = ("BodyPartExamined", "InstitutionName")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One behaviour, and what the search must come to.

    finds : the prior is used; else there is none. says : what notes, reasons and audit
    must say of it. films : instances of the earlier study. patient : what patient and
    archive call themselves otherwise than usual. strangers : studies of others that
    the archive holds too. send_titles : further titles in the settings.
    """

    name: str
    habits: Habits = field(default_factory=Habits)
    finds: bool = True
    says: tuple[str, ...] = ()
    retrieval: Retrieval = Retrieval.AUTO
    films: int = 1
    patient: tuple[tuple[str, str], ...] = ()
    strangers: int = 0
    send_titles: tuple[str, ...] = ()
    settings: tuple[tuple[str, float], ...] = ()
    deadline_seconds: float = 20.0


ZOO = [
    Row(name="as the standard has it"),
    # Answers.
    Row(
        name="answers without optional keys",
        habits=Habits(leaves_out=(*OPTIONAL, *RELATIONAL)),
    ),
    Row(
        name="ignores matching keys",
        habits=Habits(ignores_keys=True),
        strangers=3,
        says=("3 studies from pacs not of the patient: patient-id: conflict (3)",),
    ),
    Row(
        name="answers with other patients alone",
        habits=Habits(ignores_keys=True),
        films=0,
        strangers=2,
        finds=False,
        says=("no earlier study can be used", "patient-id: conflict"),
    ),
    Row(
        name="caps its answers and says so",
        habits=Habits(answers_at_most=1, ends_with=OUT_OF_RESOURCES),
        strangers=0,
        says=("pacs ended with 0xa700 after 1 answers: there may be more",),
    ),
    Row(
        name="caps its answers before the patient's",
        habits=Habits(ignores_keys=True, answers_at_most=2, ends_with=OUT_OF_RESOURCES),
        strangers=3,
        finds=False,
        says=("there may be more",),
    ),
    Row(
        name="refuses the optional keys by A900",
        habits=Habits(refuses_keys=RELATIONAL),
        says=("answered 0xa900 to the C-FIND; asked again for the required keys",),
    ),
    Row(
        name="refuses the optional keys by C001",
        habits=Habits(refuses_keys=("ModalitiesInStudy",), refusal=UNABLE),
        says=("answered 0xc001 to the C-FIND; asked again for the required keys",),
    ),
    Row(
        name="refuses every query",
        habits=Habits(refuses_keys=("PatientID",)),
        finds=False,
        says=("pacs answered 0xa900 to the C-FIND",),
    ),
    Row(
        name="has no resources for a query",
        habits=Habits(answers_at_most=0, ends_with=OUT_OF_RESOURCES),
        finds=False,
        says=("pacs answered 0xa700 to the C-FIND",),
    ),
    Row(
        name="repeats its answers without end, and heeds a C-CANCEL",
        habits=Habits(repeats=True),
        deadline_seconds=30.0,
        says=("pacs names as many as are read, 500: there may be more",),
    ),
    Row(
        name="repeats its answers without end, whatever it is told",
        habits=Habits(repeats=True, heeds_cancel=False),
        deadline_seconds=30.0,
        says=("pacs names as many as are read, 500: there may be more",),
    ),
    Row(
        name="is slow without end",
        habits=Habits(repeats=True, pause_seconds=0.1),
        deadline_seconds=6.0,
        # or it "fell silent", where the machine holds its answer up
        says=("pacs ", "answers", "there may be more"),
    ),
    Row(
        name="is silent for longer than a call may take",
        habits=Habits(pause_seconds=UNTIL_CUT_OFF),
        deadline_seconds=6.0,
        says=("pacs fell silent after 1 answers",),
    ),
    # Character sets.
    Row(
        name="writes in Latin-1",
        habits=Habits(writes_in="ISO_IR 100"),
        patient=(
            ("PatientName", "Müller^Zoë"),
            ("PatientID", "Ä-17"),
            ("SpecificCharacterSet", "ISO_IR 100"),
        ),
    ),
    Row(
        name="writes in Chinese",
        habits=Habits(writes_in="GB18030"),
        patient=(("PatientName", "王^小东"), ("SpecificCharacterSet", "GB18030")),
    ),
    Row(
        name="writes in Japanese with escapes",
        habits=Habits(writes_in="\\ISO 2022 IR 87"),
        patient=(
            ("PatientName", "Yamada^Tarou=山田^太郎"),
            ("SpecificCharacterSet", "\\ISO 2022 IR 87"),
        ),
    ),
    # Retrievals.
    Row(name="has no C-GET", habits=Habits(services=(MOVE,)), says=("by c-move",)),
    Row(name="has no C-MOVE", habits=Habits(services=(GET,)), says=("by c-get",)),
    Row(
        name="retrieves nothing",
        habits=Habits(services=()),
        finds=False,
        says=("not retrieved", "takes none of the SOP classes proposed"),
    ),
    Row(
        name="retrieves series alone by C-GET",
        habits=Habits(services=(GET,), levels=(SERIES,)),
        says=("by c-get, series by series",),
    ),
    Row(
        name="retrieves series alone by C-MOVE",
        films=2,
        habits=Habits(services=(MOVE,), levels=(SERIES,), refusal=UNABLE),
        says=("2 instances from pacs by c-move, series by series",),
    ),
    Row(
        name="retrieves images alone",
        films=2,
        habits=Habits(services=(MOVE,), levels=(IMAGE,)),
        says=("2 instances from pacs by c-move, image by image",),
    ),
    Row(
        name="retrieves at no level",
        habits=Habits(levels=()),
        finds=False,
        says=("not retrieved: pacs answered 0xa900 to the C-GET",),
    ),
    Row(
        name="sends by C-GET without end",
        habits=Habits(services=(GET,), trickles=True, pause_seconds=0.05),
        films=2,
        settings=(("study_seconds", 4.0),),
        says=("2 instances from pacs by a retrieval without an end",),
    ),
    Row(
        name="sends by C-GET without end, and never said how much",
        habits=Habits(
            services=(GET,),
            trickles=True,
            pause_seconds=0.05,
            leaves_out=("NumberOfStudyRelatedInstances",),
        ),
        finds=False,
        settings=(("study_seconds", 1.0),),
        says=("not retrieved: pacs did not answer the C-GET",),
    ),
    Row(
        name="moves all and never ends its answer",
        habits=Habits(services=(MOVE,), trickles=True, pause_seconds=0.05),
        settings=(("study_seconds", 4.0),),
        says=("by a retrieval without an end",),
    ),
    Row(
        name="moves some and never ends its answer",
        habits=Habits(
            services=(MOVE,), trickles=True, pause_seconds=0.05, sends_as="NOBODY"
        ),
        settings=(("study_seconds", 3.0),),
        deadline_seconds=20.0,
        finds=False,
        says=("not retrieved: pacs did not end the C-MOVE in time",),
    ),
    Row(
        name="moves some and falls silent",
        habits=Habits(services=(MOVE,), trickles=True, stalls=True, sends_as="NOBODY"),
        settings=(("study_seconds", 4.0),),
        deadline_seconds=20.0,
        finds=False,
        says=("not retrieved: pacs did not end the C-MOVE in time",),
    ),
    # Deliveries of a C-MOVE.
    Row(
        name="sends from a title that the settings name",
        habits=Habits(services=(MOVE,), sends_as="PACS_SEND"),
        send_titles=("PACS_SEND",),
    ),
    Row(
        name="sends by another known entity",
        habits=Habits(services=(MOVE,), sends_as="ROUTER"),
    ),
    Row(
        name="sends by another known entity and names nobody",
        habits=Habits(services=(MOVE,), sends_as="ROUTER", originator=None),
    ),
    Row(
        name="sends by another known entity and names itself",
        habits=Habits(services=(MOVE,), sends_as="ROUTER", originator="ARCHIVE"),
    ),
    Row(
        name="sends from a title that nobody wrote down",
        habits=Habits(services=(MOVE,), sends_as="NOBODY"),
        finds=False,
        says=(
            "nothing was retrieved",
            "0 instances from pacs by c-move, 1 sent that did not come",
        ),
    ),
    Row(
        name="sends from another host",
        habits=Habits(services=(MOVE,), sends_from="127.0.0.2"),
    ),
    Row(
        name="sends in several associations",
        films=3,
        habits=Habits(services=(MOVE,), associations=3),
        says=("3 instances from pacs by c-move",),
    ),
    Row(
        name="sends after its answer",
        films=2,
        habits=Habits(services=(MOVE,), delays_seconds=0.2),
        settings=UNTIL_HERE,
        says=("2 instances from pacs by c-move",),
    ),
    Row(
        name="sends after its answer, which counts nothing",
        films=2,
        habits=Habits(services=(MOVE,), delays_seconds=0.2, counts=False),
        settings=UNTIL_HERE,
        says=("2 instances from pacs by c-move",),
    ),
    Row(
        name="sends after its answer when nobody waits any more",
        habits=Habits(services=(MOVE,), too_late=True),
        finds=False,
        says=("nothing was retrieved",),
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What came of a search, and who took part."""

    bench: Bench
    archive: ZooArchive
    history: History

    def said(self) -> str:
        """Return notes, reasons and audit, a line each."""
        rejected = [
            f"{each.what}: {each.reason}" for each in self.history.rejected_priors
        ]
        return "\n".join([*self.history.notes, *rejected, *self.bench.told()])


@contextmanager
def searched(row: Row, folder: Path) -> Iterator[Search]:
    """Search a prior in the archive of a row, until it is settled."""
    own: Table = dict(row.settings)
    prior = QUICK["prior"]
    assert isinstance(prior, dict)
    settings: Table = {"prior": {**prior, **own}}
    with (
        zoo_archive(row.habits, held(row, folder)) as archive,
        bench_at(folder, settings) as bench,
    ):
        remote = RemoteAE(
            name="pacs",
            title=AETitle("ARCHIVE"),
            host="127.0.0.1",
            port=archive.port,
            retrieval=row.retrieval,
            send_titles=tuple(AETitle(title) for title in row.send_titles),
            deadline_seconds=row.deadline_seconds,
        )
        with listening(bench, [remote, ROUTER]) as local:
            archive.deliver_to = local.port
            priors = ArchivePriors(local=local, remote=remote)
            yield Search(
                bench=bench,
                archive=archive,
                history=gather(bench.at(priors=priors), dict(row.patient)),
            )
            archive.late.set()
            for sender in archive.senders:
                sender.join()


@contextmanager
def listening(
    bench: Bench, peers: Sequence[RemoteAE], port: int = 0
) -> Iterator[LocalAE]:
    """Open the gateway's listener, into its intake; yields it with its port."""
    events, local = Recorder().events(), replace(LOCAL, port=port)
    listener = open_listener(local, peers, bench.intake().receive, events)
    try:
        yield replace(LOCAL, port=listener.port)
    finally:
        listener.close(0.5)


def gather(bench: Bench, patient: dict[str, str]) -> History:
    bench.received(**patient)
    assert bench.turn(State.COMPLETE)
    assert bench.turn(State.SELECTED)
    study = bench.study()
    assert study.state is State.GATHERED, study.reason
    return read_gathered(bench.site, study)


def held(row: Row, folder: Path) -> Sequence[Dataset]:
    """Return what the archive of a row holds; strangers first."""
    paths = []
    for number in range(row.strangers):
        uid = f"1.2.8{number}"
        paths.append(prior_film(folder, uid, PatientID=f"X{number}"))
    for number in range(row.films):
        film = {"SOPInstanceUID": f"{PRIOR_UID}.1.{number + 1}"}
        paths.append(prior_film(folder, **film, **dict(row.patient)))
    films = [dcmread(path) for path in paths]
    for each in films:
        each.NumberOfStudyRelatedInstances = row.films or 1
    return films


@pytest.mark.parametrize("row", ZOO, ids=lambda row: row.name)
def test_each_archive_comes_to_its_verdict(row: Row, tmp_path: Path) -> None:
    with searched(row, tmp_path) as search:
        said = search.said()
        assert (search.history.prior is not None) is row.finds, said
        for each in row.says:
            assert each in said
        # No film of the archive was ever taken for one to be read.
        with search.bench.site.ledger.reading() as rows:
            opened = [study.study_instance_uid for study in rows.studies()]
        assert opened == [STUDY_UID]


@pytest.mark.parametrize(("heeds", "aborted"), [(True, 0), (False, 1)])
def test_a_cancel_names_its_request_and_who_goes_on_is_cut_off(
    heeds: bool, aborted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if heeds:
        monkeypatch.setattr("dicom_io.scu.asking.GRACE_SECONDS", 30.0)
    habits = Habits(repeats=True, heeds_cancel=heeds)
    with zoo_archive(habits, [dcmread(prior_film(tmp_path))]) as archive:
        remote = at(archive.port, "ARCHIVE")
        proposal = Proposal(
            contexts=[message_context(StudyRootQueryRetrieveInformationModelFind)]
        )
        question = Question(
            identifier=study_identifier(StudyQuery(patient_id="P1")),
            model=StudyRootQueryRetrieveInformationModelFind,
            limit=3,
            message_id=7,
        )
        with associated(LOCAL, remote, proposal) as assoc:
            found = ask(assoc, remote, question)
        until(lambda: archive.aborted == aborted, 30, "the association is over")
    assert set(archive.cancelled) == {7}
    assert len(found.answers) == 3


def test_a_late_delivery_is_kept_apart_and_its_sender_told(tmp_path: Path) -> None:
    habits = Habits(services=(MOVE,), too_late=True)
    with searched(Row(name="late", habits=habits), tmp_path) as search:
        search.archive.late.set()
        for sender in search.archive.senders:
            sender.join()
        assert search.archive.stored == [Status.NOT_AUTHORISED]
        with search.bench.site.ledger.reading() as rows:
            assert rows.instances(PRIOR_UID) == []
            assert len(rows.file_names()) == 2  # the current film, and this one
        told = search.bench.told()[-1]
    assert told == f"it came after its retrieval had ended: {PRIOR_UID}.1.1"


def test_levels_are_tried_from_the_study_down(tmp_path: Path) -> None:
    habits = Habits(services=(MOVE,), levels=(IMAGE,))
    with searched(Row(name="images", habits=habits), tmp_path) as search:
        moved = [each for each in search.archive.requests if each[0] == MOVE]
    assert moved == [(MOVE, STUDY), (MOVE, SERIES), (MOVE, IMAGE)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RealArchive:
    """A program of others that holds the prior; `port` is where it moves it to."""

    remote: RemoteAE
    port: int


@pytest.fixture(scope="module")
def orthanc_archive(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RealArchive]:
    folder, port = tmp_path_factory.mktemp("orthanc"), free_port()
    with orthanc(folder, {LOCAL.title: port}, [require_dicomweb()]) as running:
        web = WebEndpoint(url=running.web_url)
        remote = replace(at(running.port, running.title), name="pacs", web=web)
        yield RealArchive(remote=filled(remote, folder), port=port)


@pytest.fixture(scope="module")
def dcmqrscp_archive(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RealArchive]:
    folder, port = tmp_path_factory.mktemp("dcmqrscp"), free_port()
    with dcmqrscp(folder, LOCAL.title, port) as own:
        remote = replace(at(own, "QRSCP"), name="pacs")
        yield RealArchive(remote=filled(remote, folder), port=port)


def filled(remote: RemoteAE, folder: Path) -> RemoteAE:
    """Store a prior of two films, and one of somebody else."""
    films = [
        prior_film(folder),
        prior_film(folder, SOPInstanceUID=f"{PRIOR_UID}.1.2"),
        prior_film(folder, "1.2.8", PatientID="X1"),
    ]
    outcomes = store_instances(LOCAL, replace(remote, web=None), films)
    assert {each.verdict for each in outcomes} == {StoreVerdict.STORED}
    return remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Real:
    """A program of others, how it is asked, and the way the prior then comes."""

    program: str
    retrieval: Retrieval = Retrieval.AUTO
    is_web: bool = False
    comes_by: str

    def __str__(self) -> str:
        """Name it for the test's name."""
        return f"{self.program}-{'web' if self.is_web else self.retrieval}"


REAL = [
    Real(program="orthanc", comes_by="c-get"),
    Real(program="orthanc", retrieval=Retrieval.GET, comes_by="c-get"),
    Real(program="orthanc", retrieval=Retrieval.MOVE, comes_by="c-move"),
    Real(program="orthanc", is_web=True, comes_by="wado-rs"),
    Real(program="dcmqrscp", comes_by="c-get"),
    Real(program="dcmqrscp", retrieval=Retrieval.GET, comes_by="c-get"),
    Real(program="dcmqrscp", retrieval=Retrieval.MOVE, comes_by="c-move"),
]


@pytest.mark.peers
@pytest.mark.parametrize("real", REAL, ids=str)
def test_the_prior_comes_from_a_program_of_others(
    real: Real, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    archive: RealArchive = request.getfixturevalue(f"{real.program}_archive")
    web = archive.remote.web if real.is_web else None
    remote = replace(archive.remote, retrieval=real.retrieval, web=web)
    with (
        bench_at(tmp_path, QUICK) as bench,
        listening(bench, [remote], archive.port) as local,
    ):
        priors = ArchivePriors(local=local, remote=remote)
        history = gather(bench.at(priors=priors), {})
        assert f"2 instances from pacs by {real.comes_by}" in bench.told()
    assert history.prior is not None
    assert history.prior.study_instance_uid == PRIOR_UID
