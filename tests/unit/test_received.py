"""A Received field is read whoever wrote it, and what it does not tell stays unknown."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.received import Received, hops, read_received
from tests.unit.parse.mutated import mutated

AT = datetime(2026, 11, 2, 2, 14, 7, tzinfo=UTC)
CN = "; Mon, 2 Nov 2026 10:14:07 +0800"
UTC_DATE = "; Mon,  2 Nov 2026 02:14:07 +0000 (UTC)"
TLS12 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"

CASES = {
    "exchange front end": (
        f"from ex1.example.com (192.0.2.11) by EX2.example.com\r\n (192.0.2.12) with Microsoft SMTP Server"
        f" (version=TLS1_2,\r\n cipher={TLS12}) id 15.1.2507.39 via Frontend Transport{CN} (CST)",
        Received(
            by="EX2.example.com",
            sender="ex1.example.com",
            sender_ip="192.0.2.11",
            protocol="SMTP",
            tls=f"TLS 1.2 {TLS12}",
            at=AT,
            software="Exchange 15.1.2507.39",
            via="Frontend Transport",
        ),
    ),
    "exchange mailbox": (
        f"from a.example.com (192.0.2.1) by b.example.com (192.0.2.2) with Microsoft SMTP Server (TLS) id"
        f" 15.0.1367.3 via Mailbox Transport{CN}",
        Received(
            by="b.example.com",
            sender="a.example.com",
            sender_ip="192.0.2.1",
            protocol="SMTP",
            tls="TLS",
            at=AT,
            software="Exchange 15.0.1367.3",
            via="Mailbox Transport",
        ),
    ),
    "exchange mapi": (
        f"from EX1.example.com ([fe80::1]) by EX1.example.com ([fe80::1%12]) with mapi id 15.01.2507.039{CN}",
        Received(
            by="EX1.example.com",
            sender="EX1.example.com",
            sender_ip="fe80::1",
            protocol="MAPI",
            at=AT,
            software="Exchange 15.01.2507.039",
        ),
    ),
    "exchange online": (
        f"from AM6.prod.outlook.com (2001:db8:207:3d::31) by BL0.prod.outlook.com with HTTPS via"
        f" BL0CA0054.PROD.OUTLOOK.COM{CN}",
        Received(
            by="BL0.prod.outlook.com",
            sender="AM6.prod.outlook.com",
            sender_ip="2001:db8:207:3d::31",
            protocol="HTTPS",
            tls="TLS",
            at=AT,
            software="Exchange Online",
            via="BL0CA0054.PROD.OUTLOOK.COM",
        ),
    ),
    "exchange 5.5": (
        f"by mail.example.net with Internet Mail Service (5.5.2653.19) id <F4K0ZA1B>{CN}",
        Received(
            by="mail.example.net",
            protocol="Internet Mail Service",
            queue_id="F4K0ZA1B",
            at=AT,
            software="Exchange Internet Mail Service 5.5.2653.19",
        ),
    ),
    "iis": (
        "from mail.example.org ([IPv6:2001:db8::1]) by relay.example.net with"
        f" Microsoft SMTPSVC(6.0.3790.3959){CN}",
        Received(
            by="relay.example.net",
            sender="mail.example.org",
            sender_ip="2001:db8::1",
            protocol="SMTP",
            at=AT,
            software="Microsoft SMTP service 6.0.3790.3959",
        ),
    ),
    "postfix": (
        "from app.example.org (unknown [192.0.2.10]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384"
        " (256/256 bits) key-exchange X25519) (No client certificate requested) (Authenticated sender: news)"
        f" by mail.example.org (Postfix) with ESMTPSA id 4XyZ0r1BcdzG7k for <Info@example.net>{UTC_DATE}",
        Received(
            by="mail.example.org",
            sender="app.example.org",
            sender_ip="192.0.2.10",
            protocol="ESMTPSA",
            tls="TLS 1.3 TLS_AES_256_GCM_SHA384",
            queue_id="4XyZ0r1BcdzG7k",
            recipient="info@example.net",
            at=AT,
            software="Postfix",
        ),
    ),
    "postfix pickup": (
        f"by mail.example.org (Postfix, from userid 33) id 4XyZ0r1{UTC_DATE}",
        Received(by="mail.example.org", queue_id="4XyZ0r1", at=AT, software="Postfix"),
    ),
    "exim": (
        "from mx2.example.com ([203.0.113.99] helo=foo.example) by mx.example.org with esmtps"
        " (TLS1.2:ECDHE_RSA_AES_256_GCM_SHA384:256) (Exim 4.90_1) (envelope-from <bounce@example.org>)"
        f" id 1tExam-0001Pl-2e for list@example.org{CN}",
        Received(
            by="mx.example.org",
            sender="mx2.example.com",
            sender_ip="203.0.113.99",
            helo="foo.example",
            protocol="ESMTPS",
            tls="TLS 1.2 ECDHE_RSA_AES_256_GCM_SHA384",
            queue_id="1tExam-0001Pl-2e",
            recipient="list@example.org",
            at=AT,
            software="Exim 4.90_1",
            envelope_from="bounce@example.org",
        ),
    ),
    "exim from an address literal": (
        "from [192.0.2.100] (helo=client.example.com) by smtp.example.org with esmtpa (Exim 4.96)"
        f" id 1pABCD{CN}",
        Received(
            by="smtp.example.org",
            sender="client.example.com",
            sender_ip="192.0.2.100",
            helo="client.example.com",
            protocol="ESMTPA",
            queue_id="1pABCD",
            at=AT,
            software="Exim 4.96",
        ),
    ),
    "exim local": (
        f"from Debian-exim by mail.example.org with local (Exim 4.96) id 1pAbCd for news@example.org{CN}",
        Received(
            by="mail.example.org",
            protocol="LOCAL",
            queue_id="1pAbCd",
            recipient="news@example.org",
            at=AT,
            software="Exim 4.96",
        ),
    ),
    "sendmail": (
        "from relay (relay.example.com [192.0.2.7] (may be forged)) by host.example.org (8.17.1/8.17.1) with"
        f" ESMTPS id 38EL8 (version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NO)"
        f" for <a@example.org>{CN}",
        Received(
            by="host.example.org",
            sender="relay.example.com",
            sender_ip="192.0.2.7",
            helo="relay",
            protocol="ESMTPS",
            tls="TLS 1.3 TLS_AES_256_GCM_SHA384",
            queue_id="38EL8",
            recipient="a@example.org",
            at=AT,
            software="Sendmail 8.17.1",
        ),
    ),
    "qmail": (
        "(qmail 4711 invoked from network); 2 Nov 2026 02:14:07 -0000",
        Received(at=AT, software="qmail"),
    ),
    "qmail smtpd": (
        "from unknown (HELO mail.example.com) (192.0.2.2) by 0 with SMTP; 2 Nov 2026 02:14:07 -0000",
        Received(
            sender="mail.example.com", sender_ip="192.0.2.2", helo="mail.example.com", protocol="SMTP", at=AT
        ),
    ),
    "gmail inside": (
        "by 2002:a05:6000:1234:b0:1 with SMTP id a1csp123; Sun, 1 Nov 2026 18:14:07 -0800 (PST)",
        Received(by="2002:a05:6000:1234:b0:1", protocol="SMTP", queue_id="a1csp123", at=AT, software="Gmail"),
    ),
    "gmail": (
        "from mail.example.com (mail.example.com. [192.0.2.54]) by mx.google.com with ESMTPS id a1-20 for"
        " <user@example.com> (version=TLS1_3 cipher=TLS_AES_128_GCM_SHA256 bits=128/128);"
        " Sun, 01 Nov 2026 18:14:07 -0800 (PST)",
        Received(
            by="mx.google.com",
            sender="mail.example.com",
            sender_ip="192.0.2.54",
            helo="mail.example.com",
            protocol="ESMTPS",
            tls="TLS 1.3 TLS_AES_128_GCM_SHA256",
            queue_id="a1-20",
            recipient="user@example.com",
            at=AT,
            software="Gmail",
        ),
    ),
    "coremail": (
        f"from localhost.localdomain (unknown [192.0.2.61]) by smtp9 (Coremail) with SMTP id"
        f" AbCdCgA0000000Example00A--.12345S2{CN} (CST)",
        Received(
            by="smtp9",
            sender="localhost.localdomain",
            sender_ip="192.0.2.61",
            protocol="SMTP",
            queue_id="AbCdCgA0000000Example00A--.12345S2",
            at=AT,
            software="Coremail",
        ),
    ),
    "qq": (
        "from [10.24.9.42] ([203.0.113.230]) by newxmesmtplogicsvrszb1-0.qq.com (NewEsmtp)"
        f" with SMTP id 0A1B2C3D{CN}",
        Received(
            by="newxmesmtplogicsvrszb1-0.qq.com",
            sender_ip="203.0.113.230",
            helo="10.24.9.42",
            protocol="SMTP",
            queue_id="0A1B2C3D",
            at=AT,
            software="QQ Mail",
        ),
    ),
    "barracuda": (
        "from mbx1.example.com (mbx1.example.com [192.0.2.163]) by mx2.example.com with ESMTP id"
        f" AbCdEfGhIjKlMnO1 (version=TLSv1.2 cipher=ECDHE-RSA-AES128-GCM-SHA256 bits=128 verify=NO){CN}",
        Received(
            by="mx2.example.com",
            sender="mbx1.example.com",
            sender_ip="192.0.2.163",
            helo="mbx1.example.com",
            protocol="ESMTP",
            tls="TLS 1.2 ECDHE-RSA-AES128-GCM-SHA256",
            queue_id="AbCdEfGhIjKlMnO1",
            at=AT,
        ),
    ),
    "mimecast": (
        "from mx02.example.com (mx02.example.com [192.0.2.88]) by relay.mimecast.com with ESMTP with STARTTLS"
        f" (version=TLSv1.2, cipher={TLS12}) id us-mta-605-ExampleExampleExample0-1{CN}",
        Received(
            by="relay.mimecast.com",
            sender="mx02.example.com",
            sender_ip="192.0.2.88",
            helo="mx02.example.com",
            protocol="ESMTP",
            tls=f"TLS 1.2 {TLS12}",
            queue_id="us-mta-605-ExampleExampleExample0-1",
            at=AT,
            software="Mimecast",
        ),
    ),
    "proofpoint": (
        "from pps.filterd (m0000001.ppops.net [127.0.0.1]) by mx0b-00000001.pphosted.com (8.18.1.2/8.18.1.2)"
        f" with ESMTP id 4A2Aexmp001853{CN}",
        Received(
            by="mx0b-00000001.pphosted.com",
            sender="m0000001.ppops.net",
            sender_ip="127.0.0.1",
            helo="pps.filterd",
            protocol="ESMTP",
            queue_id="4A2Aexmp001853",
            at=AT,
            software="Proofpoint",
        ),
    ),
    "opensmtpd": (
        "from localhost (host.example.org [192.0.2.11]) by mail.example.org (OpenSMTPD) with ESMTPSA id"
        f" 0a1b2c3d (TLSv1.3:TLS_AES_256_GCM_SHA384:256:NO) for <git@example.org>{UTC_DATE}",
        Received(
            by="mail.example.org",
            sender="host.example.org",
            sender_ip="192.0.2.11",
            helo="localhost",
            protocol="ESMTPSA",
            tls="TLS 1.3 TLS_AES_256_GCM_SHA384",
            queue_id="0a1b2c3d",
            recipient="git@example.org",
            at=AT,
            software="OpenSMTPD",
        ),
    ),
    "haraka": (
        f"from unknown (HELO laptop) (::1) by mail.example.org (Haraka/3.0.1) with ESMTPSA{CN}",
        Received(
            by="mail.example.org",
            sender="laptop",
            sender_ip="::1",
            helo="laptop",
            protocol="ESMTPSA",
            tls="TLS",
            at=AT,
            software="Haraka 3.0.1",
        ),
    ),
    "zimbra": (
        f"from z.example.com (LHLO z.example.com) (192.0.2.1) by z.example.com with LMTP{CN} (CST)",
        Received(
            by="z.example.com",
            sender="z.example.com",
            sender_ip="192.0.2.1",
            helo="z.example.com",
            protocol="LMTP",
            at=AT,
            software="Zimbra",
        ),
    ),
    "yahoo": (
        "from c-73.example.net (EHLO localhost.localdomain) ([192.0.2.185]) by smtp420.mail.example"
        f" (Yahoo Inc. Hermes SMTP Server) with ESMTPA ID ee29c54a0a{CN}",
        Received(
            by="smtp420.mail.example",
            sender="c-73.example.net",
            sender_ip="192.0.2.185",
            helo="localhost.localdomain",
            protocol="ESMTPA",
            queue_id="ee29c54a0a",
            at=AT,
            software="Yahoo",
        ),
    ),
    "ses": (
        "from a9.smtp-out.amazonses.com (a9.smtp-out.amazonses.com [192.0.2.183]) by"
        f" inbound-smtp.us-east-1.amazonaws.com with SMTP id d6iitobk75 for post@example.com{UTC_DATE}",
        Received(
            by="inbound-smtp.us-east-1.amazonaws.com",
            sender="a9.smtp-out.amazonses.com",
            sender_ip="192.0.2.183",
            helo="a9.smtp-out.amazonses.com",
            protocol="SMTP",
            queue_id="d6iitobk75",
            recipient="post@example.com",
            at=AT,
            software="Amazon SES",
        ),
    ),
    "cisco": (
        "from mobl1.example.com (HELO localhost) ([192.0.2.186]) by esa1.example.com with"
        f" ESMTP/TLS/ECDHE-RSA-AES256-GCM-SHA384{CN}",
        Received(
            by="esa1.example.com",
            sender="mobl1.example.com",
            sender_ip="192.0.2.186",
            helo="localhost",
            protocol="ESMTP",
            tls="ECDHE-RSA-AES256-GCM-SHA384",
            at=AT,
            software="Cisco Secure Email Gateway",
        ),
    ),
    "a date of no mail standard": (
        "by filter0123.example.net with SMTP id filter-1 2026-11-02 02:14:07.000000789 +0000 UTC m=+12.67",
        Received(by="filter0123.example.net", protocol="SMTP", queue_id="filter-1", at=AT),
    ),
    "keywords in names": (
        f"from mail.example.by (mail.example.by [192.0.2.1]) by relay.example.id with ESMTP{CN}",
        Received(
            by="relay.example.id",
            sender="mail.example.by",
            sender_ip="192.0.2.1",
            helo="mail.example.by",
            protocol="ESMTP",
            at=AT,
        ),
    ),
    "a bracket that never opened": (
        f"from smtp.example.com [203.0.113.7]) by mx.example.net with SMTP id x1{CN}",
        Received(
            by="mx.example.net",
            sender="smtp.example.com",
            sender_ip="203.0.113.7",
            protocol="SMTP",
            queue_id="x1",
            at=AT,
        ),
    ),
    "nothing": ("", Received()),
    "noise": ("TotallyInvalid", Received()),
    "only brackets": ("from (((((", Received()),
}


@pytest.mark.parametrize("name", CASES)
def test_a_hop_is_read(name: str) -> None:
    value, expected = CASES[name]

    assert expected == read_received(value)


def test_hops_go_from_the_bottom_up() -> None:
    newest, oldest = f"from b by c with SMTP{CN}", f"from a by b with SMTP{CN}"

    assert ["b", "c"] == [hop.by for hop in hops([newest, oldest])]


@given(mutated([value for value, _ in CASES.values() if value]))
@settings(max_examples=200, deadline=None)
def test_damage_never_raises(lines: list[str]) -> None:
    assert len(lines) == len(hops(lines))


@given(st.text(alphabet="()<>[];, fromby=with:%."))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read(text: str) -> None:
    assert isinstance(read_received(text), Received)


def test_a_huge_field_is_read_in_a_moment() -> None:
    assert Received() == read_received("(" * 1_000_000)
