"""Work with other nodes that nobody waits for to its end."""

from threading import Event

import pytest

from gateway.couriers import Couriers

LONG = 30.0


def test_jobs_give_what_they_return() -> None:
    assert Couriers(LONG).run({"a": lambda: 1, "b": lambda: 2}) == {"a": 1, "b": 2}


def test_jobs_run_side_by_side() -> None:
    here, there = Event(), Event()

    def first() -> bool:
        here.set()
        return there.wait(LONG)

    def second() -> bool:
        there.set()
        return here.wait(LONG)

    assert Couriers(LONG).run({"a": first, "b": second}) == {"a": True, "b": True}


def test_one_that_hangs_is_not_waited_for_and_is_not_begun_again() -> None:
    release, begun = Event(), list[str]()
    couriers = Couriers(0.05)

    def hang() -> None:
        begun.append("hung")
        release.wait(LONG)

    assert couriers.run({"hung": hang, "good": lambda: None}).keys() <= {"good"}
    assert couriers.is_out("hung")
    assert couriers.run({"hung": hang}) == {}
    release.set()
    couriers.close(LONG)
    assert not couriers.is_out("hung")
    assert begun == ["hung"]


def test_what_is_to_follow_a_job_follows_its_end() -> None:
    release, said = Event(), list[str]()
    couriers = Couriers(0.05)
    couriers.run({"hung": lambda: release.wait(LONG)})
    couriers.when_ended("hung", lambda: said.append("ended"))
    assert said == []
    release.set()
    couriers.close(LONG)
    assert said == ["ended"]
    couriers.when_ended("hung", lambda: said.append("at once"))
    assert said == ["ended", "at once"]


def test_what_has_ended_may_be_begun_again() -> None:
    couriers = Couriers(LONG)
    assert couriers.run({"a": lambda: 1}) == {"a": 1}
    assert couriers.run({"a": lambda: 2}) == {"a": 2}


def test_a_failure_is_raised_where_it_was_waited_for() -> None:
    def fail() -> None:
        raise ValueError("not this way")

    couriers = Couriers(LONG)
    with pytest.raises(ValueError, match="not this way"):
        couriers.run({"a": fail})
    assert not couriers.is_out("a")


def test_a_failure_after_the_turn_goes_into_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = Event()

    def fail_late() -> None:
        release.wait(LONG)
        raise ValueError("too late")

    couriers = Couriers(0.05)
    assert couriers.run({"a": fail_late}) == {}
    release.set()
    couriers.close(LONG)
    assert "a job with another node failed" in caplog.text


def test_what_follows_a_job_may_fail_and_the_rest_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release, done = Event(), Event()

    def fail() -> None:
        raise ValueError("the ledger is away")

    couriers = Couriers(0.05)
    couriers.run({"a": lambda: release.wait(LONG)})
    couriers.when_ended("a", fail)
    couriers.when_ended("a", done.set)
    release.set()
    assert done.wait(LONG)
    couriers.close(LONG)
    assert "what follows a job with another node failed" in caplog.text


def test_closing_waits_no_longer_than_it_is_told() -> None:
    release = Event()
    couriers = Couriers(0.05)
    couriers.run({"hung": lambda: release.wait(LONG)})
    couriers.close(0.05)
    assert couriers.is_out("hung")
    release.set()
    couriers.close(LONG)
