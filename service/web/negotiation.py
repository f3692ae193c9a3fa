"""What the caller wants back: the language and the media type."""

from __future__ import annotations

from flask import current_app, request
from werkzeug.exceptions import NotAcceptable

from model.languages import LANGUAGES
from service.wiring import Services

CSV = "text/csv"
HTML = "text/html"
JSON = "application/json"
NDJSON = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
PLAIN = "text/plain"
SVG = "image/svg+xml"


def services() -> Services:
    """What this application was wired with."""
    wired: Services = current_app.extensions["ndr"]
    return wired


def language_of(tag: str) -> str | None:
    """The language we speak that a tag means, if any.

    >>> language_of("zh-TW"), language_of("EN"), language_of("fr")
    ('zh', 'en', None)
    """
    primary = tag.lower().replace("_", "-").partition("-")[0]
    return primary if primary in LANGUAGES else None


def asked_language() -> str:
    """The language that ``Accept-Language`` likes best among ours, or else the default."""
    liked = (language_of(tag) for tag, quality in request.accept_languages if quality > 0)
    return next((language for language in liked if language), services().settings.language)


def asked_media_type(*offered: str) -> str:
    """The media type that ``Accept`` likes best among those offered; the first one when it does not say.

    Raises:
        NotAcceptable: it wants none of them.
    """
    if "Accept" not in request.headers:
        return offered[0]
    best = request.accept_mimetypes.best_match(offered)
    if best is None:
        raise NotAcceptable(f"This is given as {' or '.join(offered)}.")
    return best
