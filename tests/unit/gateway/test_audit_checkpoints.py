"""Signed notes, keys and checkpoints as text."""

from datetime import UTC, datetime

import pytest

from gateway.audit.checkpoints import (
    Continuation,
    KeyChange,
    Trust,
    log_name,
    parse_checkpoint,
    parse_continuation,
    parse_key_change,
    sign_checkpoint,
    sign_key_change,
)
from gateway.audit.notes import (
    Signer,
    parse_public_key,
    parse_signer,
    sign,
    signers_of,
)
from gateway.errors import UnreadableNote

NOW = datetime(2026, 3, 2, 10, 30, tzinfo=UTC)
LOG = "0123456789abcdef" * 2
SIGNER = Signer(log_name(LOG), bytes(range(32)))
NEXT = Signer(log_name(LOG), bytes(range(1, 33)))
ROOT = bytes(range(32, 64))

# The example of Go's package golang.org/x/mod/sumdb/note: a key, and what it signed.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "\N{EM DASH} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1"
    "FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_that_another_tool_signed_is_read() -> None:
    key = parse_public_key(GO_KEY)
    assert signers_of(GO_NOTE, [key]) == [key]


def test_a_note_that_was_changed_is_not() -> None:
    key = parse_public_key(GO_KEY)
    with pytest.raises(UnreadableNote, match="false signature"):
        signers_of(GO_NOTE.replace("answer", "question"), [key])


def test_who_is_not_asked_for_has_not_signed() -> None:
    assert signers_of(GO_NOTE, [SIGNER.public]) == []


def test_keys_are_read_back() -> None:
    assert parse_signer(SIGNER.secret_text()) == SIGNER
    assert parse_public_key(str(SIGNER.public)) == SIGNER.public


def test_a_private_key_is_not_shown() -> None:
    assert repr(SIGNER.seed) not in repr(SIGNER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00000000+AA==",
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("ARpc", "ARpd"),
        GO_KEY.replace("+AR", "+\N{GREEK SMALL LETTER ALPHA}"),
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(UnreadableNote):
        parse_public_key(text)


@pytest.mark.parametrize("text", ["", GO_KEY, SIGNER.secret_text()[:-4]])
def test_what_is_no_private_key_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(UnreadableNote) as refused:
        parse_signer(text)
    assert "AA" not in str(refused.value)


def test_a_checkpoint_has_the_published_form() -> None:
    """c2sp.org/tlog-checkpoint: origin, size, root, lines of ours; then signatures."""
    note = sign_checkpoint(SIGNER, 12, ROOT, NOW, first=5).note
    assert note.split("\n")[:7] == [
        f"maira-gateway/audit/{LOG}",
        "12",
        "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
        "time 2026-03-02T10:30:00.000Z",
        "first 5",
        "",
        note.split("\n")[6],
    ]


def test_a_checkpoint_is_read_back() -> None:
    made = sign_checkpoint(SIGNER, 12, ROOT, NOW)
    assert (made.log_id, made.size, made.root, made.at, made.first) == (
        LOG,
        12,
        ROOT,
        NOW,
        1,
    )
    assert parse_checkpoint(made.note) == made
    link = Continuation(old_size=8, proof=(ROOT, ROOT[::-1]), checkpoint=made)
    assert parse_continuation(link.text()) == link


GOOD = sign_checkpoint(SIGNER, 12, ROOT, NOW).note


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n\n",
        GO_NOTE,
        GOOD.replace("maira-gateway/audit/", ""),
        GOOD.replace("\n12\n", "\n012\n"),
        GOOD.replace("\n12\n", "\n-12\n"),
        GOOD.replace("ICEi", "IC"),
        GOOD.replace("time ", "when "),
        GOOD.replace(".000Z", "Z"),
        GOOD.replace("2026-03", "2026-13"),
        GOOD[:-1],
        GOOD.partition("\n\n")[0] + "\n",
        GOOD.replace("time", "\x00time"),
        GOOD.replace("\N{EM DASH} ", "- "),
    ],
)
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(UnreadableNote):
        parse_checkpoint(note)


@pytest.mark.parametrize(
    "text", ["", GOOD, f"old x\n\n{GOOD}", f"old 1\nAA==\n\n{GOOD}", f"new 1\n\n{GOOD}"]
)
def test_what_was_not_handed_out_is_refused(text: str) -> None:
    with pytest.raises(UnreadableNote):
        parse_continuation(text)


def trust(*changes: KeyChange) -> Trust:
    return Trust.following(SIGNER.public, changes)


def test_a_key_is_trusted_until_the_next_one_and_that_from_then_on() -> None:
    both = trust(sign_key_change(SIGNER, NEXT, 10, NOW))

    def signed(signer: Signer, size: int) -> bool:
        return both.has_signed(sign_checkpoint(signer, size, ROOT, NOW))

    assert signed(SIGNER, 9)
    assert not signed(NEXT, 9)
    assert signed(SIGNER, 10)
    assert signed(NEXT, 10)
    assert not signed(SIGNER, 11)
    assert signed(NEXT, 11)


def test_a_change_of_keys_is_read_back() -> None:
    made = sign_key_change(SIGNER, NEXT, 10, NOW)
    assert parse_key_change(made.note) == made
    assert (made.old, made.new) == (SIGNER.public, NEXT.public)


def test_a_key_that_the_old_one_did_not_name_is_not_trusted() -> None:
    stranger = sign_key_change(NEXT, Signer(log_name(LOG), ROOT), 10, NOW)
    assert trust(stranger).stretches == trust().stretches


def test_a_change_that_the_old_key_has_not_signed_is_refused() -> None:
    text = sign_key_change(SIGNER, NEXT, 10, NOW).note.partition("\n\n")[0] + "\n"
    forged = parse_key_change(sign(text, NEXT))
    with pytest.raises(UnreadableNote, match="not both keys"):
        trust(forged)


def test_a_checkpoint_of_another_log_is_not_of_this_one() -> None:
    other = Signer(log_name("f" * 32), SIGNER.seed)
    assert not trust().has_signed(sign_checkpoint(other, 12, ROOT, NOW))


def test_a_checkpoint_whose_text_was_changed_is_not_signed() -> None:
    assert trust().has_signed(parse_checkpoint(GOOD))
    assert not trust().has_signed(parse_checkpoint(GOOD.replace("\n12\n", "\n13\n")))
