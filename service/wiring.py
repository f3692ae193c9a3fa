"""Builds everything the service needs; each piece can be handed in instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from model import inquiry, pipeline
from model.classifier import classifier_in, shipped_classifier
from model.exhibits import REPORT, Exhibit
from model.inquiry import Case, Question
from model.types import Diagnosis, Form
from service.errors import NotReady
from service.feedback import FeedbackStore
from service.feedback_store import SqliteStore
from service.settings import Settings
from service.triage.orders import OrderStore

if TYPE_CHECKING:
    from service.announcing import Announcer
    from service.ticketing.inbox import Inbox

WORKED_CASE = (
    b'451 4.4.0 Primary target IP address responded with: "454 4.7.0 Temporary authentication failure." '
    b"Attempted failover to alternate host, but that did not succeed. Either there are no alternate hosts, "
    b"or delivery failed to all alternate hosts."
)
WORKED_EVENT = (
    b"Log Name:      Application\n"
    b"Source:        MSExchangeTransport\n"
    b"Date:          2026-11-02T10:14:23.000Z\n"
    b"Event ID:      1035\n"
    b"Level:         Warning\n"
    b"Computer:      EX2.example.com\n"
    b"Description:\n"
    b"Inbound authentication failed with error IllegalMessage for Receive connector Default EX2. The "
    b"authentication mechanism is ExchangeAuth. The source IP address of the client who tried to "
    b"authenticate to Microsoft Exchange is [192.0.2.11].\n"
)
WORKED_CATEGORY = "internal_auth_failed"


class Diagnoser(Protocol):
    """What the shell needs of the core: evidence in, diagnosis out."""

    @property
    def rules_version(self) -> str:
        """Changes when any rule does."""

    @property
    def model_version(self) -> str | None:
        """The learned half in use; ``None`` when there is none."""

    def diagnose(self, raw: bytes, *, form: Form = Form.AUTO, language: str = "en") -> Diagnosis:
        """Says what a piece of evidence means.

        Raises:
            EvidenceError: it is empty, too large, or not what ``form`` claims.
        """

    def investigate(self, exhibits: Sequence[Exhibit], question: Question) -> Case:
        """Makes one diagnosis of several pieces of evidence on one delivery.

        Raises:
            EvidenceError: there are none or too many, or a report among them cannot be read.
            UnknownName: the type of a piece is not known.
        """


@dataclass(frozen=True, slots=True)
class Core:
    """The core as the shell needs it."""

    diagnoser: pipeline.Diagnoser

    @property
    def rules_version(self) -> str:
        """Changes when any rule does."""
        return self.diagnoser.rules_version

    @property
    def model_version(self) -> str | None:
        """The learned half in use; ``None`` when there is none."""
        return self.diagnoser.model_version

    def diagnose(self, raw: bytes, *, form: Form = Form.AUTO, language: str = "en") -> Diagnosis:
        """Says what a piece of evidence means; see ``Diagnoser``."""
        return self.diagnoser.diagnose(raw, form=form, language=language)

    def investigate(self, exhibits: Sequence[Exhibit], question: Question) -> Case:
        """Makes one diagnosis of several pieces of evidence; see ``Diagnoser``."""
        return inquiry.investigate(self.diagnoser, exhibits, question)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request needs."""

    settings: Settings
    diagnoser: Diagnoser
    feedback: FeedbackStore = field(default_factory=lambda: SqliteStore(None))
    model_card: Mapping[str, Any] | None = None
    open_orders: Callable[[Settings], OrderStore] | None = None
    tickets: Inbox | None = None
    announcer: Announcer | None = None

    @property
    def announced(self) -> Diagnoser:
        """The core, as callers have it: each of its diagnoses is told where the settings say so."""
        return self.announcer.around(self.diagnoser) if self.announcer else self.diagnoser

    @property
    def orders(self) -> OrderStore:
        """Where jobs on archives are kept; opened when the first one asks.

        Raises:
            StoreUnavailable: the address of the store cannot be read.
        """
        return (self.open_orders or _orders_of)(self.settings)

    def worked_case(self) -> Diagnosis:
        """The diagnosis of the case that must always come out right."""
        return self.diagnoser.diagnose(WORKED_CASE, form=Form.TEXT)

    def worked_way(self) -> Case:
        """The same case, told by the reply and by the entry of the receiving server."""
        exhibits = (
            Exhibit.of("reply.txt", WORKED_CASE, REPORT),
            Exhibit.of("event-1035.txt", WORKED_EVENT, "exchange_event"),
        )
        return self.diagnoser.investigate(exhibits, Question())

    def self_test(self) -> None:
        """Diagnoses the worked case.

        Raises:
            NotReady: it does not come out right.
        """
        category = self.worked_case().lead.verdict.category
        if category != WORKED_CATEGORY:
            raise NotReady(f"the self-test gave {category}, not {WORKED_CATEGORY}")


@cache
def _orders_of(settings: Settings) -> OrderStore:
    from service.triage.order_store import store_of  # SQLAlchemy is loaded only where there are jobs

    return store_of(settings)


def build(
    settings: Settings, *, diagnoser: Diagnoser | None = None, feedback: FeedbackStore | None = None
) -> Services:
    """Wires the service.

    Raises:
        RuleError: one of the user's own rules is wrong.
        DataError: the classifier is damaged, or was trained for another taxonomy.
        SettingError: the file that names ticketing systems is wrong, or events are to be sent and there is
            no secret to sign them with.
    """
    store = feedback or SqliteStore(settings.data_dir)
    announcer = _announcer_of(settings)
    if diagnoser:
        return _with_tickets(Services(settings, diagnoser, store, announcer=announcer))
    classifier = classifier_in(settings.model_dir) if settings.model_dir else shipped_classifier()
    wired = pipeline.build_diagnoser(custom_rules=settings.rules_dir, classifier=classifier)
    return _with_tickets(Services(settings, Core(wired), store, classifier.card, announcer=announcer))


def _with_tickets(services: Services) -> Services:
    return replace(services, tickets=_inbox_of(services.settings, services.announced))


def _announcer_of(settings: Settings) -> Announcer | None:
    if not settings.webhook_url:
        return None
    from service.announcing import announcer_of  # loaded only where somebody wants events

    return announcer_of(settings)


def _inbox_of(settings: Settings, diagnoser: Diagnoser) -> Inbox | None:
    if settings.tickets_file is None:
        return None
    from service.ticketing.inbox import (
        inbox_of,
    )  # what calls other systems is loaded only where there are some

    return inbox_of(settings, diagnoser)
