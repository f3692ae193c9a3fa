"""An SMTP server that refuses some recipients, by the word their address begins with, and takes others."""

from __future__ import annotations

import socketserver
import sys

REFUSALS = {
    "gone": "550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table",
    "full": "552 5.2.2 <{address}>: The email account that you tried to reach is over quota",
    "spam": "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
}


class Remote(socketserver.StreamRequestHandler):
    """Speaks just enough SMTP."""

    def handle(self) -> None:
        """Serves one client until it leaves."""
        self._say("220 mx.customer.example ESMTP")
        while line := self.rfile.readline():
            command = line.decode("utf-8", "replace").strip()
            verb = command[:4].upper()
            if verb == "QUIT":
                self._say("221 2.0.0 Bye")
                return
            if verb == "DATA":
                self._say("354 go on")
                while (text := self.rfile.readline()) and text != b".\r\n":
                    pass
            self._say(self._answer(verb, command))

    def _answer(self, verb: str, command: str) -> str:
        if verb != "RCPT":
            return "250 2.0.0 Ok"
        address = command.partition("<")[2].partition(">")[0]
        refusal = next((text for word, text in REFUSALS.items() if address.startswith(word)), "250 2.1.5 Ok")
        return refusal.format(address=address)

    def _say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")


if __name__ == "__main__":
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Remote) as server:
        server.serve_forever()
