#!/bin/bash
# A real Redmine 5, a real Postfix, real bounces: is the issue tagged, once, and is nothing lost? See lib.sh.
source "$(dirname "$0")/lib.sh"
say "install"
namespace; debian
overlay redmine redmine redmine-sqlite thin postfix
if ! chroot "$M" dpkg -s redmine | grep -q '^Status: install ok installed'; then # its bundle is not found otherwise
    sed -i 's/if ! bundle install --local --quiet; then/if ! bundle lock --local >\/dev\/null; then/' \
        "$M/var/lib/dpkg/info/redmine.postinst"
    chroot "$M" env DEBIAN_FRONTEND=noninteractive dpkg --configure -a >>"$WORK/apt-redmine.log" 2>&1 </dev/null
fi
cat >"$M/tmp/prepare.rb" <<'R'
Setting.rest_api_enabled = '1'; Setting.mail_handler_api_enabled = '1'; Setting.mail_handler_api_key = 'mailkey'
Setting.mail_from = 'issues@desk.example'; Setting.host_name = 'desk.example'
user = User.find_by_login('ndr') || User.new(:firstname => 'ndr', :lastname => 'triage', :mail => 'ndr@desk.example').tap do |new|
  new.login = 'ndr'; new.password = new.password_confirmation = SecureRandom.hex; new.save!
end
tracker = Tracker.first
project = Project.find_by_identifier('helpdesk') || Project.create!(:name => 'Helpdesk', :identifier => 'helpdesk', :is_public => true)
project.trackers = [tracker]
Member.create!(:project => project, :principal => user, :roles => [Role.find_by_name('Manager')]) unless user.member_of?(project)
%w(kind category action).each do |axis|
  next if IssueCustomField.find_by_name("Bounce #{axis}")
  IssueCustomField.create!(:name => "Bounce #{axis}", :field_format => 'string', :is_for_all => true, :trackers => [tracker])
end
puts "KEY #{user.api_key}"
R
RAILS=(env REDMINE_INSTANCE=default X_DEBIAN_SITEID=default RAILS_ENV=production HOME=/tmp)
as_www "${RAILS[@]}" sh -c 'cd /usr/share/redmine && bundle exec rails runner /tmp/prepare.rb' >"$WORK/prepare.out" 2>"$WORK/prepare.err"
KEY=$(sed -n 's/^KEY //p' "$WORK/prepare.out")
cat >"$WORK/tickets.toml" <<T
[systems.redmine]
adapter = "redmine"
url = "http://127.0.0.1:8084"
token = "$KEY"
secret = "$SHARED"
merge = true
[systems.redmine.fields]
kind = "Bounce kind"
category = "Bounce category"
action = "Bounce action"
T
# the mail handler that Redmine brings, behind the line of docs/ticketing/redmine.md
FILTER=$(sed -n '/^```sh$/,/^```$/p' "$ROOT/docs/ticketing/redmine.md" | sed '1d;$d')
cat >"$M/usr/local/bin/to-redmine" <<H
#!/bin/sh
$FILTER | /usr/share/redmine/extra/mail_handler/rdm-mailhandler.rb --url http://127.0.0.1:8084 --key mailkey \
    --project helpdesk --unknown-user accept --no-permission-check
H
chmod +x "$M/usr/local/bin/to-redmine"
postfix_up 'issues: "|/usr/local/bin/to-redmine"'
start redmine chroot "$M" setpriv --reuid=www-data --regid=www-data --clear-groups "${RAILS[@]}" \
    sh -c 'cd /usr/share/redmine && exec bundle exec thin -a 127.0.0.1 -p 8084 -e production -P /tmp/thin.pid start'
until_up 8084
service_up

rest() { inside curl -s -H "X-Redmine-API-Key: $KEY" -H 'Content-Type: application/json' "http://127.0.0.1:8084/$1" "${@:2}"; }
newest() { rest 'issues.json?status_id=*&sort=id:desc&limit=1' | sed 's/^{"issues":\[{"id":\([0-9]*\).*/\1/'; }
created_on() { rest "issues/$1.json" | sed 's/.*"created_on":"\([^"]*\)".*/\1/' | tr -dc 0-9; }
write_to() { # ADDRESS: what Redmine would mail to somebody who watches the issue PARENT
    inside chroot "$M" sendmail -f issues@desk.example "$1" <<MAIL
From: issues@desk.example
To: $1
Subject: [Helpdesk - Bug #$PARENT] Your order
Message-ID: <redmine.issue-$PARENT.$(created_on "$PARENT")@desk.example>
X-Redmine-Issue-Id: $PARENT

It is under way.
MAIL
}
bounced() { # NUMBER: the issue after it
    local n
    for n in $(seq 150); do [ "$(newest)" != "$1" ] && { newest; return; }; sleep 0.1; done
}
fields() { rest "issues/$1.json" | grep -oE '"name":"Bounce [a-z]*","value":"[a-z_]*"'; }
notes() { rest "issues/$1.json?include=journals" | grep -o '"private_notes":true' | wc -l; }
tell() { webhook redmine "{\"issue\": $1}"; }

say "a customer's mailbox is gone: Postfix bounces the mail into Redmine"
rest issues.json -X POST -d '{"issue": {"project_id": "helpdesk", "subject": "Your order"}}' >/dev/null
PARENT=$(newest)
write_to gone@customer.example
ISSUE=$(bounced "$PARENT")
tell "$ISSUE"
within 5 'recipient_unknown' fields "$ISSUE"
fields "$ISSUE"
same "private notes" 1 "$(notes "$ISSUE")"
same "related to the issue whose mail came back" 1 "$(rest "issues/$ISSUE.json?include=relations" | grep -c "\"issue_to_id\":$PARENT\|\"issue_id\":$PARENT,")"
say "the same call again, and a poll"
tell "$ISSUE"
ndr_tickets poll redmine --once
sleep 3
same "notes" 1 "$(notes "$ISSUE")"
say "the service is down for a minute, a bounce comes meanwhile"
stop "$SERVICE"
write_to full@customer.example
ISSUE2=$(bounced "$ISSUE")
sleep "${DOWN_S:-60}"
service_up
ndr_tickets poll redmine --once
within 5 'mailbox_full' fields "$ISSUE2"
same "notes" 1 "$(notes "$ISSUE2")"
say "the service is killed right after it answered"
write_to spam@customer.example
ISSUE3=$(bounced "$ISSUE2")
tell "$ISSUE3"
kill -9 -- "-$SERVICE"
service_up
within 90 'reputation_blocked' fields "$ISSUE3"
same "notes" 1 "$(notes "$ISSUE3")"
ndr_tickets list --all
say "all is well"
