#!/bin/bash
# A real Roundup, a real Postfix, real bounces: is the issue tagged, once, and is nothing lost? See lib.sh.
source "$(dirname "$0")/lib.sh"
say "install"
namespace; debian; overlay postfix postfix
VENV=$WORK/roundup-venv
[ -x "$VENV/bin/roundup-admin" ] || { python3 -m venv "$VENV"; "$VENV/bin/pip" install -q "roundup>=2.6,<2.7" waitress; }
TRACKER=$WORK/tracker
rm -rf "$TRACKER"
"$VENV/bin/roundup-admin" -i "$TRACKER" install classic sqlite >/dev/null
sed -i -e 's|^#web = NO DEFAULT|web = http://127.0.0.1:8085/|' -e 's|^#domain = NO DEFAULT|domain = desk.example|' \
    -e 's|^#host = NO DEFAULT|host = 127.0.0.1|' "$TRACKER/config.ini"
sed -i "s/^#db.security.addPermissionToRole('Anonymous', 'Email Access')/db.security.addPermissionToRole('Anonymous', 'Email Access')/" \
    "$TRACKER/schema.py"
# the detector that docs/ticketing/roundup.md shows
sed -n '/^```python/,/^```$/p' "$ROOT/docs/ticketing/roundup.md" | sed '1d;$d' |
    sed -e "s|https://ndr.example.com|$API|" -e "s|\"the secret\"|\"$SHARED\"|" >"$TRACKER/detectors/ndr_triage.py"
echo y | "$VENV/bin/roundup-admin" -i "$TRACKER" initialise admin >/dev/null
"$VENV/bin/roundup-admin" -i "$TRACKER" create user username=ndr password=ndr-key roles=Admin address=ndr@desk.example >/dev/null
cat >"$WORK/tickets.toml" <<T
[systems.tracker]
adapter = "roundup"
url = "http://127.0.0.1:8085"
user = "ndr"
token = "ndr-key"
secret = "$SHARED"
link = "$API"
T
postfix_up "issues: /var/mail/issues"
rm -f "$M/var/mail/issues"; touch "$M/var/mail/issues"; chmod 666 "$M/var/mail/issues"
start roundup "$VENV/bin/python" -c '
import sys
from roundup.cgi.wsgi_handler import RequestDispatcher
from waitress import serve
serve(RequestDispatcher(sys.argv[1]), host="127.0.0.1", port=8085)' "$TRACKER"
until_up 8085
service_up

rest() { inside curl -s -u admin:admin "http://127.0.0.1:8085/rest/data/$1"; }
send() { # TO: a mail of the tracker to a customer, whose server refuses it
    inside chroot "$M" sendmail -f issues@desk.example "$1" <<MAIL
From: issues@desk.example
To: $1
Subject: [issue1] Your order
Message-ID: <$(date +%s%N).issue1@desk.example>

It is under way.
MAIL
}
collect() { # what came for the tracker, as its mail gateway reads it; Roundup drops mail that is Auto-Submitted
    local n
    for n in $(seq 100); do [ -s "$M/var/mail/issues" ] && break; sleep 0.1; done
    sed '/^Auto-Submitted: auto-replied/d' "$M/var/mail/issues" >"$WORK/mbox"
    : >"$M/var/mail/issues"
    inside "$VENV/bin/roundup-mailgw" "$TRACKER" mailbox "$WORK/mbox"
}
notes() { rest "msg?@fields=author,messageid" | grep -c '"messageid": null' || true; }
mails() { grep -c 'to=<.*relay=127.0.0.1\[127.0.0.1\]:2525' "$WORK/postfix.log" || true; }

say "a customer's mailbox is gone: Postfix bounces into the tracker"
"$VENV/bin/roundup-admin" -i "$TRACKER" create issue title="Your order" >/dev/null
send gone@customer.example
collect
within 5 'ndr-category-recipient_unknown' rest 'issue/2?@verbose=2'
rest 'issue/2?@verbose=2' | grep -oE '"name": "[^"]*"' | sort -u
say "the note"
rest msg/2/content | python3 -c 'import json,sys; print(json.load(sys.stdin)["data"]["data"][:900])'
same "notes" 1 "$(notes)"
say "the same webhook again, and a poll"
webhook tracker '{"issue": "2", "msg": "1", "author": "MAILER-DAEMON"}'
ndr_tickets poll tracker --once
sleep 3
same "notes" 1 "$(notes)"
say "mails that left: the one to the customer, nothing about the note"
same "mails" 1 "$(mails)"
say "the service is down for a minute, a bounce comes meanwhile"
stop "$SERVICE"
send full@customer.example
collect
sleep "${DOWN_S:-60}"
service_up
ndr_tickets poll tracker --once
within 5 'ndr-category-mailbox_full' rest 'issue/3?@verbose=2'
same "notes" 2 "$(notes)"
say "the service is killed right after it answered"
send spam@customer.example
kill -STOP -- "-$SERVICE"; collect & sleep 3; kill -CONT -- "-$SERVICE"; wait %% 2>/dev/null || true
within 10 '202|noted|known' webhook tracker '{"issue": "4", "msg": "5", "author": "MAILER-DAEMON"}'
kill -9 -- "-$SERVICE" 2>/dev/null || true
service_up
within 200 'ndr-category-reputation_blocked' rest 'issue/4?@verbose=2'
same "notes" 3 "$(notes)"
ndr_tickets list --all
say "all is well"
