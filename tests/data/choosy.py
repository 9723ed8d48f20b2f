"""A storage SCP that takes only some classes: pynetdicom's own, none of our code."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event

from dicom_io.ae import AETitle, RemoteAE


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoosyArchive:
    """What it was sent, in order; `remote` is how it is called."""

    remote: RemoteAE
    stored: list[Dataset]


@contextmanager
def choosy_archive(
    classes: Sequence[str],
    name: str = "pacs",
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[ChoosyArchive]:
    """Run one on loopback for the length of a with block.

    meanwhile : called before the first object is answered, and only then.
    """
    ae = AE("PACS")
    for class_uid in classes:
        ae.add_supported_context(class_uid)
    kept: list[Dataset] = []

    def keep(event: Event) -> int:
        kept.append(event.dataset)
        if len(kept) == 1:
            meanwhile()
        return 0x0000

    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)]
    )
    assert server is not None
    remote = RemoteAE(
        name=name,
        title=AETitle("PACS"),
        host="127.0.0.1",
        port=server.server_address[1],
        deadline_seconds=60.0,
    )
    try:
        yield ChoosyArchive(remote=remote, stored=kept)
    finally:
        server.shutdown()
