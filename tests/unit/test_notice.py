"""A notice for people gives up who failed, in whose words, and where the returned message starts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.notice import (
    MAX_LINES,
    MAX_RECIPIENTS,
    UNEXPLAINED,
    addresses,
    mentions,
    remote,
    reporter,
    split_returned,
)

HEADERS = (
    "Received: from a by b\nFrom: News <news@example.org>\nTo: info@example.net\nSubject: Spring\n\nHello"
)


def named(text: str, *excluded: str) -> list[str]:
    return [mention.address for mention in mentions(text, excluded=excluded)]


def reasons(text: str) -> list[str]:
    return [" ".join(mention.reason.split()) for mention in mentions(text)]


@pytest.mark.parametrize(
    "marker",
    [
        "--- Below this line is a copy of the message.",
        "------ This is a copy of the message, including all the headers. ------",
        "----- Original message -----",
        "Original message headers:",
        "Message headers follow:",
        "Original message follows.",
        "原始邮件头:",
    ],
)
def test_the_returned_message_starts_after_its_marker(marker: str) -> None:
    notice = split_returned(f"It failed.\n\n{marker}\n{HEADERS}")

    assert ("It failed.\n", HEADERS) == (notice.text, notice.returned)


def test_the_returned_message_starts_with_its_headers_where_no_marker_stands() -> None:
    notice = split_returned(f"It failed.\n\n{HEADERS}")

    assert ("It failed.\n", HEADERS) == (notice.text, notice.returned)


@pytest.mark.parametrize(
    "text",
    [
        "The original message was received at noon\nfrom app.example.org",
        "                           UNDELIVERABLE MAIL\n\n<info@example.net>: no",
        "Your message\n\n  To:      info@example.net\n  Subject: Spring\n\ndid not reach",
        "Subject: Spring\nTo: info@example.net\nIt failed.",
        "a copy of your key is in the drawer of the original maker",
    ],
)
def test_words_about_the_message_do_not_start_it(text: str) -> None:
    notice = split_returned(f"Notice.\n{text}")

    assert (f"Notice.\n{text}", "") == (notice.text, notice.returned)


@pytest.mark.parametrize(
    "text",
    [
        "<info@example.net>:\nSorry, no mailbox here by that name.",
        "  info@example.net\n    550 no such user",
        "Recipient: <info@example.net>\nReason: no such user",
        "User unknown: info@example.net",
        "info@example.net on Mon, 2 Mar 2026 09:00:04 -0000\n    unknown",
        "收件人：info@example.net\n退信原因：不存在",
        "收件人info@example.net不存在",
        "您的邮件未能送达收件人：info@example.net。",
        "无法送达info@example.net，请检查",
        "あて先のinfo@example.netは存在しません",
        "Your message to info@example.net couldn't be delivered.",
        "An error occurred for “info@example.net”.",
        "Failed address: info@example.net",
        "550 5.1.1 <info@example.net>... User unknown",
        "to=<info@example.net>, relay=mx.example.net",
        "info msg 42: bytes 900 from <news@example.org> qp 7 uid 0\n"
        "starting delivery 5: msg 42 to remote info@example.net",
        "scan[7]: mx.example.net[192.0.2.7] 1767323045-1a-1 1767323045 1767323046 SCAN - news@example.org"
        " info@example.net 7.5 2 31 - SZ:18402 SUBJ:hello",
        "inbound/pass1[7]: unknown[192.0.2.7] 1767323045-1a-1 1767323045 1767323046 RECV news@example.org"
        " info@example.net 2 8 -",
    ],
)
def test_the_recipient_that_failed_is_named(text: str) -> None:
    assert ["info@example.net"] == named(f"It failed.\n\n{text}\n\nBye.")


@pytest.mark.parametrize(
    "address", ["отдел@example.net", "büro@bücher.example", "用户@例子.公司", "a.b+c@example.net"]
)
def test_addresses_of_other_scripts_are_named(address: str) -> None:
    assert [address] == named(f"<{address}>:\nno such user")


def test_every_recipient_is_named_once_in_order() -> None:
    text = "<one@example.net>:\nno\n\n<two@example.net>:\nno\n\n<ONE@example.net>:\nno"

    assert ["one@example.net", "two@example.net"] == named(text)


def test_a_line_of_its_own_is_surer_than_a_sentence() -> None:
    text = "Mail for news@example.org came from help@example.com.\n\n<info@example.net>:\nno such user"

    assert ["info@example.net"] == named(text)


@pytest.mark.parametrize(
    "text",
    [
        "Please write to postmaster@example.net for help",
        "MAILER-DAEMON@example.net",
        "Message-ID: <1@example.net>",
        "no address here",
        "",
    ],
)
def test_nobody_is_named_who_cannot_have_failed(text: str) -> None:
    assert [] == named(text)


def test_the_reader_of_the_report_counts_only_for_want_of_others() -> None:
    text = "Questions? Write to news@example.org"
    (mention,) = mentions(text, excluded=["News@example.org"])

    assert mention.rank > UNEXPLAINED
    assert ["info@example.net"] == named(f"{text}\n<info@example.net>:\nno", "news@example.org")


def test_the_reason_is_the_line_and_the_paragraph_below() -> None:
    text = "<one@example.net>:\n550 no such user\n\n<two@example.net>:\n552 mailbox full\n\nUnrelated words."

    assert ["<one@example.net>: 550 no such user", "<two@example.net>: 552 mailbox full"] == reasons(text)


def test_the_reason_is_where_the_code_stands_when_a_recipient_is_named_twice() -> None:
    text = (
        "Delivery has failed to these recipients or groups:\n\ninfo@example.net\nSomething went wrong.\n\n"
        "Diagnostic information for administrators:\n\ninfo@example.net\nmx.example.net\n"
        "Remote Server returned '552 5.3.4 too large'"
    )

    assert ["info@example.net mx.example.net Remote Server returned '552 5.3.4 too large'"] == reasons(text)


def test_a_reply_in_another_paragraph_belongs_to_the_only_recipient() -> None:
    text = "收件人：info@example.net\n退信原因：未知\n\n英文说明:\nHost said 550 User not found\n\n建议"

    assert ["收件人：info@example.net 退信原因：未知 英文说明: Host said 550 User not found"] == reasons(text)


def test_a_reply_in_another_paragraph_belongs_to_none_of_several_recipients() -> None:
    text = "<one@example.net>\n<two@example.net>\n\nunknown\n\n550 something else"

    assert not any("550" in reason for reason in reasons(text))


def test_the_transcript_is_told_to_each_recipient_by_its_own_commands() -> None:
    text = (
        "<one@example.net>\n<two@example.net>\n\n   ----- Transcript of session follows -----\n"
        ">>> RCPT To:<one@example.net>\n<<< 550 unknown\n>>> RCPT To:<two@example.net>\n<<< 552 full\n"
    )
    first, second = reasons(text)

    assert ("550" in first, "552" in first) == (True, False)
    assert ("550" in second, "552" in second) == (False, True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("To: <user@example.com>, ops@example.net", ("user@example.com", "ops@example.net")),
        ("user@example.com, USER@example.com, user@example.com.", ("user@example.com", "USER@example.com")),
        ('"two words"@example.com', ('"two words"@example.com',)),
        ("收件人：user@example.com的邮箱", ("user@example.com",)),
        ("收件人123456@example.com已满", ("123456@example.com",)),
        ("（user@example.com）", ("user@example.com",)),
        ("“user@example.com”", ("user@example.com",)),
        ("a @ b, @example.com, user@", ()),
    ],
)
def test_addresses_are_found_in_any_text(text: str, found: tuple[str, ...]) -> None:
    assert found == addresses(text)


def test_recipients_and_lines_are_read_to_a_limit() -> None:
    many = "\n\n".join(f"<user{number}@example.net>:\nno" for number in range(MAX_RECIPIENTS + 20))
    late = "\n" * (MAX_LINES + 5) + "<late@example.net>:\nno"

    assert (MAX_RECIPIENTS, []) == (len(named(many)), named(late))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="ab@.<>:\n 550收件人", max_size=200))
def test_any_text_is_read(text: str) -> None:
    assert all(mention.address in text for mention in mentions(text))


def test_the_line_that_introduces_a_reply_belongs_to_it() -> None:
    text = "mx.example.net [192.0.2.7] did not like our RCPT TO:\n550 5.1.1 <info@example.net>: User unknown"

    assert [" ".join(text.split())] == reasons(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Generating server: EX01.example.org", "ex01.example.org"),
        ("DSN generated by:\n\n  ex01.example.org", "ex01.example.org"),
        ("生成服务器：ex01.example.org", "ex01.example.org"),
        ("Generating server: unknown", None),
        ("the generating server is ex01.example.org", None),
        ("Generating server: 192.0.2.7", None),
        ("", None),
    ],
)
def test_the_server_that_reports_is_named_by_its_label(text: str, host: str | None) -> None:
    assert host == reporter(f"It failed.\n\n{text}\n\nBye.")


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Remote server: MX.example.net", "mx.example.net"),
        ("info@example.net\nmx.example.net\nRemote Server returned '550 5.1.1 no'", "mx.example.net"),
        ("Serveur distant : mx.example.net", "mx.example.net"),
        ("info@example.net\nRemote Server returned '550 5.1.1 no'", None),
        ("Remote server: 550 5.1.1 no", None),
        ("visit\nmx.example.net\ntoday", None),
    ],
)
def test_the_server_that_refused_is_named(text: str, host: str | None) -> None:
    assert host == remote(f"It failed.\n\n{text}\n\nBye.")
