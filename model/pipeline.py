"""From bytes to a Diagnosis: the whole story."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from model.axes import Facts
from model.classifier import Classifier, predictor, shipped_classifier
from model.combine import NO_BLEND, combine
from model.errors import EmptyEvidence, TooLarge
from model.knowledge import knowledge
from model.languages import LANGUAGES
from model.parse import parse
from model.providers import ProviderBook, providers
from model.reply import MAX_REPLY_CHARS, readable, unwrap
from model.resources import disk_files
from model.rule_files import load_rules, shipped_rules
from model.rules import Match, Rule, RuleBook, strongest_first
from model.taxonomy import UNKNOWN, taxonomy
from model.trail import route_of
from model.types import (
    Diagnosis,
    Failure,
    Form,
    Kind,
    Predict,
    Prediction,
    RecipientDiagnosis,
    Report,
    Unwrapped,
)
from model.weigh import Blend

_POSITIVE = 2
MAX_RAW_BYTES = 64 << 20
_GIVEN_UP = ("message_expired", "delivery_delayed")
_UNSAYING_STATUS = "5.0.0"
"""What a program that knows no better writes, of a refusal and of a queue that gave up alike."""
TOLD = 0.5
"""From this confidence on, a recipient's category may speak for the whole message."""

SOUNDS_LIKE = 0.5
"""From this probability on, the classifier hears a failure in a text without codes and known words."""

SAID = 0.8
"""What the category weighs that a log names itself."""

SURE = 0.85
"""From this weight on a match in the reply needs no help from the notice."""


@dataclass(frozen=True, slots=True)
class Diagnoser:
    """Rules, providers and, where there is one, the classifier, ready to diagnose."""

    rules: RuleBook
    providers: ProviderBook
    predict: Predict | None = None
    model_version: str | None = None
    blend: Blend = NO_BLEND

    @property
    def rules_version(self) -> str:
        """A digest of the rules in use."""
        return self.rules.version

    def diagnose(self, raw: bytes, *, form: Form = Form.AUTO, language: str = LANGUAGES[0]) -> Diagnosis:
        """What a non-delivery report says: why, where it stopped, who can mend it, what next.

        Args:
            raw: the evidence as it came, any bytes.
            form: what it is, where the caller knows.
            language: the language of titles, summaries, causes, checks and fixes.

        Raises:
            EmptyEvidence: there is nothing in it.
            TooLarge: it is larger than 64 MiB.
            EvidenceError: it is not what ``form`` says.
        """
        _check(raw)
        report = self._settled(parse(raw, form))
        recipients = tuple(self.judge(failure, report, language) for failure in _failures(report))
        lead = max(recipients, key=_severity)
        return self.assembled(report, lead, language, raw, recipients=recipients)

    def assembled(
        self,
        report: Report,
        lead: RecipientDiagnosis,
        language: str,
        raw: bytes,
        *,
        recipients: tuple[RecipientDiagnosis, ...] = (),
    ) -> Diagnosis:
        """The answer from its parts.

        Args:
            report: what was read.
            lead: the answer that speaks for the whole.
            language: of its words.
            raw: what tells this answer from others, for its id.
            recipients: one answer for each recipient; the lead alone without them.
        """
        return Diagnosis(
            id=self._id(raw),
            kind=report.kind,
            lead=lead,
            recipients=(recipients or (lead,)) if report.failures else (),
            report=report,
            route=route_of(report.trail),
            language=language,
            taxonomy_version=taxonomy().version,
            rules_version=self.rules_version,
            model_version=self.model_version,
            warnings=report.warnings,
        )

    def judge(
        self, failure: Failure, report: Report, language: str, *, said: str | None = None
    ) -> RecipientDiagnosis:
        """The answer for one recipient.

        Args:
            failure: the recipient, as the report tells it.
            report: what else it tells.
            language: of the words.
            said: the category that whoever wrote the report names itself.
        """
        unwrapped = self._decisive(failure, report)
        parties = self._parties(failure, report, unwrapped)
        matches = _merged(self._matches(failure, report, unwrapped, parties), _said(said, unwrapped))
        prediction = self._prediction(failure, report, unwrapped, parties)
        facts = _facts(failure, report, unwrapped)
        verdict = combine(matches, facts, prediction=prediction, blend=self.blend)
        return RecipientDiagnosis(
            address=failure.address,
            original_address=failure.original_address,
            verdict=verdict,
            unwrapped=unwrapped,
            provider=self._provider(failure, report, unwrapped, parties),
            remote_mta=failure.remote_mta or unwrapped.remote_host,
            advice=knowledge(language).advice(verdict, parties=parties),
        )

    def _prediction(
        self, failure: Failure, report: Report, unwrapped: Unwrapped, parties: frozenset[str]
    ) -> Prediction | None:
        if self.predict is None:
            return None
        notice = "" if report.is_bare_text else _words(failure, report)[:MAX_REPLY_CHARS]
        return self.predict(unwrapped, parties, notice)

    def _decisive(self, failure: Failure, report: Report) -> Unwrapped:
        """The reply that decides: the diagnostic's, or the notice's where the diagnostic only says expired.

        What the diagnostic leaves out, the refused command and the host, is taken from the notice.
        """
        told = unwrap(failure.diagnostic or failure.reason or report.notice)
        if not (failure.diagnostic and failure.reason):
            return told
        notice = unwrap(failure.reason)
        if len(notice.chain) > 1 and notice.innermost.smtp and self._gives_up_only(told):
            return notice
        return replace(
            told,
            command=told.command or notice.command,
            remote_host=told.remote_host or notice.remote_host,
            remote_ip=told.remote_ip or notice.remote_ip,
        )

    def _gives_up_only(self, unwrapped: Unwrapped) -> bool:
        return any(match.rule.category in _GIVEN_UP for match in self.rules.matches(unwrapped)[:1])

    def _matches(
        self, failure: Failure, report: Report, unwrapped: Unwrapped, parties: frozenset[str]
    ) -> tuple[Match, ...]:
        """The rules that fire on the reply; where none is sure, on the notice too."""
        matches = self.rules.matches(unwrapped, parties=parties, status=failure.status)
        if matches and matches[0].weight >= SURE:
            return matches
        notice = readable(_words(failure, report)[: 2 * MAX_REPLY_CHARS])
        return _merged(matches, self.rules.notice_matches(notice, parties=parties))

    def _parties(self, failure: Failure, report: Report, unwrapped: Unwrapped) -> frozenset[str]:
        hosts = (unwrapped.remote_host, failure.remote_mta, report.reporting_mta, _domain(failure.address))
        named = {report.software, *(self.providers.of_host(host) for host in hosts)}
        return frozenset(name for name in named if name) | self.providers.of_text(
            f"{unwrapped.text}\n{failure.reason}\n{report.notice[:MAX_REPLY_CHARS]}"
        )

    def _provider(
        self, failure: Failure, report: Report, unwrapped: Unwrapped, parties: frozenset[str]
    ) -> str | None:
        """Whose words these are: by host, else by words, recipient's domain, reporter."""
        return (
            self.providers.of_host(unwrapped.remote_host or failure.remote_mta)
            or min(self.providers.of_text(unwrapped.text), key=self._rank, default=None)
            or self.providers.of_host(_domain(failure.address))
            or self.providers.of_host(report.reporting_mta)
            or min(parties, key=self._rank, default=None)
        )

    def _rank(self, name: str) -> tuple[bool, str]:
        return self.providers.by_id[name].role == "program", name

    def _settled(self, report: Report) -> Report:
        """A bare text that holds neither code nor known words is no report."""
        if not report.is_bare_text:
            return report
        unwrapped = unwrap(report.notice)
        if (unwrapped.innermost.smtp or 0) // 100 == _POSITIVE:
            return replace(report, kind=Kind.SUCCESS, kind_reason="a positive reply")
        if any(reply.smtp or reply.enhanced for reply in unwrapped.chain) or self.rules.matches(unwrapped):
            return report
        if self._sounds_like_a_failure(unwrapped):
            return report
        return replace(
            report,
            kind=Kind.NOT_NDR,
            kind_reason="the text holds no code and no words of a mail server",
            failures=(),
        )

    def _sounds_like_a_failure(self, unwrapped: Unwrapped) -> bool:
        """Whether the classifier is surer of a reason than not."""
        prediction = self.predict(unwrapped, frozenset(), "") if self.predict else None
        first = prediction.candidates[0] if prediction else None
        return first is not None and first.category != UNKNOWN and first.confidence >= SOUNDS_LIKE

    def _id(self, raw: bytes) -> str:
        digest = hashlib.sha256(raw)
        digest.update(f"{taxonomy().version}/{self.rules_version}/{self.model_version}".encode())
        return digest.hexdigest()[:32]


def build_diagnoser(
    custom_rules: Path | None = None,
    predict: Predict | None = None,
    *,
    classifier: Classifier | None = None,
    with_rules: bool = True,
    with_model: bool = True,
) -> Diagnoser:
    """A diagnoser with the shipped rules and classifier and, ranking higher, the user's own rules.

    Args:
        custom_rules: a folder of the user's own rules.
        predict: another learned half in place of the classifier.
        classifier: another classifier in place of the shipped one.
        with_rules: whether rules take part.
        with_model: whether the learned half takes part.

    Raises:
        RuleError: a rule file is wrong.
        DataError: the shipped classifier is damaged.
    """
    custom = load_rules(disk_files(custom_rules), custom=True) if custom_rules else ()
    book = RuleBook((*custom, *shipped_rules()) if with_rules else custom)
    if predict is not None or not with_model:
        return Diagnoser(book, providers(), predict)
    learned = classifier or shipped_classifier()
    blend = learned.blend if with_rules else learned.blend_alone
    return Diagnoser(book, providers(), predictor(learned), learned.version, blend)


def _said(category: str | None, unwrapped: Unwrapped) -> tuple[Match, ...]:
    """The writer's own word, as a rule that fired."""
    if category is None:
        return ()
    rule = Rule(f"log.{category}", category, SAID, "the log's own category", ())
    return (Match(rule, SAID, unwrapped.innermost.text),)


def _check(raw: bytes) -> None:
    if not raw.strip():
        raise EmptyEvidence("the evidence is empty")
    if len(raw) > MAX_RAW_BYTES:
        raise TooLarge(f"the evidence has {len(raw)} bytes; {MAX_RAW_BYTES} are allowed")


def _failures(report: Report) -> tuple[Failure, ...]:
    return report.failures or (Failure(None),)


def _words(failure: Failure, report: Report) -> str:
    """The words for people about one recipient: its own, and what stands above the first of several."""
    if len(report.failures) <= 1:
        return f"{report.subject}\n{report.notice}"
    above = report.notice.partition(report.failures[0].address or "\0")[0]
    return f"{above}\n{failure.reason}"


def _facts(failure: Failure, report: Report, unwrapped: Unwrapped) -> Facts:
    return Facts(
        kind=_kind(failure, report),
        kind_reason=report.kind_reason,
        unwrapped=unwrapped,
        status=failure.status,
        original_seen=report.original_seen,
        gave_up=_gave_up(failure, report, unwrapped),
    )


def _kind(failure: Failure, report: Report) -> Kind:
    """The recipient's own kind: one report may tell of failures and of deliveries."""
    if report.kind is Kind.BOUNCE and failure.action in ("delayed", "delivered", "relayed", "expanded"):
        return Kind.DELAY if failure.action == "delayed" else Kind.SUCCESS
    return report.kind


def _gave_up(failure: Failure, report: Report, unwrapped: Unwrapped) -> bool:
    """Whether a failure that is no refusal became final: a bounce came, so the queue gave up."""
    status = failure.status if failure.status != _UNSAYING_STATUS else None
    code = str(unwrapped.innermost.smtp or unwrapped.innermost.enhanced or status or "")
    came_as_mail = not report.is_bare_text and (report.subject or failure.action == "failed")
    return report.kind is Kind.BOUNCE and bool(came_as_mail) and not code.startswith("5")


def _merged(*groups: Iterable[Match]) -> tuple[Match, ...]:
    """All matches, strongest first, each rule once."""
    best: dict[str, Match] = {}
    for match in (match for group in groups for match in group):
        if match.rule.id not in best or match.rank > best[match.rule.id].rank:
            best[match.rule.id] = match
    return strongest_first(best.values())


def _severity(recipient: RecipientDiagnosis) -> tuple[int, float]:
    category = recipient.verdict.category
    is_told = category != UNKNOWN and recipient.verdict.confidence >= TOLD
    return taxonomy()[category].severity if is_told else 1, recipient.verdict.confidence


def _domain(address: str | None) -> str | None:
    return address.rpartition("@")[2] if address and "@" in address else None
