"""Plays clients that come to a system's SMTP server from outside; run inside the remotes' network.

Reads JSON from standard input: ``server``, ``visits`` (each with ``id``, ``helo``, ``sender``, ``recipient``,
``subject``, and ``hangs_up`` for one that goes without a word after its recipient was accepted), ``folder``.
"""

from __future__ import annotations

import json
import smtplib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.lab.account import Account, Conversation

ADDRESS = "198.51.100.240"
MESSAGE = (
    "From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\nMessage-ID: <{id}@{helo}>\r\n\r\nx\r\n"
)


def main() -> None:
    """Pay all visits, and account for them."""
    job = json.load(sys.stdin)
    for each in job["visits"]:
        about = {"scenario": each["id"], "peer": each["helo"], "peer_ip": ADDRESS}
        conversation = Conversation(Account(Path(job["folder"])), [each["recipient"]], **about)
        pay(job["server"], each, conversation)
        conversation.over()


def pay(server: str, visit: dict[str, Any], conversation: Conversation) -> None:
    """Speak until the server refuses something, or has the message."""
    name = visit["helo"]
    with smtplib.SMTP(server, 25, local_hostname=name, timeout=30, source_address=(ADDRESS, 0)) as client:
        steps: dict[str, Callable[[], tuple[int, bytes]]] = {
            "helo": client.ehlo,
            "mail": lambda: client.mail(visit["sender"]),
            "rcpt": lambda: client.rcpt(visit["recipient"]),
        }
        if not visit.get("hangs_up"):
            steps["body"] = lambda: client.data(MESSAGE.format(**visit))
        for stage, step in steps.items():
            code, words = step()
            reply = f"{code} {words.decode('utf-8', 'replace')}"
            conversation.answered(stage, reply, visit["recipient"] if stage == "rcpt" else "")
            if code >= 400:
                return
        if visit.get("hangs_up"):
            client.close()


if __name__ == "__main__":
    main()
