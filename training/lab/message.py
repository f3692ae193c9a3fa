"""The messages that the lab sends, one a scenario."""

from __future__ import annotations

from email.header import Header

from training.lab.scenario import Scenario

SENDER = "office@sender.example"
DATE = "Tue, 24 Nov 2026 09:00:00 +0000"
SUBJECTS = (
    "Minutes of Monday",
    "Delivery of the chairs",
    "会议纪要",
    "Price list",
    "Angebot für den Umbau",
    "Holiday cover",
    "Second reminder",
    "报价单",
    "Order 20417",
    "Compte rendu",
)
BODIES = (
    "Please find the figures below.\n\nOffice\n",
    "Hello,\n\nthe van comes on Thursday morning. Is somebody at the gate by eight?\n\nRegards\nOffice\n",
    "您好：\n\n请确认附件中的数量。\n\n谢谢\n",
    "A short note only: the meeting room has changed.\n",
)
HOP = "Received: from hop{n}.example.net by hop{m}.example.net with ESMTP; " + DATE + "\n"
FILLER = "This line makes the message longer and says nothing else at all.\n"


def message(scenario: Scenario, number: int) -> str:
    """A message; it names no recipient, so that a report names those it is about."""
    hops = "".join(HOP.format(n=n, m=n + 1) for n in range(scenario.received))
    subject = scenario.subject or SUBJECTS[number % len(SUBJECTS)]
    body = f"{scenario.body_text}\n" if scenario.body_text else BODIES[number % len(BODIES)]
    headers = (
        f"Date: {DATE}",
        f"From: {sender(scenario)}",
        "To: undisclosed-recipients:;",
        f"Subject: {subject if scenario.smtputf8 else _encoded(subject)}",
        f"Message-ID: <20261124.{number:04d}@sender.example>",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    )
    filler = FILLER * (scenario.body_size // len(FILLER))
    return f"{hops}{chr(10).join(headers)}\n\n{body}{filler}"


def sender(scenario: Scenario) -> str:
    """Whom a report goes to."""
    return scenario.sender or SENDER


def _encoded(subject: str) -> str:
    return subject if subject.isascii() else Header(subject, "utf-8").encode()
