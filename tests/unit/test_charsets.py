"""Bytes become text whatever their label says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.charsets import decode, decode_words

CHINESE = "收件人地址不存在，请检查后重新发送"
TRADITIONAL = "您的郵件無法傳送至下列收件者"
JAPANESE = "宛先のメールアドレスが見つかりません"
TRADITIONAL_LONG = "很抱歉，您所寄出的信件無法送達，收件者信箱已滿，請稍後再試"
JAPANESE_LONG = "ご指定の宛先に配信できませんでした。容量が超過しています"
RUSSIAN = "Ваше сообщение не доставлено получателю"
FRENCH = "Le message a été refusé : boîte pleine"


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gbk", "GB2312"),
        (CHINESE + "\u20ac\U00020000", "gb18030", "gbk"),
        (CHINESE, "gbk", '"gbk"'),
        (CHINESE, "hz", "hz-gb-2312"),
        (TRADITIONAL, "big5", "Big5"),
        (JAPANESE, "shift_jis", "Shift_JIS"),
        (JAPANESE, "iso2022_jp", "ISO-2022-JP"),
        (JAPANESE, "euc_jp", "euc-jp"),
        (RUSSIAN, "koi8-r", "KOI8-R"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (FRENCH, "cp1252", "iso-8859-1"),
        (FRENCH, "utf-8", "utf-8"),
        ("plain", "ascii", "us-ascii"),
        ("한국어 메일", "cp949", "ks_c_5601-1987"),
        ("수신자의 메일함이 가득 찼습니다", "cp949", "euc-kr"),
        ("鑫淼犇羴龘", "gb18030", "gb18030"),
        (JAPANESE_LONG, "gb18030", "gb2312"),
        ("配信不能", "euc_jp", "euc-jp"),
        (TRADITIONAL, "gbk", "gb2312"),
        (RUSSIAN.upper(), "koi8-r", "koi8-r"),
        (RUSSIAN.upper(), "cp1251", "windows-1251"),
        ("Да", "koi8-r", "koi8-r"),
        (CHINESE, "utf-16", "utf-16"),
    ],
)
def test_a_true_label_is_followed(text: str, codec: str, label: str) -> None:
    assert text == decode(text.encode(codec), label)


@pytest.mark.parametrize(
    ("text", "codec", "label"),
    [
        (CHINESE, "gbk", "us-ascii"),
        (CHINESE, "gbk", "utf-8"),
        (CHINESE, "gbk", "iso-8859-1"),
        (CHINESE, "gbk", "no-such-charset"),
        (CHINESE, "gbk", None),
        (CHINESE, "gbk", "x-unknown"),
        (CHINESE, "utf-8", "gb2312-broken"),
        (CHINESE, "utf-8", "iso-8859-1"),
        (CHINESE, "utf-8", "us-ascii"),
        (CHINESE, "utf-8", "unicode_escape"),
        (TRADITIONAL, "big5", "us-ascii"),
        (JAPANESE, "utf-8", "iso-2022-jp"),
        (JAPANESE, "shift_jis", "us-ascii"),
        (JAPANESE, "iso2022_jp", "utf-8"),
        (JAPANESE, "iso2022_jp", None),
        (RUSSIAN, "koi8-r", "us-ascii"),
        (RUSSIAN, "utf-8", "koi8-broken"),
        (FRENCH, "cp1252", "us-ascii"),
        (FRENCH, "cp1252", "utf-8"),
        (FRENCH, "cp1252", "idna"),
        (CHINESE, "utf-16", None),
        (FRENCH, "utf-16", "utf-8"),
        (f"550 {CHINESE} (no)", "hz", None),
        (f"550 {CHINESE} (no)", "hz", "us-ascii"),
        (JAPANESE, "euc_jp", None),
        (JAPANESE_LONG, "euc_jp", "utf-8"),
        (JAPANESE_LONG, "euc_jp", "shift_jis"),
        (JAPANESE_LONG, "shift_jis", "euc-jp"),
        (TRADITIONAL, "big5", "gb2312"),
        (TRADITIONAL_LONG, "big5", "gbk"),
        (TRADITIONAL_LONG, "big5", None),
        (CHINESE, "gbk", "big5"),
        (RUSSIAN, "cp1251", "koi8-r"),
        (RUSSIAN, "koi8-r", "windows-1251"),
        (RUSSIAN, "cp1251", None),
        (RUSSIAN.upper(), "koi8-r", None),
    ],
)
def test_a_wrong_label_is_seen_through(text: str, codec: str, label: str | None) -> None:
    assert text == decode(text.encode(codec), label)


@pytest.mark.parametrize(
    "label", ["utf-8", "gb18030", "iso-8859-1", "utf-16", "utf-7", "", "\x00", "base64", "rot13"]
)
def test_no_bytes_and_no_label_fail(label: str) -> None:
    assert isinstance(decode(bytes(range(256)), label), str)
    assert "" == decode(b"", label)


@pytest.mark.parametrize(
    "text",
    [
        "~{foo bar}~ and ~{ab~}",
        "it costs ~{x~} ~~",
        "~{!!~}",
        "\xff\xfe",
        "\xff\xfea",
        "\xff\xfea\x00\x00\x00",
    ],
)
def test_what_only_looks_like_escapes_stays_as_it_is(text: str) -> None:
    assert text == decode(text.encode("cp1252"), "iso-8859-1")


@pytest.mark.parametrize(
    "raw",
    [
        b"~{" * 99_999,
        b"~{!!" * 50_000,
        b"~{0!~}" * 30_000,
        b"\xa4\xa2" * 99_999,
        b"\xff\xfe\x00\xd8" * 50_000,
    ],
)
@pytest.mark.parametrize("label", [None, "gb2312", "big5", "koi8-r", "hz-gb-2312"])
def test_repetition_does_no_harm(raw: bytes, label: str | None) -> None:
    assert isinstance(decode(raw, label), str)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from([None, "utf-8", "gbk", "utf-7", "utf-16", "hz", "big5", "zlib", "?"]),
)
def test_any_bytes_become_text_that_can_be_written_again(raw: bytes, label: str | None) -> None:
    text = decode(raw, label)

    assert text == text.encode("utf-8").decode("utf-8")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain words", "plain words"),
        ("=?utf-8?B?5pS25Lu25Lq6?=", "收件人"),
        ("=?GB2312?B?z7XNs83L0MU=?=", "系统退信"),
        ("=?gb18030?B?z7XNs83L0MU=?= (notice)", "系统退信 (notice)"),
        ("=?utf-8?Q?caf=C3=A9_au_lait?=", "café au lait"),
        ("=?iso-8859-1?q?caf=E9?=", "café"),
        ("=?us-ascii?B?z7XNs83L0MU=?=", "系统退信"),
        ("=?utf-8?B?5pS2?=\n =?utf-8?B?5Lu2?=", "收件"),
        ("Re: =?utf-8?B?5pS2?= and more", "Re: 收 and more"),
        ("=?utf-8?B?broken", "=?utf-8?B?broken"),
        ("folded\n  line", "folded line"),
        ("", ""),
        (None, "None"),
    ],
)
def test_encoded_words_are_decoded(value: object, expected: str) -> None:
    assert expected == decode_words(value)


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="=?utf-8QB5pS2 _?\n", max_size=60))
def test_any_header_value_is_decoded(value: str) -> None:
    assert isinstance(decode_words(value), str)


@pytest.mark.parametrize("cut", [1, 2])
def test_a_character_that_a_bound_cut_in_two_does_not_spoil_the_rest(cut: int) -> None:
    text = "收件人不存在" * 8000

    assert text[:-1] == decode(text.encode()[:-cut])
