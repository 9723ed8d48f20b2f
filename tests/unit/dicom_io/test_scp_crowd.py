"""Who has to go when there is no room for another connection."""

from dataclasses import dataclass, field

import pytest

from dicom_io.scp.crowd import WAITING_CONNECTIONS, Crowd, origin_of


@dataclass(eq=False)
class _Connection:
    origin: str
    evicted: list["_Connection"] = field(repr=False)

    def evict(self) -> None:
        self.evicted.append(self)


class _Door:
    """A crowd, and the connections that it closed."""

    def __init__(self) -> None:
        self.crowd: Crowd[_Connection] = Crowd()
        self.evicted: list[_Connection] = []

    def arrive(self, origin: str, count: int = 1) -> list[_Connection]:
        connections = [_Connection(origin, self.evicted) for _ in range(count)]
        for each in connections:
            self.crowd.arrived(each)
        return connections


def test_one_more_than_can_wait_closes_the_oldest_of_its_own_address() -> None:
    door = _Door()
    (patient,) = door.arrive("10.0.0.1")
    first, *_ = door.arrive("10.6.6.6", WAITING_CONNECTIONS)
    assert door.evicted == [first]
    door.arrive("10.6.6.6", 500)
    assert len(door.evicted) == 501
    assert patient not in door.evicted


def test_who_has_an_association_is_not_closed() -> None:
    door = _Door()
    admitted = door.arrive("10.0.0.1", 30)
    for each in admitted:
        door.crowd.admitted(each)
    door.arrive("10.0.0.1", WAITING_CONNECTIONS + 30)
    assert not {*admitted} & {*door.evicted}


def test_who_had_an_association_may_be_closed() -> None:
    door = _Door()
    (past,) = door.arrive("10.0.0.1")
    door.crowd.admitted(past)
    door.crowd.waits(past)
    door.arrive("10.0.0.1", WAITING_CONNECTIONS)
    assert door.evicted == [past]


def test_who_has_left_waits_no_more() -> None:
    door = _Door()
    (gone,) = door.arrive("10.0.0.1")
    door.crowd.left(gone)
    door.crowd.waits(gone)
    door.arrive("10.0.0.1", WAITING_CONNECTIONS)
    assert door.evicted == []
    assert len(door.crowd) == WAITING_CONNECTIONS
    assert door.crowd.count("10.0.0.1") == WAITING_CONNECTIONS


def test_an_empty_crowd_has_nobody_to_close() -> None:
    door = _Door()
    door.crowd.evict_one()
    assert door.evicted == []


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
    ],
)
def test_one_machine_is_one_origin(address: str, origin: str) -> None:
    assert origin_of(address) == origin
