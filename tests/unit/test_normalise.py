"""What varies between two servers that say the same goes; the words stay."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.normalise import canonical

HOSTILE_CHARS = 100_000
GENEROUS_CPU_S = 5.0
"""A linear reader needs a quarter of a second; a quadratic one needs minutes."""


@contextmanager
def cpu_seconds(limit: float) -> Iterator[None]:
    """Stops what runs longer, in time of the processor: what else it has to do does not count."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"it took more than {limit} s of the processor")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("User Unknown", "user unknown"),
        ("user\n  unknown,\tsorry!", "user unknown sorry"),
        ("Boîte aux lettres PLEINE", "boîte aux lettres pleine"),
        ("Ящик переполнен", "ящик переполнен"),
        ("l’utilisateur n'existe pas", "l'utilisateur n'existe pas"),
        ("'quoted'", "quoted"),
        ("e.g. no_such_user", "e g no such user"),
        ("", ""),
        (" .,;:!? \0 ---", ""),
    ],
)
def test_words_stay_in_lower_case(text: str, expected: str) -> None:
    assert expected == canonical(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<user@example.com>: gone", "_addr_ gone"),
        ("'first.last+tag@mail.example.com' gone", "_addr_ gone"),
        ("RCPT TO:<user@example.com> gone", "rcpt to _addr_ gone"),
        ("user@localhost gone", "_addr_ gone"),
        ("用户@例子.中国 gone", "_addr_ gone"),
        ("user@example.com,other@example.net gone", "_addr_ _addr_ gone"),
        ("user @ gone", "user gone"),
        ("mx1.example.com is busy", "_host_ is busy"),
        ("_dmarc.example.com is wrong", "_host_ is wrong"),
        ("(MX-1.EXAMPLE.COM).", "_host_"),
        ("localhost is busy", "localhost is busy"),
        ("sorry.Try again", "_host_ again"),
        ("see https://example.com/a?b=1#c now", "see _url_ now"),
        ("see (http://192.0.2.1:80/) now", "see _url_ now"),
        ("see http:// now", "see http now"),
        ("see www.example.com now", "see _host_ now"),
    ],
)
def test_addresses_hosts_and_links_become_placeholders(text: str, expected: str) -> None:
    assert expected == canonical(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1 blocked", "_ip_ blocked"),
        ("[192.0.2.1]:25 blocked", "_ip_ _n_ blocked"),
        ("Giving up on 192.0.2.1.", "giving up on _ip_"),
        ("1.2.3 blocked", "_n_ _n_ _n_ blocked"),
        ("2001:db8:0:0:0:0:2:1 blocked", "_ip_ blocked"),
        ("[2001:DB8::a:b:c] blocked", "_ip_ blocked"),
        ("at 10:14:07 blocked", "at _n_ _n_ _n_ blocked"),
        ("face: blocked", "face blocked"),
        ("2001:db8::1 blocked", "_ip_ blocked"),
        ("::1 blocked", "_ip_ blocked"),
    ],
)
def test_ip_addresses_become_placeholders(text: str, expected: str) -> None:
    assert expected == canonical(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 no", "no"),
        ("550-5.7.1 no", "no"),
        ("550 5.1.1 no", "no"),
        ("no (#5.1.1)", "no"),
        ("4.3.2 no", "no"),
        ("no 5.7.606", "no"),
        ("354 no", "no"),
        ("150 no", "_n_ no"),
        ("650 no", "_n_ no"),
        ("5500 no", "_n_ no"),
        ("6.1.1 no", "_n_ _n_ _n_ no"),
        ("no 550", "no _n_"),
    ],
)
def test_codes_are_left_out(text: str, expected: str) -> None:
    assert expected == canonical(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[TSS04] deferred", "tss04 deferred"),
        ("(S3140) blocked", "s3140 blocked"),
        ("RP-001 throttled", "rp-001 throttled"),
        ("MI:SPB, mx1", "mi spb mx1"),
        ("abc1234 is short", "abc1234 is short"),
        ("abcd1234 is long", "_id_ is long"),
        ("queued as 4WbX1y9z2A", "queued as _id_"),
        ("1a2b failed", "_id_ failed"),
        ("AS(201806281) failed", "as _n_ failed"),
        ("10MB of 26214400 bytes", "_id_ of _n_ bytes"),
        ("over 1,987 times", "over _n_ _n_ times"),
    ],
)
def test_names_that_vendors_give_stay_and_ids_go(text: str, expected: str) -> None:
    assert expected == canonical(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 用户不存在", "用户不存在"),
        ("收件人：<user@example.com>，邮箱已满。", "收件人 _addr_ 邮箱已满"),
        ("连接 192.0.2.1 超时", "连接 _ip_ 超时"),
        ("重试 12 次后失败", "重试 _n_ 次后失败"),
        ("ユーザーが見つかりません", "ユーザーが見つかりません"),
        ("사용자 없음", "사용자 없음"),
        ("550用户不存在", "用户不存在"),
        ("收件人user@example.com不存在", "收件人 _addr_ 不存在"),
    ],
)
def test_chinese_japanese_and_korean_words_stay(text: str, expected: str) -> None:
    assert expected == canonical(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("550 5.1.1 <a@example.com>: User unknown", "550-5.2.1 <b.c@mail.example.net>: user unknown"),
        ("host mx1.example.com[192.0.2.1] said no", "host in.example.org[2001:db8:1:2:3:4:5:6] said no"),
        ("queued as 4WbX1y9z2A, 17 times", "queued as 9F3C1A77B0D2, 4711 times"),
        ("see https://example.com/a", "see http://www.example.net/b/17?c"),
    ],
)
def test_texts_that_differ_in_what_varies_are_one(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@given(st.text(max_size=300))
def test_any_text_has_a_canonical_one_on_one_line_without_codes(text: str) -> None:
    words = canonical(text).split(" ")

    assert "" not in words or [""] == words
    assert not [word for word in words if word.isdecimal()]


@pytest.mark.parametrize(
    "unit",
    [
        *("a", "a.", "a-", "a_", "a1", "a1.", "a@", "a@b.", "a'", "ab:", "f::", "a b "),
        *("1", "1.", "1:", "1-", "550 ", "5.1.", "5.1.1", "192.0.2."),
        *("http://", "https://a", "<", "@", "_", "-", "#", "\0", "用", "用1", "é", "’"),
    ],
)
def test_hostile_texts_are_read_in_linear_time(unit: str) -> None:
    text = (unit * HOSTILE_CHARS)[:HOSTILE_CHARS]

    with cpu_seconds(GENEROUS_CPU_S):
        canonical(text)
