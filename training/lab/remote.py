"""Remote hosts that answer by script: SMTP on each scenario's address, and the DNS that leads to them."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
import sys
from collections.abc import Sequence
from typing import cast

from training.lab.dns import Zone, answer, zone_of
from training.lab.scenario import Scenario, scenarios

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


class Dialogue:
    """One SMTP dialogue with a scenario's remote."""

    def __init__(
        self, scenario: Scenario, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._scenario = scenario
        self._reader = reader
        self._writer = writer
        self._is_over = False
        self._accepted = 0

    async def run(self) -> None:
        """Speak until one side ends it."""
        await self._say("connect")
        while not self._is_over and (line := await self._reader.readline()):
            await self._command(line.decode("utf-8", "replace").strip())
        self._writer.close()

    async def _command(self, line: str) -> None:
        verb = line.partition(" ")[0].upper().partition(":")[0]
        handlers = {"EHLO": self._hello, "HELO": self._hello, "MAIL": self._mail, "RCPT": self._recipient}
        handlers |= {"DATA": self._data, "STARTTLS": self._starttls, "QUIT": self._quit}
        await handlers.get(verb, self._other)(line)

    async def _hello(self, line: str) -> None:
        if "helo" in self._scenario.replies:
            await self._say("helo")
            return
        more = [*EXTENSIONS, *self._scenario.extensions] if line[:4].upper() == "EHLO" else []
        if "starttls" in self._scenario.replies:
            more.append("STARTTLS")
        await self._send("\n".join([f"250 {self._scenario.host}", *(f"250 {name}" for name in more)]))

    async def _mail(self, line: str) -> None:
        self._accepted = 0
        size = line.upper().partition("SIZE=")[2].partition(" ")[0]
        limit = next((name[5:] for name in self._scenario.extensions if name.startswith("SIZE ")), "0")
        if size.isdecimal() and 0 < int(limit) < int(size):
            await self._send(TOO_LARGE)
        else:
            await self._say("mail")

    async def _recipient(self, line: str) -> None:
        address = line.partition("<")[2].partition(">")[0]
        own = {each.address.lower(): each.reply for each in self._scenario.recipients}
        reply = own.get(address.lower()) or self._reply("rcpt")
        self._accepted += reply.startswith("2")
        await self._send(reply, address)

    async def _data(self, line: str) -> None:
        if not self._accepted:
            await self._send("503 5.5.1 No valid recipients")
            return
        reply = self._reply("data")
        await self._send(reply)
        if reply.startswith("354"):
            while (line_in := await self._reader.readline()) and line_in not in (b".\r\n", b".\n"):
                pass
            await self._say("body")

    async def _starttls(self, line: str) -> None:
        await self._say("starttls")

    async def _quit(self, line: str) -> None:
        await self._send("221 2.0.0 Bye")
        self._is_over = True

    async def _other(self, line: str) -> None:
        await self._send("250 2.0.0 Ok")

    def _reply(self, stage: str) -> str:
        return self._scenario.replies.get(stage) or DEFAULTS[stage]

    async def _say(self, stage: str) -> None:
        await self._send(self._reply(stage))

    async def _send(self, reply: str, address: str = "") -> None:
        """A reply; or ``close``, ``reset``, ``stall``. 421 and a refusing greeting end the dialogue."""
        if reply in ("close", "reset", "stall"):
            await self._break(reply)
            return
        text = reply.format(
            host=self._scenario.host, rcpt=address, domain=self._scenario.domain, ip=self._peer()
        )
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
    lines = text.split("\n")
    joined = [f"{line[:3]}-{line[4:]}" for line in lines[:-1]] + lines[-1:]
    return "".join(f"{line}\r\n" for line in joined).encode(charset)


async def listen(scenario: Scenario, port: int = 25, address: str | None = None) -> asyncio.Server:
    """Start a scenario's remote."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Dialogue(scenario, reader, writer).run()
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


async def serve_all(all_scenarios: Sequence[Scenario]) -> None:
    """Serve all remotes and the DNS until cancelled; prints ``ready`` when all listen."""
    _ = [await listen(each) for each in all_scenarios if each.is_remote]
    zone = zone_of(all_scenarios)
    loop = asyncio.get_running_loop()
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    names.bind((DNS_ADDRESS, 53))
    _ = await loop.create_datagram_endpoint(lambda: _Names(zone), sock=names)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve_all(scenarios()))
