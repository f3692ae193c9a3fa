"""A web application around a diagnoser that knows four words."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from model.errors import EmptyEvidence, EvidenceError, TooLarge, UnknownName
from model.events import Role
from model.exhibits import Exhibit
from model.inquiry import Case, Question, Reading
from model.path import PLACES, PathHop
from model.sides import Sides
from model.types import (
    Action,
    Advice,
    Candidate,
    Cause,
    Diagnosis,
    Evidence,
    FixOwner,
    Form,
    Kind,
    Permanence,
    RecipientDiagnosis,
    Reply,
    Report,
    Route,
    Stage,
    Unwrapped,
    Verdict,
)
from service import logs
from service.errors import KeyReused, StillRunning
from service.once import Once
from service.settings import Settings
from service.triage.orders import Order, Standing, State, Wish
from service.web.app import create_app
from service.wiring import Services


@dataclass
class FakeDiagnoser:
    """Diagnoses everything as the worked case, fails on command, and remembers what it was given."""

    rules_version: str = "rules-1"
    model_version: str | None = None
    category: str = "internal_auth_failed"
    seen: list[tuple[bytes, Form, str]] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)

    def diagnose(self, raw: bytes, *, form: Form = Form.AUTO, language: str = "en") -> Diagnosis:
        self.seen.append((raw, form, language))
        for word, error in FAILURES.items():
            if word in raw:
                raise error
        if not raw.strip():
            raise EmptyEvidence("there is nothing in it")
        diagnosis = replace(worked_diagnosis(self.category), language=language)
        return without_words(diagnosis) if b"say-nothing" in raw else diagnosis

    def investigate(self, exhibits: Sequence[Exhibit], question: Question) -> Case:
        self.asked.append(question)
        diagnoses = [self.diagnose(exhibit.raw(1 << 20), language=question.language) for exhibit in exhibits]
        return Case(
            diagnosis=diagnoses[0],
            path=tuple(map(PathHop, PLACES)),
            sightings=(),
            faults=(),
            readings=tuple(Reading(exhibit.name, exhibit.type, Role.REPORT) for exhibit in exhibits),
            steps=(),
            sides=Sides(frozenset(), frozenset(), question.own),
        )


FAILURES = {
    b"raise-too-large": TooLarge("26 MB are more than 25 MB"),
    b"raise-unreadable": EvidenceError("this is not an Outlook file"),
    b"raise-unexpected": RuntimeError("raise-unexpected from marker@example.com"),
}

TEXT = '451 4.4.0 Primary target IP address responded with: "454 4.7.0 Temporary authentication failure."'


def worked_diagnosis(category: str = "internal_auth_failed") -> Diagnosis:
    outer = Reply(text=TEXT, smtp=451, enhanced="4.4.0")
    inner = Reply(text="454 4.7.0 Temporary authentication failure.", smtp=454, enhanced="4.7.0")
    cause = Cause(
        id="clock_skew",
        title="The clocks differ",
        explanation="Kerberos refuses.",
        likelihood=0.3,
        fix_owner=FixOwner.SENDER_ADMIN,
        evidence=(),
        checks=("w32tm /monitor",),
        fixes=("w32tm /resync",),
        links=("https://example.com/time",),
    )
    verdict = Verdict(
        category=category,
        confidence=0.98765,
        permanence=Permanence.TEMPORARY,
        action=Action.FIX_SENDER,
        fix_owner=FixOwner.SENDER_ADMIN,
        stage=Stage.SENDER_TRANSPORT,
        decided_by="rule",
        evidence=(
            Evidence(
                "rule",
                inner.text,
                0.98,
                rule_id="exchange.temporary_authentication_failure",
                start=53,
                end=96,
            ),
        ),
        alternatives=(Candidate("client_auth_required", 0.01),),
    )
    lead = RecipientDiagnosis(
        address="user@example.com",
        original_address=None,
        verdict=verdict,
        unwrapped=Unwrapped(text=TEXT, chain=(outer, inner), start=53, end=96, retry_after_s=300),
        provider="exchange",
        remote_mta=None,
        advice=Advice("Servers could not authenticate", "The mail waits.", (cause,)),
    )
    return Diagnosis(
        id="d1",
        kind=Kind.BOUNCE,
        lead=lead,
        recipients=(lead,),
        report=Report(kind=Kind.BOUNCE, kind_reason="reply", failures=()),
        route=Route(),
        language="en",
        taxonomy_version=1,
        rules_version="rules-1",
        model_version=None,
    )


def without_words(diagnosis: Diagnosis) -> Diagnosis:
    unwrapped = replace(diagnosis.lead.unwrapped, start=0, end=0)
    return replace(diagnosis, lead=replace(diagnosis.lead, unwrapped=unwrapped))


MOMENT = datetime(2026, 11, 2, 10, 14, 7, tzinfo=UTC)


@dataclass
class MemoryOrders:
    """The part of an ``OrderStore`` that callers see, in memory."""

    orders: dict[str, Order] = field(default_factory=dict)
    answered: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, wish: Wish, once: Once | None = None) -> tuple[Order, bool]:
        if once and once.key in self.answered:
            body, order_id = self.answered[once.key]
            if body != once.body:
                raise KeyReused("This Idempotency-Key came with another body before.")
            return self.orders[order_id], False
        created_at = MOMENT + timedelta(seconds=len(self.orders))
        self.orders[wish.id] = Order(wish, State.QUEUED, Standing(), created_at)
        if once:
            self.answered[once.key] = once.body, wish.id
        return self.orders[wish.id], True

    def get(self, order_id: str) -> Order:
        if order_id not in self.orders:
            raise UnknownName("job", order_id)
        return self.orders[order_id]

    def listed(self, limit: int) -> tuple[Order, ...]:
        return tuple(reversed(self.orders.values()))[:limit]

    def cancel(self, order_id: str) -> Order:
        return self.change(order_id, state=State.CANCELLED, finished_at=MOMENT)

    def remove(self, order_id: str) -> None:
        if not self.get(order_id).state.is_end:
            raise StillRunning("the job has not ended")
        del self.orders[order_id]

    def change(self, order_id: str, **values: Any) -> Order:
        self.orders[order_id] = replace(self.get(order_id), **values)
        return self.orders[order_id]


@pytest.fixture
def orders() -> MemoryOrders:
    return MemoryOrders()


@pytest.fixture
def diagnoser() -> FakeDiagnoser:
    return FakeDiagnoser()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(max_body_bytes=1 << 16, batch_limit=5, max_archive_bytes=1 << 20, data_dir=tmp_path)


@pytest.fixture
def app(settings: Settings, diagnoser: FakeDiagnoser, memory_store: Any, orders: Any) -> Flask:
    app = create_app(Services(settings, diagnoser, memory_store, {"digest": "card-1"}, lambda _: orders))
    diagnoser.seen.clear()  # the description diagnoses the worked case for its example
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def log() -> Iterator["Log"]:
    stream = StringIO()
    logs.configure("info", stream=stream)
    yield Log(stream)
    logs.configure("critical")


@dataclass
class Log:
    """What was logged while a test ran."""

    stream: StringIO

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]
