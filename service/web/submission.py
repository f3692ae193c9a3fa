"""What a caller handed in: a piece of evidence or several, or a correction of an answer to one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.exhibits import Exhibit
from model.inquiry import Case
from model.types import Diagnosis, Form, Permanence
from service.evidence import Bundle, question_of
from service.feedback import Draft, draft_of
from service.wiring import Diagnoser, Services


@dataclass(frozen=True, slots=True)
class Submission:
    """What to diagnose: ``id`` is the caller's own name for it; ``language`` may be left open."""

    raw: bytes
    form: Form
    language: str | None = None
    id: str | int | None = None

    def diagnosed_by(self, diagnoser: Diagnoser, *, language: str) -> Diagnosis:
        """The diagnosis, in the caller's language or else in the one given."""
        return diagnoser.diagnose(self.raw, form=self.form, language=self.language or language)


@dataclass(frozen=True, slots=True)
class Feedback:
    """A correction: the evidence again, and what the answer should have been."""

    submission: Submission
    category: str
    permanence: Permanence | None = None
    note: str = ""
    result_id: str | None = None

    def drafted_by(self, diagnoser: Diagnoser, *, language: str) -> Draft:
        """What to keep of it.

        Raises:
            BadCorrection: the evidence holds no words to learn from.
            EvidenceError: the evidence cannot be read.
        """
        return draft_of(
            self.submission.diagnosed_by(diagnoser, language=language),
            self.category,
            permanence=self.permanence,
            note=self.note,
            result_id=self.result_id,
        )


@dataclass(frozen=True, slots=True)
class Inquiry:
    """Several pieces of evidence on one delivery, and what the caller knows beside them."""

    exhibits: tuple[Exhibit, ...]
    message_id: str | None = None
    recipient: str | None = None
    language: str | None = None

    def investigated_by(self, services: Services, *, language: str, watch: Callable[[], None]) -> Case:
        """One diagnosis of all pieces, in the caller's language or else in the one given.

        Args:
            services: the core, and the settings that tell what is the caller's own.
            language: of the answer, where the caller names none.
            watch: called before each part of a piece is read; may raise to stop.

        Raises:
            UnreadablePiece: one of the pieces cannot be read.
        """
        question = question_of(
            services.settings,
            language=self.language or language,
            message_id=self.message_id,
            recipient=self.recipient,
        )
        return Bundle(self.exhibits, watch).investigated_by(services.announced, question)
