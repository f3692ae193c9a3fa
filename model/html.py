"""Turns HTML into the text a person would read, in linear time."""

from __future__ import annotations

from html import unescape
from typing import Any

import re2

_PRE = re2.compile(r"(?is)<pre\b[^>]*>.*?(?:</pre\s*>|\z)")
_DROP = (
    re2.compile(r"(?is)<!--.*?-->"),
    re2.compile(r"(?is)<(?:style|script|head)\b[^>]*>.*?</(?:style|script|head)\s*>"),
)
_BREAK = re2.compile(
    r"(?i)<(?:br|/p|p|/div|div|/tr|tr|/li|li|/h[1-6]|h[1-6]|/table|table|hr|/ul|/ol|/pre|pre|blockquote)\b[^>]*>"
)
_CELL = re2.compile(r"(?i)</t[dh]\s*>")
_TAG = re2.compile(r"<[A-Za-z/!?][^<>]*>")
_SPACES = re2.compile(r"[ \t\x{a0}\x{200b}]+")
_EDGES = re2.compile(r" ?\n ?")
_BLANKS = re2.compile(r"\n{3,}")


def to_text(html: str) -> str:
    r"""The readable text: blocks become lines, cells are parted by a space.

    >>> to_text("<p>Not &lt;found&gt;</p><table><tr><td>a</td><td>b</td></tr></table>").split("\n")
    ['Not <found>', '', 'a b']
    """
    text = _PRE.sub(_kept_lines, html.replace("\r\n", "\n")).replace("\n", " ")
    for pattern in _DROP:
        text = pattern.sub(" ", text)
    text = _TAG.sub("", _CELL.sub(" ", _BREAK.sub("\n", text)))
    text = _EDGES.sub("\n", _SPACES.sub(" ", unescape(text)))
    return str(_BLANKS.sub("\n\n", text)).strip()


def _kept_lines(pre: Any) -> str:  # noqa: ANN401  # re2 has no type stubs
    return str(pre.group()).replace("\n", "<br>")
