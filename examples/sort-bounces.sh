#!/bin/sh
# Sorts a folder of bounces into folders by their action: sort-bounces.sh FROM TO
# What cannot be diagnosed now stays where it is, and so does what has the name of a file that is there already;
# the script ends with 75 then.
set -eu
from=$1 to=$2 left=0
for file in "$from"/*; do
    [ -f "$file" ] || continue
    if answer=$("${NDR:-ndr}" pipe --fields action <"$file"); then
        action=$(printf '%s' "$answer" | sed -n 's/.*"action":"\([a-z_]*\)".*/\1/p')
        target=$to/${action:-none}/${file##*/}
        mkdir -p "$to/${action:-none}"
        if [ -e "$target" ] || [ -L "$target" ]; then
            echo "$target is there already" >&2
            left=75
        else
            mv "$file" "$target"
        fi
    else
        left=75
    fi
done
exit "$left"
