"""Who may ask us for storage commitment, and what each request is answered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role
from pynetdicom.association import Association

from dicom_io.ae import LocalAE
from dicom_io.scp.commitment import ActionStatus, CommitmentRequest
from dicom_io.scp.listener import ListenerEvents, open_listener
from tests.data.network import LOCAL, MODALITY, Recorder

PUSH_MODEL = "1.2.840.10008.1.20.1"
PUSH_INSTANCE = "1.2.840.10008.1.20.1.1"
CR = "1.2.840.10008.5.1.4.1.1.1"
COMMITTING = replace(LOCAL, commits=True)


@dataclass
class Desk:
    """Takes every request, and remembers it."""

    answer: Callable[[], ActionStatus] = lambda: ActionStatus.TAKEN
    asked: list[CommitmentRequest] = field(default_factory=list)

    def take(self, request: CommitmentRequest) -> ActionStatus:
        self.asked.append(request)
        return self.answer()


@contextmanager
def node(desk: Desk, local: LocalAE = COMMITTING) -> Iterator[int]:
    """Run a listener that commits; yields its port."""
    plain = Recorder()
    events: ListenerEvents = replace(plain.events(), commitment_asked=desk.take)
    listener = open_listener(local, [MODALITY], plain.sink, events)
    try:
        yield listener.port
    finally:
        listener.close(0.5)


@contextmanager
def associated(port: int, title: str = "XRAY") -> Iterator[Association]:
    ae = AE(title)
    ae.add_requested_context(PUSH_MODEL)
    assoc = ae.associate("127.0.0.1", port, ae_title="MAIRA_GW")
    assert assoc.is_established
    try:
        yield assoc
    finally:
        assoc.release()


def information(
    *uids: str, transaction: str | None = "1.2.3.500", class_uid: str = CR
) -> Dataset:
    ds = Dataset()
    if transaction is not None:
        ds.TransactionUID = transaction
    ds.ReferencedSOPSequence = []
    for uid in uids:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = class_uid, uid
        ds.ReferencedSOPSequence.append(item)
    return ds


def ask(
    port: int,
    asked: Dataset,
    *,
    action: int = 1,
    instance: str = PUSH_INSTANCE,
    title: str = "XRAY",
) -> int | None:
    with associated(port, title) as assoc:
        answer, _ = assoc.send_n_action(asked, action, PUSH_MODEL, instance)
        status: int | None = answer.get("Status")
    return status


def test_a_request_of_a_known_node_is_handed_on_and_answered() -> None:
    desk = Desk()
    with node(desk) as port:
        assert ask(port, information("1.2.3.1", "1.2.3.2", "1.2.3.1")) == 0x0000
    (request,) = desk.asked
    assert request.transaction_uid == "1.2.3.500"
    uids = [each.sop_instance_uid for each in request.references]
    assert uids == ["1.2.3.1", "1.2.3.2"]  # each once
    assert (request.peer_name, request.peer_title) == ("x-ray", "XRAY")
    assert request.peer_address == "127.0.0.1"


@pytest.mark.parametrize("answer", ActionStatus)
def test_the_answer_is_that_of_who_keeps_the_request(answer: ActionStatus) -> None:
    with node(Desk(lambda: answer)) as port:
        assert ask(port, information("1.2.3.1")) == answer


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (information(), 0x0115),
        (information("1.2.3.1", transaction=None), 0x0115),
        (information("1.2.3.1", transaction=""), 0x0115),
        (information("1.2.3.1", ""), 0x0115),
        (information("1.2.3.1", class_uid=""), 0x0115),
    ],
)
def test_a_request_that_says_too_little_is_an_invalid_argument(
    asked: Dataset, status: int
) -> None:
    desk = Desk()
    with node(desk) as port:
        assert ask(port, asked) == status
    assert desk.asked == []


def test_another_action_or_instance_is_not_there() -> None:
    desk = Desk()
    with node(desk) as port:
        assert ask(port, information("1.2.3.1"), action=2) == 0x0123
        assert ask(port, information("1.2.3.1"), instance="1.2.3") == 0x0112
    assert desk.asked == []


def test_a_node_that_nobody_wrote_down_may_not_ask() -> None:
    desk = Desk()
    with node(desk, replace(COMMITTING, require_calling=False)) as port:
        assert ask(port, information("1.2.3.1"), title="STRANGER") == 0x0124
    assert desk.asked == []


def test_by_default_nobody_may_ask() -> None:
    desk = Desk()
    with node(desk, LOCAL) as port:
        assert ask(port, information("1.2.3.1")) == 0x0122
    assert desk.asked == []


@pytest.mark.parametrize(("local", "accepted"), [(LOCAL, False), (COMMITTING, True)])
def test_the_role_of_who_asks_is_accepted_where_commitment_is_given(
    local: LocalAE,
    accepted: bool,
) -> None:
    ae = AE("XRAY")
    ae.add_requested_context(PUSH_MODEL)
    roles = [build_role(PUSH_MODEL, scu_role=True, scp_role=True)]
    with node(Desk(), local) as port:
        assoc = ae.associate("127.0.0.1", port, ae_title="MAIRA_GW", ext_neg=roles)  # type: ignore[arg-type]
        (context,) = assoc.accepted_contexts
        assert context.as_scu is accepted
        assoc.release()


def test_a_request_that_cannot_be_kept_is_answered_with_a_failure() -> None:
    def full() -> ActionStatus:
        raise OSError(28, "No space left on device")

    with node(Desk(full)) as port:
        assert ask(port, information("1.2.3.1")) == 0x0110
