"""JSON by orjson, for Flask."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider


class OrjsonProvider(JSONProvider):
    """Writes and reads JSON several times faster than the standard library."""

    def dumps(self, obj: object, **_: Any) -> str:
        """One value as JSON text."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_: Any) -> Any:  # noqa: ANN401  # any JSON value
        """The value of one JSON text."""
        return orjson.loads(s)

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """A response with one value, or with its arguments as one."""
        content = orjson.dumps(self._prepare_response_obj(args, kwargs))
        return Response(content, mimetype="application/json")
