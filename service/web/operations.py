"""``/healthz`` and ``/readyz``: whether the process lives, and whether it answers right."""

from __future__ import annotations

from service.answer import Answer
from service.version import VERSION
from service.web import errors
from service.web.description import Blueprint
from service.web.negotiation import services
from service.web.schemas import HealthSchema

blueprint = Blueprint("operations", __name__, description="Signs of life; no key is asked for.")


@blueprint.operation("/healthz", answer=HealthSchema, security=[])
def healthz() -> Answer:
    """Say that the process lives."""
    return {"status": "ok", "version": VERSION}


@blueprint.operation("/readyz", answer=HealthSchema, problems=(errors.NOT_READY,), security=[])
def readyz() -> Answer:
    """Diagnose the worked case, and say whether it came out right."""
    services().self_test()
    return {"status": "ready", "version": VERSION}
