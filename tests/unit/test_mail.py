"""A mail is taken apart within bounds, whatever its bytes."""

import email
import email.policy
from email.message import Message
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.mail import MAX_DEPTH, MAX_PARTS, MAX_TEXT_BYTES, Mail, header_of, headers_of, read_mail

SAMPLES = sorted((Path(__file__).parents[1] / "samples").glob("*.eml"))
UNBALANCED = {"no-end-boundary.eml"}
"""What the standard library's parser reads by rules of its own."""
REPORT = "multipart/report"
RETURNED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")


def wrapped(content: str, *, boundary: str = "b", kind: str = "mixed") -> str:
    return (
        f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n--{boundary}\n{content}\n--{boundary}--\n'
    )


def nested(levels: int) -> bytes:
    content = "Content-Type: text/plain\n\ninnermost\n"
    for level in range(levels):
        content = wrapped(content, boundary=f"level-{level}")
    return f"From: a@example.com\nMIME-Version: 1.0\n{content}".encode()


def many_parts(count: int) -> bytes:
    parts = "".join(f"--b\nContent-Type: text/plain\n\npart {number}\n" for number in range(count))
    return f'Content-Type: multipart/mixed; boundary="b"\n\n{parts}--b--\n'.encode()


def texts(mail: Mail) -> list[str]:
    return [part.text.strip() for part in mail.parts]


def library_types(message: Message) -> list[str]:
    """The readable leaves as the standard library sees them; of the returned message only a report's."""
    content_type = message.get_content_type()
    if content_type in RETURNED:
        inner = message.get_payload()
        reports = inner if isinstance(inner, list) else []
        return [name for part in reports if part.get_content_type() == REPORT for name in library_types(part)]
    if content_type.startswith(("text/", "message/")):
        return [content_type]
    payload = message.get_payload()
    parts = payload if isinstance(payload, list) else []
    return [name for part in parts if isinstance(part, Message) for name in library_types(part)]


@pytest.mark.parametrize(
    "path", [path for path in SAMPLES if path.name not in UNBALANCED], ids=lambda p: p.name
)
def test_the_parts_are_those_of_the_standard_library(path: Path) -> None:
    raw = path.read_bytes()
    unix = (
        raw.partition(b"\n")[2]
        if raw.startswith(b"From ")
        else raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    )
    expected = library_types(email.message_from_bytes(unix, policy=email.policy.compat32))

    assert expected == [part.content_type for part in read_mail(raw).parts]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_the_subject_is_decoded(path: Path) -> None:
    subject = read_mail(path.read_bytes()).header("Subject")

    assert subject
    assert "=?" not in subject
    assert "\ufffd" not in subject


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("lead", ["", "From MAILER-DAEMON  Mon Mar  2 09:00:05 2026\n", "\n\n", ">From x\n"])
def test_line_ends_and_what_stands_before_the_headers_do_not_matter(end: str, lead: str) -> None:
    source = lead + "Subject: one\n two\nFrom: <>\n" + wrapped("Content-Type: text/plain\n\nfirst\n\nsecond")
    mail = read_mail(source.replace("\n", end).encode())

    assert ("one two", ["first\n\nsecond"]) == (mail.header("Subject"), texts(mail))


def test_a_byte_order_mark_is_no_part_of_the_first_header() -> None:
    assert "hello" == read_mail(b"\xef\xbb\xbfSubject: hello\n\nbody").header("subject")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("base64", "5pS25Lu25Lq65LiN5a2Y5Zyo"),
        ("base64", "5pS25Lu25Lq6\n5LiN5a2Y5Zyo\n"),
        ("quoted-printable", "=E6=94=B6=E4=BB=B6=E4=BA=BA=E4=B8=8D=E5=AD=98=E5=9C=A8"),
        ("8bit", "收件人不存在"),
        ("x-unknown", "收件人不存在"),
    ],
)
def test_transfer_encodings_are_undone(encoding: str, body: str) -> None:
    mail = read_mail(
        f"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n{body}".encode()
    )

    assert ["收件人不存在"] == texts(mail)


def test_text_that_is_no_base64_stays_readable() -> None:
    mail = read_mail(b"Content-Transfer-Encoding: base64\n\n550 5.1.1 no such user!")

    assert ["550 5.1.1 no such user!"] == texts(mail)


def test_html_becomes_text() -> None:
    mail = read_mail(b"Content-Type: text/html\n\n<p>550 &lt;user@example.com&gt;</p>")

    assert ["550 <user@example.com>"] == texts(mail)


def test_attachments_are_not_among_the_parts() -> None:
    attachment = "Content-Type: application/pdf\nContent-Transfer-Encoding: base64\n\n" + "QUJD\n" * 200_000
    source = (
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\nnotice\n'
        f"--b\n{attachment}\n--b--\n"
    )
    mail = read_mail(source.encode())

    assert (["notice"], ()) == (texts(mail), mail.warnings)


def test_the_returned_message_is_kept_apart() -> None:
    mail = read_mail(
        wrapped(
            "Content-Type: message/rfc822\n\nSubject: hello\nMessage-ID: <1@example.com>\n\nbody"
        ).encode()
    )

    assert mail.returned is not None
    assert ((), "hello") == (mail.parts, header_of(mail.returned, "Subject"))


def test_a_report_inside_the_returned_message_is_read() -> None:
    inner = wrapped("Content-Type: message/delivery-status\n\nAction: failed", boundary="in", kind="report")
    mail = read_mail(wrapped(f"Content-Type: message/rfc822\n\n{inner}").encode())

    assert ["message/delivery-status"] == [part.content_type for part in mail.parts]


@pytest.mark.parametrize(
    ("levels", "seen"), [(1, True), (MAX_DEPTH, True), (MAX_DEPTH + 1, False), (400, False)]
)
def test_nesting_is_read_to_a_limit(levels: int, *, seen: bool) -> None:
    mail = read_mail(nested(levels))

    assert (["innermost"] if seen else []) == texts(mail)
    assert seen is (mail.warnings == ())


@pytest.mark.parametrize(("count", "read"), [(3, 3), (MAX_PARTS - 1, MAX_PARTS - 1), (5000, MAX_PARTS - 1)])
def test_parts_are_read_to_a_limit(count: int, read: int) -> None:
    mail = read_mail(many_parts(count))

    assert read == len(mail.parts)
    assert (count == read) is (mail.warnings == ())


def test_text_is_read_to_a_limit() -> None:
    mail = read_mail(b"Subject: long\n\n" + b"word " * MAX_TEXT_BYTES)

    assert MAX_TEXT_BYTES == len(mail.parts[0].text)
    assert ("only the first 256 kB of text are read",) == mail.warnings


def test_the_limit_counts_all_parts_together() -> None:
    part = "--b\nContent-Type: text/plain\n\n" + "x" * (MAX_TEXT_BYTES // 2) + "\n"
    mail = read_mail(f'Content-Type: multipart/mixed; boundary="b"\n\n{part * 4}--b--\n'.encode())

    assert sum(len(part.text) for part in mail.parts) <= MAX_TEXT_BYTES


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"\n",
        b"no header at all",
        b"Content-Type: multipart/mixed\n\nno boundary",
        b'Content-Type: multipart/mixed; boundary=""\n\nempty boundary',
        b"Content-Type: multipart/mixed; boundary=b\n\nnever opened",
        b"Content-Type: text/plain; charset=no-such-charset\n\ntext",
        b"Content-Type: text/plain; charset*=utf-8''%E4\n\ntext",
        b"Content-Type: =?utf-8?B?////?=\n\ntext",
        b"Subject: =?gb2312?B?broken\n\ntext",
        b"From: \xff\xfe\n\ntext",
        b"Content-Type: text/plain; charset=\x00\nno header \xff here\n",
        b"Content-Type: text/plain; charset=idna\nno header \xff here\n",
        b"Content-Type: text/plain; charset=punycode\nno header \xff here\n",
        b"A" * 300_000,
        b"From " * 1000,
        b"X: " + b"y" * 200_000 + b"\n\nbody",
    ],
)
def test_broken_mails_are_read(source: bytes) -> None:
    mail = read_mail(source)

    assert isinstance(mail.header("Subject"), str)
    assert isinstance(mail.content_type + mail.report_type + mail.header_block, str)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_read(raw: bytes) -> None:
    mail = read_mail(raw)

    assert all(part.text is not None for part in mail.parts)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([path.read_bytes() for path in SAMPLES]),
    st.lists(st.tuples(st.integers(0, 4095), st.binary(max_size=12)), max_size=6),
    st.integers(0, 4095),
)
def test_damaged_mails_are_read(raw: bytes, wounds: list[tuple[int, bytes]], end: int) -> None:
    for place, bytes_there in wounds:
        raw = raw[:place] + bytes_there + raw[place + len(bytes_there) :]
    mail = read_mail(raw[:end])

    assert isinstance(mail.header("From") + mail.header_block, str)


def test_headers_are_found_at_the_start_of_a_text() -> None:
    assert "hello" == header_of(headers_of("\nSubject: hello\nTo: user@example.com\n\nbody"), "SUBJECT")


@pytest.mark.parametrize(
    ("raw", "subject"),
    [
        ("Subject: 系统退信\n\n".encode(), "系统退信"),
        ("Subject: 系统退信\n\n".encode("gbk"), "系统退信"),
        (b"Subject: =?UTF-8?Q?caf=C3=A9?=\n\n", "café"),
        (b"Subject: =?GBK?B?z7XNs83L0MU=?=\n =?GBK?B?z7XNs83L0MU=?=\n\n", "系统退信系统退信"),
        (b"Subject: plain\n\n", "plain"),
        (b"X-Subject: no\n\n", ""),
    ],
)
def test_header_values_are_decoded(raw: bytes, subject: str) -> None:
    assert subject == read_mail(raw).header("Subject")


@pytest.mark.parametrize(
    ("raw", "subject", "text"),
    [
        (b"Subject: hello\nThe body starts here\nX: y\n", "hello", "The body starts here\nX: y"),
        (b"Subject: hello\n folded\n\nThe body", "hello folded", "The body"),
        (b"Subject: hello\n\n", "hello", ""),
        (b"Subject: hello", "hello", ""),
        (b"Subject: hello\nFrom nobody at all\nX-Test: 1\n\nThe body", "hello", "The body"),
        (b"The body alone", "", "The body alone"),
        (b"Subject: hello\ncaf\xe9 body\n", "hello", "café body"),
    ],
)
def test_headers_end_with_a_blank_line_or_with_a_line_that_is_none(
    raw: bytes, subject: str, text: str
) -> None:
    mail = read_mail(raw)

    assert (subject, text) == (mail.header("Subject"), "".join(texts(mail)))
