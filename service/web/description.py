"""Describes the interface: what views declare about themselves becomes OpenAPI 3.1.

The only place that knows flask-smorest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from itertools import groupby
from typing import Any, NoReturn, TypeVar

from flask import Flask
from flask_smorest import Api as SmorestApi  # type: ignore[import-untyped]
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser

from service.answer import Answer, answer_of
from service.case_answer import case_answer_of
from service.version import VERSION
from service.web.errors import MEDIA_TYPE, PROBLEM_TYPES, InvalidQuery, ProblemType
from service.web.schemas import BatchAnswerSchema, BatchProblemSchema, ProblemSchema
from service.wiring import Services

View = TypeVar("View", bound=Callable[..., Any])

ABOUT = """\
A mail came back: why, where on the way it stopped, who can mend it, and what to do next.
Hand in a non-delivery report, an SMTP reply or a pasted text; get kind, category, ranked causes with checks
and fixes, confidence and evidence. Hand in reports, logs, headers and events of one delivery together; get
the way as well, with the place where it stopped and what to ask for next. Hand in an archive; get a job, and
from it a row for each recipient and a page that sums them up.
Within `/v1` fields are only ever added."""

REQUEST_ID_HEADER = {
    "X-Request-ID": {"description": "The caller's own, or a new one.", "schema": {"type": "string"}}
}
LANGUAGE_PARAMETER = {
    "name": "Accept-Language",
    "in": "header",
    "description": "Language of titles, summaries, causes, checks and fixes: any `en` or `zh`.",
    "schema": {"type": "string"},
    "example": "zh-CN",
}

TEXT: Answer = {"type": "string"}


class QueryParser(FlaskParser):
    """Reads query parameters, and refuses those that nobody knows."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"query": RAISE}  # noqa: RUF012  # webargs declares it so

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        """Raises the error as one of the query."""
        raise InvalidQuery(error.messages["query"])  # type: ignore[call-overload]  # webargs nests by location


class Blueprint(SmorestBlueprint):  # type: ignore[misc]  # flask-smorest has no types
    """Views that declare what they take, answer and refuse."""

    ARGUMENTS_PARSER = QueryParser()

    def operation(
        self,
        path: str,
        *,
        answer: type[Schema] | None,
        status: HTTPStatus = HTTPStatus.OK,
        method: str = "GET",
        query: type[Schema] | None = None,
        problems: Iterable[ProblemType] = (),
        example: str | None = None,
        alternatives: Iterable[str] = (),
        media_type: str | None = None,
        headers: Answer | None = None,
        parameters: Iterable[Answer] = (),
        **about: Any,  # OpenAPI's own keys
    ) -> Callable[[View], View]:
        """Registers a view.

        Args:
            path: the rule of the route.
            answer: the schema of the answer; ``None`` where it is a text, or nothing.
            status: the status of the answer.
            method: the HTTP method.
            query: the schema of the query; the view gets what was read as its first argument.
            problems: the problems that may come instead.
            example: the name of an example among the components.
            alternatives: other media types that the answer is given in, as text.
            media_type: of the answer where it is a text.
            headers: headers of the answer.
            parameters: parameters that are not in the query, as OpenAPI has them.
            **about: further keys of the OpenAPI operation.
        """

        def register(view: View) -> View:
            described = self.doc(**about)(view)
            if query:
                described = self.arguments(query, location="query")(described)
            for failed, kinds in groupby(sorted(problems, key=_status), key=_status):
                described = self._may_fail(failed, list(kinds))(described)
            for other in alternatives:
                described = self.alt_response(status, schema=TEXT, content_type=other)(described)
            described = self.response(
                status,
                TEXT if media_type else answer,
                content_type=media_type,
                examples={example: example} if example else None,
                headers=REQUEST_ID_HEADER | (headers or {}),
            )(described)
            self.route(path, methods=[method], parameters=list(parameters))(described)
            return view

        return register

    def _may_fail(self, status: int, kinds: list[ProblemType]) -> Callable[[Any], Any]:
        decorator: Callable[[Any], Any] = self.alt_response(
            status,
            schema=ProblemSchema,
            content_type=MEDIA_TYPE,
            description=". ".join(kind.title for kind in kinds) + ".",
            examples={kind.name: kind.name for kind in kinds},
            headers=REQUEST_ID_HEADER,
        )
        return decorator


class Api(SmorestApi):  # type: ignore[misc]  # flask-smorest has no types
    """The description of the interface, served at ``/openapi.json``; errors are not its business."""

    DEFAULT_ERROR_RESPONSE_NAME = None
    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Leaves errors to ``service.web.errors``."""


def describe(app: Flask, services: Services) -> Api:
    """Makes the description that blueprints then register in; examples are real answers."""
    app.config |= {
        "API_TITLE": "ndr-triage",
        "API_VERSION": VERSION,
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/",
        "API_SPEC_OPTIONS": {"info": {"description": ABOUT}, "security": [{"key": []}, {}]},
    }
    api = Api(app)
    components = api.spec.components
    components.security_scheme(
        "key", {"type": "http", "scheme": "bearer", "description": "Only where keys are set."}
    )
    components.schema("BatchAnswer", schema=BatchAnswerSchema)
    components.schema("BatchProblem", schema=BatchProblemSchema)
    components.example("worked_case", {"value": answer_of(services.worked_case())})
    components.example("worked_way", {"value": case_answer_of(services.worked_way())})
    for kind in PROBLEM_TYPES:
        components.example(kind.name, {"value": _example_of(kind)})
    return api


def _example_of(kind: ProblemType) -> Answer:
    return {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": kind.meaning}


def _status(kind: ProblemType) -> int:
    return kind.status
