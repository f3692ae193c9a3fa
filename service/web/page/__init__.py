"""The pages for people: ``/`` leads to ``/docs``, which shows the description of the interface."""

from __future__ import annotations

from apispec import APISpec
from flask import Blueprint, Response, redirect, render_template
from werkzeug.wrappers import Response as BaseResponse

from service.web.errors import PROBLEM_TYPES

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
"""The page brings its one style sheet along and loads nothing."""


def blueprint_for(spec: APISpec) -> Blueprint:
    """The pages that show a description."""
    blueprint = Blueprint("page", __name__)

    @blueprint.get("/")
    def home() -> BaseResponse:
        return redirect("/docs")

    @blueprint.get("/docs")
    def docs() -> Response:
        page = render_template("docs.html", spec=spec.to_dict(), problems=PROBLEM_TYPES)
        return Response(page, headers={"Content-Security-Policy": POLICY})

    return blueprint
