#!/bin/bash
# A real RT 5, a real Postfix, real bounces: is the ticket tagged, once, and is nothing lost? See lib.sh.
# With SHOT=FILE.png a picture of the ticket is taken, with Chromium.
source "$(dirname "$0")/lib.sh"
say "install"
namespace; debian
overlay rt5 request-tracker5 rt5-db-sqlite rt5-standalone rt5-clients libwww-perl postfix
DOC=$ROOT/docs/ticketing/rt.md
mkdir -p "$M/usr/local/share/request-tracker5/lib/RT/Action"
sed -n '/^```perl$/,/^```$/p' "$DOC" | sed '1d;/^```$/,$d' >"$M/usr/local/share/request-tracker5/lib/RT/Action/NdrTriage.pm"
cat >"$M/etc/request-tracker5/RT_SiteConfig.d/99-trial.pm" <<C
Set(\$rtname, 'rt.desk.example'); Set(\$Organization, 'desk.example');
Set(\$WebPath, ''); Set(\$WebDomain, '127.0.0.1'); Set(\$WebPort, 8081); Set(\$WebBaseURL, 'http://127.0.0.1:8081');
Set(\$RestrictReferrer, 0); Set(\$CorrespondAddress, 'rt\@desk.example'); Set(\$CommentAddress, 'rt\@desk.example');
Set(\$ShowHistory, 'always'); Set(\$OldestTransactionsFirst, 0); Set(\$MailCommand, 'sendmailpipe'); Set(\$SetOutgoingMailFrom, 1);
Set(\$NdrTriageURL, '$API/v1/tickets/helpdesk'); Set(\$NdrTriageSecret, '$SHARED');
1;
C
rm -f "$M/etc/request-tracker5/RT_SiteConfig.d/99-local.pm"
cat >"$M/tmp/prepare.pl" <<'P'
use lib '/usr/share/request-tracker5/lib'; use RT -init;
my $q = RT::Queue->new(RT->SystemUser); $q->Load('General');
my $g = RT::Group->new(RT->SystemUser); $g->LoadSystemInternalGroup('Everyone');
$g->PrincipalObj->GrantRight(Right => $_, Object => $q) for qw(CreateTicket ReplyToTicket);
for my $name ('Bounce kind', 'Bounce category', 'Bounce action', 'Bounce confidence') {
    my $cf = RT::CustomField->new(RT->SystemUser); $cf->LoadByName(Name => $name, LookupType => 'RT::Queue-RT::Ticket');
    next if $cf->Id;
    $cf->Create(Name => $name, Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', MaxValues => 1);
    $cf->AddToObject($q);
}
my $u = RT::User->new(RT->SystemUser); $u->Load('ndr');
$u->Create(Name => 'ndr', RealName => 'ndr-triage', EmailAddress => 'ndr@desk.example', Privileged => 1) unless $u->Id;
$u->PrincipalObj->GrantRight(Right => $_, Object => $q) for qw(SeeQueue ShowTicket ShowTicketComments
    ShowOutgoingEmail CommentOnTicket ModifyTicket SeeCustomField ModifyCustomField);
$u->PrincipalObj->GrantRight(Right => $_, Object => $RT::System) for qw(SeeCustomField ModifyCustomField SeeQueue);
my $old = RT::AuthTokens->new(RT->SystemUser); $old->UnLimit; # RT tries all of a user's tokens at each call
while (my $one = $old->Next) { $one->Delete }
my ($ok, $msg, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $u->Id, Description => 'trial');
my $root = RT::User->new(RT->SystemUser); $root->Load('root');
my ($ok2, $msg2, $staff) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $root->Id, Description => 'trial');
my $action = RT::ScripAction->new(RT->SystemUser); $action->Load('Tell ndr-triage');
print "TOKEN $token\nSTAFF $staff\nSCRIPS ", ($action->Id ? 'there' : 'missing'), "\n";
P
as_www perl /tmp/prepare.pl >"$WORK/prepare.out" 2>"$WORK/prepare.err"
sed -n 's/^TOKEN //p' "$WORK/prepare.out" >"$WORK/rt.token"
STAFF=$(sed -n 's/^STAFF //p' "$WORK/prepare.out")
if grep -q 'SCRIPS missing' "$WORK/prepare.out"; then # as the page says
    sed -n '/^```sh$/,/^```$/p' "$DOC" | sed '1d;$d' >"$M/tmp/scrips.sh"
    as_www sh /tmp/scrips.sh 2>>"$WORK/prepare.err"
fi
settings() { # MERGE
    cat >"$WORK/tickets.toml" <<T
[systems.helpdesk]
adapter = "rt"
url = "http://127.0.0.1:8081"
user = "ndr"
token_file = "$WORK/rt.token"
secret = "$SHARED"
link = "$API"
merge = $1
[systems.helpdesk.fields]
kind = "Bounce kind"
category = "Bounce category"
action = "Bounce action"
confidence = "Bounce confidence"
[systems.helpdesk.options]
site = "rt.desk.example"
T
}
settings false
postfix_up 'rt: "|/usr/bin/rt-mailgate --queue General --action correspond --url http://127.0.0.1:8081/"'
start rt chroot "$M" setpriv --reuid=www-data --regid=www-data --clear-groups \
    /usr/share/request-tracker5/libexec/rt-server --host 127.0.0.1 --port 8081 --server Starlet --max-workers 3
until_up 8081
service_up

R=http://127.0.0.1:8081/REST/2.0
rest() { inside curl -s -H "Authorization: token $STAFF" -H 'Content-Type: application/json' "$@"; }
write_to() { # ADDRESS: a ticket for a customer; RT mails a confirmation, which comes back
    rest -X POST "$R/ticket" -d "{\"Queue\":\"General\",\"Subject\":\"Your order\",\"Content\":\"It is under way.\",\"Requestor\":\"$1\"}" |
        sed 's/.*"id":"\([0-9]*\)".*/\1/'
}
bounced() { # TICKET: the number of the ticket that the bounce of its mail opened
    local n id
    for n in $(seq 100); do
        id=$(rest "$R/tickets?query=id>$1+AND+Subject='Undelivered+Mail+Returned+to+Sender'&orderby=id" | grep -o '"id" : "[0-9]*"' | head -1 | tr -dc 0-9)
        [ -n "$id" ] && { echo "$id"; return; }
        sleep 0.1
    done
}
fields() { rest "$R/ticket/$1" | python3 -c '
import json, sys
for field in sorted(json.load(sys.stdin)["CustomFields"], key=lambda field: field["name"]):
    print(field["name"] + ":", *field["values"])'; }
comments() { rest "$R/ticket/$1/history?fields=Type&per_page=100" | grep -c '"Comment"' || true; }
last() { rest "$R/ticket/$1/history?fields=Type&per_page=100" | python3 -c '
import json, sys
print(next(item["id"] for item in json.load(sys.stdin)["items"] if item["Type"] == "Create"))'; }

for _ in 1 2 3 4 5 6; do # RT compiles what it answers with at its first calls
    rest "$R/transaction/1" >/dev/null
    rest -X POST "$R/attachments?fields=Headers,Content" -d '[{"field":"TransactionId","value":"1"}]' >/dev/null
done

say "a customer's mailbox is gone: Postfix bounces RT's mail into RT"
FIRST=$(write_to gone-$RANDOM@customer.example)
BOUNCE=$(bounced "$FIRST")
within 5 'category: recipient_unknown' fields "$BOUNCE"
fields "$BOUNCE"
within 5 '^1$' comments "$BOUNCE"
say "the note, by $(rest "$R/ticket/$BOUNCE/history?fields=Type,Creator&per_page=100" | grep -c '"id" : "ndr"') changes of the user ndr"
rest -X POST "$R/attachments?fields=Subject,Content,TransactionId&orderby=id&order=DESC" \
    -d '[{"field":"Subject","operator":"LIKE","value":"ndr-triage"}]' | awk '/"Content"/ && !seen++' | cut -c1-700
if [ -n "${SHOT:-}" ]; then
    say "a picture"
    TICKET=$BOUNCE
    overlay chromium chromium fonts-dejavu-core
    inside curl -s -c "$WORK/jar" -o /dev/null -d 'user=root&pass=password' http://127.0.0.1:8081/NoAuth/Login.html
    inside curl -s -b "$WORK/jar" "http://127.0.0.1:8081/Ticket/Display.html?id=$TICKET" |
        sed 's|<head>|<head><base href="http://127.0.0.1:8081/">|' >"$M/tmp/ticket.html"
    inside chroot "$M" chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,1620 \
        --virtual-time-budget=8000 --screenshot=/tmp/ticket.png file:///tmp/ticket.html >"$WORK/chromium.log" 2>&1
    cp "$M/tmp/ticket.png" "$SHOT"
    M=$LAB/rt5/m
fi
say "the same webhook again, and a poll"
webhook helpdesk "{\"ticket\": \"$BOUNCE\", \"transaction\": \"$(last "$BOUNCE")\", \"creator\": \"x\"}"
ndr_tickets poll helpdesk --once
sleep 3
same "notes" 1 "$(comments "$BOUNCE")"
say "mails that left: one to the customer, nothing about the bounce and the note"
same "mails" 1 "$(grep -c 'relay=127.0.0.1\[127.0.0.1\]:2525' "$WORK/postfix.log")"
say "the service is down for a minute, a bounce comes meanwhile"
stop "$SERVICE"
SECOND=$(write_to full-$RANDOM@customer.example)
BOUNCE2=$(bounced "$SECOND")
sleep "${DOWN_S:-60}"
service_up
ndr_tickets poll helpdesk --once
within 5 'category: mailbox_full' fields "$BOUNCE2"
same "notes" 1 "$(comments "$BOUNCE2")"
say "the service is killed right after it noted a bounce"
settings true
stop "$SERVICE"; service_up
THIRD=$(write_to spam-$RANDOM@customer.example)
while ! ndr_tickets list | grep -q .; do sleep 0.02; done
kill -9 -- "-$SERVICE"
service_up
within 90 'category: reputation_blocked' fields "$THIRD"
same "notes" 1 "$(comments "$THIRD")"
echo "ok: merged onto the ticket whose mail came back: $THIRD"
ndr_tickets list --all
say "all is well"
