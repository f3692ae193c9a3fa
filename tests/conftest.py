"""A place for corrections that forgets them at the end."""

from dataclasses import dataclass, field, replace

import pytest

from model.errors import UnknownName
from service.errors import KeyReused
from service.feedback import Correction, Draft, Status, kept
from service.once import Once

MOMENT = "2026-11-02T10:14:07Z"


@dataclass
class MemoryStore:
    """A ``FeedbackStore`` in memory."""

    corrections: dict[str, Correction] = field(default_factory=dict)
    answered: dict[str, tuple[str, Correction]] = field(default_factory=dict)

    def add(self, draft: Draft, once: Once | None = None) -> Correction:
        if once and once.key in self.answered:
            body, correction = self.answered[once.key]
            if body != once.body:
                raise KeyReused("This Idempotency-Key came with another body before.")
            return correction
        known = self.corrections.get(draft.id)
        correction = replace(known, count=known.count + 1) if known else kept(draft, at=MOMENT)
        self.corrections[draft.id] = correction
        if once:
            self.answered[once.key] = once.body, correction
        return correction

    def listed(self, status: Status | None = None) -> tuple[Correction, ...]:
        return tuple(each for each in self.corrections.values() if status in (None, each.status))

    def review(self, correction_id: str, status: Status, category: str | None = None) -> Correction:
        if correction_id not in self.corrections:
            raise UnknownName("correction", correction_id)
        known = self.corrections[correction_id]
        settled = replace(known, status=status, correct_category=category or known.correct_category)
        self.corrections[correction_id] = settled
        return settled

    def take(self, correction: Correction) -> bool:
        known = self.corrections.get(correction.id)
        if known is None:
            self.corrections[correction.id] = correction
            return True
        if correction.status is Status.PENDING or known.status is not Status.PENDING:
            return False
        self.review(correction.id, correction.status, correction.correct_category)
        return True


@pytest.fixture
def memory_store() -> MemoryStore:
    return MemoryStore()
