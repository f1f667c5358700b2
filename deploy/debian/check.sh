#!/bin/sh
# Installs the package on a clean Debian 12 made for it, runs it there, takes it away again. Minutes; needs root, debootstrap and a mirror.
#
#   deploy/debian/check.sh PACKAGE [FOLDER]     FOLDER keeps the clean root for the next time (var/deb)
set -eu
package=$(realpath "$1")
folder=$(mkdir -p "${2:-var/deb}" && realpath "${2:-var/deb}")
clean=$folder/bookworm.tar
root=$folder/root

say() { printf '\033[1m%s\033[0m\n' "$*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }
inside() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
apt() { inside apt-get -qq -y -o Dpkg::Use-Pty=0 -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false "$@" >"$folder/apt.log" 2>&1 || { cat "$folder/apt.log" >&2; fail "apt-get $*"; }; }

if [ -z "${INSIDE_OWN_NAMESPACES:-}" ]; then # mounts and processes of the check end with it, whatever happens
    exec env INSIDE_OWN_NAMESPACES=yes unshare --mount --pid --fork --kill-child "$0" "$package" "$folder"
fi

say "A clean Debian 12"
rm -rf --one-file-system "$root"
mkdir "$root"
if [ ! -f "$clean" ]; then
    debootstrap --variant=minbase bookworm "$root" >"$folder/debootstrap.log" || { tail "$folder/debootstrap.log" >&2; exit 1; }
    tar --create --one-file-system --file "$clean.partial" --directory "$root" . && mv "$clean.partial" "$clean"
else
    tar --extract --file "$clean" --directory "$root"
fi
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp" && chmod 1777 "$root/tmp"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod +x "$root/usr/sbin/policy-rc.d"
apt update
inside useradd --create-home somebody
inside find /etc /lib/systemd /opt /usr /var -xdev -not -path '/var/cache/*' -not -path '/var/lib/apt/*' | sort >"$folder/before"

say "1. apt install ./$(basename "$package")"
cp "$package" "$root/root/"
apt install "/root/$(basename "$package")"
inside sh -c 'find /opt/signer -name "*.so*" -exec ldd {} + 2>&1' | grep -F 'not found' && fail "a library is missing"
[ "$(inside stat -c '%U:%G %a' /var/lib/signer)" = "signer:signer 700" ] || fail "/var/lib/signer is not the service's alone"
[ "$(inside stat -c '%U:%G %a' /etc/signer)" = "root:signer 750" ] || fail "/etc/signer is not root's, for the service to read"
inside signer config check 2>&1 | grep -F 'tls/server.pem' >/dev/null || fail "the example names no missing certificate"

say "2. signer demo, as the service's user and as somebody"
inside runuser -u signer -- signer demo --folder /var/lib/signer/demo | tail -25
inside runuser -u somebody -- sh -c 'cd && signer demo >demo.txt && signer verify var/demo/signed --trust var/demo/pki/root.pem --json' >"$folder/verified.json"
grep -o '"TOTAL_PASSED"' "$folder/verified.json" | wc -l
inside sh -c 'find /opt/signer -newer /etc/signer/signer.toml -newer /root/*.deb -name "*.pyc"' | grep . && fail "it wrote into /opt"

say "3. signer serve on that token from /etc/signer, as the service's user; signer doctor"
sed -e 's|"pki/|"/var/lib/signer/demo/pki/|; s|"softhsm|"/var/lib/signer/demo/softhsm|; s|file:|file:/var/lib/signer/demo/|; s|sqlite:///journal.db|sqlite:////var/lib/signer/journal.db|' \
    -e 's|\(listen = "127.0.0.1:\)0"|\10"|' "$root/var/lib/signer/demo/signer.toml" >"$root/etc/signer/signer.toml"
inside runuser -u signer -- sh -c '
    signer serve --ready-file /tmp/ready 2>/tmp/log &
    daemon=$!
    for i in $(seq 300); do [ -f /tmp/ready ] && break; sleep 0.1; done
    port=$(sed "s/.*\"port\": \([0-9]*\).*/\1/" /tmp/ready)
    sed "s/^server = .*/server = \"localhost:$port\"/; s|\"pki|\"/var/lib/signer/demo/pki|" /var/lib/signer/demo/client.toml >/tmp/client.toml
    set -e
    signer sign /var/lib/signer/demo/records --out /tmp/signed --client-config /tmp/client.toml --credential principal --level b-t --json >/tmp/signed.json
    signer doctor --client-config /tmp/client.toml
    kill "$daemon" && wait "$daemon"' || { tail "$root/tmp/log" >&2; fail "serve"; }
[ "$(inside sh -c 'ls /tmp/signed | wc -l')" = 35 ] || fail "a class was not signed"

say "4. An upgrade leaves the administrator's configuration; removal leaves configuration and data; purge leaves the data alone"
echo '# ours' >>"$root/etc/signer/signer.toml"
apt install --reinstall "/root/$(basename "$package")"
grep -qx '# ours' "$root/etc/signer/signer.toml" || fail "the configuration was overwritten"
apt remove signer
[ ! -e "$root/usr/bin/signer" ] && [ ! -e "$root/opt/signer" ] && [ -f "$root/etc/signer/signer.toml" ] || fail "remove"
apt purge signer
[ ! -e "$root/etc/signer" ] && [ -f "$root/var/lib/signer/journal.db" ] && inside getent passwd signer >/dev/null || fail "purge"
grep -F '/var/lib/signer' "$folder/apt.log"
rm -r "$root/var/lib/signer"
apt install "/root/$(basename "$package")"
apt purge signer
inside getent passwd signer && fail "the user stays behind"
inside find / -xdev -path /proc -prune -o -name '*signer*' -not -path '/root/*' -not -path '/home/*' -not -path '/var/lib/apt/*' -not -path '/usr/share/python3/*' -print >"$folder/left"
grep -v -F -x -f "$folder/before" "$folder/left" && fail "the files above stay behind"
umount "$root/tmp" "$root/proc"
rm -rf --one-file-system "$root"
say "It installs, runs, and goes."
