"""The classifier hears words, pairs of words and facts, and nothing that varies."""

import pytest

from model.features import MAX_WORDS, facts_of, features_of, worded, words_of
from model.normalise import canonical
from model.reply import unwrap
from model.types import Reply, Unwrapped

BARE = Unwrapped(text="", chain=(), start=0, end=0)


@pytest.mark.parametrize(
    ("text", "words", "pairs"),
    [
        ("", (), ()),
        ("unknown", ("unknown",), ()),
        ("user unknown here", ("user", "unknown", "here"), ("user unknown", "unknown here")),
        ("no no no", ("no", "no", "no"), ("no no", "no no")),
        ("_addr_ unknown", ("unknown",), ("_addr_ unknown",)),
        ("_addr_ _ip_", (), ("_addr_ _ip_",)),
        ("_id_", (), ()),
        ("用户不存在", ("用户", "户不", "不存", "存在"), ("用户 户不", "户不 不存", "不存 存在")),
        ("邮箱 _n_", ("邮箱",), ("邮箱 _n_",)),
    ],
)
def test_words_stand_alone_and_in_pairs_and_placeholders_only_in_pairs(
    text: str, words: tuple[str, ...], pairs: tuple[str, ...]
) -> None:
    assert (*words, *pairs) == worded(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("用户", ("用户",)),
        ("满", ("满",)),
        ("用户 不存在", ("用户", "不存", "存在")),
        ("user 用户不在 gone", ("user", "用户", "户不", "不在", "gone")),
        ("メール", ("メー", "ール")),
        ("사용자 없음", ("사용", "용자", "없음")),
        ("ящик полон", ("ящик", "полон")),
        ("boîte pleine", ("boîte", "pleine")),
        ("SPF检查失败", ("spf", "检查", "查失", "失败")),
    ],
)
def test_only_runs_of_chinese_japanese_and_korean_become_pairs_of_characters(
    text: str, expected: tuple[str, ...]
) -> None:
    assert expected == words_of(canonical(text))


@pytest.mark.parametrize("count", [MAX_WORDS - 1, MAX_WORDS, MAX_WORDS + 1, 10 * MAX_WORDS])
def test_no_more_than_the_first_words_are_heard(count: int) -> None:
    words = tuple(f"w{number}" for number in range(count))

    assert words[:MAX_WORDS] == words_of(" ".join(words))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply("no", 550), ["smtp=550", "class=5"]),
        (Reply("no", 421, "4.7.0"), ["smtp=421", "class=4", "enhanced=.7.0"]),
        (Reply("no", None, "5.7.606"), ["enhanced=.7.606"]),
        (Reply("no"), []),
        (None, []),
    ],
)
def test_codes_are_facts_and_the_enhanced_one_leaves_its_class_to_the_reply(
    reply: Reply | None, expected: list[str]
) -> None:
    outer = Reply("wrapper", 450, "4.4.1")
    chain = (outer, reply) if reply else ()

    assert expected == list(facts_of(Unwrapped(text="no", chain=chain, start=0, end=2)))


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("RCPT TO", ["stage=RCPT TO"]),
        ("MAIL FROM", ["stage=MAIL FROM"]),
        ("DATA", ["stage=DATA"]),
        ("CONNECT", ["stage=CONNECT"]),
        ("RSET", []),
        (None, []),
    ],
)
def test_the_refused_command_is_a_fact_where_it_is_a_stage(command: str | None, expected: list[str]) -> None:
    assert expected == list(facts_of(Unwrapped("", (), 0, 0, command=command)))


@pytest.mark.parametrize(
    ("lists", "expected"), [((), []), (("A",), ["list=named"]), (("A", "B"), ["list=named"])]
)
def test_that_a_block_list_is_named_is_a_fact(lists: tuple[str, ...], expected: list[str]) -> None:
    assert expected == list(facts_of(Unwrapped("", (), 0, 0, block_lists=lists)))


@pytest.mark.parametrize(
    ("links", "expected"),
    [
        ((), []),
        (("https://www.example.com/a/192.0.2.1?id=4WbX1y9z2A",), ["url=example"]),
        (
            ("http://support.example.org/HELP/Blocked",),
            ["url=support", "url=example", "url=help", "url=blocked"],
        ),
        (("https://a.example/x", "https://b.example/y"), ["url=example", "url=example"]),
        (("https://192.0.2.1/",), []),
    ],
)
def test_long_words_of_links_are_facts(links: tuple[str, ...], expected: list[str]) -> None:
    assert expected == list(facts_of(Unwrapped("", (), 0, 0, links=links)))


def test_who_took_part_is_a_fact_in_name_order() -> None:
    assert ["party=exim", "party=gmail", "party=postfix"] == list(
        facts_of(BARE, frozenset({"postfix", "gmail", "exim"}))
    )


def test_a_reply_gives_the_words_of_its_innermost_part_and_its_facts() -> None:
    text = "host mx.example.com[192.0.2.1] said: 550 5.1.1 User unknown (in reply to RCPT TO command)"

    assert (
        *("user", "unknown", "user unknown"),
        *("smtp=550", "class=5", "enhanced=.1.1", "stage=RCPT TO", "party=postfix"),
    ) == features_of(unwrap(text), frozenset({"postfix"}))


def test_a_blocked_sender_gives_the_list_and_the_words_of_its_link() -> None:
    features = features_of(unwrap("554 blocked using zen.spamhaus.org; https://check.example.com/192.0.2.9"))

    assert ("smtp=554", "class=5", "list=named", "url=check", "url=example") == features[-5:]
    assert {"blocked", "using", "using _host_"} <= set(features[:-5])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("550 5.1.1 <a@example.com> unknown", "550 5.1.1 <b@example.net> unknown"),
        ("451 4.7.1 192.0.2.1 is new (id 4WbX1y9z2A)", "451 4.7.1 198.51.100.7 is new (id 77F3C1AB0D2)"),
    ],
)
def test_what_varies_does_not_change_the_features(one: str, other: str) -> None:
    assert features_of(unwrap(one)) == features_of(unwrap(other))


def test_words_hold_no_sign_of_a_fact() -> None:
    """So that a text cannot pretend to be a fact."""
    assert not [word for word in worded(canonical("smtp=550 party=postfix a=b")) if "=" in word]
