"""The pages for people: ``/`` leads to ``/docs``, which shows the description of the interface."""

from __future__ import annotations

import re

from apispec import APISpec
from flask import Blueprint, Response, redirect, render_template
from markupsafe import Markup, escape
from werkzeug.wrappers import Response as BaseResponse

from service.web.errors import PROBLEM_TYPES

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
)
"""The page brings its one style sheet along and loads nothing."""


def blueprint_for(spec: APISpec) -> Blueprint:
    """The pages that show a description."""
    blueprint = Blueprint("page", __name__)
    blueprint.add_app_template_filter(code_marks)

    @blueprint.get("/")
    def home() -> BaseResponse:
        return redirect("/docs")

    @blueprint.get("/docs")
    def docs() -> Response:
        page = render_template("docs.html", spec=spec.to_dict(), problems=PROBLEM_TYPES)
        return Response(page, headers={"Content-Security-Policy": POLICY})

    return blueprint


def code_marks(text: str) -> Markup:
    """A text with what stands between backticks set as code.

    >>> code_marks("a < b, `fields`")
    Markup('a &lt; b, <code>fields</code>')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before
