"""The frozen nouns that travel between the modules of the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from model.events import Event


class Kind(StrEnum):
    """What a message is."""

    BOUNCE = "bounce"
    DELAY = "delay"
    SUCCESS = "success"
    AUTO_REPLY = "auto_reply"
    COMPLAINT = "complaint"
    NOT_NDR = "not_ndr"


class Form(StrEnum):
    """In which form a piece of evidence was handed in."""

    AUTO = "auto"
    MESSAGE = "message"
    TEXT = "text"
    MSG = "msg"


class Permanence(StrEnum):
    """Whether the same mail would pass later, unchanged."""

    PERMANENT = "permanent"
    TEMPORARY = "temporary"
    UNKNOWN = "unknown"


class Action(StrEnum):
    """What the caller should do next."""

    RETRY = "retry"
    RETRY_SLOWER = "retry_slower"
    SUPPRESS = "suppress"
    FIX_SENDER = "fix_sender"
    FIX_RECIPIENT = "fix_recipient"
    CONTACT_RECIPIENT_ADMIN = "contact_recipient_admin"
    CONTACT_PROVIDER = "contact_provider"
    IGNORE = "ignore"
    REVIEW = "review"


class FixOwner(StrEnum):
    """Who can mend it."""

    SENDER = "sender"
    SENDER_ADMIN = "sender_admin"
    GATEWAY_ADMIN = "gateway_admin"
    RECIPIENT = "recipient"
    RECIPIENT_ADMIN = "recipient_admin"
    PROVIDER = "provider"
    NONE = "none"
    UNKNOWN = "unknown"


class Stage(StrEnum):
    """Where on the way a message stopped."""

    SUBMISSION = "submission"
    SENDER_TRANSPORT = "sender_transport"
    SENDER_GATEWAY = "sender_gateway"
    DNS = "dns"
    CONNECTION = "connection"
    RECIPIENT_GATEWAY = "recipient_gateway"
    RECIPIENT_TRANSPORT = "recipient_transport"
    MAILBOX = "mailbox"
    RULE_OR_MODERATION = "rule_or_moderation"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """One SMTP reply, or one server's words on a failure.

    ``text`` is the whole reply with its codes, lines joined and repeated prefixes removed.
    A code that is not in the words stays ``None``: codes are never invented.
    """

    text: str
    smtp: int | None = None
    enhanced: str | None = None


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A diagnostic text taken apart: ``chain`` runs from the outermost reply to the innermost.

    ``text`` is the readable whole; the innermost reply is ``text[start:end]``.
    """

    text: str
    chain: tuple[Reply, ...]
    start: int
    end: int
    command: str | None = None
    remote_host: str | None = None
    remote_ip: str | None = None
    retry_after_s: int | None = None
    block_lists: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    queue_ids: tuple[str, ...] = ()

    @property
    def innermost(self) -> Reply:
        """The reply that decides."""
        return self.chain[-1]


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient of a report, as the report tells it: nothing is judged yet.

    ``diagnostic`` is the ``Diagnostic-Code`` field; ``status`` the ``Status`` field, which may disagree
    with it; ``reason`` the notice's words about this recipient.
    """

    address: str | None
    original_address: str | None = None
    action: str | None = None
    status: str | None = None
    diagnostic: str = ""
    reason: str = ""
    remote_mta: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A non-delivery report after parsing: who failed, in whose words.

    ``notice`` is the text meant for people, without the returned message. A ``is_bare_text`` has nothing
    about it that says what kind of message it is. ``trail`` are the hops of the returned message, oldest
    first.
    """

    kind: Kind
    kind_reason: str
    failures: tuple[Failure, ...]
    notice: str = ""
    subject: str = ""
    reporting_mta: str | None = None
    software: str | None = None
    original_message_id: str | None = None
    original_seen: bool = False
    names_a_recipient: bool = False
    is_bare_text: bool = False
    trail: tuple[Event, ...] = ()
    original_sender: str | None = None
    reported_at: datetime | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A category that may also be true."""

    category: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a category was given: the words, where they stand, and how much they weigh.

    ``start`` and ``end`` count characters of the recipient's ``text``;
    they are ``None`` where a code or a header spoke and not the text.
    """

    source: str
    quote: str
    weight: float
    rule_id: str | None = None
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier says: candidates in falling order, and the words that weighed most.

    ``temporary`` is the probability that the same mail would pass later.
    """

    candidates: tuple[Candidate, ...]
    words: tuple[str, ...] = ()
    temporary: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The axes of the answer for one recipient; ``witness`` tells how rules and classifier stood to it."""

    category: str
    confidence: float
    permanence: Permanence
    action: Action
    fix_owner: FixOwner
    stage: Stage
    decided_by: str
    evidence: tuple[Evidence, ...] = ()
    alternatives: tuple[Candidate, ...] = ()
    cause: str | None = None
    witness: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One probable cause, in the caller's language."""

    id: str
    title: str
    explanation: str
    likelihood: float
    fix_owner: FixOwner
    evidence: tuple[str, ...]
    checks: tuple[str, ...]
    fixes: tuple[str, ...]
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """The words on a verdict, in the caller's language."""

    title: str
    summary: str
    causes: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class RecipientDiagnosis:
    """The answer for one recipient."""

    address: str | None
    original_address: str | None
    verdict: Verdict
    unwrapped: Unwrapped
    provider: str | None
    remote_mta: str | None
    advice: Advice


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of the way that a ``Received`` header records; the first hop is the oldest."""

    by: str | None
    sender: str | None = None
    protocol: str | None = None
    at: str | None = None
    delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """The way so far; a negative delay shows as ``clock_skew_s``."""

    hops: tuple[Hop, ...] = ()
    max_delay_s: float | None = None
    clock_skew_s: float | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The answer for one piece of evidence; ``lead`` is its most severe recipient."""

    id: str
    kind: Kind
    lead: RecipientDiagnosis
    recipients: tuple[RecipientDiagnosis, ...]
    report: Report
    route: Route
    language: str
    taxonomy_version: int
    rules_version: str
    model_version: str | None
    warnings: tuple[str, ...] = ()


Predict: TypeAlias = Callable[[Unwrapped, frozenset[str], str], Prediction | None]
"""The seam for the learned half.

Called with the unwrapped text, the parties (providers and programs) seen and the notice's words; answers
``None`` when it has nothing to say. The pipeline works without one.
"""
