"""A study that comes before its engine is there, and is read once it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from config.load import Table, merge
from dicom_io.archive import open_archive
from dicom_io.scu.send import store_instances
from gateway.lifecycle import State
from gateway.watching.health import engine_finding
from tests.data.archives import own_objects
from tests.data.phantoms import phantom_files
from tests.data.sites import (
    MODALITY,
    archive_peer,
    running_gateway,
    site_settings,
    wait_until,
)


@dataclass(frozen=True, kw_only=True)
class FirstStudy:
    """What became of it.

    waiting, was_ready : why it was not read, and what was said of the engine then.
    objects : how many the archive got. digest : of the weights, once they were there.
    """

    waiting: str
    was_ready: bool
    state: State
    objects: int
    digest: str


def read_once_there(
    folder: Path, own: Table, begin: Callable[[], object]
) -> FirstStudy:
    """Send a study to a gateway, then begin its engine, and see the study through.

    own : the settings of the engine.
    """
    phantom = phantom_files(folder / "1", seed=11, salt="1", with_prior=False)
    with open_archive(folder / "archive", "ARCHIVE") as archive:
        peers = archive_peer("ARCHIVE", archive.port)
        settings = site_settings(folder / "data", merge(peers, own))
        with running_gateway(settings) as gateway:
            engine = gateway.site.engine
            outcomes = store_instances(MODALITY, gateway.remote, phantom.current)
            assert all(outcome.verdict.is_stored for outcome in outcomes)

            def waiting() -> str | None:
                study = gateway.study(phantom.study_instance_uid)
                reason = (study and study.reason) or ""
                return reason if "cannot be reached" in reason else None

            reason = wait_until(waiting, 60, lambda: gateway.study("it did not wait"))
            was_ready = engine_finding(engine).ok
            begin()
            study = gateway.wait_for(
                phantom.study_instance_uid, State.COMMITTED, State.PARKED, seconds=120
            )
            wait_until(
                lambda: engine_finding(engine).ok or None,
                60,
                lambda: engine_finding(engine),
            )
            return FirstStudy(
                waiting=reason,
                was_ready=was_ready,
                state=study.state,
                objects=len(own_objects(archive)),
                digest=engine.identity.weights_digest,
            )
