#!/bin/sh
# Sorts a folder of bounces into folders by their action: sort-bounces.sh FROM TO
# What cannot be diagnosed now stays where it is, and the script ends with 75.
set -eu
from=$1 to=$2 left=0
for file in "$from"/*; do
    [ -f "$file" ] || continue
    if answer=$("${NDR:-ndr}" pipe --fields action <"$file"); then
        action=$(printf '%s' "$answer" | sed -n 's/.*"action":"\([a-z_]*\)".*/\1/p')
        mkdir -p "$to/${action:-none}"
        mv "$file" "$to/${action:-none}/"
    else
        left=75
    fi
done
exit "$left"
