"""Tells whose server a host is: the sender's, the recipient's, or of neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from model.providers import Provider, providers

SENDER, RECIPIENT = "sender", "recipient"
_PRIVATE = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)
"""Networks that no server on the Internet is in; RFC 1918, 4193, 3927, 4291, 1122."""

_INSIDE = (".local", ".internal", ".lan", ".corp")


@dataclass(frozen=True, slots=True)
class Own:
    """What the caller says is his own.

    Args:
        domains: accepted domains.
        hosts: host names, suffixes of them with a leading dot, or addresses.
    """

    domains: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.domains or self.hosts)

    def has_host(self, host: str) -> bool:
        """Whether a host is one of his own.

        >>> Own(domains=frozenset({"example.com"})).has_host("mx1.example.com")
        True
        """
        return any(_is_below(host, name.lstrip(".")) for name in self.hosts | self.domains)


@dataclass(frozen=True, slots=True)
class Sides:
    """The two ends of a delivery.

    Args:
        sender_domains, recipient_domains: of the addresses.
        own: what the caller says is his own.
        witness: whose the evidence seems to be, where the caller does not say.
        witnesses: on which side each piece of evidence was written, as far as it shows.
        filters: hosts whose logs, or whose words, show that they filter mail.
    """

    sender_domains: frozenset[str]
    recipient_domains: frozenset[str]
    own: Own = field(default_factory=Own)
    witness: str = SENDER
    witnesses: Mapping[str, str] = field(default_factory=dict)
    filters: frozenset[str] = frozenset()

    @property
    def is_told(self) -> bool:
        """Whether the caller said what is his own."""
        return bool(self.own)

    @property
    def home(self) -> str:
        """The side of whoever asks: the recipient's, if only the recipient's domain is his own."""
        if not self.own.domains:
            return self.witness
        owns_sender, owns_recipient = self._owns(self.sender_domains), self._owns(self.recipient_domains)
        if owns_sender or owns_recipient:
            return SENDER if owns_sender else RECIPIENT
        if self.sender_domains and self.recipient_domains:
            return self.witness
        return RECIPIENT if self.sender_domains else SENDER

    @property
    def is_internal(self) -> bool:
        """Whether sender and recipient are of one organisation, as far as their domains tell."""
        pairs = ((one, other) for one in self.sender_domains for other in self.recipient_domains)
        return any(_is_below(one, other) or _is_below(other, one) for one, other in pairs)

    def of(self, host: str | None, witness: str = "") -> str | None:
        """Whose a host is; ``None`` where nothing tells.

        Args:
            host: a name or an address.
            witness: the piece of evidence that names it; what has no domain is of its side.
        """
        name = (host or "").lower().strip(".[] ")
        if not name:
            return None
        if self.own.has_host(name):
            return self.home
        if any(_is_below(name, domain) for domain in self.sender_domains):
            return SENDER
        if any(_is_below(name, domain) for domain in self.recipient_domains):
            return RECIPIENT
        return self._of_stranger(name, witness)

    def stands(self, host: str | None, witness: str) -> str:
        """On which side a piece of evidence was written: by the host it names, else by all it tells."""
        return self.of(host, witness) or self.witnesses.get(witness) or self.home

    def is_filter(self, host: str | None, software: str | None = None) -> bool:
        """Whether a host filters the mail of others: by its name, or as the evidence shows."""
        return is_gateway(host, software) or any(same_host(host, name) for name in self.filters)

    def _of_stranger(self, name: str, witness: str) -> str | None:
        """A name without a domain, or a private address, is near; a provider is at its customers'."""
        if _is_private(name) or "." not in name or name.endswith(_INSIDE):
            return self.witnesses.get(witness) or self.home
        provider = providers().of_host(name)
        if provider is None:
            return None
        if any(providers().of_host(domain) == provider for domain in self.recipient_domains):
            return RECIPIENT
        if any(providers().of_host(domain) == provider for domain in self.sender_domains):
            return SENDER
        return SENDER if providers().by_id[provider].role == "relay" else None

    def _owns(self, domains: Iterable[str]) -> bool:
        return any(_is_below(domain, each) for domain in domains for each in self.own.domains)


def domains_of(addresses: Iterable[str | None]) -> frozenset[str]:
    """The domains of some addresses, lower case."""
    parts = ((address or "").lower().rpartition("@") for address in addresses)
    return frozenset(domain for _, at, domain in parts if at and domain)


def side_of_log(mails: Counter[str], senders: Collection[str], recipients: Collection[str]) -> str | None:
    """Whose log it is: that of the domain which most of the mails in it go to or come from.

    Args:
        mails: how many mails of the log each domain has a part in, as sender or as recipient.
        senders: domains of the mail in question, at its one end; empty where they are not known.
        recipients: the same at the other.

    >>> side_of_log(Counter({"example.com": 9, "example.net": 2}), ["example.net"], ["example.com"])
    'recipient'
    """
    most = max(mails.values(), default=0)
    if not most or not (senders or recipients):
        return None
    of_sender = max((mails[domain] for domain in senders), default=None)
    of_recipient = max((mails[domain] for domain in recipients), default=None)
    if of_sender is None or of_recipient is None:
        is_recipients = of_recipient == most if of_sender is None else of_sender < most
        return RECIPIENT if is_recipients else SENDER
    if of_sender == of_recipient:
        return None
    return SENDER if of_sender > of_recipient else RECIPIENT


def is_gateway(host: str | None, software: str | None = None) -> bool:
    """Whether a host, or the program that speaks, is known to filter the mail of others."""
    return "gateway" in {provider.role for provider in _known(host, software)}


def is_relay(host: str | None) -> bool:
    """Whether a host is that of a service which sends the mail of others."""
    return "relay" in {provider.role for provider in _known(host)}


def same_host(one: str | None, other: str | None) -> bool:
    """Whether two names may be of one host: equal, or one the first label of the other.

    >>> same_host("EX1", "ex1.example.com"), same_host("ex1.example.net", "ex1.example.com")
    (True, False)
    """
    one, other = (one or "").lower().strip(".[] "), (other or "").lower().strip(".[] ")
    short, long = sorted((one, other), key=len)
    return bool(short) and (short == long or ("." not in short and long.startswith(f"{short}.")))


def _known(host: str | None, name: str | None = None) -> list[Provider]:
    book = providers()
    names = (book.of_host(host), (name or "").lower() or None)
    return [book.by_id[each] for each in names if each in book.by_id]


def _is_below(name: str, domain: str) -> bool:
    domain = domain.lower()
    return name == domain or name.endswith(f".{domain}")


def is_address(name: str) -> bool:
    """Whether a name is that of an address.

    >>> is_address("192.0.2.1"), is_address("mx1.example.com")
    (True, False)
    """
    return _address(name) is not None


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(name.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _is_private(name: str) -> bool:
    address = _address(name)
    return address is not None and any(
        address in network for network in _PRIVATE if network.version == address.version
    )
