"""Hands distinct bounces to the SMTP server on this host's loopback; runs inside a system's network.

Arguments: port, recipient, first number, how many, how many at once. Each bounce returns a mail of its own,
whose Message-ID holds its number and the recipient's local part.
"""

from __future__ import annotations

import smtplib
import sys
from concurrent.futures import ThreadPoolExecutor

REPLIES = (
    ("5.1.1", "550 5.1.1 <{address}>: Recipient address rejected: User unknown in local recipient table"),
    ("5.2.2", "552 5.2.2 <{address}>: Quota exceeded (mailbox for user is full)"),
    ("5.7.1", "550 5.7.1 Message rejected: the IP address is on a block list"),
    ("4.4.1", "connect to mx.example.net[192.0.2.25]:25: Connection timed out"),
)
MAIL = """\
From: MAILER-DAEMON@mx.example.net (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {recipient}
Auto-Submitted: auto-replied
MIME-Version: 1.0
X-NDR-Kind: forged
Content-Type: multipart/report; report-type=delivery-status;
 boundary="cut-here"
Message-Id: <report-{name}@mx.example.net>

--cut-here
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

<{address}>: host mx.example.net[192.0.2.25] said: {reply}

--cut-here
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {address}
Action: failed
Status: {status}
Diagnostic-Code: smtp; {reply}

--cut-here
Content-Type: message/rfc822

From: sender@mail.example
To: {address}
Subject: number {name}
Message-Id: <{name}@mail.example>

Hello
--cut-here--
"""


def bounce(recipient: str, number: int) -> bytes:
    """One report."""
    address = f"user-{number}@example.net"
    status, reply = REPLIES[number % len(REPLIES)]
    name = f"{recipient.partition('@')[0]}.{number}"
    filled = MAIL.format(
        recipient=recipient, name=name, address=address, reply=reply.format(address=address), status=status
    )
    return filled.replace("\n", "\r\n").encode()


def send(port: int, recipient: str, numbers: range) -> None:
    """Sends some of them over one connection."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="mx.example.net", timeout=60) as server:
        for number in numbers:
            server.sendmail("", [recipient], bounce(recipient, number))


def main() -> None:
    """Sends them all."""
    port, recipient, first, count, at_once = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6])
    with ThreadPoolExecutor(at_once) as pool:
        shares = [range(first + share, first + count, at_once) for share in range(at_once)]
        list(pool.map(lambda numbers: send(port, recipient, numbers), shares))


if __name__ == "__main__":
    main()
