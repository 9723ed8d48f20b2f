"""The corpus again, and 5,000 associations with something wrong; see `make fuzz`."""

import logging
import resource
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from pydicom.charset import python_encoding

from dicom_io.scp.session import Node
from tests.data.network import Recorder, listening
from tests.fuzz.association import (
    check_association,
    converse,
    node_of,
    pdus_of,
    recorded,
)
from tests.fuzz.mutating import mutated
from tests.fuzz.targets import TARGETS, Target
from tests.fuzz.words import decode_texts

CORPUS = Path(__file__).parent / "corpus"
INPUTS = [
    pytest.param(target, path, id=f"{target.name}-{path.name}")
    for target in TARGETS
    for path in sorted((CORPUS / target.name).iterdir())
]
HOSTILE_TEXTS = (
    b"A=\x1b$B;3ED^\x1b$)C\xfb\xf3",  # no return to the first set
    b"\x1b",
    b"\x1b$",
    b"\x1b$(",
    b"\x1b\x1b\x1b(B",
    b"\x1b$B;",
    b"\x1b)Z\xff",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc0\xaf",
    b"\xff\xfe",
    "\u202eabc\u202c\u2066x\u2069\u200f".encode(),
    b"a\0b\0",
    b"a\r\nb\x85c",
    b"\x83\x5c\x5c^=^=",
    b"\x81",
    b"\x81\x30\x81",
    b"^" * 300,
    b"=" * 300,
    b"\xfc\x1b$B;3" * 500,
)
ASSOCIATIONS = 5000
MEMORY_GROWTH_KIB = 64 << 10

ACCEPT, DATA, RELEASED = 2, 4, 6
COMMAND_SUCCESS = bytes.fromhex("00000009020000000000")
"""Status (0000,0900) 0000, implicit VR little endian."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("target", "path"), INPUTS)
def test_what_was_found_once_is_not_found_again(target: Target, path: Path) -> None:
    target.run(path.read_bytes())


@pytest.mark.parametrize("term", [*sorted(python_encoding), "KLINGON", "\\", "\\ISO"])
def test_hostile_texts_are_decoded_in_every_character_set(term: str) -> None:
    """What holds of each is asserted by the target: see `words.decode_texts`."""
    sets = (term + "\\ISO 2022 IR 87\\ISO 2022 IR 149").encode()
    for value in HOSTILE_TEXTS:
        decode_texts(bytes([len(sets)]) + sets + value)


@pytest.mark.parametrize("term", ["ISO_IR 192", "ISO 2022 IR 87", "GB18030"])
def test_a_name_of_64_kib_is_decoded(term: str) -> None:
    sets = term.encode()
    decode_texts(bytes([len(sets)]) + sets + b"\xfc\x1b$B;3" * (64 << 10 >> 3))


def test_each_target_has_a_corpus_and_all_of_it_is_small() -> None:
    assert {path.name for path in CORPUS.iterdir()} == {each.name for each in TARGETS}
    sizes = [path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()]
    assert sum(sizes) < 300_000


def test_the_recording_holds_an_echo_an_instance_and_a_commitment_report() -> None:
    recorder = Recorder()
    replies = converse(node_of(recorder), b"".join(recorded()))
    assert [reply[0] for reply in replies] == [ACCEPT, DATA, DATA, DATA, RELEASED]
    assert all(COMMAND_SUCCESS in reply for reply in replies[1:4])
    assert [each.committed for each in recorder.incoming] == [True]
    assert len(recorder.reports) == 1


@pytest.mark.filterwarnings("ignore")
def test_5000_associations_with_something_wrong_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a socket: no crash, no instance half kept, and the next peer is served.

    That they differ in what they do is shown by the kinds of the answers. Records of
    the log are not kept here: what cut an association holds its window.
    """
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)
    recorder, random = Recorder(), Random(5)
    node, kinds = node_of(recorder), Counter[int]()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(ASSOCIATIONS):
        sent = mutated(recorded(), random)
        step = random.choice((1 << 16, 1 << 16, 97))
        replies = check_association(node, recorder, sent, step)
        kinds.update(reply[0] for reply in replies)
        if number % 500 == 0:
            _is_served(node, recorder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < (
        MEMORY_GROWTH_KIB
    )
    assert set(kinds) == {2, 3, 4, 6, 7}


@pytest.mark.filterwarnings("ignore")
def test_a_listener_that_got_wrong_associations_answers_the_next_echo() -> None:
    """Over TCP, where a cut association also has its threads and descriptors."""
    random = Random(6)
    with listening(Recorder()) as listener:
        for _ in range(100):
            _send(listener.port, mutated(recorded(), random))
        echo = b"".join((*recorded()[:2], recorded()[-1]))
        assert [reply[0] for reply in pdus_of(_send(listener.port, echo))] == [
            ACCEPT,
            DATA,
            RELEASED,
        ]


def _is_served(node: Node, recorder: Recorder) -> None:
    echo = (*recorded()[:2], recorded()[-1])
    replies = check_association(node, recorder, b"".join(echo), 1 << 16)
    assert [reply[0] for reply in replies] == [ACCEPT, DATA, RELEASED]
    assert COMMAND_SUCCESS in replies[1]


def _send(port: int, sent: bytes) -> bytes:
    """Send as far as it is taken, close our half, and return what came."""
    came = b""
    with socket.create_connection(("127.0.0.1", port), 20) as peer:
        with suppress(OSError):  # it has had enough
            peer.sendall(sent)
            peer.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while part := peer.recv(1 << 16):
                came += part
    return came
