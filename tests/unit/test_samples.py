"""Every layout in the samples folder is diagnosed as a careful reader would."""

import tomllib
from functools import cache
from pathlib import Path

import pytest

from model.pipeline import Diagnoser, build_diagnoser
from model.types import Diagnosis, RecipientDiagnosis, Reply

SAMPLES = Path(__file__).parents[1] / "samples"
EXPECTED = tomllib.loads((SAMPLES / "expected.toml").read_text("utf-8"))
NOT_ABOUT_DELIVERY = ("auto_reply", "complaint", "not_ndr")
MAX_BYTES = 4096


@cache
def diagnosis(name: str) -> Diagnosis:
    return diagnoser().diagnose((SAMPLES / name).read_bytes())


@cache
def diagnoser() -> Diagnoser:
    return build_diagnoser()


def lead(name: str) -> RecipientDiagnosis:
    return diagnosis(name).lead


def innermost(name: str) -> Reply:
    return lead(name).unwrapped.innermost


def each(*aspects: str) -> pytest.MarkDecorator:
    """The samples whose entry has one of these aspects; all of them without aspects."""
    names = [name for name, entry in EXPECTED.items() if not aspects or set(aspects) & set(entry)]
    return pytest.mark.parametrize("name", names)


each_about_delivery = pytest.mark.parametrize(
    "name", [name for name, entry in EXPECTED.items() if entry["kind"] not in NOT_ABOUT_DELIVERY]
)


def test_every_sample_has_an_entry_and_every_entry_a_sample() -> None:
    files = {path.name for path in SAMPLES.iterdir() if path.suffix in (".eml", ".msg", ".txt")}

    assert files == set(EXPECTED)


def test_the_samples_are_small() -> None:
    large = [path.name for path in SAMPLES.glob("*.eml") if path.stat().st_size > MAX_BYTES]

    assert [] == large


@each()
def test_kind(name: str) -> None:
    assert EXPECTED[name]["kind"] == diagnosis(name).kind


@each()
def test_category(name: str) -> None:
    verdict = lead(name).verdict

    assert EXPECTED[name]["category"] == verdict.category, verdict.evidence


@each()
def test_permanence(name: str) -> None:
    assert EXPECTED[name]["permanence"] == lead(name).verdict.permanence


@each()
def test_recipients(name: str) -> None:
    found = [recipient.address for recipient in diagnosis(name).recipients if recipient.address]

    assert EXPECTED[name]["recipients"] == found


@each_about_delivery
def test_reply_code(name: str) -> None:
    assert EXPECTED[name].get("smtp") == innermost(name).smtp


@each_about_delivery
def test_enhanced_code(name: str) -> None:
    assert EXPECTED[name].get("enhanced") == innermost(name).enhanced


@each("command")
def test_command(name: str) -> None:
    assert EXPECTED[name]["command"] == lead(name).unwrapped.command


@each("remote_mta")
def test_remote_mta(name: str) -> None:
    assert EXPECTED[name]["remote_mta"] == lead(name).remote_mta


@each("retry_after_s")
def test_retry_after(name: str) -> None:
    assert EXPECTED[name]["retry_after_s"] == lead(name).unwrapped.retry_after_s


@each_about_delivery
def test_block_lists(name: str) -> None:
    assert EXPECTED[name].get("block_lists", []) == list(lead(name).unwrapped.block_lists)


def test_each_recipient_of_a_report_has_its_own_reason() -> None:
    reasons = [recipient.verdict.category for recipient in diagnosis("postfix-three-reasons.eml").recipients]

    assert ["recipient_unknown", "mailbox_full", "recipient_domain_invalid"] == reasons


def test_an_alias_shows_the_address_that_was_written_to() -> None:
    recipient = lead("postfix-alias-command.eml")

    assert ("tickets@example.org", "support@example.org") == (recipient.address, recipient.original_address)


def test_only_a_report_that_shows_the_message_lets_an_address_be_dropped() -> None:
    actions = {name: lead(name).verdict.action for name in ("gmail-english.eml", "gbk-labelled-us-ascii.eml")}

    assert {"gmail-english.eml": "suppress", "gbk-labelled-us-ascii.eml": "fix_recipient"} == actions


@pytest.mark.parametrize("name", ["exchange-worked-case.eml", "exchange-worked-case-bare.txt"])
def test_the_worked_case_keeps_its_chain(name: str) -> None:
    codes = [(reply.smtp, reply.enhanced) for reply in lead(name).unwrapped.chain][-2:]

    assert [(451, "4.4.0"), (454, "4.7.0")] == codes


def test_the_worked_case_names_the_four_causes_first() -> None:
    causes = [cause.id for cause in lead("exchange-worked-case.eml").advice.causes]

    assert {"clock_skew", "dc_replication", "spn_missing_or_duplicate", "kerberos_ports_blocked"} == set(
        causes[:4]
    )
