"""Recognises who took part in a delivery: mail providers, gateways and server programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property

from model.patterns import PatternSet, compiled_set
from model.resources import data_file, read_toml


@dataclass(frozen=True, slots=True)
class Provider:
    """A sender of words: ``role`` is ``mailbox``, ``gateway``, ``program`` or ``relay``.

    ``hosts`` are domain suffixes of its mail servers; ``texts`` are RE2 patterns that only it writes, and
    ``headers`` such patterns for a header line of a mail that it made.
    """

    id: str
    name: str
    role: str
    hosts: tuple[str, ...]
    texts: tuple[str, ...]
    headers: tuple[str, ...] = ()


class ProviderBook:
    """All providers, found by host name or by their words."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self.by_id = {provider.id: provider for provider in providers}
        self._by_host = {host: provider.id for provider in self.by_id.values() for host in provider.hosts}
        self._texts = [(text, provider.id) for provider in self.by_id.values() for text in provider.texts]
        makers = sorted(self.by_id.values(), key=_passes_on)
        self._headers = [(text, provider.id) for provider in makers for text in provider.headers]

    def of_host(self, host: str | None) -> str | None:
        """The provider that a host name belongs to, by its longest known suffix."""
        labels = (host or "").lower().strip(".").split(".")
        suffixes = (".".join(labels[start:]) for start in range(len(labels)))
        return next((self._by_host[suffix] for suffix in suffixes if suffix in self._by_host), None)

    def of_text(self, text: str) -> frozenset[str]:
        """The providers whose words a text holds."""
        return frozenset(self._texts[index][1] for index in self._engine.hits(text))

    def of_headers(self, header_block: str) -> str | None:
        """Who made a mail, by the header lines that only it writes; a gateway only for want of others."""
        return next((self._headers[index][1] for index in self._header_engine.hits(header_block)), None)

    @cached_property
    def _header_engine(self) -> PatternSet:
        return compiled_set(f"(?m){text}" for text, _ in self._headers)

    @cached_property
    def _engine(self) -> PatternSet:
        return compiled_set(text for text, _ in self._texts)


@cache
def providers() -> ProviderBook:
    """The shipped providers; read once."""
    entries = read_toml(data_file("providers.toml"))["provider"]
    return ProviderBook(
        Provider(
            id=entry["id"],
            name=entry["name"],
            role=entry["role"],
            hosts=tuple(entry.get("hosts", ())),
            texts=tuple(entry.get("texts", ())),
            headers=tuple(entry.get("headers", ())),
        )
        for entry in entries
    )


def _passes_on(provider: Provider) -> bool:
    """A gateway also marks the mails of others that come through it."""
    return provider.role == "gateway"
