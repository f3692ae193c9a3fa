"""The adapters: one line for each ticketing system."""

from __future__ import annotations

from service.ticketing.nouns import Adapter, System
from service.ticketing.systems.generic import Generic
from service.ticketing.systems.jira import Jira
from service.ticketing.systems.redmine import Redmine
from service.ticketing.systems.roundup import Roundup
from service.ticketing.systems.rt import Rt
from service.ticketing.systems.zammad import Zammad
from service.ticketing.systems.zendesk import Zendesk
from service.ticketing.systems.znuny import Znuny

ADAPTERS: tuple[type[Adapter], ...] = (
    Generic,
    Jira,
    Redmine,
    Roundup,
    Rt,
    Zammad,
    Zendesk,
    Znuny,
)


def adapter_for(system: System) -> Adapter:
    """The adapter that a system's configuration names, which was checked when it was read."""
    return next(each for each in ADAPTERS if each.name == system.adapter)(system)
