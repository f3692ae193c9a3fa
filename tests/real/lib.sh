# What the three trials share: systems in overlays of one Debian, all in one network namespace with loopback only.
#
#   WORK  where everything is kept between runs (default /tmp/ndr-real; some 2 GB)
#   NDR   the command under trial (default: ndr of the checkout's .venv)
#
# Needs root on Debian with debootstrap, iproute2, curl, openssl. Nothing outside WORK is changed.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
WORK=${WORK:-/tmp/ndr-real}
LAB=$WORK/lab
NDR=${NDR:-$ROOT/.venv/bin/ndr}
NS=ndr-real
PORT=18080
API=http://127.0.0.1:$PORT
SHARED=shared-by-both-sides
STARTED=()
mkdir -p "$LAB"

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
inside() { ip netns exec "$NS" "$@"; }

# run in the background, inside the namespace; ended when the script ends
start() { # NAME COMMAND...
    local name=$1; shift
    ip netns exec "$NS" setsid "$@" >"$WORK/$name.log" 2>&1 &  # not through a function: its process is the one to end
    STARTED+=($!)
    LAST=$!
}

stop() { kill -- "-$1" 2>/dev/null || kill "$1" 2>/dev/null || true; wait "$1" 2>/dev/null || true; }

finish() {
    local overlay pid
    for pid in "${STARTED[@]}"; do stop "$pid"; done
    for overlay in "$LAB"/*/m; do
        mountpoint -q "$overlay" || continue
        [ -x "$overlay/usr/sbin/postfix" ] && inside chroot "$overlay" postfix stop >/dev/null 2>&1 || true
        umount -R "$overlay" 2>/dev/null || umount -R -l "$overlay" || true # /proc, /dev and /sys are below it
    done
    ip netns del "$NS" 2>/dev/null || true
}
trap finish EXIT

namespace() {
    ip netns list | grep -q "^$NS\b" || ip netns add "$NS"
    inside ip link set lo up
}

debian() { # the base of all overlays
    [ -x "$LAB/base/usr/bin/apt-get" ] && return
    debootstrap --variant=minbase --include=iproute2,procps,netbase,curl,ca-certificates,sqlite3 \
        bookworm "$LAB/base" >"$WORK/debootstrap.log"
    cp -a /etc/apt/sources.list.d/. "$LAB/base/etc/apt/sources.list.d/"
    [ -s /etc/apt/sources.list ] && cp /etc/apt/sources.list "$LAB/base/etc/apt/" || rm -f "$LAB/base/etc/apt/sources.list"
    cp -aL /etc/ssl/certs/ca-certificates.crt "$LAB/base/etc/ssl/certs/"
    cp -a /etc/apt/apt.conf.d/99* "$LAB/base/etc/apt/apt.conf.d/" 2>/dev/null || true
    printf '#!/bin/sh\nexit 101\n' >"$LAB/base/usr/sbin/policy-rc.d"
    chmod +x "$LAB/base/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$LAB/base/etc/resolv.conf"
    chroot "$LAB/base" apt-get update >"$WORK/apt-update.log"
}

overlay() { # NAME PACKAGE...: packages in an overlay of the base; M is its root
    local name=$1 d; shift
    M=$LAB/$name/m
    mkdir -p "$LAB/$name"/{u,w,m}
    mountpoint -q "$M" || mount -t overlay "ov-$name" \
        -o "lowerdir=$LAB/base,upperdir=$LAB/$name/u,workdir=$LAB/$name/w" "$M"
    for d in proc dev sys; do
        mountpoint -q "$M/$d" || { mount --rbind "/$d" "$M/$d"; mount --make-rslave "$M/$d"; }
    done
    cp /etc/resolv.conf "$M/etc/resolv.conf"
    chroot "$M" dpkg -s "$@" >/dev/null 2>&1 && return
    chroot "$M" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" \
        >"$WORK/apt-$name.log" 2>&1 </dev/null || true
}

as_www() { inside chroot "$M" setpriv --reuid=www-data --regid=www-data --clear-groups "$@"; }

# a Postfix in the overlay M that hands everything for strangers to remote.py, and takes mail for desk.example
postfix_up() { # ALIAS_LINE
    cat >"$M/etc/postfix/main.cf" <<CF
compatibility_level = 3.6
myhostname = mail.desk.example
mydestination = desk.example, mail.desk.example
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relayhost = [127.0.0.1]:2525
smtp_host_lookup = native
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
queue_run_delay = 2s
minimal_backoff_time = 2s
maillog_file = /dev/stdout
maillog_file_prefixes = /dev
CF
    printf '%s\n' "$1" "postmaster: root" "root: /dev/null" >"$M/etc/aliases"
    echo "127.0.0.1 mail.desk.example desk.example localhost" >"$M/etc/hosts"
    inside chroot "$M" newaliases
    start remote python3 "$HERE/remote.py" 2525
    start postfix chroot "$M" postfix start-fg
    until_up 25
}

until_up() { # PORT: something listens there
    local n
    for n in $(seq 100); do
        inside bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null && return
        sleep 0.2
    done
    fail "nothing listens on port $1"
}

service_up() {
    start service env NDR_TICKETS_FILE="$WORK/tickets.toml" NDR_DATA_DIR="$DATA" NDR_PORT=$PORT $NDR serve
    SERVICE=$LAST
    until_up $PORT
}

ndr_tickets() { inside env NDR_TICKETS_FILE="$WORK/tickets.toml" NDR_DATA_DIR="$DATA" $NDR tickets "$@" 2>>"$WORK/tickets.log"; }

webhook() { # SYSTEM BODY: signed as the systems sign; shows status and answer
    local signature
    signature=$(printf %s "$2" | openssl dgst -sha256 -hmac "$SHARED" -r | cut -d' ' -f1)
    inside curl -s -w ' %{http_code}\n' -H "X-Ndr-Signature: sha256=$signature" \
        -H 'Content-Type: application/json' --data-binary "$2" "$API/v1/tickets/$1"
}

# wait until a command prints something that matches; shows how long it took
within() { # SECONDS PATTERN COMMAND...
    local limit=$1 pattern=$2 begun now; shift 2
    begun=$(date +%s.%N)
    while :; do
        if "$@" 2>/dev/null | grep -qE "$pattern"; then
            now=$(date +%s.%N)
            echo "ok: $pattern after $(echo "$now - $begun" | bc | sed 's/^\./0./' | cut -c1-4) s"
            return
        fi
        now=$(date +%s.%N)
        [ "$(echo "$now - $begun > $limit" | bc)" = 0 ] || fail "$pattern did not come within $limit s"
        sleep 0.1
    done
}

same() { # WHAT EXPECTED FOUND
    [ "$2" = "$3" ] && echo "ok: $1: $3" || fail "$1: expected $2, found $3"
}

DATA=$WORK/data-$(date +%s)
