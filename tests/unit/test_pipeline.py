"""From bytes to a diagnosis: limits, identity, languages, the user's rules and the classifier's seam."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.classifier import shipped_classifier
from model.errors import DataError, EmptyEvidence, EvidenceError, RuleError, TooLarge, UnknownName
from model.languages import LANGUAGES
from model.pipeline import MAX_RAW_BYTES, Diagnoser, build_diagnoser
from model.types import Candidate, Diagnosis, Form, Kind, Permanence, Prediction, Unwrapped

SAMPLES = Path(__file__).parents[1] / "samples"
MAILBOX_FULL = b"552 5.2.2 <info@example.net>: Mailbox is over quota"
ODD = b"599 the owl has not come back yet"
"""A reply in words that no rule knows."""
OWN_RULES = """[[rule]]
id = "own.owl"
category = "moderation_rejected"
text = 'over quota|the owl'
strength = 0.9
source = "our own gateway"
examples = ["552 over quota"]
"""


@cache
def shipped() -> Diagnoser:
    return build_diagnoser()


def diagnose(raw: bytes, *, form: Form = Form.AUTO, language: str = "en") -> Diagnosis:
    return shipped().diagnose(raw, form=form, language=language)


@dataclass
class FakeClassifier:
    """Answers with one category, and remembers what it was asked."""

    category: str
    confidence: float
    asked: list[tuple[Unwrapped, frozenset[str], str]] = field(default_factory=list)

    def __call__(self, unwrapped: Unwrapped, parties: frozenset[str], notice: str) -> Prediction | None:
        self.asked.append((unwrapped, parties, notice))
        return Prediction((Candidate(self.category, self.confidence),))


@pytest.mark.parametrize("raw", [b"", b" ", b"\n\r\n\t "])
def test_nothing_is_refused(raw: bytes) -> None:
    with pytest.raises(EmptyEvidence):
        diagnose(raw)


def test_too_much_is_refused_with_the_limit() -> None:
    with pytest.raises(TooLarge, match=str(MAX_RAW_BYTES)):
        diagnose(b"x" * (MAX_RAW_BYTES + 1))


@pytest.mark.parametrize("raw", [b"no outlook file", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 cut off"])
def test_a_file_that_is_no_msg_is_refused_as_one(raw: bytes) -> None:
    with pytest.raises(EvidenceError):
        diagnose(raw, form=Form.MSG)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UnknownName, match="tlh"):
        diagnose(MAILBOX_FULL, language="tlh")


def test_the_same_evidence_has_the_same_id() -> None:
    assert diagnose(MAILBOX_FULL).id == build_diagnoser().diagnose(MAILBOX_FULL).id


@pytest.mark.parametrize(
    "other",
    [
        lambda: diagnose(MAILBOX_FULL + b".").id,
        lambda: replace(build_diagnoser(), model_version="m1").diagnose(MAILBOX_FULL).id,
    ],
    ids=["other evidence", "another model"],
)
def test_the_id_changes_with_all_that_decides(other: Callable[[], str]) -> None:
    assert diagnose(MAILBOX_FULL).id != other()


def test_the_id_does_not_depend_on_the_language() -> None:
    assert 1 == len({diagnose(MAILBOX_FULL, language=language).id for language in LANGUAGES})


def test_a_pasted_reply_is_diagnosed() -> None:
    found = diagnose(MAILBOX_FULL)

    assert (Kind.BOUNCE, "mailbox_full") == (found.kind, found.lead.verdict.category)
    assert ["info@example.net"] == [recipient.address for recipient in found.recipients]


@pytest.mark.parametrize("raw", [b"hello, how are you?", b"see you at 5.30", "您好，明天见".encode()])
def test_a_text_that_no_server_wrote_is_no_report(raw: bytes) -> None:
    found = diagnose(raw)

    assert (Kind.NOT_NDR, "unknown") == (found.kind, found.lead.verdict.category)


@pytest.mark.parametrize("raw", [b"550", b"550 no", b"550 5.0.0 Error", b"554 5.7.1"])
def test_a_bare_code_is_never_certain(raw: bytes) -> None:
    verdict = diagnose(raw).lead.verdict

    assert verdict.confidence < 0.95
    assert "unknown" == verdict.category or verdict.confidence < 0.75


def test_the_most_severe_recipient_leads() -> None:
    found = diagnose((SAMPLES / "postfix-three-reasons.eml").read_bytes())

    assert "info@example.net" == found.lead.address
    assert 3 == len(found.recipients)


def test_a_report_tells_of_failures_and_of_deliveries() -> None:
    status = (
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mail.example.org\n\n"
        "Final-Recipient: rfc822; one@example.net\nAction: failed\nStatus: 5.2.2\n"
        "Diagnostic-Code: smtp; 552 5.2.2 over quota\n\n"
        "Final-Recipient: rfc822; two@example.net\nAction: delivered\nStatus: 2.0.0\n\n"
        "Final-Recipient: rfc822; three@example.net\nAction: delayed\nStatus: 4.0.0\n"
    )
    raw = f"From: MAILER-DAEMON@example.org\nSubject: Delivery report\n{status}".encode()
    categories = [recipient.verdict.category for recipient in diagnose(raw, form=Form.MESSAGE).recipients]

    assert ["mailbox_full", "delivery_notice", "delivery_delayed"] == categories


def test_a_reply_that_came_by_mail_after_the_queue_gave_up_is_permanent() -> None:
    by_text = diagnose(b"450 4.7.1 Greylisted, please try again later").lead.verdict
    by_mail = diagnose((SAMPLES / "postfix-expired-greylisted.eml").read_bytes()).lead.verdict

    assert ("greylisted", "greylisted") == (by_text.category, by_mail.category)
    assert (Permanence.TEMPORARY, Permanence.PERMANENT) == (by_text.permanence, by_mail.permanence)


def test_what_a_diagnostic_leaves_out_is_taken_from_the_notice() -> None:
    unwrapped = diagnose((SAMPLES / "postfix-block-list.eml").read_bytes()).lead.unwrapped

    assert ("RCPT TO", "mx.example.net", "203.0.113.7") == (
        unwrapped.command,
        unwrapped.remote_host,
        unwrapped.remote_ip,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_verdict_is_the_same_in_every_language(language: str) -> None:
    assert diagnose(MAILBOX_FULL).lead.verdict == diagnose(MAILBOX_FULL, language=language).lead.verdict


def test_chinese_answers_are_chinese() -> None:
    advice = diagnose(MAILBOX_FULL, language="zh").lead.advice

    assert all(any("\u4e00" <= char <= "\u9fff" for char in text) for text in (advice.title, advice.summary))
    assert advice.causes
    assert all(cause.checks and cause.fixes for cause in advice.causes)


@pytest.fixture
def own_rules(tmp_path: Path) -> Path:
    (tmp_path / "own.toml").write_text(OWN_RULES)
    return tmp_path


def test_a_users_own_rule_beats_the_shipped_ones(own_rules: Path) -> None:
    verdict = build_diagnoser(own_rules).diagnose(MAILBOX_FULL).lead.verdict

    assert "moderation_rejected" == verdict.category
    assert "own.owl" == verdict.evidence[0].rule_id


def test_a_users_own_rule_changes_the_version(own_rules: Path) -> None:
    assert shipped().rules_version != build_diagnoser(own_rules).rules_version


def test_a_users_wrong_rule_is_refused_by_file_and_id(own_rules: Path) -> None:
    (own_rules / "own.toml").write_text(OWN_RULES.replace("moderation_rejected", "nonsense"))

    with pytest.raises(RuleError, match=r"own\.toml: own\.owl: category 'nonsense'"):
        build_diagnoser(own_rules)


def test_a_missing_folder_of_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        build_diagnoser(tmp_path / "nowhere")


def test_the_classifier_is_asked_once_a_recipient_with_the_words_and_the_parties() -> None:
    classifier = FakeClassifier("mailbox_full", 0.5)
    build_diagnoser(predict=classifier).diagnose((SAMPLES / "postfix-three-reasons.eml").read_bytes())

    assert [550, 552, None] == [unwrapped.innermost.smtp for unwrapped, _, _ in classifier.asked]
    assert all("postfix" in parties for _, parties, _ in classifier.asked)
    assert all("could not" in notice for _, _, notice in classifier.asked)


def test_the_classifier_wins_where_no_rule_fires() -> None:
    found = build_diagnoser(predict=FakeClassifier("greylisted", 0.8)).diagnose(ODD)

    assert ("greylisted", "model") == (found.lead.verdict.category, found.lead.verdict.decided_by)
    assert found.lead.advice.causes


def test_the_classifier_loses_to_a_specific_rule() -> None:
    verdict = build_diagnoser(predict=FakeClassifier("greylisted", 0.8)).diagnose(MAILBOX_FULL).lead.verdict

    assert ("mailbox_full", "rule") == (verdict.category, verdict.decided_by)


def test_a_classifier_that_has_nothing_to_say_changes_nothing() -> None:
    silent, without = build_diagnoser(predict=lambda *_: None), build_diagnoser(with_model=False)

    assert without.diagnose(MAILBOX_FULL).lead == silent.diagnose(MAILBOX_FULL).lead


def test_without_a_classifier_words_that_no_rule_knows_are_unknown() -> None:
    verdict = build_diagnoser(with_model=False).diagnose(ODD).lead.verdict

    assert ("unknown", "none") == (verdict.category, verdict.decided_by)
    assert verdict.alternatives


def test_the_model_version_is_passed_on() -> None:
    without = build_diagnoser(with_model=False)

    assert shipped_classifier().version == diagnose(ODD).model_version
    assert without.diagnose(ODD).model_version is None


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([path.read_bytes() for path in sorted(SAMPLES.glob("*.eml"))]),
    st.lists(st.tuples(st.integers(0, 4095), st.binary(max_size=8)), max_size=4),
)
def test_damaged_evidence_gets_an_answer(raw: bytes, wounds: list[tuple[int, bytes]]) -> None:
    for place, bytes_there in wounds:
        raw = raw[:place] + bytes_there + raw[place + len(bytes_there) :]
    found = diagnose(raw)

    assert 0 <= found.lead.verdict.confidence <= 1
    assert all(recipient.advice.title for recipient in found.recipients)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=1, max_size=300).filter(
        lambda raw: raw.strip() != b"" and not raw.startswith(b"\xd0\xcf")
    )
)
def test_any_bytes_get_an_answer(raw: bytes) -> None:
    assert 0 <= diagnose(raw).lead.verdict.confidence <= 1
