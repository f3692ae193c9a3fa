"""The adapters: one line for each ticketing system."""

from __future__ import annotations

from service.ticketing.nouns import Adapter, System
from service.ticketing.systems.redmine import Redmine
from service.ticketing.systems.roundup import Roundup
from service.ticketing.systems.rt import Rt

ADAPTERS: tuple[type[Adapter], ...] = (
    Redmine,
    Roundup,
    Rt,
)


def adapter_for(system: System) -> Adapter:
    """The adapter that a system's configuration names, which was checked when it was read."""
    return next(each for each in ADAPTERS if each.name == system.adapter)(system)
