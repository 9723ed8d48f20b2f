"""Real PDUs made wrong, from a seed: the same number gives the same bytes."""

from collections.abc import Callable, Sequence
from random import Random

Pdus = list[bytearray]

_NUMBERS = (
    *(0, 1, 2, 3, 4, 5, 6, 7, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF),
    *(0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF),
)
_TYPES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 0xFF)
_HEADER = 6


def mutated(pdus: Sequence[bytes], random: Random) -> bytes:
    """Return the association with one to four things wrong."""
    changed = [bytearray(pdu) for pdu in pdus]
    for _ in range(random.randint(1, 4)):
        random.choice(_CHANGES)(changed, random)
        changed = [pdu for pdu in changed if pdu] or [bytearray(1)]  # cut to nothing
    return b"".join(changed)


def _flip_bits(pdus: Pdus, random: Random) -> None:
    pdu = random.choice(pdus)
    for _ in range(random.choice((1, 1, 2, 8))):
        pdu[random.randrange(len(pdu))] ^= 1 << random.randrange(8)


def _flip_body(pdus: Pdus, random: Random) -> None:
    """Change what the header announces and leave the header as it is."""
    pdu = random.choice(pdus)
    for _ in range(random.choice((1, 4, 16))):
        if len(pdu) > _HEADER:
            pdu[random.randrange(_HEADER, len(pdu))] = random.randrange(256)


def _set_length(pdus: Pdus, random: Random) -> None:
    pdu = random.choice(pdus)
    near = len(pdu) - _HEADER + random.randint(-3, 3)
    number = random.choice((max(near, 0), random.choice(_NUMBERS)))
    pdu[2:_HEADER] = number.to_bytes(4, "big")


def _set_number(pdus: Pdus, random: Random) -> None:
    """Put a number that overflows somewhere into the body: lengths of items lie."""
    pdu, size = random.choice(pdus), random.choice((1, 2, 4))
    at = random.randrange(_HEADER, max(len(pdu), _HEADER + 1))
    number = random.choice(_NUMBERS) % (1 << 8 * size)
    pdu[at : at + size] = number.to_bytes(size, random.choice(("big", "little")))


def _set_type(pdus: Pdus, random: Random) -> None:
    random.choice(pdus)[0] = random.choice(_TYPES)


def _cut(pdus: Pdus, random: Random) -> None:
    """Cut the body short, with the length of the header set right."""
    pdu = random.choice(pdus)
    del pdu[random.randrange(min(_HEADER, len(pdu) - 1), len(pdu)) :]
    _right_length(pdu)


def _grow(pdus: Pdus, random: Random) -> None:
    """Insert bytes, of the same PDU or any, with the length set right."""
    pdu = random.choice(pdus)
    at = random.randrange(min(_HEADER, len(pdu)), len(pdu) + 1)
    part = pdu[at : at + random.randint(1, 64)] * random.choice((1, 1, 2, 50))
    pdu[at:at] = random.choice((part, random.randbytes(random.randint(1, 32))))
    _right_length(pdu)


def _drop(pdus: Pdus, random: Random) -> None:
    if len(pdus) > 1:
        del pdus[random.randrange(len(pdus))]


def _repeat(pdus: Pdus, random: Random) -> None:
    at = random.randrange(len(pdus))
    pdus[at:at] = [bytearray(pdus[at]) for _ in range(random.choice((1, 2, 40)))]


def _swap(pdus: Pdus, random: Random) -> None:
    a, b = random.randrange(len(pdus)), random.randrange(len(pdus))
    pdus[a], pdus[b] = pdus[b], pdus[a]


def _insert_junk(pdus: Pdus, random: Random) -> None:
    junk = random.randbytes(random.choice((1, 5, 6, 7, 300)))
    pdus.insert(random.randrange(len(pdus) + 1), bytearray(junk))


def _right_length(pdu: bytearray) -> None:
    if len(pdu) >= _HEADER:
        pdu[2:_HEADER] = (len(pdu) - _HEADER).to_bytes(4, "big")


_CHANGES: tuple[Callable[[Pdus, Random], None], ...] = (
    *(_flip_bits, _flip_body, _flip_body, _set_length, _set_number, _set_number),
    *(_set_type, _cut, _grow, _drop, _repeat, _swap, _insert_junk),
)
