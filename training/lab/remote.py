"""Remote hosts that answer by script: SMTP on each scenario's address, and the DNS that leads to them."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
import sys
from email.utils import formatdate
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from training.lab.account import BREAKS, Account, Conversation
from training.lab.box import run
from training.lab.dns import Zone, answer, zone_of
from training.lab.scenario import Scenario, scenarios
from training.lab.watch import watch

DNS_ADDRESS = "198.51.100.253"
LINE_LIMIT = 1 << 20
STALL_SECONDS = 120
DEFAULTS = {"connect": "220 {host} ESMTP", "mail": "250 2.1.0 Sender ok", "rcpt": "250 2.1.5 Recipient ok"}
DEFAULTS |= {
    "data": "354 Go ahead",
    "body": "250 2.0.0 Ok: queued as 4F2A91C0",
    "starttls": "454 4.7.0 TLS not available",
}
EXTENSIONS = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")
TOO_LARGE = "552 5.3.4 Message is bigger than the announced limit"
log = logging.getLogger("lab.remote")


class Remote:
    """A scenario's remote: what outlasts a dialogue."""

    def __init__(self, scenario: Scenario, account: Account) -> None:
        self.scenario = scenario
        self._account = account
        self._asked: set[str] = set()

    def conversation(self) -> Conversation:
        """A new page of the account."""
        about = {"scenario": self.scenario.id, "peer": self.scenario.host, "peer_ip": self.scenario.address}
        return Conversation(self._account, [each.address for each in self.scenario.recipients], **about)

    def first(self, stage: str, question: str) -> str | None:
        """What it answers to a question the first time only."""
        reply = self.scenario.once.get(stage) if question not in self._asked else None
        self._asked.add(question)
        return reply

    def store(self, mail: bytes) -> None:
        """Keep a mail that was accepted."""
        self._account.store(self.scenario.id, mail)


class Dialogue:
    """One SMTP dialogue with a scenario's remote."""

    def __init__(self, remote: Remote, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._remote = remote
        self._scenario = remote.scenario
        self._reader = reader
        self._writer = writer
        self._conversation = remote.conversation()
        self._is_over = False
        self._accepted = 0
        self._envelope: dict[str, str] = {}

    async def run(self) -> None:
        """Speak until one side ends it."""
        try:
            await self._say("connect")
            while not self._is_over and (line := await self._reader.readline()):
                await self._command(line.decode("utf-8", "replace").strip())
        finally:
            self._conversation.over()
            self._writer.close()

    async def _command(self, line: str) -> None:
        verb = line.partition(" ")[0].upper().partition(":")[0]
        handlers = {"EHLO": self._hello, "HELO": self._hello, "MAIL": self._mail, "RCPT": self._recipient}
        handlers |= {"DATA": self._data, "STARTTLS": self._starttls, "QUIT": self._quit}
        await handlers.get(verb, self._other)(line)

    async def _hello(self, line: str) -> None:
        self._envelope["helo"] = line[5:]
        if "helo" in self._scenario.replies:
            await self._say("helo")
            return
        more = [*EXTENSIONS, *self._scenario.extensions] if line[:4].upper() == "EHLO" else []
        if "starttls" in self._scenario.replies and not self._is_encrypted():
            more.append("STARTTLS")
        await self._send("\n".join([f"250 {self._scenario.host}", *(f"250 {name}" for name in more)]), "helo")

    async def _mail(self, line: str) -> None:
        self._accepted = 0
        self._envelope["from"] = line.partition("<")[2].partition(">")[0]
        size = line.upper().partition("SIZE=")[2].partition(" ")[0]
        limit = next((name[5:] for name in self._scenario.extensions if name.startswith("SIZE ")), "0")
        if size.isdecimal() and 0 < int(limit) < int(size):
            await self._send(TOO_LARGE, "mail")
        else:
            await self._say("mail")

    async def _recipient(self, line: str) -> None:
        address = line.partition("<")[2].partition(">")[0]
        own = {each.address.lower(): each.reply for each in self._scenario.recipients}
        reply = own.get(address.lower()) or self._remote.first("rcpt", address) or self._reply("rcpt")
        self._accepted += reply.startswith("2")
        self._envelope["to"] = address
        await self._send(reply, "rcpt", address)

    async def _data(self, line: str) -> None:
        if not self._accepted:
            await self._send("503 5.5.1 No valid recipients", "data")
            return
        reply = self._reply("data")
        await self._send(reply, "data")
        if not reply.startswith("354"):
            return
        mail = []
        while (line_in := await self._reader.readline()) and line_in not in (b".\r\n", b".\n"):
            mail.append(line_in.removeprefix(b"."))
        if line_in:
            await self._body(b"".join(mail))

    async def _body(self, mail: bytes) -> None:
        if self._reply("body").startswith("2"):
            self._remote.store(self._trace().encode() + mail.replace(b"\r\n", b"\n"))
        await self._say("body")

    def _trace(self) -> str:
        """What a server writes above a mail that it accepts."""
        told, protocol = self._envelope, "ESMTPS" if self._is_encrypted() else "ESMTP"
        return (
            f"Return-Path: <{told['from']}>\n"
            f"Received: from {told['helo']} ([{self._peer()}]) by {self._scenario.host} with {protocol}\n"
            f"\tfor <{told['to']}>; {formatdate()}\n"
        )

    async def _starttls(self, line: str) -> None:
        await self._say("starttls")
        if self._scenario.speaks_tls:
            await self._writer.start_tls(tls_context())

    def _is_encrypted(self) -> bool:
        return self._writer.get_extra_info("sslcontext") is not None

    async def _quit(self, line: str) -> None:
        await self._send("221 2.0.0 Bye")
        self._is_over = True

    async def _other(self, line: str) -> None:
        await self._send("250 2.0.0 Ok")

    def _reply(self, stage: str) -> str:
        return self._scenario.replies.get(stage) or DEFAULTS[stage]

    async def _say(self, stage: str) -> None:
        await self._send(self._reply(stage), stage)

    async def _send(self, reply: str, stage: str = "", address: str = "") -> None:
        """A reply; or ``close``, ``reset``, ``stall``. 421 and a refusing greeting end the dialogue."""
        to = address or self._envelope.get("to", "")
        text = reply.format(host=self._scenario.host, rcpt=to, domain=self._scenario.domain, ip=self._peer())
        if stage:
            self._conversation.answered(stage, text if reply in BREAKS else joined(text), address)
        if reply in BREAKS:
            self._conversation.over()
            await self._break(reply)
            return
        self._writer.write(wire(text, self._scenario.charset))
        await self._writer.drain()
        self._is_over |= text.startswith("421")

    async def _break(self, how: str) -> None:
        if how == "stall":
            await asyncio.sleep(STALL_SECONDS)
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._is_over = True

    def _peer(self) -> str:
        return str((self._writer.get_extra_info("peername") or ("unknown",))[0])


def wire(text: str, charset: str = "utf-8") -> bytes:
    """A reply as it goes over the wire; ``550 a`` and ``550 b`` on two lines are one reply of two lines."""
    return "".join(f"{line}\r\n" for line in joined(text).split("\n")).encode(charset)


def joined(text: str) -> str:
    """A reply with the marks of lines that are not its last."""
    lines = text.split("\n")
    return "\n".join([f"{line[:3]}-{line[4:]}" for line in lines[:-1]] + lines[-1:])


@cache
def tls_context() -> ssl.SSLContext:
    """A certificate of the lab's own, made anew; nobody can check it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with TemporaryDirectory() as folder:
        key, chain = f"{folder}/key.pem", f"{folder}/chain.pem"
        request = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=lab.example")
        run(*request, "-keyout", key, "-out", chain)
        context.load_cert_chain(chain, key)
    return context


async def listen(
    scenario: Scenario, port: int = 25, address: str | None = None, account: Account | None = None
) -> asyncio.Server:
    """Start a scenario's remote."""
    remote = Remote(scenario, account or Account())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Dialogue(remote, reader, writer).run()
        except OSError as error:
            log.info("%s: %s", scenario.id, error)

    return await asyncio.start_server(serve, address or scenario.address, port, limit=LINE_LIMIT)


class _Names(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one query."""
        self._transport.sendto(answer(data, self._zone, addr[0]), addr)


async def serve_all(all_scenarios: tuple[Scenario, ...], account: Account) -> None:
    """Serve all remotes and the DNS until cancelled; prints ``ready`` when all listen."""
    servers = [await listen(each, account=account) for each in all_scenarios if each.is_remote]
    link = watch(account, all_scenarios)
    zone = zone_of(all_scenarios)
    loop = asyncio.get_running_loop()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    names.bind((DNS_ADDRESS, 53))
    await loop.create_datagram_endpoint(lambda: _Names(zone), sock=names)
    log.info("%d remotes; watching on %s", len(servers), link.getsockname())
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve_all(scenarios(), Account(Path(sys.argv[1]) if sys.argv[1:] else None)))
