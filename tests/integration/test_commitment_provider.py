"""A gateway commits for a modality, by what Orthanc names in answer to a query."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.events import Event
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
)

from benchmarks.rounds import free_port
from config.load import merge
from dicom_io.scu.send import store_instances
from gateway.ledger import AuditFilter
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.network import at
from tests.data.peers import orthanc
from tests.data.sites import MODALITY, archive_peer, running_gateway, site_settings

pytestmark = pytest.mark.peers


class Requestor:
    """A modality by pynetdicom: it asks, and listens for the report."""

    def __init__(self) -> None:
        self.reports: list[Dataset] = []
        self.types: list[int | None] = []
        self.heard = Flag()

    def take(self, event: Event) -> tuple[int, None]:
        self.reports.append(event.event_information)
        self.types.append(event.event_type)
        self.heard.set()
        return 0x0000, None

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        ae = AE("MODALITY")
        ae.add_supported_context(
            StorageCommitmentPushModel, scu_role=False, scp_role=True
        )
        server = ae.start_server(
            ("127.0.0.1", port),
            block=False,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.take)],
        )
        assert server is not None
        try:
            yield
        finally:
            server.shutdown()

    def ask(self, port: int, transaction: str, films: Sequence[Dataset]) -> int:
        ae = AE("MODALITY")
        ae.add_requested_context(StorageCommitmentPushModel)
        role = build_role(StorageCommitmentPushModel, scu_role=True)
        assoc = ae.associate("127.0.0.1", port, ae_title="MAIRA_GW", ext_neg=[role])
        asked = Dataset()
        asked.TransactionUID = transaction
        asked.ReferencedSOPSequence = [Dataset() for _ in films]
        for item, film in zip(asked.ReferencedSOPSequence, films, strict=True):
            item.ReferencedSOPClassUID = film.SOPClassUID
            item.ReferencedSOPInstanceUID = film.SOPInstanceUID
        answer, _ = assoc.send_n_action(
            asked, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
        )
        assoc.release()
        return int(answer.Status)


def test_a_modality_hears_that_its_archive_holds_one_film_and_not_the_other(
    tmp_path: Path,
) -> None:
    uids = [{"SOPInstanceUID": f"1.2.3.{n}"} for n in (1, 2)]
    files = [
        write_film(tmp_path / f"{n}.dcm", film_dataset(**each))
        for n, each in enumerate(uids)
    ]
    films = [dcmread(file) for file in files]
    modality, port = Requestor(), free_port()
    with (
        orthanc(tmp_path, {"MAIRA_GW": port}) as archive,
        modality.listening(port),
    ):
        settings = merge(
            archive_peer(archive.title, archive.port, deadline_seconds=10.0),
            {
                "commitment": {"serve": True, "decide_seconds": 3.0},
                "peers": {"modality": {"port": port}},
                "results": {"destinations": []},
            },
        )
        site = site_settings(tmp_path / "data", settings)
        with running_gateway(site, CannedEngine()) as gateway:
            store_instances(MODALITY, gateway.remote, files)
            store_instances(MODALITY, at(archive.port, archive.title), files[:1])
            listener = gateway.gateway.port
            assert modality.ask(listener, "1.2.3.500", films) == 0x0000
            assert modality.ask(listener, "1.2.3.500", films) == 0x0131
            assert modality.heard.wait(60)
            with gateway.site.ledger.reading() as rows:
                asked = rows.audit(AuditFilter(event="commitment-asked"))
    (report,) = modality.reports
    assert modality.types == [2]  # failures exist (PS3.4 table J.3-2)
    assert report.TransactionUID == "1.2.3.500"
    assert _named(report, "ReferencedSOPSequence") == ["1.2.3.1"]
    assert _named(report, "FailedSOPSequence") == ["1.2.3.2"]
    assert [each.FailureReason for each in report.FailedSOPSequence] == [0x0112]
    assert [record.outcome for record in asked] == [0, 4]


def _named(report: Dataset, sequence: str) -> list[str]:
    return [str(item.ReferencedSOPInstanceUID) for item in report.get(sequence) or ()]
