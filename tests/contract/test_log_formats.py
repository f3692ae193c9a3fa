"""Every sample of a log is of exactly one format, and no report is taken for a log."""

from pathlib import Path

import pytest

from model.charsets import decode
from model.exhibits import HEAD_BYTES, TYPES, Exhibit, events_of, format_of
from model.parse import LOG_FORMATS

SAMPLES = Path(__file__).parents[1] / "samples"
LOGS = sorted((SAMPLES / "logs").iterdir())
REPORTS = sorted(SAMPLES.glob("*.eml"))


def claimants(file: Path) -> list[str]:
    raw = file.read_bytes()[:HEAD_BYTES]
    head = raw.decode("utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else decode(raw)
    return [form.name for form in LOG_FORMATS if form.claims(head)]


def expected(file: Path) -> str:
    """The format that the name of a sample says: what stands before its variant."""
    return max((form.name for form in LOG_FORMATS if file.name.startswith(form.name)), key=len)


@pytest.mark.parametrize("file", LOGS, ids=lambda file: file.name)
def test_a_sample_is_claimed_by_its_format_alone(file: Path) -> None:
    assert [expected(file)] == claimants(file)


@pytest.mark.parametrize("file", LOGS, ids=lambda file: file.name)
def test_a_sample_tells_something(file: Path) -> None:
    exhibit = Exhibit.of(file.name, file.read_bytes())
    form = format_of(exhibit)

    assert form is not None
    assert any(events_of(exhibit, form))


@pytest.mark.parametrize("file", REPORTS, ids=lambda file: file.name)
def test_a_report_is_no_log(file: Path) -> None:
    assert [] == claimants(file)


def test_every_format_has_a_sample() -> None:
    assert {form.name for form in LOG_FORMATS} == {expected(file) for file in LOGS}


def test_names_are_unique_and_offered() -> None:
    names = [form.name for form in LOG_FORMATS]

    assert len(names) == len(set(names))
    assert set(names) < set(TYPES)
