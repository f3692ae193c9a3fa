"""Reads mail_logs and bounce logs of Cisco Secure Email (IronPort ESA), joined by ICID, MID, DCID and RID.

An ICID is a connection in, a MID a message, a DCID a connection out, a RID a recipient of a message.
Source: https://www.cisco.com/c/en/us/support/security/email-security-appliance/products-user-guide-list.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from model.events import Event, LogFormat, Role, What
from model.log_heads import is_log_of
from model.recent import Recent
from model.resources import data_file, read_toml
from model.stamps import mail_stamp, syslog_stamp
from model.syslog import syslog_line

_OURS = re.compile(
    r"\bInfo: (?:New SMTP [ID]CID \d|(?:MID|ICID|DCID) \d{1,12} |Start MID \d{1,12} ICID|Delivery start DCID|"
    r"Message (?:done DCID|finished MID|aborted MID) |(?:Bounced|Delayed): (?:DCID|\d{1,12}:\d))"
)
_CTIME = re.compile(r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4}")
_SHORT = re.compile(r"[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d")
_CONNECTED = re.compile(
    r"SMTP ([ID])CID (\d{1,12}) interface .{0,300}?\baddress (\S{1,60})"
    r"(?: reverse dns host {1,2}(\S{1,255}))?"
)
_GROUP = re.compile(r"(REJECT|TCPREFUSE) SG (\S{1,80})(?: match (.{0,200}?))?(?: SBRS (\S{1,20}))?(?: |$)")
_ENVELOPE = re.compile(r"ICID (\d{1,12})(?: RID (\d{1,4}))? (From|To): <([^>]{0,500})> ?(.{0,200})")
_OUTCOME = re.compile(
    r"DCID:? (\d{1,12}) (?:MID|Message) (\d{1,12}) (?:From: <([^>]{0,500})> To: <([^>]{0,500})> )?"
    r"(?:to )?(?:RID )?\[?(\d{1,9})\]? - (.*)"
)
_DOUBLE = re.compile(r"bounce: (?:MID|Message) (\d{1,12}) to (?:RID )?(\d{1,9}) - (.*)")
_BOUNCE_LOG = re.compile(
    r"(\d{1,12}):(\d{1,9}) {1,2}From: ?<([^>]{0,500})> To: ?<([^>]{0,500})> {1,2}"
    r'Reason: ?"([^"]{0,500})" Response: ?"(.*)'
)
_REPLY = re.compile(r"\('(\d{3})', \[(.{0,6000})\]\)")
_WORDS = re.compile(r"'((?:[^'\\]|\\.){0,4000})'|\"((?:[^\"\\]|\\.){0,4000})\"")
_ESCAPE = re.compile(r"\\(?:[rnt]|01[25]|(.))")
_DONE = re.compile(r"done DCID (\d{1,12}) MID (\d{1,12}) to (?:RID )?\[([\d, ]{1,2000})\]")
_RESPONSE = re.compile(r"RID \[([\d, ]{1,2000})\] Response (.*)")
_NOT_CONNECTED = re.compile(r"DCID:? (\d{1,12}).{0,300}?\bIP: (\S{1,60})")
_FOLLOWS = re.compile(
    r"(?:was )?(?:split creating|rewritten to|generated based on|generated for bounce of)(?: MID)? (\d{1,12})"
)
_MAX_RECIPIENTS = 500
_ROOM_FOR_RECIPIENTS = 60_000

Detail = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class _Peer:
    """The other side of a connection."""

    ip: str | None
    name: str | None = None
    tls: str | None = None


@dataclass(frozen=True, slots=True)
class _Message:
    """What the lines of one MID have told so far; ``rids`` is how many recipients it may have."""

    sender: str | None = None
    message_id: str | None = None
    client: _Peer | None = None
    rids: int = 0


@dataclass(frozen=True, slots=True)
class _Line:
    """A line without its prefix."""

    number: int
    at: datetime | None
    host: str | None
    text: str


def claims(head: str) -> bool:
    """Whether a text is such a log."""
    return is_log_of(head, lambda line: _OURS.search(line) is not None)


def read(lines: Iterable[str]) -> Iterator[Event | None]:
    """What came in, was refused, filtered, quarantined and delivered, one event for each recipient."""
    reader = _Reader()
    for number, text in enumerate(lines, 1):
        line = _line(number, text)
        found: list[Event | None] = list(reader.events(line)) if line else []
        yield from found or [None]


def _line(number: int, text: str) -> _Line | None:
    prefix, marker, rest = text.partition("Info: ")
    if not marker:
        return None
    long, short = _CTIME.search(prefix), _SHORT.search(prefix)
    tagged = syslog_line(text) if not long else None
    at = mail_stamp(long[0]) if long else tagged.at if tagged else syslog_stamp(short[0]) if short else None
    return _Line(number, at, tagged.host if tagged else None, rest.replace("\0", ""))


class _Reader:
    """Holds the connections and messages that are under way."""

    def __init__(self) -> None:
        self._clients = Recent[_Peer]()
        self._servers = Recent[_Peer]()
        self._messages = Recent[_Message]()
        self._recipients = Recent[str](_ROOM_FOR_RECIPIENTS)
        self._handlers: dict[str, Callable[[_Line, str], Iterable[Event]]] = {
            "New": self._connected,
            "ICID": self._client,
            "DCID": self._server,
            "Start": self._started,
            "MID": self._message,
            "Message": self._message_end,
            "Bounced:": self._failed,
            "Delayed:": self._failed,
            "Double": self._failed,
            "Connection": self._not_connected,
            "LDAP:": self._looked_up,
            "ISQ:": self._spam_quarantine,
            "EUQ:": self._spam_quarantine,
            "SMTP": self._logged_in,
        }

    def events(self, line: _Line) -> Iterable[Event]:
        """The events of one line; one for each recipient."""
        word, _, rest = line.text.partition(" ")
        handler = self._handlers.get(word)
        return handler(line, rest) if handler else ()

    def _connected(self, _: _Line, rest: str) -> Iterable[Event]:
        hit = _CONNECTED.match(rest)
        if hit:
            peers = self._clients if hit[1] == "I" else self._servers
            peers.put(hit[2], _Peer(hit[3], hit[4] if hit[4] != "unknown" else None))
        return ()

    def _client(self, line: _Line, rest: str) -> Iterable[Event]:
        """A line about a connection in."""
        number, _, words = rest.partition(" ")
        client = self._clients.get(number)
        group = _GROUP.match(words)
        if group:
            named = {"action": group[1], "sender_group": group[2], "match": group[3], "sbrs": group[4]}
            category = _category("sender_group", group[3] or "")
            return [_event(line, What.REJECTED, client, named | {"category": category})]
        if words.startswith("TLS success") and client:
            self._clients.put(number, replace(client, tls=words.removeprefix("TLS success").strip()))
        if words.startswith(("Receiving Failed: ", "TLS was required")):
            reason = words.removeprefix("Receiving Failed: ")
            return [_event(line, What.REJECTED, client, _reasoned("receiving", reason))]
        sender, _, reason = words.removeprefix("Address: <").partition("> ")
        if words.startswith("Address: ") and reason.startswith("sender rejected"):
            event = _event(line, What.REJECTED, client, _reasoned("receiving", reason))
            return [replace(event, sender=sender)]
        return ()

    def _server(self, line: _Line, rest: str) -> Iterable[Event]:
        """A line about a connection out."""
        number, _, words = rest.partition(" ")
        server = self._servers.get(number)
        if words.startswith("TLS success") and server:
            self._servers.put(number, replace(server, tls=words.removeprefix("TLS success").strip()))
        if words.startswith("TLS failed") or "TLS was required" in words:
            peer = server or _Peer(words.partition("IP ")[2].partition(" ")[0] or None)
            return [_event(line, What.FAULT, peer, {"category": "tls_failure", "dcid": number}, words)]
        return ()

    def _started(self, _: _Line, rest: str) -> Iterable[Event]:
        words = rest.split(" ", 4)
        if len(words) >= 4 and words[0] == "MID" and self._messages.get(words[1]) is None:
            self._messages.put(words[1], _Message(client=self._clients.get(words[3])))
        return ()

    def _message(self, line: _Line, rest: str) -> Iterable[Event]:
        """A line about a message."""
        mid, _, words = rest.partition(" ")
        envelope, response = _ENVELOPE.match(words), _RESPONSE.match(words)
        if envelope:
            return self._enveloped(line, mid, envelope)
        if response:
            events = self._for_each(line, mid, What.NOTED, {}, response[1])
            return [replace(event, reply=response[2].strip("' ")) for event in events]
        if words.startswith("Message-ID "):
            bare = words.removeprefix("Message-ID ").strip(" '\"<>")
            self._messages.put(mid, replace(self._known(mid), message_id=f"<{bare}>" if bare else None))
            return ()
        if words.startswith("ready "):
            return self._for_each(line, mid, What.RECEIVED, {"size": words.split(" ", 2)[1]})
        if words.startswith("ICID ") and "rejected by bounce verification" in words:
            address = words.partition("<")[2].partition(">")[0].lower()
            return [self._about(line, mid, What.REJECTED, {"reason": "bounce verification"}, address)]
        return self._judged(line, mid, words)

    def _enveloped(self, line: _Line, mid: str, hit: re.Match[str]) -> Iterable[Event]:
        known, address = self._known(mid), hit[4].lower()
        known = replace(known, client=known.client or self._clients.get(hit[1]))
        if hit[3] == "From":
            known = replace(known, sender=hit[4])
        elif hit[2] and int(hit[2]) < _MAX_RECIPIENTS:
            known = replace(known, rids=max(known.rids, int(hit[2]) + 1))
            self._recipients.put(f"{mid}/{int(hit[2])}", address)
        self._messages.put(mid, known)
        if hit[5].startswith("Rejected"):
            return [self._about(line, mid, What.REJECTED, _reasoned("recipient", hit[5]), address)]
        return ()

    def _judged(self, line: _Line, mid: str, words: str) -> Iterable[Event]:
        """A line about what scanners and filters made of a message."""
        follows, lowered = _FOLLOWS.match(words), words[:300].lower()
        if follows:
            return self._followed(line, mid, follows)
        if words.startswith("quarantined to "):
            name, reason = words.partition('"')[2].partition('"')[::2]
            return self._for_each(
                line, mid, What.QUARANTINED, {"quarantine": name, "reason": reason.strip(" ()")}
            )
        if lowered.startswith(("was dropped by ", "was bounced by ")):
            return self._filtered(line, mid, words.removeprefix("was "))
        positive = " positive" in lowered or lowered.endswith(" suspect")
        if lowered.startswith(("using engine: ", "antivirus ")) and positive:
            return [self._about(line, mid, What.NOTED, {"verdict": words.removeprefix("using engine: ")})]
        if lowered.startswith(("spf: ", "dkim: ", "dmarc: ")) and "fail" in lowered:
            return [self._about(line, mid, What.NOTED, {"authentication": words})]
        return ()

    def _followed(self, line: _Line, mid: str, hit: re.Match[str]) -> Iterable[Event]:
        """A message that was made out of another takes over what is known of it."""
        if "bounce of" in hit[0]:
            return [self._about(line, hit[1], What.NOTIFIED, {"notice_mid": mid})]
        old, new = (hit[1], mid) if "based on" in hit[0] else (mid, hit[1])
        known = self._known(old)
        addresses = self._addresses(old) if "rewritten" in hit[0] else {}
        for rid, address in addresses.items():
            self._recipients.put(f"{new}/{rid}", address)
        self._messages.put(new, replace(known, rids=known.rids if addresses else 0))
        return ()

    def _message_end(self, line: _Line, rest: str) -> Iterable[Event]:
        done = _DONE.match(rest)
        if done:
            server = self._servers.get(done[1])
            detail = {"dcid": done[1], "tls": server.tls if server else None}
            return self._for_each(line, done[2], What.SENT, detail, done[3], server)
        if rest.startswith("aborted MID "):
            mid, _, words = rest.removeprefix("aborted MID ").partition(" ")
            return self._filtered(line, mid, words)
        return ()

    def _filtered(self, line: _Line, mid: str, words: str) -> Iterable[Event]:
        """``Dropped by …``, ``Bounced by …``; anything else means that it did not come in whole."""
        ends = {"dropped by": What.DISCARDED, "bounced by": What.FAILED}
        what = ends.get(words[:10].lower(), What.FAULT)
        return self._for_each(line, mid, what, _reasoned("filter", words))

    def _failed(self, line: _Line, rest: str) -> Iterable[Event]:
        """A line of mail_logs, one of the bounce log, or one about a bounce that bounced."""
        what = What.DEFERRED if line.text.startswith("Delayed") else What.FAILED
        hit, logged, double = _OUTCOME.match(rest), _BOUNCE_LOG.match(rest), _DOUBLE.match(rest)
        if hit:
            server = self._servers.get(hit[1])
            return [self._outcome(line, what, (hit[2], hit[5], hit[3], hit[4]), hit[6], server)]
        if logged:
            said = logged[6].partition('" Headers:')[0].rstrip('"')
            return [self._outcome(line, what, logged.group(1, 2, 3, 4), f"{logged[5]} {said}")]
        return [self._outcome(line, what, (double[1], double[2], None, None), double[3])] if double else []

    def _outcome(
        self, line: _Line, what: What, named: Sequence[str | None], words: str, server: _Peer | None = None
    ) -> Event:
        """A delivery that failed: ``5.1.0 - Unknown address error ('550', ['words'])``."""
        mid, rid, sender, recipient = (name if name is None else name.strip() for name in named)
        status, _, reason = words.partition(" (")[0].partition(" - ")
        detail = {"status": status, "reason": reason, "rid": rid}
        address = (recipient or self._recipients.get(f"{mid}/{rid}") or "").lower()
        event = self._about(line, mid or "", what, detail, address)
        sender = event.sender if sender is None else sender
        return replace(event, sender=sender, peer_ip=server.ip if server else None, reply=_reply(words))

    def _not_connected(self, line: _Line, rest: str) -> Iterable[Event]:
        """``Connection Error: DCID 5 domain: example.com IP: … details: … reason: network error``."""
        hit = _NOT_CONNECTED.search(rest[:700])
        if hit is None:
            return ()
        domain = rest.partition("domain: ")[2].partition(" ")[0].lower() or None
        details = rest.partition("details: ")[2].partition(" interface: ")[0]
        return [_event(line, What.FAULT, _Peer(hit[2], domain), {"dcid": hit[1]}, details)]

    def _looked_up(self, line: _Line, rest: str) -> Iterable[Event]:
        """``LDAP: Bounce query name MID 7 RID 2 address user@example.com``."""
        what = {"Bounce": What.FAILED, "Drop": What.DISCARDED}.get(rest.partition(" ")[0])
        mid, _, more = rest.partition(" MID ")[2].partition(" ")
        if what is None or not mid.isdigit():
            return ()
        detail = {"reason": "LDAP accept query", "category": "recipient_unknown"}
        return [self._about(line, mid, what, detail, more.partition("address ")[2].partition(" ")[0].lower())]

    def _spam_quarantine(self, line: _Line, rest: str) -> Iterable[Event]:
        mid = rest.strip().removeprefix("Quarantined MID ")
        return self._for_each(line, mid, What.QUARANTINED, {"quarantine": "spam"}) if mid.isdigit() else ()

    def _logged_in(self, line: _Line, rest: str) -> Iterable[Event]:
        number = rest.partition("ICID ")[2].partition(")")[0]
        if not rest.startswith("Auth") or ") failed" not in rest[:60]:
            return ()
        detail = {"reason": "SMTP authentication failed", "category": "client_auth_required"}
        return [_event(line, What.REJECTED, self._clients.get(number), detail)]

    def _known(self, mid: str) -> _Message:
        return self._messages.get(mid) or _Message()

    def _addresses(self, mid: str) -> dict[str, str]:
        """The recipients of a message, by RID."""
        found = ((str(rid), self._recipients.get(f"{mid}/{rid}")) for rid in range(self._known(mid).rids))
        return {rid: address for rid, address in found if address}

    def _for_each(
        self,
        line: _Line,
        mid: str,
        what: What,
        detail: Detail,
        rids: str | None = None,
        server: _Peer | None = None,
    ) -> list[Event]:
        """One event for each recipient, or for each of some; one without, where none is known."""
        known = self._addresses(mid)
        wanted = list(known) if rids is None else rids.replace(",", " ").split()
        named = ((known.get(rid, ""), {**detail, "rid": rid}) for rid in wanted or [""])
        events = (self._about(line, mid, what, more, address) for address, more in named)
        return [replace(event, peer_ip=server.ip) if server else event for event in events]

    def _about(self, line: _Line, mid: str, what: What, detail: Detail, address: str | None = None) -> Event:
        """An event of a message and one recipient, or all of them."""
        known = self._known(mid)
        client = known.client if what in (What.RECEIVED, What.REJECTED) else None
        recipients = (
            tuple(self._addresses(mid).values()) if address is None else (address,) if address else ()
        )
        tls = {"tls": client.tls} if client else {}
        return replace(
            _event(line, what, client, {**detail, **tls}),
            queue_id=mid,
            message_id=known.message_id,
            sender=known.sender,
            recipients=recipients,
        )


def _event(line: _Line, what: What, peer: _Peer | None, detail: Detail, reply: str = "") -> Event:
    name, ip = (peer.name, peer.ip) if peer else (None, None)
    kept = {key: value for key, value in detail.items() if value}
    return Event(what, line.number, line.at, line.host, name, ip, reply=reply, detail=kept)


def _reply(words: str) -> str:
    """What the other server said; the appliance's own words where it said nothing.

    >>> _reply("5.1.0 - Unknown address error ('550', ['<user@example.com>... No such user'])")
    '550 <user@example.com>... No such user'
    >>> _reply("5.1.2 - Bad destination host ('000', []) []")
    "5.1.2 - Bad destination host ('000', [])"
    """
    hit = _REPLY.search(words)
    if hit is None or hit[1] == "000":
        return words.removesuffix(" []").strip()
    said = " ".join(single or double for single, double in _WORDS.findall(hit[2]))
    return f"{hit[1]} {_ESCAPE.sub(lambda escape: escape[1] or ' ', said)}".strip()


def _reasoned(table: str, words: str) -> dict[str, str]:
    return {"reason": words, "category": _category(table, words)}


def _category(table: str, words: str) -> str:
    lowered = words.lower()
    return next((category for text, category in _table(table) if text in lowered), "")


@cache
def _table(name: str) -> tuple[tuple[str, str], ...]:
    entries = read_toml(data_file("logs", "cisco_esa.toml"))[name]
    return tuple((entry["text"], entry["category"]) for entry in entries)


FORMAT = LogFormat("cisco_esa", Role.GATEWAY, claims, read)
