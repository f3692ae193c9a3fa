"""Turns bytes into text, whatever charset their label claims; never fails."""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header

_ALIASES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "hz-gb-2312": "hz",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "iso-8859-1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "x-unknown": "utf-8",
    "unknown-8bit": "utf-8",
}
"""Labels as mail uses them, and the codec that reads all that is sent under them."""

_REFUSED = {
    "idna",
    "punycode",
    "unicode-escape",
    "unicode_escape",
    "raw-unicode-escape",
    "raw_unicode_escape",
}
"""Codecs of Python that are no charsets of mail, and some of which a long text would stall."""

_SURROGATES = re.compile("[\ud800-\udfff]")
"""Halves of characters, which some codecs let through and no other program takes."""

_GUESSES = ("gb18030", "big5hkscs", "cp932", "euc_jp", "koi8-r", "cp1251")
_CONFUSED = ("gb18030", "big5hkscs", "cp932", "euc_jp")
"""Charsets whose bytes often decode as another one's: their labels are checked."""
_JAPANESE = ("cp932", "euc_jp")
_CYRILLIC = {"koi8-r": "cp1251", "koi8-u": "cp1251", "cp1251": "koi8-r", "windows-1251": "koi8-r"}
"""Codecs that read each other's bytes as letters, with the case turned round."""
_FREQUENT = frozenset("оеаинтсрвл")
"""Ten letters that make up some 70 % of Russian text."""
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_HZ = re.compile(rb"~\{((?:[!-w][!-~]){2,2000})~\}")
_KANA = re.compile("[\u3041-\u30fe]")
_SAMPLE_BYTES = 4096
_LONG_BYTES = 64 << 10
"""From this length on, a text that ends amid a character was cut by a bound."""

_MIN_PLAUSIBLE = 0.8
_MARGIN = 0.2
"""By how much another reading must be more plausible than the labelled one."""


def decode(raw: bytes, charset: str | None = None) -> str:
    r"""The text of some bytes: by the label, else UTF-8, else the most plausible charset.

    >>> decode("收件人不存在".encode("gbk"), "utf-8"), decode(b"caf\xe9")
    ('收件人不存在', 'café')
    """
    return _SURROGATES.sub("\ufffd", _decoded(raw, charset))


def _decoded(raw: bytes, charset: str | None) -> str:
    label = (charset or "utf-8").strip("\"' ").lower()
    escaped = _by_escapes(raw)
    if escaped is not None:
        return escaped
    for codec in (_ALIASES.get(label, label), "utf-8"):
        text = _strict(raw, codec)
        if text is not None and not (codec == "cp1252" and _looks_multibyte(raw)):
            return _checked(raw, codec, text)
    return _guess(raw)


def _by_escapes(raw: bytes) -> str | None:
    """The text of bytes that say themselves what they are: by a mark at the start or by escapes."""
    if raw.startswith(_UTF_16_MARKS) and len(raw) > 3:
        text = _strict(raw[: len(raw) // 2 * 2], "utf-16")
        return text if text is not None and "\x00" not in text else None
    if b"\x1b$" in raw or b"\x1b(" in raw:
        return raw.decode("iso2022_jp_2", "replace")
    return _hz(raw) if b"~{" in raw else None


def _hz(raw: bytes) -> str | None:
    """HZ text, where its escapes hold everyday Chinese: seven bits, so that no other codec objects."""
    runs = b"".join(_HZ.findall(raw[:_SAMPLE_BYTES]))
    text = _strict(_eight_bits(runs), "gb2312") if runs else None
    if text is None or not raw.isascii() or _plausible(text) < _MIN_PLAUSIBLE:
        return None
    return (
        _HZ.sub(lambda run: _eight_bits(run.group(1)), raw).replace(b"~~", b"~").decode("gb18030", "replace")
    )


def _eight_bits(run: bytes) -> bytes:
    return bytes(byte | 0x80 for byte in run)


def _checked(raw: bytes, codec: str, text: str) -> str:
    """The labelled reading, unless another strict one is far more plausible."""
    if codec in _CYRILLIC:
        return _rival(raw, codec) or text
    sample = text[: _SAMPLE_BYTES // 2]
    if codec not in _CONFUSED or raw.isascii() or _plausible(sample) >= _MIN_PLAUSIBLE:
        return text
    readings = ((other, _strict(raw, other)) for other in _CONFUSED if other != codec)
    scored = [(_credible(other, reading[: len(sample)]), reading) for other, reading in readings if reading]
    best, reading = max(scored, default=(0.0, text))
    return reading if best >= max(_MIN_PLAUSIBLE, _plausible(sample) + _MARGIN) else text


def _rival(raw: bytes, codec: str) -> str | None:
    """What the other Cyrillic codec reads, where it finds far more of the frequent letters."""
    own, other = (_strict(raw, name) or "" for name in (codec, _CYRILLIC[codec]))
    return other if _frequent(other) > _frequent(own) + _MARGIN else None


def _frequent(text: str) -> float:
    letters = [char for char in text[:_SAMPLE_BYTES].lower() if "\u0430" <= char <= "\u0451"]
    return sum(char in _FREQUENT for char in letters) / len(letters) if len(letters) >= 6 else 0.0


def decode_words(value: object) -> str:
    """A header value with its RFC 2047 encoded words decoded and its folding removed.

    >>> decode_words("=?gb2312?B?z7XNs83L0MU=?= (notice)")
    '系统退信 (notice)'
    """
    folded = " ".join(str(value).split())
    try:
        pieces = decode_header(folded) if "=?" in folded else [(folded, None)]
    except (HeaderParseError, ValueError):
        return folded
    return "".join(piece if isinstance(piece, str) else decode(piece, charset) for piece, charset in pieces)


def _strict(raw: bytes, codec: str) -> str | None:
    if codec in _REFUSED:
        return None
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as error:
        return raw[: error.start].decode(codec) if _is_cut(raw, error) else None
    except (UnicodeError, LookupError, ValueError):
        return None


def _is_cut(raw: bytes, error: UnicodeDecodeError) -> bool:
    """Whether all that is wrong is a last character that a bound cut in two."""
    return len(raw) >= _LONG_BYTES and error.start >= len(raw) - 3 and "end" in error.reason


def _looks_multibyte(raw: bytes) -> bool:
    """Whether bytes labelled Latin are more likely UTF-8, Chinese, Japanese or Cyrillic."""
    sample = raw[:_SAMPLE_BYTES]
    high = sum(byte >= 0x80 for byte in sample)
    if high == 0:
        return False
    return _strict(sample, "utf-8") is not None or (high >= 0.3 * len(sample.strip()) and high >= 8)


def _guess(raw: bytes) -> str:
    if _is_latin(raw[:_SAMPLE_BYTES]):
        return raw.decode("cp1252", "replace")
    scored = [(_credible(codec, raw[:_SAMPLE_BYTES].decode(codec, "replace")), codec) for codec in _GUESSES]
    best, codec = max(scored, key=lambda pair: pair[0])
    rival = _rival(raw, codec) if codec in _CYRILLIC else None
    return rival or raw.decode(codec if best >= _MIN_PLAUSIBLE else "cp1252", "replace")


def _is_latin(sample: bytes) -> bool:
    """Whether the high bytes stand alone between ASCII letters, as accents do, and not in runs."""
    runs = re.findall(rb"[\x80-\xff]+", sample)
    return bool(runs) and sum(map(len, runs)) < 1.6 * len(runs)


def _credible(codec: str, text: str) -> float:
    """How plausible a reading is in the language of its codec: Japanese has kana, Chinese has none."""
    kana = len(_KANA.findall(text))
    if codec in _JAPANESE:
        return _plausible(text) * (1.0 if kana else 0.7)
    foreign = sum(char >= "\x80" for char in text)
    return _plausible(text) - (kana / foreign if kana else 0.0)


def _plausible(text: str) -> float:
    """The share of non-ASCII characters that everyday text of those charsets uses."""
    foreign = [char for char in text if char >= "\x80"]
    if not foreign:
        return 1.0
    return sum(_weight(char) for char in foreign) / len(foreign)


def _weight(char: str) -> float:
    if "\u3040" <= char <= "\u30ff" or "\u3000" <= char <= "\u3002" or "\uff01" <= char <= "\uff5e":
        return 1.0
    if "\u0430" <= char <= "\u044f":
        return 1.0
    if "\u0410" <= char <= "\u042f":
        return 0.6
    return _han_weight(char)


def _han_weight(char: str) -> float:
    """Level 1 of GB 2312 holds the everyday characters; their lead bytes run from B0 to D7."""
    if not "\u4e00" <= char <= "\u9fff":
        return 0.0
    encoded = char.encode("gb2312", "ignore")
    if encoded and 0xB0 <= encoded[0] <= 0xD7:
        return 1.0
    traditional = char.encode("big5", "ignore")
    return 0.95 if traditional and 0xA4 <= traditional[0] <= 0xC6 else 0.3
