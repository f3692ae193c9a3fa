"""Turns a reply into its canonical text: the words that stay when addresses, hosts, numbers and ids vary.

The only normaliser: rules, classifier and training see the same text.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
    (?P<url>https?://[^\s<>"')]+)
  | (?P<addr>[^\s<>@"'(){}\[\],;:]+@[^\s<>@"'(){}\[\],;:]+)
  | (?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}\b|\b[0-9a-f]{1,4}(?::{1,2}[0-9a-f]{1,4}){3,8}\b)
  | (?P<code>(?<![\w.])\#?[245]\.\d{1,3}\.\d{1,3}(?![\w.])|(?<![\w.])[2-5]\d\d(?=[\s-]))
  | (?P<host>\b[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z]{2,24}\b)
  | (?P<mixed>\b(?=[a-z_-]*\d)[a-z0-9][\w-]*)
  | (?P<word>[^\W\d_]+(?:['’][^\W\d_]+)*)
    """,
    re.I | re.X,
)
_PLACEHOLDERS = {"url": "_url_", "addr": "_addr_", "ip": "_ip_", "host": "_host_"}
_MAX_NAME_CHARS = 7


def canonical(text: str) -> str:
    """The words of a text in lower case, with placeholders for what varies; codes are left out.

    >>> canonical("550 5.1.1 <user@example.com>: Recipient address rejected: User unknown")
    '_addr_ recipient address rejected user unknown'
    >>> canonical("421 [TSS04] Messages from 192.0.2.1 deferred, see https://example.com/a (id 4WbX1y9z2A)")
    'tss04 messages from _ip_ deferred see _url_ id _id_'
    """
    return " ".join(filter(None, map(_replaced, _TOKEN.finditer(text))))


def _replaced(hit: re.Match[str]) -> str:
    kind, token = str(hit.lastgroup), hit.group().lower()
    if kind == "code":
        return ""
    if kind == "mixed":
        return _mixed(token)
    return _PLACEHOLDERS.get(kind, token.replace("’", "'"))


def _mixed(token: str) -> str:
    """Letters with digits: short ones are names that vendors give (``tss04``), others vary."""
    if token.isdigit():
        return "_n_"
    return token if len(token) <= _MAX_NAME_CHARS and token[0].isalpha() else "_id_"
