"""Turns a reply into its canonical text: the words that stay when addresses, hosts, numbers and ids vary.

The only normaliser: rules, classifier and training see the same text.
"""

from __future__ import annotations

import re

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_ASCII = r"[a-z0-9!#$%&*+/=?^_`|~.-]"
_LOCAL = r"""[^\s<>@"'(){}\[\],;:]"""
_TOKEN = re.compile(
    rf"""
    (?P<url>https?://[^\s<>"')\u3000-\u303f\uff00-\uffef]+)
  | (?P<addr>{_ASCII}{{1,254}}+@[a-z0-9.-]+
      |{_LOCAL}{{1,254}}+@(?![a-z0-9]){_LOCAL}+)
  | (?P<ip>(?<![\w.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?!\d)
      |(?<![\w:])(?=[0-9a-f:]{{0,40}}::|(?:[0-9a-f]{{1,4}}:){{3}})[0-9a-f]{{0,4}}(?::{{1,2}}[0-9a-f]{{1,4}}){{1,8}}(?![a-z0-9:]))
  | (?P<code>(?<![\w.])\#?[245]\.\d{{1,3}}\.\d{{1,3}}(?![a-z\d_.])|(?<![a-z\d_.])[2-5]\d\d(?=[\s{_CJK}-]))
  | (?P<host>(?<![a-z0-9_])(?:[a-z0-9_-]{{1,63}}+\.){{1,16}}[a-z]{{2,24}}(?![a-z0-9_]))
  | (?P<mixed>(?<![a-z0-9_])(?=[a-z_-]{{0,64}}+\d)[a-z0-9](?:(?![{_CJK}])[\w-])*)
  | (?P<cjk>[{_CJK}]+)
  | (?P<word>(?:(?![{_CJK}])[^\W\d_])+(?:['’](?:(?![{_CJK}])[^\W\d_])+)*)
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
