"""What a mail in a ticket shows beside its diagnosis: the mail that came back, and marks of our own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message

from model.mail import Mail, header_of, headers_of, read_mail
from model.notice import split_returned
from service.ticketing.nouns import MARKER, Original

MOST_LEVELS = 4
MOST_HEADERS = 200
_ID = re.compile(r"<[^<>\s]{1,990}>")


def original_of(raw: bytes) -> Original | None:
    """The mail that came back, by its headers; ``None`` where they are not shown."""
    returned = _returned(read_mail(raw))
    if returned is None:
        return None
    names = dict.fromkeys(name.lower() for name in returned.keys()[:MOST_HEADERS])
    headers = {name: header_of(returned, name) for name in names}
    found = _ID.search(headers.get("message-id", ""))
    return Original(found[0] if found else None, headers)


def is_about_a_note(raw: bytes) -> bool:
    """Whether a mail holds the mark of one of our notes, in whatever coding, also in what it returns."""
    return any(MARKER.search(text) for text in _texts(raw))


def _texts(raw: bytes) -> Iterator[bytes]:
    for _ in range(MOST_LEVELS):
        yield raw
        mail = read_mail(raw)
        yield mail.header("Subject").encode()
        yield from (part.text.encode("utf-8", "replace") for part in mail.parts)
        raw = mail.returned_raw
        if not raw:
            return


def _returned(mail: Mail) -> Message | None:
    if mail.returned is not None and len(mail.returned) > 0:
        return mail.returned
    text = split_returned("\n\n".join(part.text for part in mail.parts)).returned
    headers = headers_of(text) if text else None
    return headers if headers is not None and len(headers) > 0 else None
