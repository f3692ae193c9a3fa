#!/bin/sh
# Marks a mail before RT takes it: rt-mailgate.sh --queue General --action correspond --url https://rt.example.com/
# Without a mark the mail passes as it came. A mail that cannot be kept here, or handed over, ends with 75.
umask 077
folder=$(mktemp -d) || exit 75
trap 'rm -rf "$folder"' EXIT
trap 'exit 75' HUP INT TERM
mail=$folder/came
cat >"$mail" || exit 75
if "${NDR:-ndr}" tickets filter <"$mail" >"$folder/marked" && [ -s "$folder/marked" ]; then
    mail=$folder/marked
fi
"${RT_MAILGATE:-rt-mailgate}" "$@" <"$mail"
code=$?
[ "$code" -lt 126 ] || code=75  # it was not found, or a signal ended it
exit "$code"
