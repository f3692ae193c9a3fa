"""Configured systems, each with its adapter and a caller that never makes the same change twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from service.outgoing import Answered, Caller, HttpCaller
from service.ticketing.adapters import adapter_for
from service.ticketing.nouns import Adapter, System

READING = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class CarefulCaller:
    """Repeats questions that failed, but no change: of one that failed nobody knows whether it was made.

    Args:
        patient: tries again by itself.
        single: tries once.
    """

    patient: Caller
    single: Caller

    def call(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answered:
        """Makes a call; see ``Caller``."""
        caller = self.patient if method in READING else self.single
        return caller.call(method, path, body=body, headers=headers)


@dataclass(frozen=True, slots=True)
class Desk:
    """One configured system, ready to be worked with."""

    system: System
    adapter: Adapter
    caller: Caller


def desks_of(systems: Mapping[str, System]) -> Mapping[str, Desk]:
    """A desk for each system, by its name."""
    return MappingProxyType({name: _desk(system) for name, system in systems.items()})


def _desk(system: System) -> Desk:
    adapter = adapter_for(system)
    headers = adapter.headers()
    caller = CarefulCaller(HttpCaller(system.url, headers), HttpCaller(system.url, headers, pauses_s=()))
    return Desk(system, adapter, caller)
