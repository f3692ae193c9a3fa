"""Hands one message to the SMTP server on this host's loopback; run inside a system's network.

Reads JSON from standard input: ``sender``, ``recipients``, ``message``, ``notify``, ``smtputf8``.
"""

from __future__ import annotations

import json
import smtplib
import sys


def main() -> None:
    """Send it; what the server refused goes to standard output."""
    job = json.load(sys.stdin)
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="desk.sender.example", timeout=30) as server:
        server.ehlo()
        mail_options = ["BODY=8BITMIME", *(["SMTPUTF8"] if job["smtputf8"] else [])]
        rcpt_options = [f"NOTIFY={job['notify']}"] if job["notify"] else []
        if job["smtputf8"]:
            server.command_encoding = "utf-8"
        try:
            server.sendmail(
                job["sender"],
                job["recipients"],
                job["message"].replace("\n", "\r\n").encode(),
                mail_options,
                rcpt_options,
            )
        except smtplib.SMTPException as error:
            sys.stdout.write(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
