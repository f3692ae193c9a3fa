"""The timeline of a report has no gaps, fits its picture and tells times that a clock would."""

import re

import pytest

from service.triage.counting import Column, Timeline, Unit
from service.triage.report_charts import HEIGHT, WIDTH, chart_of


def timeline(unit: Unit, starts: list[str]) -> Timeline:
    columns = tuple(Column(start, (number % 3, 2)) for number, start in enumerate(starts))
    return Timeline(unit, ("address", "other"), columns)


HOURS = [f"2026-11-{2 + hour // 24:02}T{hour % 24:02}" for hour in range(5, 101)]
DAYS = [f"2026-{month:02}-{day:02}" for month in (9, 11, 12) for day in range(1, 31)]
YEARS = [str(year) for year in range(1970, 2100)]
SERIES = [
    (Unit.HOUR, HOURS),
    (Unit.HOUR, HOURS[:2]),
    (Unit.HOUR, HOURS[:20]),
    (Unit.DAY, DAYS),
    (Unit.MONTH, ["2026-01", "2026-02"]),
    (Unit.YEAR, YEARS),
]


@pytest.mark.parametrize(("unit", "starts"), SERIES)
def test_the_columns_lie_within_the_picture(unit: Unit, starts: list[str]) -> None:
    picture = chart_of(timeline(unit, starts), ["a", "b"], "title").picture

    boxes = re.findall(r' x="([^"]*)" y="(.*?)" width="(.*?)" height="(.*?)"', picture)
    assert len(starts) <= len(boxes)
    for x, y, width, height in (tuple(map(float, box)) for box in boxes):
        assert 0 <= x < x + width <= WIDTH
        assert 0 <= y < y + height <= HEIGHT + 0.02


@pytest.mark.parametrize(("unit", "starts"), SERIES)
def test_few_times_are_told_and_fewer_where_there_is_little_room(unit: Unit, starts: list[str]) -> None:
    times = chart_of(timeline(unit, starts), ["a", "b"], "title").times

    assert 1 <= len(times) <= 8
    assert 1 <= sum("minor" not in each.look for each in times) <= 3
    assert all(0 < each.place < 100 for each in times)


def test_hours_are_told_as_a_clock_would() -> None:
    times = chart_of(timeline(Unit.HOUR, HOURS), ["a", "b"], "title").times

    assert {"00:00", "12:00"} == {each.text[-5:] for each in times}


def test_words_in_a_picture_are_text() -> None:
    picture = chart_of(timeline(Unit.HOUR, HOURS), ["<b>", "b"], '"><script>').picture

    assert "<script" not in picture
    assert "<b>" not in picture


def test_counts_stand_from_the_top_to_the_bottom() -> None:
    counts = chart_of(timeline(Unit.HOUR, HOURS), ["a", "b"], "title").counts

    assert [("4", 0), ("0", 100)] == [(each.text, each.place) for each in (counts[-1], counts[0])]
