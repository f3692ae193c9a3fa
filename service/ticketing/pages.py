"""What a note links to: the whole diagnosis, as an answer for programs and as text for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import orjson

from model.types import Diagnosis
from service.answer import Answer, answer_of
from service.text_answer import text_of

PAGES = "/v1/diagnoses"
"""Below this path each has a name that cannot be guessed."""


@dataclass(frozen=True, slots=True)
class Page:
    """A diagnosis that was kept.

    Args:
        answer: as ``/v1/classify`` gives it.
        text: the same for people.
    """

    answer: Answer
    text: str

    @property
    def title(self) -> str:
        """What happened, in some words."""
        return self.text.partition("\n")[0]

    @property
    def language(self) -> str:
        """The language of the text."""
        return str(self.answer["language"])

    @classmethod
    def read(cls, content: bytes) -> Self:
        """A page as it was kept."""
        return cls(**orjson.loads(content))


def page_of(diagnosis: Diagnosis) -> bytes:
    """A diagnosis as it is kept."""
    return orjson.dumps({"answer": answer_of(diagnosis), "text": text_of(diagnosis)})
