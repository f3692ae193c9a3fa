"""A request that is to count once, by the key that its caller gave it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from service.errors import KeyReused

KEYS_KEPT_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Once:
    """A request that is to count once: digests of the caller's key and of the body."""

    key: str
    body: str

    def check(self, earlier_body: str) -> None:
        """Compares this request with an earlier one of the same key.

        Raises:
            KeyReused: that one had another body.
        """
        if earlier_body != self.body:
            raise KeyReused("This Idempotency-Key came with another body before.")
