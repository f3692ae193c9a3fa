"""Judges from the first lines of a text whether it is a log of some format."""

from __future__ import annotations

import re
from collections.abc import Callable

_LINES = 200
_SHARE = 0.25
_JSON_STARTS = ("{", "[", "}", "]", '"')
_MAIL = re.compile(
    r"(?:>?From |(?:Return-Path|Received|From|To|Cc|Subject|Date|Message-ID|MIME-Version|Delivered-To|"
    r"Content-Type|DKIM-Signature|Authentication-Results|X-[\w-]{1,60}):[ \t])",
    re.I,
)


def is_log_of(head: str, is_ours: Callable[[str], bool]) -> bool:
    r"""Whether a good part of the first lines are of a format, and none of them opens a mail.

    A head may begin in the middle of a line, and hold lines of other programs.

    >>> is_log_of("torn\nA1\nA2\n", lambda line: line.startswith("A"))
    True
    """
    lines = [line for line in head.lstrip("\ufeff").splitlines()[:_LINES] if line.strip()]
    if not lines or _MAIL.match(lines[0]):
        return False
    ours = sum(map(is_ours, lines))
    return ours > 0 and ours >= _SHARE * len(lines)


def holds_json(head: str, *groups: tuple[str, ...]) -> bool:
    r"""Whether a head is JSON, and names all keys of one of some groups, quoted once more or not.

    >>> holds_json('{"Message": "{\\"bounce\\": 1}"}', ("Message", "bounce"))
    True
    """
    lines = head.lstrip("\ufeff \t\r\n").split("\n", 2)[:2]
    if not any(line.lstrip().startswith(_JSON_STARTS) for line in lines) or _MAIL.match(lines[0]):
        return False
    plain = head.replace("\\", "")
    return any(all(f'"{key}"' in plain for key in keys) for keys in groups)
