#!/bin/sh
# Asks the service with curl: classify-curl.sh FILE... prints kind, category, action and confidence of each mail.
# NDR_URL is the service's address, NDR_KEY the key where one is needed. It ends at the first mail that fails.
set -eu
url=${NDR_URL:-http://127.0.0.1:8080}
for file in "$@"; do
    # the key goes in over a pipe, for arguments are seen by everybody on this machine
    answer=$(printf 'header = "Authorization: Bearer %s"\n' "${NDR_KEY:-}" |
        curl -sS --fail --max-time 30 --retry 2 --config - \
            -H 'Content-Type: message/rfc822' --data-binary "@$file" \
            "$url/v1/classify?fields=kind,category,action,confidence")
    printf '%s: %s\n' "$file" "$(printf '%s' "$answer" | tr -d '\n')"
done
