"""What is asked of a peer, whichever way the settings name for the service.

DICOMweb where `RemoteAE.web` offers the service, else DIMSE; signatures, values and
errors are the same.
"""

from collections.abc import Sequence
from math import inf
from pathlib import Path

from dicom_io.ae import LocalAE, RemoteAE, WebService
from dicom_io.identifiers import CohortQuery, StudyAnswers, StudyQuery
from dicom_io.scu import query, retrieve, send, web, web_retrieve, web_store
from dicom_io.scu.send import StoreOutcome
from dicom_io.scu.suboperations import Retrieved
from dicom_io.sink import Sink


def echo(local: LocalAE, remote: RemoteAE) -> None:
    """Verify that `remote` answers: C-ECHO, or QIDO-RS where it has no DIMSE port."""
    if remote.port:
        query.echo(local, remote)
    else:
        web.echo(remote)


def find_studies(
    local: LocalAE, remote: RemoteAE, question: StudyQuery, limit: int = 500
) -> StudyAnswers:
    """List what `remote` says of one patient's studies; as `query.find_studies`."""
    if remote.uses_web_for(WebService.QUERY):
        return web.find_studies(remote, question, limit)
    return query.find_studies(local, remote, question, limit)


def find_cohort(
    local: LocalAE, remote: RemoteAE, question: CohortQuery
) -> tuple[str, ...]:
    """Return the studies of one day; as `query.find_cohort`."""
    if remote.uses_web_for(WebService.QUERY):
        return web.find_cohort(remote, question)
    return query.find_cohort(local, remote, question)


def count_instances(
    local: LocalAE, remote: RemoteAE, study_instance_uid: str
) -> int | None:
    """Return how many instances of a study `remote` holds; None: it does not say."""
    if remote.uses_web_for(WebService.QUERY):
        return web.count_instances(remote, study_instance_uid)
    return query.count_instances(local, remote, study_instance_uid)


def find_instances(
    local: LocalAE,
    remote: RemoteAE,
    study_instance_uid: str,
    series_instance_uid: str | None = None,
) -> frozenset[str]:
    """Return the SOP Instance UIDs of a study, or of one of its series."""
    if remote.uses_web_for(WebService.QUERY):
        return web.find_instances(remote, study_instance_uid, series_instance_uid)
    return query.find_instances(local, remote, study_instance_uid, series_instance_uid)


def retrieve_study(
    local: LocalAE,
    remote: RemoteAE,
    study_instance_uid: str,
    sink: Sink,
    seconds: float = inf,
) -> Retrieved:
    """Fetch a study into `sink`, in `seconds` at most; by C-MOVE to our listener."""
    web = remote.uses_web_for(WebService.RETRIEVE)
    fetch = web_retrieve.retrieve_study if web else retrieve.retrieve_study
    return fetch(local, remote, study_instance_uid, sink, seconds)


def store_instances(
    local: LocalAE, remote: RemoteAE, paths: Sequence[Path]
) -> tuple[StoreOutcome, ...]:
    """Send Part 10 files; an outcome per path, in order."""
    if remote.uses_web_for(WebService.STORE):
        return web_store.store_instances(remote, paths)
    return send.store_instances(local, remote, paths)
