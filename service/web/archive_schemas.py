"""The shape of a job on archives, and a job in that shape."""

from __future__ import annotations

from datetime import datetime

from marshmallow import Schema

from service.answer import Answer
from service.clock import in_iso
from service.triage.nouns import Kind
from service.triage.orders import Order, Standing, State
from service.web.shapes import (
    choice_field,
    count_field,
    flag_field,
    list_field,
    moment_field,
    object_field,
    seconds_field,
    share_field,
    text_field,
)


class ProgressSchema(Schema):
    """How far a job is."""

    chunks = count_field("Into how many parts the archives were cut; 0 until that is known.")
    chunks_done = count_field("How many of them are done.")
    share = share_field("The share of parts that are done.")
    items = count_field("How many messages and replies were read.")
    rows = count_field("How many rows came of them.")
    errors = count_field("How many items could not be read.")
    read_bytes = count_field("How many bytes of the archives were read.")
    items_per_s = seconds_field("Items per second so far; null before the first second is over.")
    seconds_left = seconds_field("About how long it still takes; null where nobody can tell.")


class LinksSchema(Schema):
    """Where the rest of a job is."""

    self = text_field("The job.")
    results = text_field("Its rows.")
    report = text_field("The page that sums them up.")
    cancel = text_field("Stops it, by POST.")


class JobSchema(Schema):
    """A job on archives."""

    id = text_field("Name of the job: 32 hex digits.")
    name = text_field("What people know it by.")
    state = choice_field("How it stands.", State)
    reason = text_field("Why it failed.", none=True)
    is_cancelling = flag_field("Whether somebody asked to stop it.")
    kind = choice_field("What the archives were said to be.", Kind)
    progress = object_field(ProgressSchema, "How far it is.")
    created_at = moment_field("When it was asked for, in UTC.")
    started_at = moment_field("When work on it began.")
    finished_at = moment_field("When it ended.")
    expires_at = moment_field("When it is deleted with its archive and results.")
    links = object_field(LinksSchema, "Where the rest of it is.")


class JobsSchema(Schema):
    """Some jobs."""

    jobs = list_field(JobSchema, "The newest first.")


def job_answer(order: Order) -> Answer:
    """A job as callers see it: without addresses of archives."""
    place = place_of(order)
    return {
        "id": order.wish.id,
        "name": order.wish.name,
        "state": order.state,
        "reason": order.reason,
        "is_cancelling": order.is_cancelling,
        "kind": order.wish.kind,
        "progress": _progress(order),
        "created_at": _shown(order.created_at),
        "started_at": _shown(order.started_at),
        "finished_at": _shown(order.finished_at),
        "expires_at": _shown(order.expires_at),
        "links": {
            "self": place,
            "results": f"{place}/results",
            "report": f"{place}/report",
            "cancel": f"{place}/cancel",
        },
    }


def place_of(order: Order) -> str:
    """The path of a job."""
    return f"/v1/archives/{order.wish.id}"


def seconds_left(order: Order) -> float | None:
    """About how long a job still takes, judged by its parts; ``None`` where nobody can tell."""
    standing = order.standing
    if order.state.is_end:
        return 0.0
    if not standing.chunks_done or not standing.worked_s:
        return None
    return round(standing.worked_s * (standing.chunks - standing.chunks_done) / standing.chunks_done, 1)


def _progress(order: Order) -> Answer:
    standing = order.standing
    return {
        "chunks": standing.chunks,
        "chunks_done": standing.chunks_done,
        "share": _share(order.state, standing),
        "items": standing.items,
        "rows": standing.rows,
        "errors": standing.errors,
        "read_bytes": standing.read_bytes,
        "items_per_s": round(standing.items / standing.worked_s, 1) if standing.worked_s else None,
        "seconds_left": seconds_left(order),
    }


def _share(state: State, standing: Standing) -> float:
    if not standing.chunks:
        return float(state is State.SUCCEEDED)
    return round(standing.chunks_done / standing.chunks, 4)


def _shown(moment: datetime | None) -> str | None:
    return in_iso(moment) if moment else None
