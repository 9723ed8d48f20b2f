from dicom_io.scp.refusals import Refusals


class _Log:
    """Refusals that are told, on a clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[str] = []
        self.refusals = Refusals(lambda: self.now)

    def refuse(self, address: str = "10.0.0.1", reason: str = "unknown") -> None:
        self.refusals.add(address, reason, self.told.append)


def test_a_refusal_that_repeats_is_told_once_and_counted_after_a_minute() -> None:
    log = _Log()
    for _ in range(100):
        log.refuse()
    log.refusals.settle()
    assert log.told == ["unknown"]
    log.now = 60.0
    log.refusals.settle()
    assert log.told == ["unknown", "unknown (99 more like it within 60 s)"]


def test_a_refusal_that_does_not_repeat_is_told_once() -> None:
    log = _Log()
    log.refuse()
    log.now = 60.0
    log.refusals.settle()
    assert log.told == ["unknown"]


def test_another_address_and_another_reason_are_told_at_once() -> None:
    log = _Log()
    log.refuse()
    log.refuse("10.0.0.2")
    log.refuse(reason="no association left")
    assert log.told == ["unknown", "unknown", "no association left"]


def test_a_refusal_after_its_minute_is_told_again() -> None:
    log = _Log()
    log.refuse()
    log.now = 61.0
    log.refuse()
    assert log.told == ["unknown", "unknown"]


def test_at_the_end_what_was_counted_is_told() -> None:
    log = _Log()
    log.refuse()
    log.refuse()
    log.refusals.settle(is_end=True)
    assert log.told == ["unknown", "unknown (1 more like it within 60 s)"]


def test_many_addresses_fill_neither_the_memory_nor_the_record() -> None:
    log = _Log()
    for number in range(3000):
        log.refuse(f"fe80:0:0:{number:x}::/64")
    assert len(log.refusals) <= 33
    assert len(log.told) == 32
    log.refusals.settle(is_end=True)
    assert log.told[32:] == ["unknown (2968 from further addresses within 60 s)"]


def test_a_flood_for_one_reason_does_not_hide_another() -> None:
    log = _Log()
    for number in range(3000):
        log.refuse(f"10.0.{number // 256}.{number % 256}")
    log.refuse("10.9.9.9", reason="certificate is not one of pacs")
    assert log.told[-1] == "certificate is not one of pacs"


def test_a_flood_that_goes_on_is_told_every_minute() -> None:
    log = _Log()
    for minute in range(3):
        log.now = minute * 60.0
        for number in range(100):
            log.refuse(f"10.0.0.{number}")
    log.refusals.settle(is_end=True)
    assert len(log.told) == 3 * 33
    assert len(log.refusals) == 0


def test_what_is_noted_is_told_by_whoever_settles() -> None:
    log = _Log()
    for _ in range(3):
        log.refusals.note("10.0.0.1", "no room", log.told.append)
    assert log.told == []
    log.refusals.settle()
    log.refusals.settle()
    assert log.told == ["no room"]
    log.refusals.settle(is_end=True)
    assert log.told == ["no room", "no room (2 more like it within 60 s)"]
