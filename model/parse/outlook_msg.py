"""Reads a non-delivery report that Outlook saved as .msg."""

from __future__ import annotations

import io
from collections.abc import Iterator
from email.message import Message as Headers

from oxmsg import Message

from model.errors import EvidenceError
from model.html import to_text
from model.mail import MAX_TEXT_BYTES, Mail, Part, headers_of
from model.report import report_of
from model.types import Form, Report

_OLE_MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_PID_REPORT_TEXT = 0x1001
_PID_SUPPLEMENTARY_INFO = 0x0C1B
_ACTIONS = {"NDR": "failed", "DELAYED": "delayed", "DR": "delivered", "IPNRN": "delivered"}
"""By the last part of the message class: [MS-OXOMSG] 2.2.3, report objects."""


def claims(raw: bytes, form: Form) -> bool:
    """Whether these bytes are an OLE compound file, or were said to be one."""
    return form is Form.MSG or (form is Form.AUTO and raw.startswith(_OLE_MAGIC))


def parse(raw: bytes) -> Report:
    """The report in an Outlook message.

    Raises:
        EvidenceError: it is no Outlook message.
    """
    try:
        mail = _mail(raw)
    except Exception as error:  # the reader fails in many ways on broken files
        raise EvidenceError("the Outlook .msg file cannot be read") from error
    return report_of(mail)


def _mail(raw: bytes) -> Mail:
    if not raw.startswith(_OLE_MAGIC):
        raise ValueError("no OLE compound file")
    message = Message.load(io.BytesIO(raw))
    body = message.body or to_text(message.html_body or "")
    report_text = message.properties.str_prop_value(_PID_REPORT_TEXT) or ""
    parts = (Part("text/plain", f"{body}\n{report_text}"[:MAX_TEXT_BYTES]), *_status(message))
    return Mail(_headers(message), parts)


def _status(message: Message) -> Iterator[Part]:
    """What a report object keeps in properties, as the delivery status it came from."""
    action = _ACTIONS.get(message.message_class.upper().rpartition(".")[2])
    if action is None or not message.message_class.upper().startswith("REPORT."):
        return
    for recipient in message.recipients:
        told = recipient.properties.str_prop_value(_PID_SUPPLEMENTARY_INFO) or ""
        diagnostic = " ".join(told.split())
        yield Part(
            "message/delivery-status",
            f"Final-Recipient: rfc822;{recipient.email_address}\nAction: {action}\n"
            f"Diagnostic-Code: {diagnostic}\n",
        )


def _headers(message: Message) -> Headers:
    """The transport headers, completed by what the properties say."""
    headers = headers_of("".join(f"{name}: {value}\n" for name, value in message.message_headers.items()))
    for name, value in (("Subject", message.subject), ("From", message.sender)):
        if value and name not in headers:
            headers[name] = " ".join(str(value).split())
    return headers
