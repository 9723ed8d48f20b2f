"""Charts: where their points lie, by hand."""

from dataclasses import replace

from gateway.ledger import Sample
from gateway.web.charts import HEIGHT, MOST_POINTS, WIDTH, Series, chart_of
from tests.data.ledgers import at

SAMPLE = Sample(
    at=at(0),
    received=0,
    reported=0,
    ended=0,
    parked=0,
    working=0,
    waiting=0,
    disk_free=0,
    memory_free=0,
)


def series(reserve: float | None = None) -> Series:
    return Series(
        title="received",
        value=lambda sample: sample.received,
        word=lambda value: f"{value:.0f}",
        reserve=reserve,
    )


def samples(*received: int) -> list[Sample]:
    return [replace(SAMPLE, at=at(60 * n), received=r) for n, r in enumerate(received)]


def test_points_lie_between_zero_and_the_highest() -> None:
    chart = chart_of(series(), samples(0, 5, 10))
    # 480 wide; zero 2 above the bottom of 96, the highest 6 below its top.
    assert chart.points == "0.0,94.0 240.0,50.0 480.0,6.0"
    assert chart.told == "now 10, least 0, most 10"
    assert chart.top == "10"


def test_a_reserve_above_all_values_is_in_the_picture() -> None:
    chart = chart_of(series(reserve=20), samples(10, 10))
    assert chart.reserve_y == 6.0
    assert chart.points == "0.0,50.0 480.0,50.0"


def test_nothing_but_zero_is_a_line_at_the_bottom() -> None:
    assert chart_of(series(), samples(0, 0)).points == "0.0,94.0 480.0,94.0"


def test_one_sample_is_no_line_and_says_why() -> None:
    chart = chart_of(series(), samples(3))
    assert not chart.points
    assert "one sample is taken a minute" in chart.told


def test_a_peak_of_one_minute_is_seen_in_a_day() -> None:
    chart = chart_of(series(), samples(*([0] * 700 + [9] + [0] * 739)))
    points = chart.points.split()
    assert len(points) <= MOST_POINTS
    assert sum(point.endswith(",6.0") for point in points) == 1
    assert points[-1].startswith(f"{WIDTH}.0,")
    assert all(0 <= float(point.split(",")[1]) <= HEIGHT for point in points)
