"""Turns a reply into the features that the classifier knows: words, pairs of words, and a few facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from model.normalise import canonical
from model.types import Unwrapped

MAX_WORDS = 160
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_URL_WORD = re.compile(r"(?<![a-z])(?!https?|www\b)[a-z]{4,}")
_STAGES = ("MAIL FROM", "RCPT TO", "DATA", "CONNECT", "STARTTLS", "AUTH", "HELO", "EHLO")


def features_of(unwrapped: Unwrapped, parties: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """The features of a reply, words first; a feature may occur several times."""
    inner = canonical(unwrapped.text[unwrapped.start : unwrapped.end])
    return (*worded(inner), *facts_of(unwrapped, parties))


def worded(text: str) -> tuple[str, ...]:
    """The words of a canonical text, and its pairs of words.

    >>> worded("user unknown")
    ('user', 'unknown', 'user unknown')
    """
    words = words_of(text)
    told = (word for word in words if not word.startswith("_"))
    return (*told, *_pairs(words))


def words_of(text: str) -> tuple[str, ...]:
    """The words of a canonical text; runs of Chinese, Japanese and Korean become pairs of characters.

    >>> words_of("user unknown 用户不存在")
    ('user', 'unknown', '用户', '户不', '不存', '存在')
    """
    return tuple(piece for word in text.split()[:MAX_WORDS] for piece in _pieces(word))


def facts_of(unwrapped: Unwrapped, parties: Iterable[str] = ()) -> Iterator[str]:
    """Facts beside the words: class and code of the reply, the refused command, who took part."""
    reply = unwrapped.innermost if unwrapped.chain else None
    if reply is not None and reply.smtp is not None:
        yield f"smtp={reply.smtp}"
        yield f"class={reply.smtp // 100}"
    if reply is not None and reply.enhanced is not None:
        yield f"enhanced={reply.enhanced[1:]}"
    if unwrapped.command in _STAGES:
        yield f"stage={unwrapped.command}"
    if unwrapped.block_lists:
        yield "list=named"
    yield from (f"party={name}" for name in sorted(parties))
    yield from (f"url={word}" for link in unwrapped.links for word in _URL_WORD.findall(link.lower()))


def _pieces(word: str) -> Iterator[str]:
    if not _CJK.search(word):
        yield word
        return
    for run in _CJK.findall(word):
        yield from (run[at : at + 2] for at in range(max(1, len(run) - 1)))


def _pairs(words: tuple[str, ...]) -> Iterator[str]:
    return (f"{first} {second}" for first, second in pairwise(words))
