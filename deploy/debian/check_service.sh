#!/bin/sh
# The package's service under a systemd of its own, booted in a container: started when it answers, shut in as the unit says, its PIN a
# credential; reloaded, found standing still and started anew, stopped for an upgrade and started again. Minutes; needs root, systemd-nspawn.
#
#   deploy/debian/check_service.sh PACKAGE [FOLDER]     FOLDER holds the clean root that check.sh made (var/deb/bookworm.tar)
set -eu
package=$(realpath "$1")
folder=$(realpath "${2:-var/deb}")
root=$folder/booted
here=$(cd "$(dirname "$0")" && pwd)

rm -rf --one-file-system "$root"
mkdir "$root"
tar --extract --file "$folder/bookworm.tar" --directory "$root"
cp "$package" "$root/root/signer.deb"
install -D -m 644 "$here/../compose/trial.py" "$root/srv/trial.py"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod +x "$root/usr/sbin/policy-rc.d"
chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive sh -euc '
    apt-get -qq -o Acquire::Check-Valid-Until=false -o Acquire::Check-Date=false update
    apt-get -qq -y install systemd systemd-sysv dbus /root/signer.deb' >"$folder/booted.log" 2>&1 || { tail "$folder/booted.log" >&2; exit 1; }
rm "$root/usr/sbin/policy-rc.d"

cat >"$root/root/check" <<'END'
#!/bin/sh
exec >/root/result 2>&1
set -eux
fail() { journalctl --no-pager -u signer -n 30; echo "FAILED: $*"; exit 1; }
shows() { systemctl show signer --property "$1" --value; }
sign() {
    rm -rf /tmp/signed
    signer sign /var/lib/signer/trial/records --out /tmp/signed --client-config /var/lib/signer/trial/client.toml --credential principal --level b-t
    [ "$(ls /tmp/signed | wc -l)" = 35 ] || fail "a class was not signed"
}
runuser -u signer -- /opt/signer/bin/python -I /srv/trial.py
cd /var/lib/signer/trial
install -m 600 softhsm/demo-school.pin /etc/signer/softhsm-pin
sed -e 's|"pki/|"/var/lib/signer/trial/pki/|; s|"softhsm|"/var/lib/signer/trial/softhsm|; s|"file:[^"]*"|"credential:softhsm-pin"|' \
    -e 's|sqlite:///journal.db|sqlite:////var/lib/signer/journal.db|' signer.toml >/etc/signer/signer.toml
systemctl enable --now signer || fail "start"
shows StatusText; sleep 12; [ "$(shows StatusText)" = "ready to sign" ] || fail "not ready"
sign
systemd-analyze --no-pager security signer.service | tail -1
systemctl reload signer || fail "reload"; sleep 3; [ "$(shows ActiveState)" = active ] || fail "reload"
mkdir -p /run/systemd/system/signer.service.d
printf '[Service]\nWatchdogSec=15\n' >/run/systemd/system/signer.service.d/hasty.conf
systemctl daemon-reload; systemctl restart signer
kill -STOP "$(shows MainPID)"
for _ in $(seq 90); do [ "$(shows NRestarts)" = 1 ] && [ "$(shows ActiveState)" = active ] && break; sleep 1; done
[ "$(shows NRestarts)" = 1 ] || fail "a daemon that stands still is not noticed"
sign
before=$(shows MainPID)
apt-get -qq -y install --reinstall /root/signer.deb
[ "$(shows ActiveState)" = active ] && [ "$(shows MainPID)" != "$before" ] || fail "not started again after an upgrade"
systemctl stop signer
[ "$(shows Result)" = success ] || fail "stop: $(shows Result)"
echo "The service starts, is watched, and stops."
END
cat >"$root/etc/systemd/system/check.service" <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh /root/check
ExecStopPost=/bin/systemctl --no-block poweroff
[Install]
WantedBy=default.target
END
chroot "$root" systemctl --quiet enable check.service
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout 900 systemd-nspawn --quiet --register=no --keep-unit --boot --console=pipe --directory "$root" \
    </dev/null >"$folder/boot.log" 2>&1 || true
cat "$root/root/result"
grep -q '^The service starts' "$root/root/result"
rm -rf --one-file-system "$root"
