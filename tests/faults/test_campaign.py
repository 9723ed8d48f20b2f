"""A campaign through kills, a pause and an urgent study: each once, nothing emitted."""

import json
import signal
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dicom_io.archive import Archive, open_archive
from gateway.campaigning.progress import Progress, progress_of
from gateway.cli.verbs import app
from gateway.failpoints import OF_CAMPAIGNS
from gateway.ledger import (
    AuditFilter,
    CampaignRecord,
    CampaignState,
    Ledger,
    StudyRecord,
)
from gateway.lifecycle import Event, State
from gateway.stages.delivery import KEPT_BACK
from tests.data.archives import own_objects
from tests.data.films import film_dataset
from tests.data.network import part10
from tests.data.sites import MODALITY, site_settings, toml_of, wait_until
from tests.faults import scene
from tests.faults.nursery import Nursery
from tests.faults.sender import Sender

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STUDIES = 12
UIDS = [scene.study_uid(number) for number in range(STUDIES)]
URGENT = 99
SECONDS = 240.0


def fill(archive: Archive) -> None:
    """Let the archive hold the films of the cohort, each of a patient of its own."""
    for number, uid in enumerate(UIDS):
        ds = film_dataset(
            StudyInstanceUID=uid,
            SeriesInstanceUID=f"{uid}.1",
            SOPInstanceUID=f"{uid}.1.1",
            PatientID=f"P{number}",
            PatientName=f"Phantom^N{number}",
        )
        archive.put(part10(ds))


class Site:
    """A site's file and its ledger, as a person at the shell has them."""

    def __init__(self, folder: Path, archive: Archive) -> None:
        self.folder = folder / "data"
        self.folder.mkdir()
        self.overrides = scene.site_overrides(
            archive, queue={"urgent_titles": [str(MODALITY.title)]}
        )
        self.file = folder / "site.toml"
        self.file.write_text(toml_of(self.folder, self.overrides), "utf-8")
        self.ledger = Ledger.open(site_settings(self.folder, self.overrides).ledger_url)

    def run(self, *words: str) -> Mapping[str, object]:
        """Run a verb of `campaign` and return what it prints."""
        command = ["--config", str(self.file), "campaign", *words, "--json"]
        said = CliRunner().invoke(app, command)
        assert said.exit_code == 0, said.output
        shown = json.loads(said.stdout)
        assert isinstance(shown, dict)
        return shown

    def campaign(self) -> CampaignRecord:
        with self.ledger.reading() as rows:
            campaign = rows.campaign("lung")
        assert campaign is not None
        return campaign

    def progress(self) -> Progress:
        with self.ledger.reading() as rows:
            return progress_of(rows.campaign_counts(self.campaign().id))

    def study(self, uid: str) -> StudyRecord | None:
        with self.ledger.reading() as rows:
            return rows.study(uid)

    def reported_at(self, uid: str) -> datetime:
        study = self.study(uid)
        assert study is not None
        with self.ledger.reading() as rows:
            moves = rows.moves(study.id)
        (at,) = [move.at for move in moves if move.event is Event.REPORT_WRITTEN]
        return at

    def wait_for_read(self, count: int) -> None:
        """Wait until so many studies are read, at least."""
        wait_until(
            lambda: self.progress().read >= count or None, SECONDS, self.progress
        )


def test_a_campaign_is_killed_paused_and_overtaken_and_reads_each_study_once(
    children: Nursery, tmp_path: Path
) -> None:
    cohort = tmp_path / "cohort.txt"
    cohort.write_text("\n".join(UIDS), "utf-8")
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        fill(archive)
        site = Site(tmp_path, archive)
        limits = ["--per-hour", "3600", "--in-flight", "2", "--hours", "always"]
        naming = ["--name", "lung", "--why", "a study of lungs"]
        site.run("start", str(cohort), *naming, *limits)
        for point in OF_CAMPAIGNS:
            killed = children.start(site.folder, site.overrides, f"{point}@2")
            assert killed.wait(SECONDS) == -signal.SIGKILL
        alive = children.start(site.folder, site.overrides)
        assert alive.port is not None
        pause_it(site, alive.port)
        resume_and_overtake_it(site, alive.port)
        site.wait_for_read(STUDIES)
        wait_until(
            lambda: site.campaign().state is CampaignState.ENDED or None,
            SECONDS,
            site.progress,
        )
        assert alive.kill(signal.SIGTERM) == 0
        sent = {str(ds.StudyInstanceUID) for ds in own_objects(archive)}
    assert sent == {scene.study_uid(URGENT), scene.study_uid(URGENT - 1)}
    demand_once_and_kept_back(site)
    site.ledger.close()


def pause_it(site: Site, port: int) -> None:
    """Pause it for as long as a study of others takes."""
    site.wait_for_read(4)
    site.run("pause", "lung", "--why", "the archive is under maintenance")
    paused = site.progress().waiting
    with Sender(port) as sender:
        assert sender.store(scene.film(URGENT - 1)) == 0
    wait_until(lambda: committed(site, URGENT - 1), SECONDS, site.progress)
    # One may just have been asked for when it was paused.
    assert paused - 1 <= site.progress().waiting <= paused


def resume_and_overtake_it(site: Site, port: int) -> None:
    """Have an urgent study, which has just come, read while it goes on."""
    with Sender(port) as sender:
        assert sender.store(scene.film(URGENT)) == 0
    site.run("resume", "lung", "--why", "it is back")
    site.wait_for_read(5)
    wait_until(lambda: committed(site, URGENT), SECONDS, site.progress)


def committed(site: Site, number: int) -> bool | None:
    study = site.study(scene.study_uid(number))
    return (study is not None and study.state is State.COMMITTED) or None


def demand_once_and_kept_back(site: Site) -> None:
    urgent_at = site.reported_at(scene.study_uid(URGENT))
    assert urgent_at < max(site.reported_at(uid) for uid in UIDS)
    with site.ledger.reading() as rows:
        for uid in UIDS:
            study = rows.study(uid)
            assert study is not None
            assert (study.state, study.revision) == (State.KEPT, 1)
            assert study.reason == KEPT_BACK
            assert len(rows.instances(uid)) == 1
            assert rows.results(study.id)
            assert rows.deliveries(study.id, 1) == []
        told = [record.event_type for record in rows.audit(AuditFilter(limit=10_000))]
    for kind in ("started", "paused", "resumed", "ended"):
        assert told.count(f"campaign-{kind}") == 1
