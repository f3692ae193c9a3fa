"""One piece of evidence as a caller handed it in."""

from __future__ import annotations

from dataclasses import dataclass

from model.types import Diagnosis, Form
from service.wiring import Diagnoser


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
