#!/bin/sh
# Makes a SoftHSM token with random PINs; refuses to touch a token that holds keys. Usage: init.sh [LABEL [DIRECTORY [PIN_FILE]]]
# Repeatable. Needs softhsm2 and python3 (standard library). Set SIGNER_USER to give the token to another user than `signer`.
set -eu
umask 077

label=${1:-signer}
directory=${2:-/var/lib/signer/softhsm}
pin_file=${3:-/etc/signer/softhsm-pin}
so_pin_file=$pin_file.so
SOFTHSM2_CONF=$directory/softhsm2.conf
export SOFTHSM2_CONF

fail() {
    echo "init.sh: $*" >&2
    exit 1
}

# Prints the serial number of each token with our label.
serials() {
    softhsm2-util --show-slots | awk -v label="$label" '
        /^ *Serial number:/ { serial = $3 }
        /^ *Label:/ { sub(/^ *Label: */, ""); sub(/ *$/, ""); if ($0 == label && serial != "") print serial }
        /^Slot / { serial = "" }'
}

# Counts the objects of the token with this serial number, whose folder is named by a UUID that ends in it.
objects() {
    ending=$(echo "$1" | sed 's/^\(....\)\(.*\)$/\1-\2/')
    find "$directory/tokens" -path "*-$ending/*.object" ! -name token.object | wc -l
}

# softhsm2-util takes PINs from its command line, which every user can read, or from a terminal: so it gets a terminal.
initialise() {
    python3 - "$label" "$pin_file" "$so_pin_file" <<'PYTHON'
import os, pathlib, pty, sys

label, pin_file, so_pin_file = sys.argv[1:]
pin, so_pin = (pathlib.Path(name).read_text().strip() for name in (pin_file, so_pin_file))
child, terminal = pty.fork()
if child == 0:
    os.execvp("softhsm2-util", ["softhsm2-util", "--init-token", "--free", "--label", label])
said = b""
answers = [(b"enter SO PIN: ", so_pin), (b"reenter SO PIN: ", so_pin), (b"enter user PIN: ", pin), (b"reenter user PIN: ", pin)]
try:
    while chunk := os.read(terminal, 4096):
        said += chunk
        if answers and said.endswith(answers[0][0]):
            os.write(terminal, answers.pop(0)[1].encode() + b"\n")
            said = b""
except OSError:
    pass  # the terminal closes when the program ends
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
if status or answers:
    sys.exit("init.sh: softhsm2-util failed: " + said.decode(errors="replace").strip())
PYTHON
}

random_pin() {
    python3 -c 'import secrets, string; print("".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(40)))'
}

command -v softhsm2-util >/dev/null || fail "softhsm2-util is missing: apt-get install softhsm2"
command -v python3 >/dev/null || fail "python3 is missing: apt-get install python3"
case $label in
'' | *[!A-Za-z0-9._-]*) fail "LABEL takes A-Z a-z 0-9 . _ -" ;;
esac
[ "${#label}" -le 32 ] || fail "LABEL is at most 32 characters"

mkdir -p "$directory/tokens" "$(dirname "$pin_file")"
if [ ! -e "$SOFTHSM2_CONF" ]; then
    cat >"$SOFTHSM2_CONF" <<CONF
directories.tokendir = $directory/tokens
objectstore.backend = file
log.level = ERROR
slots.removable = false
library.reset_on_fork = true
CONF
fi

found=$(serials)
for serial in $found; do
    count=$(objects "$serial")
    [ "$count" -eq 0 ] || fail "token '$label' (serial $serial) holds $count objects: not touched. Choose another LABEL"
done
if [ -n "$found" ]; then
    [ -s "$pin_file" ] || fail "token '$label' exists, but its PIN is not in $pin_file. Choose another LABEL, or delete that token yourself"
    echo "token '$label' is there already, still empty: nothing changed"
    exit 0
fi
for file in "$pin_file" "$so_pin_file"; do
    [ ! -e "$file" ] || fail "$file exists, and may be the PIN of a token that is elsewhere: not overwritten. Choose another PIN_FILE"
done

random_pin >"$pin_file"
random_pin >"$so_pin_file"
if ! initialise || [ -z "$(serials)" ]; then
    rm -f "$pin_file" "$so_pin_file"
    fail "token '$label' was not made"
fi
owner=${SIGNER_USER:-signer}
if [ "$(id -u)" -eq 0 ] && id "$owner" >/dev/null 2>&1; then
    chown -R "$owner" "$directory"
fi
echo "token '$label' made: serial $(serials), PIN in $pin_file, security officer's PIN in $so_pin_file (move it off this machine)"
