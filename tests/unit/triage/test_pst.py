"""An Outlook data file gives its mails and reports as mails of the Internet; damage costs one message."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from model.parse import parse
from model.types import Form
from service.errors import UnreadableArchive
from service.triage.formats import pst
from service.triage.formats.records import WHOLE
from service.triage.guards import Limits
from service.triage.nouns import Item, Kind, Packing
from service.triage.packing import Source
from service.triage.planning import recognise

STATUS = b"Reporting-MTA: dns; mx.example.net\n\nFinal-Recipient: rfc822; user@example.net\nAction: failed\n"
RETURNED = b"Received: from a\nMessage-ID: <1@example.com>\nSubject: offer\n\nbody\n"


class Entry:
    def __init__(self, kind: int, value: str) -> None:
        self._kind, self._value = kind, value

    def get_entry_type(self) -> int:
        return self._kind

    def get_data_as_string(self) -> str:
        return self._value


class RecordSet:
    def __init__(self, values: dict[int, str]) -> None:
        self._entries = [Entry(*pair) for pair in values.items()]

    def get_number_of_entries(self) -> int:
        return len(self._entries)

    def get_entry(self, number: int) -> Entry:
        return self._entries[number]


class Owner:
    """What has record sets, as every item of the library does."""

    def __init__(self, *values: dict[int, str]) -> None:
        self._sets = [RecordSet(each) for each in values]

    def get_number_of_record_sets(self) -> int:
        return len(self._sets)

    def get_record_set(self, number: int) -> RecordSet:
        return self._sets[number]


class Attachment(Owner):
    def __init__(self, raw: bytes, inner: "Message | None" = None) -> None:
        super().__init__({0x3707: 'a"b.txt'})
        self._raw, self._inner = raw, inner

    def get_size(self) -> int:
        return len(self._raw)

    def read_buffer(self, size: int) -> bytes:
        return self._raw[:size]

    def get_number_of_sub_items(self) -> int:
        return 1 if self._inner else 0

    def get_sub_item(self, _: int) -> "Message | None":
        return self._inner


class Message(Owner):
    def __init__(  # as many as a message has
        self,
        kind: str = "IPM.Note",
        *,
        headers: str | None = None,
        body: bytes | None = None,
        attachments: tuple[Attachment, ...] = (),
        recipients: Owner | None = None,
        report: str = "",
    ) -> None:
        super().__init__({0x001A: kind, **({0x1001: report} if report else {})})
        self._headers, self._body, self._attachments = headers, body, attachments
        self.recipients = recipients

    def get_transport_headers(self) -> str | None:
        return self._headers

    def get_plain_text_body(self) -> bytes | None:
        return self._body

    def get_html_body(self) -> bytes | None:
        return None if self._body else b"<p>hello</p>"

    def get_subject(self) -> str:
        return "Undeliverable:\r\nBcc: x"

    def get_sender_name(self) -> str:
        return "System"

    def get_delivery_time(self) -> datetime:
        return datetime(2026, 11, 2, 10, 14, 23)  # as the library gives it

    def get_number_of_attachments(self) -> int:
        return len(self._attachments)

    def get_attachment(self, number: int) -> Attachment:
        return self._attachments[number]


class Folder:
    def __init__(self, messages: tuple[Any, ...] = (), folders: tuple["Folder", ...] = ()) -> None:
        self._messages, self._folders = messages, folders

    def get_number_of_sub_messages(self) -> int:
        return len(self._messages)

    def get_sub_message(self, number: int) -> Any:
        if self._messages[number] is OSError:
            raise OSError("damaged")
        return self._messages[number]

    def get_number_of_sub_folders(self) -> int:
        return len(self._folders)

    def get_sub_folder(self, number: int) -> "Folder":
        return self._folders[number]


class Library:
    """The library with a file that is already open."""

    def __init__(self, root: Folder) -> None:
        self._root = root

    def file(self) -> "Library":
        return self

    def open_file_object(self, stream: Any) -> None:
        assert stream.read(4) == b"!BDN"

    def get_root_folder(self) -> Folder:
        return self._root


@pytest.fixture
def source(tmp_path: Path) -> Source:
    file = tmp_path / "a.pst"
    file.write_bytes(b"!BDN" + bytes(60))
    return Source(str(file))


def read(source: Source, *messages: Any, folders: tuple[Folder, ...] = ()) -> list[Item]:
    return list(pst.read(source, WHOLE, Library(Folder(messages, folders))))


def test_a_report_with_attachments_reads_as_a_mail(source: Source) -> None:
    headers = (
        "From: MAILER-DAEMON@example.net\r\nSubject: failure\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report;\r\n\tboundary=x\r\nDate: Mon, 2 Nov 2026 10:14:23 +0000\r\n\r\n"
    )
    (item,) = read(
        source,
        Message(headers=headers, body=b"It failed.", attachments=(Attachment(STATUS), Attachment(RETURNED))),
    )

    report = parse(item.raw, Form(item.form))

    assert (item.id, item.error) == ("a.pst#1", None)
    assert [failure.address for failure in report.failures] == ["user@example.net"]
    assert (report.reporting_mta, report.original_message_id) == ("mx.example.net", "<1@example.com>")
    assert item.raw.count(b"Content-Type: multipart") == 1


def test_a_report_object_reads_as_a_mail(source: Source) -> None:
    told = "550 5.1.1 RESOLVER.ADR.RecipNotFound; not found"
    recipients = Owner({0x39FE: "user@example.com", 0x3003: "/o=x", 0x0C1B: told}, {0x0C1B: "nobody"})

    (item,) = read(source, Message("REPORT.IPM.Note.NDR", recipients=recipients, report="It failed."))

    report = parse(item.raw, Form(item.form))
    assert [(failure.address, failure.diagnostic) for failure in report.failures] == [
        ("user@example.com", told)
    ]
    assert report.failures[0].action == "failed"
    assert b"\nBcc:" not in item.raw


def test_mails_of_all_folders_are_read_and_contacts_are_none(source: Source) -> None:
    below = Folder((Message(body=b"two"), Message("IPM.Contact"), Message("IPM.Note.SMIME")))

    assert [item.id for item in read(source, Message(), folders=(below,))] == [
        "a.pst#1",
        "a.pst#2",
        "a.pst#4",
    ]


def test_a_damaged_message_is_an_error_and_the_rest_goes_on(source: Source) -> None:
    found = read(source, OSError, Message())

    assert [item.error for item in found] == ["the message is damaged", None]


def test_a_message_above_the_limit_is_an_error(source: Source) -> None:
    small = Source(source.address, limits=Limits(message_bytes=1000))

    found = read(small, Message(attachments=(Attachment(b"x" * 1001),)), Message(body=b"x" * 1001), Message())

    assert [item.error for item in found] == [*["the message has more than 1000 bytes"] * 2, None]


def test_other_attachments_are_kept_and_inner_mails_opened(source: Source) -> None:
    inner = Message(headers="Subject: inner\n", body=b"inner body")

    (item,) = read(source, Message(attachments=(Attachment(b"\0\1"), Attachment(b"", inner))))

    assert b'name="a_b.txt"\nContent-Transfer-Encoding: base64\n\nAAE=\n' in item.raw
    assert b"Content-Type: message/rfc822\n\nSubject: inner\n\ninner body" in item.raw


def test_folders_that_hold_themselves_end(source: Source) -> None:
    root = Folder((Message(),))
    root._folders = (root,)

    found = list(pst.read(source, WHOLE, Library(root)))

    assert len(found) == 65


def test_a_damaged_file_is_refused(source: Source) -> None:
    pytest.importorskip("pypff")

    with pytest.raises(UnreadableArchive, match="the Outlook data file is damaged"):
        list(pst.read(source, WHOLE))


def test_a_missing_library_names_the_extra(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(pst, "import_module", missing)

    with pytest.raises(UnreadableArchive, match="needs the extra pst"):
        list(pst.read(source, WHOLE))


def test_an_outlook_data_file_is_recognised(source: Source) -> None:
    assert recognise(source.address) == (Kind.PST, Packing.NONE)
