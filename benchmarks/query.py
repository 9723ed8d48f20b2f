"""Finding the priors of studies in an archive: the gateway's search beside the obvious.

Debian's Orthanc is filled with small phantom studies of many patients, several of each.
Ours asks as the gateway does: one question a patient, an association that stays open
for the next, at most two at one time. pynetdicom asks as its documentation shows it, an
association a question: the studies of the patient, then the series of each for its
instances. DCMTK's findscu asks our question in a process of its own. All must name the
same studies with the same counts of instances, or nothing is measured.
Usage: python -m benchmarks.query [--rounds 5] [--patients 200] [--studies 50]
"""

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydicom import Dataset, dcmread
from pynetdicom import AE
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from benchmarks.rounds import Target, free_port, in_turn, keep
from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.identifiers import StudyQuery
from dicom_io.scu.reuse import IDLE
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from dicom_io.uid import derive_uid
from gateway.sources.priors import ArchivePriors
from tests.data.peers import Orthanc, orthanc
from tests.data.phantoms import phantom_files

Answers = dict[str, int]
"""The instances of each study, by Study Instance UID."""
Way = Callable[[Sequence[str]], Answers]
"""Asks for the studies of patients, by Patient ID."""

OURS, ALONE = "ours, as the gateway asks", "ours, one after the other"
PYNETDICOM, FINDSCU = "pynetdicom, an association a question", "findscu, a process each"
LEAST_RATIO, LEAST_RATIO_ALONE = 3.0, 2.0
EARLIER = 2
"""Studies of each patient that the archive holds."""
_ASKING = 3
"""Workers of the gateway that gather priors."""
_FIND = StudyRootQueryRetrieveInformationModelFind


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """The archive that is asked, by whom, and the folder for what is written."""

    local: LocalAE
    remote: RemoteAE
    folder: Path

    def ours(self, patients: Sequence[str], workers: int) -> Answers:
        """Ask as the gateway does, with nothing remembered."""
        priors = ArchivePriors(local=self.local, remote=self.remote)
        with ThreadPoolExecutor(workers) as pool:
            questions = [StudyQuery(patient_id=patient) for patient in patients]
            found = list(pool.map(priors.find, questions))
        IDLE.close()
        return {
            study.study_instance_uid: study.instance_count or 0
            for answers in found
            for study in answers.studies
        }

    def pynetdicom(self, patients: Sequence[str]) -> Answers:
        """Ask as the documentation shows it: studies, then the series of each."""
        found: Answers = {}
        for patient in patients:
            studies = self._asked(PatientID=patient, StudyInstanceUID="")
            for study in studies:
                uid = study.StudyInstanceUID
                series = self._asked(
                    level="SERIES",
                    StudyInstanceUID=uid,
                    SeriesInstanceUID="",
                    NumberOfSeriesRelatedInstances=None,
                )
                found[uid] = sum(s.NumberOfSeriesRelatedInstances for s in series)
        return found

    def _asked(self, level: str = "STUDY", **keys: str | None) -> list[Dataset]:
        identifier = Dataset()
        identifier.QueryRetrieveLevel = level
        for keyword, value in keys.items():
            setattr(identifier, keyword, value)
        ae = AE(ae_title=self.local.title)
        ae.add_requested_context(_FIND)
        assoc = ae.associate(
            self.remote.host, self.remote.port, ae_title=self.remote.title
        )
        if not assoc.is_established:
            raise RuntimeError("the archive refused an association")
        answers = list(assoc.send_c_find(identifier, _FIND))
        assoc.release()
        return [answer for _, answer in answers if answer is not None]

    def findscu(self, patients: Sequence[str]) -> Answers:
        """Ask our question with DCMTK, a process each."""
        found: Answers = {}
        for patient in patients:
            with tempfile.TemporaryDirectory(dir=self.folder) as answers:
                self._run_findscu(patient, answers)
                found |= _counted(map(dcmread, Path(answers).iterdir()))
        return found

    def _run_findscu(self, patient: str, answers: str) -> None:
        keys = ("QueryRetrieveLevel=STUDY", f"PatientID={patient}", "StudyInstanceUID")
        asked = [
            word
            for key in (*keys, "NumberOfStudyRelatedInstances")
            for word in ("-k", key)
        ]
        titles = ["-aet", self.local.title, "-aec", self.remote.title]
        command = ["findscu", "-S", "-X", "-od", answers, *titles, *asked]
        where = [self.remote.host, str(self.remote.port)]
        subprocess.run([*command, *where], check=True, capture_output=True, timeout=60)


def _counted(studies: Iterable[Dataset]) -> Answers:
    return {s.StudyInstanceUID: int(s.NumberOfStudyRelatedInstances) for s in studies}


def fill(archive: Archive, patients: Sequence[str]) -> Answers:
    """Store a study of two images, then one of one, for each patient."""
    phantom = phantom_files(archive.folder / "phantom", seed=1, short_side=128)
    images = [dcmread(path) for path in phantom.current]
    stored: Answers = {}
    for patient in patients:
        paths: list[Path] = []
        for visit in range(EARLIER):
            uid = derive_uid("query", patient, str(visit))
            for index, ds in enumerate(images[: EARLIER - visit]):
                _rename(ds, patient, uid, index)
                paths.append(archive.folder / f"{visit}-{index}.dcm")
                ds.save_as(paths[-1], enforce_file_format=True)
            stored[uid] = EARLIER - visit
        outcomes = store_instances(archive.local, archive.remote, paths)
        if {outcome.status for outcome in outcomes} != {Status.SUCCESS}:
            raise RuntimeError(f"not all of {len(paths)} images were taken")
    return stored


def _rename(ds: Dataset, patient: str, study: str, index: int) -> None:
    ds.PatientID, ds.StudyInstanceUID = patient, study
    ds.AccessionNumber = study[-16:]
    ds.SeriesInstanceUID = derive_uid(study, "series", str(index))
    ds.SOPInstanceUID = derive_uid(study, "image", str(index))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID


def ways_of(archive: Archive) -> dict[str, Way]:
    """Return who asks; findscu where it is installed."""
    ways: dict[str, Way] = {
        OURS: partial(archive.ours, workers=_ASKING),
        ALONE: partial(archive.ours, workers=1),
        PYNETDICOM: archive.pynetdicom,
    }
    if shutil.which("findscu"):
        ways[FINDSCU] = archive.findscu
    return ways


def timed(way: Way, patients: Sequence[str], expected: Answers) -> float:
    """Return the milliseconds a study; raise where the answers are not `expected`."""
    began = time.perf_counter()
    answers = way(patients)
    milliseconds = 1000 * (time.perf_counter() - began) / len(patients)
    if answers != expected:
        raise RuntimeError(f"{len(answers)} of {len(expected)} studies were answered")
    return milliseconds


def measure(archive: Archive, running: Orthanc, given: argparse.Namespace) -> None:
    """Fill the archive, measure in turn, and keep the figures."""
    patients = [f"BENCH{number}" for number in range(given.patients)]
    stored = fill(archive, patients)
    held = running.get("/statistics")
    if not isinstance(held, dict) or held["CountStudies"] != len(stored):
        raise RuntimeError(f"the archive does not hold the {len(stored)} studies")
    step = max(1, len(patients) // given.studies)
    asked = patients[::step][: given.studies]
    expected = {
        uid: stored[uid]
        for patient in asked
        for uid in (derive_uid("query", patient, str(v)) for v in range(EARLIER))
    }
    found = in_turn(
        {
            name: partial(timed, way, asked, expected)
            for name, way in ways_of(archive).items()
        },
        given.rounds,
        "ms a study",
    )
    bounds = ((OURS, LEAST_RATIO), (ALONE, LEAST_RATIO_ALONE))
    targets = [
        Target(
            what=f"{PYNETDICOM}: time over {own}",
            reached=found[PYNETDICOM].median / found[own].median,
            bound=bound,
        )
        for own, bound in bounds
    ]
    keep("query", [*found.values()], targets)


def main(words: Sequence[str] | None = None) -> None:
    """Start an archive and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patients", type=int, default=200)
    parser.add_argument("--studies", type=int, default=50)
    given = parser.parse_args(words)
    if not shutil.which("Orthanc", path="/usr/bin:/usr/sbin"):
        print("not measured: Orthanc is not installed")
        return
    local = LocalAE(title=AETitle("MAIRA_GW"), host="127.0.0.1", port=free_port())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with orthanc(folder, {local.title: local.port}) as running:
            remote = RemoteAE(
                name="archive",
                title=AETitle(running.title),
                host="127.0.0.1",
                port=running.port,
                keep_open_seconds=5.0,
            )
            archive = Archive(local=local, remote=remote, folder=folder)
            measure(archive, running, given)


if __name__ == "__main__":
    main()
