"""``/v1/classify/batch``: many pieces of evidence in, a diagnosis of each out; line by line where asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from time import perf_counter
from typing import Any

import orjson
import structlog
from flask import Response, g, jsonify, request
from werkzeug.exceptions import UnsupportedMediaType

from model.errors import TooLarge
from service.allowance import allow_time
from service.answer import Answer, answer_of
from service.errors import OutOfTime
from service.web import errors
from service.web.bodies import read_batch
from service.web.description import LANGUAGE_PARAMETER, Blueprint
from service.web.incoming import blocks, encoding, lines_of, unpacked
from service.web.negotiation import JSON, NDJSON, asked_language, asked_media_type, services
from service.web.requests import BatchItemSchema, BatchSchema, ClassifyQuerySchema
from service.web.schemas import BatchAnswersSchema
from service.web.submission import Submission
from service.wiring import Diagnoser

blueprint = Blueprint("batch", __name__, url_prefix="/v1", description="Diagnose many at once.")

_EXAMPLE = {"items": [{"id": "a", "text": "550 5.1.1 User unknown"}, {"text": "452 4.2.2 Over quota"}]}
_LINES = '{"id": "a", "text": "550 5.1.1 User unknown"}\n{"text": "452 4.2.2 Over quota"}\n'
_BODY = {
    "required": True,
    "content": {
        JSON: {"schema": BatchSchema, "example": _EXAMPLE},
        NDJSON: {"schema": {"type": "string"}, "example": _LINES},
    },
}
_PROBLEMS = (
    *(errors.MALFORMED, errors.UNAUTHORIZED, errors.NOT_ACCEPTABLE, errors.TOO_LARGE, errors.UNSUPPORTED),
    *(errors.INVALID, errors.INTERNAL, errors.BUSY),
)
_ITEM = BatchItemSchema()


@blueprint.operation(
    "/classify/batch",
    method="POST",
    query=ClassifyQuerySchema,
    answer=BatchAnswersSchema,
    alternatives=(NDJSON,),
    problems=_PROBLEMS,
    requestBody=_BODY,
    parameters=[LANGUAGE_PARAMETER],
)
def classify_batch(query: Mapping[str, Any]) -> Response:
    """Diagnose several, each on its own.

    Order and ids are kept; an item that cannot be diagnosed has a problem in its place. With
    `application/x-ndjson` each line is an item, there may be any number of them, and each is answered with a
    line of its own as soon as it is diagnosed. So read answers while you send, as `curl -T` does: who sends
    all first comes to a standstill after about a megabyte, and is cut off after a minute. What ends
    the stream early is its last line. `Accept: application/x-ndjson` gives lines for a JSON body, too. A
    body may come with `Content-Encoding: gzip`.
    """
    if request.mimetype not in (JSON, NDJSON):
        raise UnsupportedMediaType(f"A batch is sent as {JSON} or {NDJSON}.")
    asked = asked_media_type(NDJSON) if request.mimetype == NDJSON else asked_media_type(JSON, NDJSON)
    is_streamed = asked == NDJSON
    settings = services().settings
    limit_s = settings.upload_timeout_s if is_streamed else settings.request_timeout_s
    batch = Batch(services().announced, asked_language(), query.get("fields_", ()), g.started, limit_s)
    if is_streamed:
        allow_time(request.environ, limit_s)
        return _streamed(batch, _items())
    results = [batch.answer(number, item) for number, item in enumerate(read_batch(settings.batch_limit))]
    response = jsonify({"results": results})
    response.vary.update(("Accept", "Accept-Language"))
    return response


@dataclass(frozen=True, slots=True)
class Batch:
    """How the items of a batch are answered.

    Args:
        diagnoser: diagnoses each.
        language: of the answers, where an item names none.
        fields: that are kept of each answer; none: all.
        started: when the request came.
        limit_s: how long it may take.
    """

    diagnoser: Diagnoser
    language: str
    fields: tuple[str, ...]
    started: float
    limit_s: int

    def answer(self, number: int, item: Any) -> Answer:  # noqa: ANN401  # any JSON value may come
        """The answer to one item, or the problem with it."""
        name = _name_of(item)
        try:
            self._check_time(f"Item {number} was not reached")
            return self._answer(item, name)
        except Exception as error:  # noqa: BLE001  # one bad item must not take the others along
            return name | errors.problem_of(error, at=("items", str(number)))

    def lines(self, items: Iterable[Any]) -> Iterator[bytes]:
        """The answers as lines; what ends them early is the last one.

        Args:
            items: as they come; an exception stands for one that cannot be read.
        """
        answers, is_whole = 0, False
        try:
            for item in items:
                self._check_time("The batch was not read to its end")
                yield self._line(item)
                answers += 1
            is_whole = True
        except Exception as error:  # noqa: BLE001  # the status is sent; what is left is a line
            yield _dumped({"id": None} | errors.problem_of(self._cause_of(error)))
        finally:
            seconds = round(perf_counter() - self.started, 3)
            structlog.get_logger().info("batch", answers=answers, is_whole=is_whole, seconds=seconds)

    def _line(self, item: Any) -> bytes:  # noqa: ANN401  # any JSON value may come
        name = _name_of(item)
        if isinstance(item, Exception):
            return _dumped(name | errors.problem_of(item))
        try:
            return _dumped(self._answer(item, name))
        except Exception as error:  # noqa: BLE001  # one bad line must not take the others along
            return _dumped(name | errors.problem_of(error))

    def _answer(self, item: Any, name: Answer) -> Answer:  # noqa: ANN401  # any JSON value may come
        submission: Submission = _ITEM.load(item)
        diagnosis = submission.diagnosed_by(self.diagnoser, language=self.language)
        return {**answer_of(diagnosis, self.fields), **name, "result_id": diagnosis.id}

    def _check_time(self, failure: str) -> None:
        if perf_counter() - self.started >= self.limit_s:
            raise OutOfTime(f"{failure} within {self.limit_s} s.")

    def _cause_of(self, error: Exception) -> Exception:
        """What ended a batch; a body that broke off when its time was over was cut."""
        try:
            self._check_time("The batch was not read to its end")
        except OutOfTime as cause:
            return cause
        return error


def _items() -> Iterator[Any]:
    """The items in the body, each as soon as it has arrived where the body has lines."""
    settings = services().settings
    if request.mimetype == JSON:
        return iter(read_batch(settings.batch_limit))
    return _parsed(lines_of(unpacked(blocks(None), encoding()), settings.max_body_bytes))


def _parsed(lines: Iterable[bytes | TooLarge]) -> Iterator[Any]:
    for line in lines:
        try:
            yield line if isinstance(line, TooLarge) else orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield error


def _streamed(batch: Batch, items: Iterator[Any]) -> Response:
    """The answers as they are made; what goes wrong before the first item still has a status of its own."""
    first = list(islice(items, 1))
    response = Response(batch.lines(chain(first, items)), content_type=NDJSON)
    response.vary.update(("Accept", "Accept-Language"))
    response.headers["X-Accel-Buffering"] = "no"  # a proxy must hand on each line at once
    return response


def _name_of(item: Any) -> Answer:  # noqa: ANN401  # any JSON value may come
    given = item.get("id") if isinstance(item, dict) else None
    return {"id": given if isinstance(given, str | int) else None}


def _dumped(answer: Answer) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)
